package trail

import (
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// view is a trail as the page shows it.
type view struct {
	Trail
	typeName string
	name     func(kind, id string) string
	zone     *time.Location
	staff    bool // links lead to the pages of staff
}

// listView is what the list of records shows.
type listView struct {
	Type           reeve.RecordType
	Sender         string
	Types, Senders []ui.SelectItem
	Rows           [][]ui.Cell
	Older, Wrong   string
}

func (v view) rows() []ui.SummaryRow {
	text, tone := statusText(v.Status)
	rows := []ui.SummaryRow{
		ui.RowHTML("State", ui.Status(text, tone)),
		ui.Row("Sender", v.name("Organisation", v.Sender)),
		ui.Row("Came in", ui.TimeText(v.At.In(v.zone))),
	}
	link := func(key string, id reeve.RecordID) {
		if id != "" {
			if !v.staff {
				rows = append(rows, ui.RowHTML(key, ownLink(id)))
				return
			}
			rows = append(rows, ui.RowHTML(key, recordLink(id)))
		}
	}
	link("Newer version of", v.Replaces)
	link("Was held as", v.ReleasedFrom)
	link("Went on as", v.ForwardedTo)
	link("Waits for", v.WaitsFor)
	if v.Status == "held" && v.staff {
		rows = append(rows, ui.RowHTML("Held", heldLink(v.ID)))
	}
	if len(v.Reasons) > 0 {
		rows = append(rows, ui.Row("Why refused", strings.Join(v.Reasons, ", ")))
	}
	if !v.staff {
		return rows
	}
	return append(rows, ui.RowHTML("Journal entries", entryLinks(v.Journal)))
}

func statusText(s string) (string, ui.Tone) {
	switch s {
	case "accepted":
		return "Accepted", ui.Good
	case "held":
		return "Held", ui.Bad
	case "released":
		return "Corrected and released", ui.Good
	case "discarded":
		return "Discarded", ui.Quiet
	}
	return "Refused", ui.Bad
}

func (v view) nobody() string {
	switch v.Status {
	case "held":
		return "Nobody yet: it waits for a correction."
	case "accepted", "released":
		return "No flow carries this record type."
	}
	return "Nobody."
}

func (v view) moments() (out []ui.Moment) {
	for _, l := range v.Deliveries {
		m := ui.Moment{Title: l.SystemName, Body: legBody(v, l)}
		if m.Title == "" {
			m.Title = l.Name
		}
		if l.At != nil {
			m.At = l.At.In(v.zone)
		}
		m.Tag, m.Tone = stateText(l)
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b ui.Moment) int { // what is still to come stands last
		switch {
		case a.At.IsZero() != b.At.IsZero():
			if a.At.IsZero() {
				return 1
			}
			return -1
		}
		return a.At.Compare(b.At)
	})
	return out
}

func stateText(l flow.Leg) (string, ui.Tone) {
	switch l.State {
	case "delivered":
		return "Delivered", ui.Good
	case "waiting":
		return "Waiting", ui.Waiting
	case "uncertain":
		return "Uncertain", ui.Waiting
	case "filtered":
		return "Not for them", ui.Quiet
	}
	return ui.Capital(l.State), ui.Bad
}

func problemText(p reeve.Problem) string {
	if p.Path == "" {
		return ui.Capital(p.Message)
	}
	return ui.Capital(ui.FieldText(p.Path)) + ": " + p.Message
}

// terms are to whom, for what and under what a leg leads.
func (v view) terms(l flow.Leg) string {
	s := v.name("Organisation", l.Organisation)
	if l.Purpose != "" {
		s += ", for " + ui.Words(string(l.Purpose))
	}
	if l.Agreement != "" {
		s += ", under \u201c" + v.name("Agreement", l.Agreement) + "\u201d"
	}
	return s
}

// fields are what is or may be given, in words.
func fields(l flow.Leg) string {
	words := make([]string, len(l.Fields))
	for i, f := range l.Fields {
		words[i] = ui.FieldText(f)
	}
	return strings.Join(words, " \u00b7 ")
}
