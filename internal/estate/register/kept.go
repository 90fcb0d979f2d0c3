package register

import "sync"

// Kept makes something of the estate once and keeps the last few of them: an
// index, a drawing. The zero value is ready; it is safe for concurrent use, and
// whoever asks for what is being made waits for it.
type Kept[K comparable, T any] struct {
	mu   sync.Mutex
	last []kept[K, T] // the one asked for last is the last
}

type kept[K comparable, T any] struct {
	key   K
	value T
}

// mostKept is how many are kept.
const mostKept = 3

// Get is what was made for key, or what create makes of it now.
func (k *Kept[K, T]) Get(key K, create func() T) T {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, x := range k.last {
		if x.key == key {
			k.last = append(append(k.last[:i:i], k.last[i+1:]...), x)
			return x.value
		}
	}
	if len(k.last) >= mostKept {
		k.last = append(k.last[:0:0], k.last[1:]...)
	}
	x := kept[K, T]{key, create()}
	k.last = append(k.last, x)
	return x.value
}
