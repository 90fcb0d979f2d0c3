package workshop

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rehearsal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// editView is the page of a flow that is being changed.
type editView struct {
	*draft
	ReadOnly string
	Picked   string // source field that is chosen
	Errors   ui.Errors
	Told     string // what was done just now
	Sources  []contract.Field
	Targets  []target
	More     bool // a side has more fields than are listed
	Results  []example.Result
	Records  []tried
	Real     string // why no real records are shown; "" where they are
	Revealed string // reason with which values are shown; "" where they are masked
	Change   Change
	Diffs    []fileDiff
	Message  string
	Name     string // of an example that is being added
	Given    string
}

// target is a field of the receiver and what is put into it.
type target struct {
	contract.Field
	From string // JSON Pointer of the source field
	Note string // what is done with it, or who makes it
}

type fileDiff struct {
	Name  string
	Lines []ui.DiffLine
}

// tried is a real record as the flow sees it, and what becomes of it.
type tried struct {
	N         string // from 1, on the page
	At, Seen  string // when it came; what the flow sees of it
	Now, Then outcome
	Changed   bool
	Differs   []example.Difference
}

// outcome is what a flow makes of a record.
type outcome struct {
	Became   string
	Tone     ui.Tone
	Body     string
	Problems []string
}

func (v *editView) fill() {
	var more bool
	v.Sources, v.More = v.sources()
	targets, more := v.targets()
	v.More = v.More || more
	lines, all := read(v.Map), whole(v.Map) || strings.TrimSpace(v.Map) == ""
	for _, f := range targets {
		t := target{Field: f}
		t.From, t.Note = state(f, lines, all && v.has(f.Path))
		v.Targets = append(v.Targets, t)
	}
}

// has reports whether the flow sees a field of this path.
func (v *editView) has(at string) bool {
	return slices.ContainsFunc(v.Sources, func(f contract.Field) bool { return f.Path == at || strings.HasPrefix(at, f.Path+"/") })
}

// told puts what is wrong with a draft at the fields that it is about.
func (v *editView) told() {
	if v.problem != nil {
		text := ui.Capital(reeve.Message(v.problem))
		if strings.HasPrefix(reeve.Message(v.problem), "line ") {
			v.Errors.Add("map", "%s", text)
		} else {
			v.Errors.Add("", "%s", text)
		}
	}
	for _, p := range v.plan.Problems {
		switch {
		case strings.Contains(p.Message, "filter"):
			v.Errors.Add("filter", "%s", ui.Capital(strings.TrimPrefix(p.Message, "spec.filter: ")))
		case strings.Contains(p.Message, v.file) || p.File == v.file:
			v.Errors.Add("map", "%s", ui.Capital(strings.TrimPrefix(p.Message, v.file+" ")))
		default:
			v.Errors.Add("", "%s", p.String())
		}
	}
}

// try runs both flows on records, for who may see what sees says.
func (v *editView) tryOn(ctx context.Context, d *Desk, recs []reclog.Record, sees func(reeve.Class) bool) error {
	if v.then == nil {
		return nil
	}
	pair, err := rehearsal.NewPair(d.o.Flows(), v.then, v.draft.Flow.ID, v.was)
	if err != nil {
		return err
	}
	all := v.all(sees)
	var known func(string) bool // of a map that is tried, for who may not see all: names that are no values
	if v.Map != v.was && !all {
		known = v.names()
	}
	for i := range recs {
		rec := &recs[i]
		now, then := pair.Both(ctx, rec)
		x := tried{N: strconv.Itoa(i + 1), At: ui.TimeText(rec.At.In(d.o.Zone)), Seen: v.shown(v.draft.Flow.Cut(ctx, rec), sees)}
		x.Now, x.Then = outcomeOf(pair, now, all, nil), outcomeOf(pair, then, all, known)
		x.Changed = now.Decision != then.Decision || string(now.Body) != string(then.Body)
		if now.Decision == flow.Sent && then.Decision == flow.Sent {
			if x.Differs = pair.Differences(now.Body, then.Body); known != nil {
				x.Differs = pair.Outlines(now.Body, then.Body, known)
			}
			x.Changed = len(x.Differs) > 0
		}
		v.Records = append(v.Records, x)
	}
	return nil
}

// shown is what the flow sees of a record: masked, or as it is for who may see it.
func (v *editView) shown(body []byte, sees func(reeve.Class) bool) string {
	t := v.draft.Flow.Type
	return rehearsal.Mask(body, func(at, _ string) bool {
		c := t.ClassOf(at)
		return sees != nil && sees(c) || c == reeve.Public && !t.Personal
	})
}

// all reports whether somebody may see all that the flow sees.
func (v *editView) all(sees func(reeve.Class) bool) bool {
	all := sees != nil
	if all {
		for _, c := range v.draft.Flow.Type.Classes(v.draft.Flow.Fields...) {
			all = all && sees(c)
		}
	}
	return all
}

// names tells the names of fields of both sides.
func (v *editView) names() func(string) bool {
	known := map[string]bool{}
	from, _ := v.sources()
	to, _ := v.targets()
	for _, f := range append(from, to...) {
		for _, tok := range contract.Tokens(f.Path) {
			known[tok] = true
		}
	}
	return func(name string) bool { return known[name] }
}

// outcomeOf is what became of a record. What a map made of several fields can hold any
// of them: its values are shown to who may see them all. Of a map that somebody is only
// trying, who may not is told no more than the kinds of values: known is then which
// names are those of fields.
func outcomeOf(p rehearsal.Pair, made flow.Prepared, all bool, known func(string) bool) outcome {
	o := outcome{}
	o.Became, o.Tone = words(made.Decision)
	switch {
	case made.Decision == flow.Sent && known != nil:
		o.Body = rehearsal.Outline(made.Body, known)
	case made.Decision == flow.Sent:
		o.Body = rehearsal.Mask(made.Body, func(_, value string) bool { return all || p.Literals[value] })
	}
	for _, x := range made.Problems {
		text := x.Message
		if x.Path != "" {
			text = ui.FieldText(x.Path) + ": " + text
		}
		if known != nil {
			text = "the map fails on this record, or the receiver would not take what it makes: show the values to see why"
		}
		if text = ui.Capital(text); !slices.Contains(o.Problems, text) {
			o.Problems = append(o.Problems, text)
		}
	}
	return o
}

func words(d flow.Decision) (string, ui.Tone) {
	switch d {
	case flow.Sent:
		return "Sent", ui.Good
	case flow.Filtered:
		return "Not for them", ui.Quiet
	case flow.Outside:
		return "Left out by the agreement", ui.Quiet
	case flow.Earlier:
		return "Before the start", ui.Quiet
	case flow.Elsewhere:
		return "Not carried", ui.Quiet
	}
	return "Parked", ui.Bad
}

// changed is how many of the records would be dealt with in another way.
func (v *editView) changed() (n int) {
	for _, x := range v.Records {
		if x.Changed {
			n++
		}
	}
	return n
}

// good reports whether the change could be saved.
func (v *editView) good() bool {
	return v.ReadOnly == "" && v.Change.some() && len(v.Errors) == 0 && len(failing(v.Results)) == 0
}

func (v *editView) here() string { return "/staff/flows/" + url.PathEscape(v.draft.Flow.ID) }

// kept are the changed examples as hidden fields.
func (v *editView) kept() (out [][2]string) {
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range v.Examples {
			if !yield(n) {
				return
			}
		}
	}) {
		b, err := v.Examples[name].File()
		if err == nil {
			out = append(out, [2]string{"example:" + name, string(b)})
		}
	}
	return out
}

// holds says what a field holds, in words.
func holds(f contract.Field) string {
	switch {
	case len(f.Choices) > 0:
		return "one of " + strings.Join(f.Choices[:min(len(f.Choices), 4)], ", ") + map[bool]string{true: ", …"}[len(f.Choices) > 4]
	case f.Format != "":
		return map[string]string{"date": "a date", "date-time": "a time", "email": "an e-mail address", "uri": "an address of the web"}[f.Format]
	case len(f.Takes) == 1:
		return map[string]string{"string": "text", "number": "a number", "integer": "a whole number", "boolean": "yes or no", "array": "a list", "object": "a group of fields"}[f.Takes[0]]
	}
	return ""
}

func (v *editView) resultRows() (rows [][]ui.Cell) {
	for _, x := range v.Results {
		text, tone := "As expected", ui.Good
		if !x.OK {
			text, tone = "Another result", ui.Bad
		}
		rows = append(rows, []ui.Cell{{Text: x.Example}, {Text: x.About}, ui.CellHTML(ui.Status(text, tone)), ui.CellHTML(resultCell(x, v.ReadOnly == ""))})
	}
	return rows
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
