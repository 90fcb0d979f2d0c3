package quarantine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// listData is what the list of held records shows.
type listData struct {
	Counts   []Count
	Mistakes []Mistake
	Times    Times // of the last 30 days
	Held     []Held
	Parked   []Parked
	Type     reeve.RecordType // chosen
	Sender   string
	Next     string
	now      time.Time
	w        *Ward
}

func (d listData) stats() []ui.Stat {
	held, parked := 0, 0
	var oldest time.Time
	for _, c := range d.Counts {
		held += c.Held
		parked += c.Parked
		if oldest.IsZero() || c.Oldest.Before(oldest) {
			oldest = c.Oldest
		}
	}
	stats := []ui.Stat{{Label: "held", Value: strconv.Itoa(held), Href: "#held"}, {Label: "could not be delivered", Value: strconv.Itoa(parked), Href: "#parked"}}
	if held > 0 {
		stats[0].Tone = ui.Bad
	}
	if !oldest.IsZero() {
		stats = append(stats, ui.Stat{Label: "the oldest waits", Value: Age(d.now.Sub(oldest))})
	}
	if d.Times.Count > 0 {
		stats = append(stats, ui.Stat{Label: "time to correct", Value: Age(d.Times.Median),
			Note: fmt.Sprintf("median of %d in 30 days; nine in ten within %s", d.Times.Count, Age(d.Times.Most))})
	}
	return stats
}

func (d listData) mistakeRows() (rows [][]ui.Cell) {
	for _, m := range d.Mistakes {
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(m.Text(), "/staff/mistakes/"+m.ID)), {Text: d.w.name("RecordType", string(m.Type))},
			{Text: d.w.name("Organisation", m.Sender)}, ui.Num(strconv.Itoa(m.Count)), {Text: Age(d.now.Sub(m.Oldest)), Classes: "app-brief"}})
	}
	return rows
}

// Text is the mistake in words: "Deceased, date of birth: must be a date".
func (m Mistake) Text() string {
	if m.Path == "" {
		return "The record " + m.Message
	}
	return ui.Capital(ui.FieldText(strings.ReplaceAll(m.Path, "/*", ""))) + ": " + m.Message
}

// Age is a length of time in words: "3 days".
func Age(d time.Duration) string {
	say := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d < time.Minute:
		return "under a minute"
	case d < time.Hour:
		return say(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return say(int(d/time.Hour), "hour")
	}
	return say(int(d/(24*time.Hour)), "day")
}

func (d listData) heldTitle() string {
	if d.Type == "" && d.Sender == "" {
		return "Held, oldest first"
	}
	title := "Held"
	if d.Type != "" {
		title += ": " + d.w.name("RecordType", string(d.Type))
	}
	if d.Sender != "" {
		title += ", from " + d.w.name("Organisation", d.Sender)
	}
	return title
}

func (d listData) countRows() (rows [][]ui.Cell) {
	for _, c := range d.Counts {
		rows = append(rows, []ui.Cell{
			ui.CellHTML(ui.LinkTo(d.w.name("RecordType", string(c.Type)), listHref(c.Type, c.Sender, 0))),
			{Text: d.w.name("Organisation", c.Sender)}, ui.Num(strconv.Itoa(c.Held)), ui.Num(strconv.Itoa(c.Parked)), {Text: Age(d.now.Sub(c.Oldest))},
		})
	}
	return rows
}

func (d listData) heldRows() (rows [][]ui.Cell) {
	for _, h := range d.Held {
		wrong := ""
		switch {
		case len(h.Problems) > 0:
			wrong = h.Problems[0].Message
			if path := h.Problems[0].Path; path != "" {
				wrong = ui.FieldText(path) + ": " + wrong
			}
			if n := len(h.Problems) - 1; n > 0 {
				wrong += fmt.Sprintf(", and %d more", n)
			}
		case h.Waits != "":
			wrong = "waits for " + string(h.Waits)
		}
		rows = append(rows, []ui.Cell{
			ui.CellHTML(ui.LinkTo(string(h.ID), "/staff/held/"+string(h.ID))), {Text: d.w.name("RecordType", string(h.Type))},
			{Text: d.w.name("Organisation", h.Sender)}, {Text: Age(d.now.Sub(h.At)), Classes: "app-nowrap"}, {Text: ui.Capital(wrong)},
		})
	}
	return rows
}

func (d listData) parkedRows() (rows [][]ui.Cell) {
	for _, p := range d.Parked {
		rows = append(rows, []ui.Cell{
			ui.CellHTML(ui.LinkTo(string(p.ID), fmt.Sprintf("/staff/parked/%s/%d", p.Flow, p.N))), {Text: d.w.name("RecordType", string(p.Type))},
			{Text: d.w.name("Flow", p.Flow)}, {Text: Age(d.now.Sub(p.At))}, {Text: ui.Capital(p.Cause)},
		})
	}
	return rows
}

func (h Held) rows(now time.Time, sender string, loc *time.Location) []ui.SummaryRow {
	return []ui.SummaryRow{
		ui.Row("Sender", sender),
		ui.Row("Received", ui.TimeText(h.At.In(loc))+", "+Age(now.Sub(h.At))+" ago"),
		ui.RowHTML("What became of it", ui.LinkTo("Trail", "/staff/records/"+string(h.ID))),
	}
}

func (p Parked) rows(now time.Time, sender, flow, href string, loc *time.Location) []ui.SummaryRow {
	return []ui.SummaryRow{
		ui.RowHTML("Flow", ui.LinkTo(flow, href)),
		ui.Row("Why", ui.Capital(p.Cause)),
		ui.Row("Sender", sender),
		ui.Row("Since", ui.TimeText(p.At.In(loc))+", "+Age(now.Sub(p.At))+" ago"),
		ui.RowHTML("What became of it", ui.LinkTo("Trail", "/staff/records/"+string(p.ID))),
	}
}

// otherText is a problem with its place.
func otherText(path, message string) string {
	if path == "" {
		return ui.Capital(message)
	}
	return path + " " + message
}

func (f form) rightTitle() string {
	switch {
	case f.Long:
		return "Other fields"
	case len(f.Wrong)+len(f.Others) > 0:
		return fmt.Sprintf("The other %d fields", len(f.Right))
	}
	return fmt.Sprintf("All %d fields", len(f.Right))
}

func (fd field) hint() ui.Part {
	if fd.JSON {
		return ui.Text(strings.TrimPrefix(fd.Group+". Write it as JSON: [] is an empty list", ". "))
	}
	return ui.Text(fd.Group)
}

func (fd field) message() ui.Part {
	return ui.Text(ui.Capital(strings.Join(fd.Messages, ", and it ")))
}

// choice is a field that must be one of some texts; what it is now stays among them.
func (fd field) choice() ui.SelectOptions {
	o := ui.SelectOptions{Label: ui.Text(fd.Label), Hint: fd.hint(), ErrorMessage: fd.message(), ID: fd.ID, Name: fd.ID, Value: fd.Value}
	known := false
	for _, c := range fd.Choices {
		known = known || c == fd.Value
	}
	if !known {
		text := fd.Value
		if text == "" {
			text = "Choose one"
		}
		o.Items = append(o.Items, ui.SelectItem{Value: fd.Value, Text: text})
	}
	for _, c := range fd.Choices {
		o.Items = append(o.Items, ui.SelectItem{Value: c, Text: c})
	}
	return o
}

func (f form) alikeText() string {
	if f.Alike == 1 {
		return "Put the same into the other record with exactly this problem"
	}
	return fmt.Sprintf("Put the same into the %d other records with exactly this problem", f.Alike)
}

// previewRow is a preview as somebody may see it.
type previewRow struct {
	Preview
	Masked bool
}

// title is what would become of the record in a flow.
func (p previewRow) title() string {
	switch p.Decision {
	case "sent":
		return p.Receiver + " would get it"
	case "parked":
		return p.Receiver + " would not get it: the flow could not prepare it"
	}
	return p.Receiver + " would not get it: it is not for them"
}

func indented(b []byte) string {
	var buf bytes.Buffer
	if json.Indent(&buf, b, "", "  ") != nil {
		return ""
	}
	return buf.String()
}
