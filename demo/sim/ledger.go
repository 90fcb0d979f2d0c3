package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Counts is what a system saw, since its folder was made.
type Counts struct {
	Requests    int64 `json:"requests"`    // attempts of any kind
	Effects     int64 `json:"effects"`     // things taken, each once
	Repeats     int64 `json:"repeats"`     // sent again and recognised
	Refused     int64 `json:"refused"`     // not understood: 4xx
	Unavailable int64 `json:"unavailable"` // 503 on purpose
	Died        int64 `json:"died"`        // taken, and never answered
	Changed     int64 `json:"changed"`     // sent again with another content: must stay 0
}

// ledger is what a system has taken: in memory, and in a file that is only ever
// appended to, so that a system that is started again still knows.
type ledger struct {
	mu     sync.Mutex
	file   *os.File
	counts Counts
	items  []json.RawMessage
	keys   map[string]string // of an effect: digest of its content
}

// line is one line of the file: something counted, or an effect.
type line struct {
	Saw    string          `json:"saw,omitempty"`    // request | repeat | refused | unavailable | died | changed
	Effect string          `json:"effect,omitempty"` // key
	Digest string          `json:"digest,omitempty"`
	Item   json.RawMessage `json:"item,omitempty"`
}

func openLedger(path string) (*ledger, error) {
	l := &ledger{keys: map[string]string{}}
	raw, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("sim.openLedger: %w", err)
	}
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var in line
		if json.Unmarshal(sc.Bytes(), &in) != nil {
			continue // the last line of a system that was killed
		}
		l.count(in.Saw)
		if in.Effect != "" {
			l.keys[in.Effect] = in.Digest
			if in.Item != nil {
				l.items = append(l.items, in.Item)
				l.counts.Effects++
			}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("sim.openLedger: %s: %w", path, err)
	}
	if l.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("sim.openLedger: %w", err)
	}
	if n := len(raw); n > 0 && raw[n-1] != '\n' {
		_, err = l.file.WriteString("\n")
	}
	return l, err
}

// saw counts something and returns how many requests there were so far.
func (l *ledger) saw(what string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(what)
	l.write(line{Saw: what})
	return l.counts.Requests
}

func (l *ledger) count(what string) {
	switch what {
	case "request":
		l.counts.Requests++
	case "repeat":
		l.counts.Repeats++
	case "refused":
		l.counts.Refused++
	case "unavailable":
		l.counts.Unavailable++
	case "died":
		l.counts.Died++
	case "changed":
		l.counts.Changed++
	}
}

// take records an effect under its key. It is the same effect if the key was
// taken with the same content before (repeat), and nothing that a well-behaved
// sender does if the content differs (changed).
func (l *ledger) take(key, digest string, item json.RawMessage) (repeat, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if had, ok := l.keys[key]; ok {
		what := "repeat"
		if had != digest {
			what = "changed"
		}
		l.count(what)
		l.write(line{Saw: what})
		return what == "repeat", what == "changed"
	}
	l.add(key, digest, item)
	return false, false
}

// put is take for a receiver in which the last content under a key counts: it is
// an effect whenever the content differs from what is there.
func (l *ledger) put(key, digest string, item json.RawMessage) (repeat bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys[key] == digest {
		l.count("repeat")
		l.write(line{Saw: "repeat"})
		return true
	}
	l.add(key, digest, item)
	return false
}

func (l *ledger) add(key, digest string, item json.RawMessage) {
	l.keys[key] = digest
	if item != nil {
		l.items = append(l.items, item)
		l.counts.Effects++
	}
	l.write(line{Effect: key, Digest: digest, Item: item})
}

// write appends a line. A simulated system whose disk fails is no use to anybody.
func (l *ledger) write(in line) {
	b, err := json.Marshal(in)
	if err == nil {
		_, err = l.file.Write(append(b, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("sim: the ledger cannot be written: %v", err))
	}
}

func (l *ledger) received() []json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]json.RawMessage{}, l.items...)
}

func (l *ledger) snapshot() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}
