package feed

import (
	"fmt"
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

func (p *listData) stats() []ui.Stat {
	bad, receiving, problems := 0, 0, 0
	for _, f := range p.Feeds {
		if _, tone := f.status(); tone == ui.Bad {
			bad++
		}
	}
	for _, f := range p.Files {
		switch _, tone := f.status(); {
		case f.State == Receiving:
			receiving++
		case tone != ui.Good:
			problems++
		}
	}
	out := []ui.Stat{{Label: "Feeds", Value: fmt.Sprint(len(p.Feeds))}, {Label: "Cannot be read", Value: fmt.Sprint(bad)},
		{Label: "Receiving", Value: fmt.Sprint(receiving)}, {Label: "Files with problems", Value: fmt.Sprint(problems)}}
	if bad > 0 {
		out[1].Tone = ui.Bad
	}
	return out
}

func (p *listData) feedRows() (rows [][]ui.Cell) {
	for _, f := range p.Feeds {
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(f.Name, "/staff/feeds/"+f.ID)), {Text: f.System}, {Text: f.Type}, {Text: f.When},
			{Text: ui.Ago(p.Now, f.State.Well), Classes: "app-nowrap"}, ui.CellHTML(statusTag(f.status()))})
	}
	return rows
}

// fileHead names the columns of files, of one feed or of all.
func fileHead(ofOne bool) []ui.Cell {
	head := []ui.Cell{{Text: "File"}, {Text: "Record type"}, {Text: "From"}, ui.Num("Rows"), ui.Num("Accepted"), ui.Num("Held"), ui.Num("Duplicate"), ui.Num("Refused"), {Text: "Began"}, {Text: "State"}}
	if ofOne {
		head = append(head[:1], head[3:]...)
	}
	return head
}

func fileRows(files []fileRow, ofOne bool, now time.Time) (rows [][]ui.Cell) {
	for _, f := range files {
		line := []ui.Cell{ui.CellHTML(ui.LinkTo(f.Title, f.Href))}
		if !ofOne {
			line = append(line, ui.Cell{Text: f.TypeName, Classes: "app-brief"}, ui.Cell{Text: f.From, Classes: "app-brief"})
		}
		rows = append(rows, append(line, ui.Num(ui.Count(f.Rows)), ui.Num(ui.Count(f.Counts.Accepted)), ui.Num(ui.Count(f.Counts.Held)), ui.Num(ui.Count(f.Counts.Duplicate)), ui.Num(ui.Count(f.Counts.Refused)),
			ui.Cell{Text: ui.Ago(now, f.Began), Classes: "app-nowrap"}, ui.CellHTML(statusTag(f.status()))))
	}
	return rows
}

func (r row) summary(now time.Time) []ui.SummaryRow {
	rows := []ui.SummaryRow{ui.RowHTML("State", statusTag(r.status())), ui.RowHTML("System", ui.LinkTo(r.System, "/staff/estate/systems/"+r.Of)), ui.Row("Record type", r.Type)}
	if r.Sender != "" {
		rows = append(rows, ui.Row("Given by", r.Sender))
	}
	rows = append(rows, ui.Row("Looked at", r.When), ui.Row("Last read", ui.Ago(now, r.State.Well)), ui.Row("Rows last came", ui.Ago(now, r.State.Taken)))
	if !r.Next.IsZero() && r.Next.After(now) {
		rows = append(rows, ui.RowHTML("Next look", ui.Time(r.Next)))
	}
	if r.Running && r.File != "" {
		rows = append(rows, ui.RowHTML("Reading", ui.LinkTo("how far it is", "/staff/files/"+r.File)))
	}
	return rows
}

func (f *fileData) stats() []ui.Stat {
	c := f.Counts
	out := []ui.Stat{{Label: "Rows", Value: ui.Count(f.Rows)}, {Label: "Accepted", Value: ui.Count(c.Accepted)}, {Label: "Held", Value: ui.Count(c.Held)},
		{Label: "Duplicate", Value: ui.Count(c.Duplicate)}, {Label: "Refused", Value: ui.Count(c.Refused)}}
	if c.Refused > 0 {
		out[4].Tone = ui.Bad
	}
	if c.Held > 0 {
		out[2].Tone = ui.Waiting
	}
	for i, n := range map[int]int64{2: c.Held, 4: c.Refused} {
		if n > 0 {
			out[i].Href = "#rows"
		}
	}
	return out
}

func (f *fileData) summary() []ui.SummaryRow {
	rows := []ui.SummaryRow{ui.RowHTML("State", statusTag(f.status())), ui.Row("From", f.From), ui.RowHTML("Began", ui.Time(f.Began))}
	if f.Origin != "" && !f.own {
		rows[1] = ui.RowHTML("From", ui.LinkTo(f.From, "/staff/feeds/"+f.Origin))
	}
	if f.Size >= 0 {
		rows = append(rows, ui.Row("Size", ui.Count(f.Size)+" bytes"))
	}
	if f.Ended.IsZero() {
		return append(rows, ui.RowHTML("Last row", ui.Time(f.Moved)))
	}
	return append(rows, ui.RowHTML("Ended", ui.Time(f.Ended)))
}

func (f *fileData) sums() []ui.SummaryRow {
	c := f.Counts
	verdict := "Not known before it has ended"
	switch {
	case f.State != Receiving && f.Adds():
		verdict = "Yes: every row that was read is accepted, held, refused or a duplicate"
	case f.State != Receiving:
		verdict = "No"
	}
	rows := []ui.SummaryRow{ui.Row("Answer", verdict),
		ui.Row("By number", fmt.Sprintf("%s read; %s accepted, %s held, %s duplicate, %s refused", ui.Count(f.Rows), ui.Count(c.Accepted), ui.Count(c.Held), ui.Count(c.Duplicate), ui.Count(c.Refused))),
		ui.Row("Sum of what was read", f.Read.String()), ui.Row("Sum of what was taken", f.Sums.Total().String())}
	if f.Total >= 0 {
		rows = append(rows, ui.Row("Counted by the system", ui.Count(f.Total)))
	}
	return rows
}

func faultRows(faults []intake.Fault, held string) (rows [][]ui.Cell) {
	for _, f := range faults {
		at := f.At
		if at == "" {
			at = "row " + ui.Count(f.Row)
		}
		rows = append(rows, []ui.Cell{{Text: at, Classes: "app-nowrap"}, {Text: fieldText(f.Field)}, {Text: ui.Capital(f.Message)}, ui.CellHTML(heldLink(f, held))})
	}
	return rows
}

func fieldText(pointer string) string {
	if pointer == "" {
		return "the whole row"
	}
	return ui.FieldText(pointer)
}

func choiceItems(choices []choice) []ui.SelectItem {
	items := []ui.SelectItem{{Text: "Choose"}}
	for _, c := range choices {
		items = append(items, ui.SelectItem{Value: c.Value, Text: c.Text})
	}
	return items
}
