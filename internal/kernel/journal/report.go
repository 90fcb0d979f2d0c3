package journal

import (
	"encoding/json"
	"fmt"
	"strings"
)

// String tells people what was found: whether the journal holds, or else the
// first bad entry and why it is.
func (r Report) String() string {
	var b strings.Builder
	switch {
	case r.OK():
		fmt.Fprintf(&b, "The journal holds: %s and %s were computed anew.", count(r.Entries, "entry", "entries"), count(int64(r.Checkpoints), "checkpoint", "checkpoints"))
	case r.FirstBad >= r.LastBad:
		fmt.Fprintf(&b, "The journal does not hold. First bad entry: %d.\n%s.", r.FirstBad, sentence(r.Problem))
	default:
		fmt.Fprintf(&b, "The journal does not hold. First bad entry: %d, or one after it up to %d.\n%s.", r.FirstBad, r.LastBad, sentence(r.Problem))
	}
	if r.OK() || r.Entries > 0 {
		what := "Tree hash"
		if !r.OK() {
			what = fmt.Sprintf("Tree hash of the %s read", count(r.Entries, "entry", "entries"))
		}
		fmt.Fprintf(&b, "\n%s: %s", what, r.Root)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\nNote: %s.", n)
	}
	return b.String()
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// MarshalJSON writes the report for programs: first_bad, last_bad and problem
// only where something is wrong.
func (r Report) MarshalJSON() ([]byte, error) {
	out := struct {
		OK          bool     `json:"ok"`
		Entries     int64    `json:"entries"`
		Checkpoints int      `json:"checkpoints"`
		Root        string   `json:"root"`
		FirstBad    *int64   `json:"first_bad,omitempty"`
		LastBad     *int64   `json:"last_bad,omitempty"`
		Problem     string   `json:"problem,omitempty"`
		Notes       []string `json:"notes,omitempty"`
	}{OK: r.OK(), Entries: r.Entries, Checkpoints: r.Checkpoints, Root: r.Root.String(), Problem: r.Problem, Notes: r.Notes}
	if !r.OK() {
		out.FirstBad, out.LastBad = &r.FirstBad, &r.LastBad
	}
	return json.Marshal(out)
}
