package journal

import (
	"sync"
	"time"
)

// tailEntries is of how many of the newest entries the gist is in memory. Whoever
// indexes and counts entries follows close behind them, and need not read back what
// was just written.
const tailEntries = 1 << 16

// gist is what indexing and counting want to know of an entry.
type gist struct {
	about  int64 // hash of what it is about, or nothing
	minute int64 // minutes since 1970
	verb   string
}

// nothing is in place of a hash where an entry is about nothing.
const nothing = -1

func gistOf(e *Entry) gist {
	g := gist{about: nothing, minute: e.At.Truncate(time.Minute).Unix() / 60, verb: e.Verb}
	if e.About != "" {
		g.about = hashOf(e.About)
	}
	return g
}

func (g gist) at() time.Time { return time.Unix(g.minute*60, 0).UTC() }

// tail holds the gists of committed entries, without a gap.
type tail struct {
	mu    sync.Mutex
	first int64 // number of the entry that gists begin with
	gists []gist
}

// add takes the gists of the entries from a number on. After a gap, as another
// process leaves it, it begins anew.
func (t *tail) add(first int64, gists []gist) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first != t.first+int64(len(t.gists)) {
		t.first, t.gists = first, t.gists[:0]
	}
	t.gists = append(t.gists, gists...)
	if over := len(t.gists) - tailEntries; over > tailEntries/4 { // not at every call: what stays is moved
		t.first += int64(over)
		t.gists = t.gists[:copy(t.gists, t.gists[over:])]
	}
}

// from returns the gists of up to max entries from a number on; none where it does
// not reach back so far.
func (t *tail) from(n int64, max int) []gist {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < t.first || n >= t.first+int64(len(t.gists)) {
		return nil
	}
	gists := t.gists[n-t.first:]
	return append([]gist(nil), gists[:min(max, len(gists))]...)
}
