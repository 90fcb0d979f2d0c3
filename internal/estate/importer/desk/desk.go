// Package desk has the pages on which people import: choose a file, see what it
// would change, decide, and take it in.
//
// What is guaranteed. Nothing is written before a person confirmed what was shown;
// where the definitions changed meanwhile, the preview is shown again. A file on
// its way has no name on disk, is gone after an hour, and with the program.
//
// What not to assume: that an upload survives a restart.
package desk

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
)

// Bounds of what is on its way.
const (
	maxUpload = 64 << 20
	maxHeld   = 20
	holdFor   = time.Hour
)

// upload is a file on its way.
type upload struct {
	busy     sync.Mutex // held by the request that looks at it: what was said of it, and its file, are for one at a time
	id, by   string     // by is the actor who sent it
	at       time.Time
	file     *os.File
	size     int64
	name     string // as the browser called it
	source   string
	settings map[string]string
	mapping  []byte // as YAML; nil to guess
}

// held are the uploads on their way.
type held struct {
	mu  sync.Mutex
	all map[string]*upload
}

// keep takes a file in. It has no name on disk: nobody finds it, and nothing is left
// of it when the program ends.
func (h *held) keep(dir string, r io.Reader, u *upload) error {
	f, err := os.CreateTemp(dir, "import-*")
	if err != nil {
		return err
	}
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(err, f.Close())
	}
	n, err := io.Copy(f, io.LimitReader(r, maxUpload+1))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if n > maxUpload {
		return errors.Join(reeve.E(reeve.TooLarge, "import", "the file is larger than %d MB: split it, or leave out what is not needed", maxUpload>>20), f.Close())
	}
	u.file, u.size, u.id = f, n, rand.Text()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[string]*upload{}
	}
	h.sweep(u.at)
	for len(h.all) >= maxHeld {
		var oldest *upload
		for _, x := range h.all {
			if oldest == nil || x.at.Before(oldest.at) {
				oldest = x
			}
		}
		h.drop(oldest)
	}
	h.all[u.id] = u
	return nil
}

func (h *held) sweep(now time.Time) {
	for _, x := range h.all {
		if now.Sub(x.at) > holdFor {
			h.drop(x)
		}
	}
}

func (h *held) drop(u *upload) {
	delete(h.all, u.id)
	_ = u.file.Close() // it has no name: closing is removing
}

// take gives back what somebody sent, only to who sent it, and to one request at a
// time. The caller unlocks u.busy.
func (h *held) take(id, by string, now time.Time) (*upload, error) {
	u, err := h.find(id, by, now)
	if err != nil {
		return nil, err
	}
	u.busy.Lock()
	if _, err := h.find(id, by, now); err != nil { // it was imported meanwhile
		u.busy.Unlock()
		return nil, err
	}
	return u, nil
}

func (h *held) find(id, by string, now time.Time) (*upload, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweep(now)
	u, ok := h.all[id]
	if !ok || u.by != by {
		return nil, reeve.E(reeve.NotFound, "import", "this file is not here any more: files are kept for an hour while somebody looks at them. Choose it again")
	}
	return u, nil
}

func (h *held) done(u *upload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all[u.id] == u {
		h.drop(u)
	}
}
