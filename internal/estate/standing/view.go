package standing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// view is what the page of a standard shows.
type view struct {
	*standard.Standing
	Snapshot *register.Snapshot
	Listing  list
	May      bool   // whoever looks may choose and drop
	Offered  bool   // it is looked at in the library
	Chosen   string // id of the standard that was made from it
}

// list is a page of findings.
type list struct {
	Result      standard.Result // only these; "" for all
	Findings    []standard.Finding
	Total       int
	Page, Pages int
	path, on    string
}

// themed are the standards of the library on one theme.
type themed struct {
	Name      string
	Standings []*standard.Standing
}

// themes groups the library, in its order.
func themes(o *standard.Outcome) (out []themed) {
	for i := range o.Standings {
		t := &o.Standings[i]
		name := words.Or(theme(t.Code()), "Others")
		at := slices.IndexFunc(out, func(x themed) bool { return x.Name == name })
		if at < 0 {
			at = len(out)
			out = append(out, themed{Name: name})
		}
		out[at].Standings = append(out[at].Standings, t)
	}
	return out
}

// inForce counts the standards of a theme that are chosen.
func inForce(s *register.Snapshot, t themed) (n int) {
	for _, x := range t.Standings {
		if _, ok := chosen(s, x.Code()); ok {
			n++
		}
	}
	return n
}

func severity(s string) string {
	switch s {
	case "must":
		return "Must be met"
	case "should":
		return "Should be met"
	}
	return "For information"
}

func waiverText(f standard.Finding) string {
	switch w := f.Waiver; {
	case w == nil:
		return ""
	case f.Ended:
		return fmt.Sprintf("The waiver %s ended on %s and no longer counts.", w.ID, words.Date(w.Spec.Expires))
	case f.Ending:
		return fmt.Sprintf("Waived until %s, which is soon, as %s agreed: %s", words.Date(w.Spec.Expires), words.Post(w.Spec.ApprovedBy), w.Spec.Reason)
	default:
		return fmt.Sprintf("Waived until %s, as %s agreed: %s", words.Date(w.Spec.Expires), words.Post(w.Spec.ApprovedBy), w.Spec.Reason)
	}
}

// looked is what the rule looked at, in words.
func looked(f standard.Finding) string {
	var parts []string
	for _, e := range f.Evidence {
		text := doc(f, e.Path) + ": " + words.Value(e.Value)
		if e.Source != "" {
			text += " (as stated by " + e.Source + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// doc is what a rule looked at at a path.
func doc(f standard.Finding, path string) string {
	if name, ok := strings.CutPrefix(path, "facts."); ok {
		if fact, ok := standard.FactOf(f.Kind, name); ok {
			return fact.Doc
		}
	}
	return words.Field(path)
}

func stats(v view) []ui.Stat {
	stat := func(label string, n int, result standard.Result, tone ui.Tone) ui.Stat {
		l := v.Listing
		l.Result = result
		s := ui.Stat{Label: label, Value: fmt.Sprint(n), Href: l.href(1)}
		if n > 0 {
			s.Tone = tone
		}
		return s
	}
	return []ui.Stat{
		stat("not met", v.Fail, standard.Fail, ui.Bad), stat("not known", v.Unknown, standard.Unknown, ui.Quiet),
		stat("waived", v.Waived, standard.Waived, ui.Special), stat("met", v.Pass, standard.Pass, ui.Good),
	}
}

func totals(o *standard.Outcome) []ui.Stat {
	bad := ui.Stat{Label: "not met", Value: fmt.Sprint(o.Total(standard.Fail)), Note: "by all standards in force"}
	if o.Total(standard.Fail) > 0 {
		bad.Tone = ui.Bad
	}
	return []ui.Stat{
		bad,
		{Label: "not known", Value: fmt.Sprint(o.Total(standard.Unknown)), Tone: ui.Quiet, Note: "never counted as met"},
		{Label: "waived", Value: fmt.Sprint(o.Total(standard.Waived)), Note: "until a day"},
		{Label: "met", Value: fmt.Sprint(o.Total(standard.Pass))},
	}
}

func rows(v view) []ui.SummaryRow {
	s := v.Spec
	out := []ui.SummaryRow{
		ui.Row("How much it matters", severity(s.Severity)),
		ui.Row("When it is not met", s.Failing),
		ui.Row("What to do", s.Fix),
		ui.Row("Is about", things(s.Applies.Kind)),
	}
	if code := v.Code(); code != "" {
		out = append(out, ui.Row("Code in the library", code+", "+theme(code)))
	}
	if s.Applies.Where != "" {
		out = append(out, ui.RowHTML("Of these, those where", rule(s.Applies.Where)))
	}
	out = append(out, ui.RowHTML("Rule", rule(s.Rule)), ui.RowHTML("It looks at", inputs(v)))
	waiver := "Not possible"
	if s.MaxWaiver != nil {
		waiver = "At most " + words.Count(int(s.MaxWaiver.D().Hours()/24), "day", "days")
	}
	out = append(out, ui.Row("Waiver", waiver))
	if len(s.Source) > 0 {
		var from []string
		for _, x := range s.Source {
			from = append(from, words.Source(x))
		}
		out = append(out, ui.Row("Asked for by", strings.Join(from, "; ")))
	}
	if !v.Offered {
		out = append(out, ui.Row("Declared in", fmt.Sprintf("%s, line %d", v.File, v.Line)))
	}
	return out
}

// aspects are what a standard looks at, in words.
func aspects(v view) (out []string) {
	for _, p := range v.Inputs() {
		if p == "now" || p == "today" {
			continue
		}
		out = append(out, ui.Capital(doc(standard.Finding{Kind: v.Spec.Applies.Kind}, p)))
	}
	return out
}
