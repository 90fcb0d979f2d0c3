package standing

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// Report is how a folder stands, for a program or a terminal.
type Report struct {
	Standards []ReportedStandard `json:"standards"`
	Pass      int                `json:"pass"`
	Fail      int                `json:"fail"`
	Unknown   int                `json:"unknown"`
	Waived    int                `json:"waived"`
}

// ReportedStandard is how a folder stands against one standard.
type ReportedStandard struct {
	ID       string            `json:"id"`
	Code     string            `json:"code,omitempty"`
	Name     string            `json:"name"`
	Severity string            `json:"severity"`
	Pass     int               `json:"pass"`
	Fail     int               `json:"fail"`
	Unknown  int               `json:"unknown"`
	Waived   int               `json:"waived"`
	Fix      string            `json:"fix"`
	Findings []ReportedFinding `json:"findings"` // all but those that are met
}

// ReportedFinding is one thing that does not meet a standard, or of which that is
// not known, and where it is declared.
type ReportedFinding struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Result  standard.Result `json:"result"`
	Reason  string          `json:"reason"`
	ToKnow  []string        `json:"toKnow,omitempty"`
	Waiver  string          `json:"waiver,omitempty"`
	Expires string          `json:"expires,omitempty"`
	File    string          `json:"file,omitempty"`
	Line    int             `json:"line,omitempty"`
}

// NewReport gathers what is not met, not known or waived. Names of files begin
// with prefix.
func NewReport(o *standard.Outcome, prefix string) Report {
	r := Report{Standards: []ReportedStandard{}, Pass: o.Total(standard.Pass), Fail: o.Total(standard.Fail), Unknown: o.Total(standard.Unknown), Waived: o.Total(standard.Waived)}
	for i := range o.Standings {
		t := &o.Standings[i]
		s := ReportedStandard{ID: t.ID, Code: t.Code(), Name: t.Name, Severity: t.Spec.Severity, Pass: t.Pass, Fail: t.Fail, Unknown: t.Unknown, Waived: t.Waived, Fix: t.Spec.Fix, Findings: []ReportedFinding{}}
		for _, at := range t.Places(0, 0, standard.Fail, standard.Unknown, standard.Waived) {
			f, _ := t.Finding(at)
			x := ReportedFinding{Kind: f.Kind, ID: f.ID, Name: f.Name, Result: f.Result, Reason: f.Reason}
			for _, m := range f.Missing {
				x.ToKnow = append(x.ToKnow, m.Ask)
			}
			if f.Waiver != nil {
				x.Waiver, x.Expires = f.Waiver.ID, f.Waiver.Spec.Expires.String()
			}
			if place := t.Table().Place; place != nil {
				if x.File, x.Line = place(at); x.File != "" {
					x.File = path.Join(prefix, x.File)
				}
			}
			s.Findings = append(s.Findings, x)
		}
		slices.SortStableFunc(s.Findings, func(a, b ReportedFinding) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		r.Standards = append(r.Standards, s)
	}
	return r
}

// Failing counts what is not met of the standards that matter at least so much:
// must, should or info.
func (r Report) Failing(least string) (n int) {
	rank := []string{"must", "should", "info"}
	for _, s := range r.Standards {
		if slices.Index(rank, s.Severity) <= slices.Index(rank, least) {
			n += s.Fail
		}
	}
	return n
}

// Text is the report for people: what is not met, a line for each with its place,
// and how much is not known.
func (r Report) Text() string {
	var b strings.Builder
	for _, s := range r.Standards {
		if s.Fail+s.Unknown+s.Waived == 0 {
			continue
		}
		name := s.ID
		if s.Code != "" {
			name = s.Code + " " + s.ID
		}
		fmt.Fprintf(&b, "%s: %s (%s)\n  %d not met, %d not known, %d waived, %d met\n", name, s.Name, s.Severity, s.Fail, s.Unknown, s.Waived, s.Pass)
		failed := false
		for _, f := range s.Findings {
			if f.Result != standard.Fail {
				continue
			}
			where := ""
			if f.File != "" {
				where = fmt.Sprintf("%s:%d: ", f.File, f.Line)
			}
			text := f.Reason
			if f.Waiver != "" {
				text += fmt.Sprintf(" The waiver %s ended on %s.", f.Waiver, f.Expires)
			}
			fmt.Fprintf(&b, "  %s%s: %s\n", where, cmp.Or(f.Name, f.ID), text)
			failed = true
		}
		if failed {
			fmt.Fprintf(&b, "  What to do: %s\n", s.Fix)
		}
		for text, n := range most(s.Findings) {
			fmt.Fprintf(&b, "  Not known of %d: %s\n", n, text)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "Standards: %d. Findings: %d not met, %d not known, %d waived, %d met.\n", len(r.Standards), r.Fail, r.Unknown, r.Waived, r.Pass)
	return b.String()
}

// most yields how what is not known would become known, the commonest first.
func most(fs []ReportedFinding) func(yield func(string, int) bool) {
	count := map[string]int{}
	var order []string
	for _, f := range fs {
		for _, ask := range f.ToKnow {
			if count[ask]++; count[ask] == 1 {
				order = append(order, ask)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return count[b] - count[a] })
	return func(yield func(string, int) bool) {
		for _, ask := range order {
			if !yield(ask, count[ask]) {
				return
			}
		}
	}
}
