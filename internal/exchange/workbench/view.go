package workbench

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// mistakeData is what the page of a group of held records shows.
type mistakeData struct {
	Mistake quarantine.Mistake
	Records []quarantine.Held // the first of them
	Source  string
	Keep    bool
	Trial   *Trial // nil: nothing was tried
	Wrong   string // with the correction
	p       pages
	now     time.Time
}

func (d mistakeData) rows() []ui.SummaryRow {
	rows := []ui.SummaryRow{ui.Row("Record type", d.p.name("RecordType", string(d.Mistake.Type))), ui.Row("Sender", d.p.name("Organisation", d.Mistake.Sender)),
		ui.Row("Records", strconv.Itoa(d.Mistake.Count))}
	if !d.Mistake.Oldest.IsZero() {
		rows = append(rows, ui.Row("The oldest waits", quarantine.Age(d.now.Sub(d.Mistake.Oldest))))
	}
	return rows
}

func (d mistakeData) recordRows() (rows [][]ui.Cell) {
	for _, h := range d.Records {
		also := "nothing else"
		if n := len(h.Problems) - 1; n > 0 {
			also = plural(n, "other problem")
		}
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(string(h.ID), heldHref(h.ID))), {Text: quarantine.Age(d.now.Sub(h.At))}, {Text: also}})
	}
	return rows
}

func (d mistakeData) correctTitle() string {
	if d.Mistake.Count == 1 {
		return "Correct it"
	}
	return fmt.Sprintf("Correct all %d", d.Mistake.Count)
}

// waitingText is how many are in a correction that can still be undone.
func (d mistakeData) waitingText() string {
	n := d.Mistake.Count - len(d.Records)
	if n == 1 {
		return "One is part of a correction that is not released yet."
	}
	return fmt.Sprintf("%d are part of corrections that are not released yet.", n)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ofFirst says that only the first of many are shown.
func ofFirst(shown, all int) string {
	if shown >= all {
		return ""
	}
	return fmt.Sprintf(": the first %d of %d", shown, all)
}

func takeBack(own bool) string {
	if own {
		return "Undo"
	}
	return "Reject"
}

func (d mistakeData) errors() (es ui.Errors) {
	if d.Wrong != "" {
		es.Add("source", "The correction: %s", d.Wrong)
	}
	return es
}

func (t Trial) stats() []ui.Stat {
	out := []ui.Stat{{Label: "would be in order", Value: strconv.Itoa(t.Passing)}, {Label: "would not", Value: strconv.Itoa(t.Looked - t.Passing - t.Unchanged)},
		{Label: "it does nothing to", Value: strconv.Itoa(t.Unchanged)}}
	if t.Passing == 0 {
		out[0].Tone = ui.Bad
	}
	return out
}

func (t Trial) failureRows() (rows [][]ui.Cell) {
	for _, f := range t.Failures {
		rows = append(rows, []ui.Cell{{Text: f.Text}, ui.Num(strconv.Itoa(f.Count))})
	}
	return rows
}

func exampleRows(es []Example) (rows [][]ui.Cell) {
	show := func(s string) string {
		if s == "" {
			return "not there"
		}
		return s
	}
	for _, e := range es {
		for i, c := range e.Changes {
			id := ui.CellHTML(ui.LinkTo(string(e.ID), heldHref(e.ID)))
			if i > 0 {
				id = ui.Cell{Text: string(e.ID)}
			}
			rows = append(rows, []ui.Cell{id, {Text: ui.FieldText(c.Path)}, {Text: show(c.Before)}, {Text: show(c.After)}})
		}
	}
	return rows
}

// listData is what the list of corrections shows.
type listData struct {
	Open, Ended []Correction
	Rules       []Rule
	Times       map[reeve.RecordType]quarantine.Times
	p           pages
	now         time.Time
}

func (d listData) timeRows() (rows [][]ui.Cell) {
	for _, o := range sortedTypes(d.Times) {
		t := d.Times[o]
		rows = append(rows, []ui.Cell{{Text: d.p.name("RecordType", string(o))}, ui.Num(strconv.Itoa(t.Count)), {Text: quarantine.Age(t.Median)}, {Text: quarantine.Age(t.Most)}})
	}
	return rows
}

func (c Correction) status() (string, ui.Tone) {
	switch c.State {
	case Proposed:
		return "waits for approval", ui.Waiting
	case Applied:
		return "can be undone", ui.Info
	case Released:
		return "released", ui.Good
	case Undone:
		return "undone", ui.Quiet
	}
	return string(c.State), ui.Info
}

func (d listData) correctionRows(cs []Correction) (rows [][]ui.Cell) {
	for _, c := range cs {
		text, tone := c.status()
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(fmt.Sprintf("Correction %d", c.ID), href(c.ID))), {Text: d.p.name("RecordType", string(c.Type))},
			{Text: d.p.name("Organisation", c.Sender)}, ui.Num(strconv.Itoa(c.Total)), {Text: d.p.name("Staff", c.MadeBy)}, {Text: quarantine.Age(d.now.Sub(c.Made)) + " ago"}, ui.CellHTML(ui.Status(text, tone))})
	}
	return rows
}

func (r Rule) what() string {
	return quarantine.Mistake{Path: r.Problem.Path, Message: r.Problem.Message}.Text()
}

func (r Rule) rows(p pages) []ui.SummaryRow {
	state, tone := "on", ui.Good
	if !r.On {
		state, tone = "off", ui.Quiet
	}
	kept := "By " + p.name("Staff", r.MadeBy) + " on " + ui.DateText(p.m.Local(r.Made))
	if r.ApprovedBy != "" {
		kept += ", approved by " + p.name("Staff", r.ApprovedBy)
	}
	used := plural(int(r.Used), "record")
	if !r.Last.IsZero() {
		used += ", last on " + ui.TimeText(p.m.Local(r.Last))
	}
	rows := []ui.SummaryRow{ui.RowHTML("State", ui.Status(state, tone)), ui.Row("Record type", p.name("RecordType", string(r.Type))), ui.Row("Sender", p.name("Organisation", r.Sender)),
		ui.Row("Put right", used), ui.RowHTML("Kept", keptFrom(kept, r.Correction)), ui.RowHTML("Correction", ui.Code("Correction", r.Source))}
	if !r.On && r.Why != "" {
		rows[0] = ui.RowHTML("State", ui.Status("stopped", ui.Bad))
		rows = append(rows, ui.Row("Why", "Switched off by the program on "+ui.TimeText(p.m.Local(r.Changed))+": "+r.Why+". Records with this mistake are held since"))
	}
	return rows
}

// partnerRows are the rule as its sender sees it: not who made it.
func (r Rule) partnerRows(p pages) []ui.SummaryRow {
	rows := r.rows(p)
	return append(rows[:2:2], rows[3], ui.Row("Since", ui.DateText(p.m.Local(r.Made))), rows[5])
}

func kept(keep bool) []string {
	if keep {
		return []string{"yes"}
	}
	return nil
}

const patternText = `root = this

# a date that was written the other way round
root.born = this.born.ts_strptime("%d/%m/%Y").ts_strftime("%Y-%m-%d")

# a number that was written as text
root.count = this.count.number()

# spaces and small letters
root.postcode = this.postcode.trim().uppercase()

# one word for another, and all others as they are
root.status = match this.status {
  "Opened" => "open"
  "Ended"  => "closed"
  _        => this.status
}

# a field that should not be there
root.note = deleted()
`

// correctionData is what the page of a correction shows.
type correctionData struct {
	Correction Correction
	Mistake    quarantine.Mistake
	Examples   []Example
	MayApprove bool
	Actor      reeve.Actor
	p          pages
	now        time.Time
}

func (d correctionData) rows() []ui.SummaryRow {
	c := d.Correction
	text, tone := c.status()
	at := func(t time.Time) string { return ui.TimeText(d.p.m.Local(t)) }
	rows := []ui.SummaryRow{ui.RowHTML("State", ui.Status(text, tone)), ui.Row("Record type", d.p.name("RecordType", string(c.Type))),
		ui.Row("Sender", d.p.name("Organisation", c.Sender)), ui.Row("Records", strconv.Itoa(c.Total)), ui.Row("Made", "By "+d.p.name("Staff", c.MadeBy)+", "+at(c.Made))}
	if d.Mistake.ID != "" {
		rows = append(rows, ui.RowHTML("Mistake", ui.LinkTo(d.Mistake.Text(), "/staff/mistakes/"+d.Mistake.ID)))
	}
	if c.ApprovedBy != "" {
		rows = append(rows, ui.Row("Approved", "By "+d.p.name("Staff", c.ApprovedBy)+", "+at(c.Approved)))
	}
	switch c.State {
	case Applied:
		rows = append(rows, ui.Row("Goes on", at(c.Due)+", if nobody undoes it"))
	case Released:
		rows = append(rows, ui.Row("Released", at(c.Ended)+fmt.Sprintf(": %d of %d went on", c.WentOn, c.Total)))
	case Undone:
		rows = append(rows, ui.Row("Undone", "By "+d.p.name("Staff", c.EndedBy)+", "+at(c.Ended)))
	}
	if c.Keep {
		rows = append(rows, ui.Row("Rule", "It is kept as a rule for what this sender sends next, once it is released"))
	}
	return rows
}

// reportData is what a partner's report shows.
type reportData struct {
	Report
	p pages
}

func (d reportData) waitingRows() (rows [][]ui.Cell) {
	for _, m := range d.Mistakes {
		rows = append(rows, []ui.Cell{{Text: m.Text()}, {Text: d.p.name("RecordType", string(m.Type))}, ui.Num(strconv.Itoa(m.Count)), {Text: ui.DateText(d.p.m.Local(m.Oldest))}})
	}
	return rows
}

func (d reportData) stats() []ui.Stat {
	waits, put := 0, int64(0)
	for _, m := range d.Mistakes {
		waits += m.Count
	}
	for _, r := range d.Rules {
		put += r.Used
	}
	stats := []ui.Stat{{Label: "mistakes to correct", Value: strconv.Itoa(waits)}, {Label: "put right by rules", Value: strconv.FormatInt(put, 10)}}
	if d.Times.Count > 0 {
		stats = append(stats, ui.Stat{Label: "time to correct", Value: quarantine.Age(d.Times.Median), Note: fmt.Sprintf("median of %d in 30 days", d.Times.Count)})
	}
	return stats
}

func sortedTypes(m map[reeve.RecordType]quarantine.Times) (out []reeve.RecordType) {
	for t := range m {
		if t != "" {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
