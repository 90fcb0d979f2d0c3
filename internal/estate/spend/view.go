package spend

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

func dateText(d def.Date) string { return d.Time(time.UTC).Format("2 January 2006") }

func monthText(d def.Date) string { return d.Time(time.UTC).Format("January 2006") }

// percent is a share in words: "12.5%".
func percent(part float64) string {
	if part > 0 && part < 0.001 {
		return "less than 0.1%"
	}
	return fmt.Sprintf("%.1f%%", part*100)
}

func count(n int, one, many string) string {
	return chart.Number(float64(n)) + " " + plural(n, one, many)
}

// within is a link in the same period of the same day.
func (r *Report) within(path string) string {
	if slices.Contains(r.Years, r.Name) {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "year=" + url.QueryEscape(r.Name)
	}
	return register.Href(r.Snapshot, path)
}

func (b *Book) href(path string) string { return register.Href(b.Snapshot, path) }

func contractHref(id string) string { return home + "/contracts/" + url.PathEscape(id) }

func lineHref(id string) string { return home + "/lines/" + url.PathEscape(id) }

func stats(r *Report) []ui.Stat {
	index, note := "Not known", ""
	if r.HHI.Known {
		index, note = chart.Number(float64(r.HHI.HHI)), r.HHI.Band+", of 10,000"
	}
	matched := ui.Stat{Label: "Matched to a contract", Value: percent(r.MatchedPart()), Note: whole(r.Unmatched) + " has none, " + whole(r.Unclear) + " is unclear", Href: r.within(home + "/unmatched")}
	if r.WithoutLines > 0 {
		matched.Note += ", " + whole(r.Without) + " pays none"
	}
	if r.MatchedPart() < 0.9 {
		matched.Tone = ui.Waiting
	}
	return []ui.Stat{
		{Label: "Total", Value: whole(r.Total), Note: count(len(r.Lines), "line", "lines") + ", credits of " + whole(-r.Credits) + " taken off"},
		{Label: "Operating", Value: whole(r.Operating), Note: typeNote(r)},
		{Label: "Capital", Value: whole(r.Capital), Note: typeNote(r)},
		matched,
		{Label: "Concentration of suppliers", Value: index, Note: note, Href: r.within(home + "/suppliers")},
	}
}

// whole is an amount to the pound, for figures at the top of a page.
func whole(m Money) string {
	return Money(math.Round(float64(m)/100) * 100).String()
}

func typeNote(r *Report) string {
	if r.NoType == 0 {
		return "as the ledger says"
	}
	return whole(r.NoType) + " is not said to be either"
}

func pounds(v float64) string {
	switch a := max(v, -v); {
	case a >= 10_000_000:
		return fmt.Sprintf("£%sm", chart.Number(v/1_000_000))
	case a >= 10_000:
		return fmt.Sprintf("£%sk", chart.Number(v/1000))
	}
	return "£" + chart.Number(v)
}

func monthsChart(r *Report) templ.Component {
	line := chart.Line{Head: chart.Head{ID: "spend-months", Title: "Spend by month", Desc: "What the ledger shows for each month; the table below has the numbers."}, Format: pounds}
	for _, m := range r.Months {
		line.Points = append(line.Points, chart.Point{Label: m.Of.Time(time.UTC).Format("Jan 2006"), Value: float64(m.Amount) / 100, Known: m.Lines > 0})
	}
	return chart.Draw(line)
}

func monthsTable(r *Report) ui.TableOptions {
	o := ui.TableOptions{Caption: "Spend by month", CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Month"}, ui.Num("Spend"), ui.Num("Of which matched"), ui.Num("Lines")}}
	for _, m := range r.Months {
		if m.Lines == 0 {
			o.Rows = append(o.Rows, []ui.Cell{{Text: monthText(m.Of)}, ui.Num("No lines"), ui.Num(""), ui.Num("0")})
			continue
		}
		o.Rows = append(o.Rows, []ui.Cell{{Text: monthText(m.Of)}, ui.Num(m.Amount.String()), ui.Num(m.Matched.String()), ui.Num(fmt.Sprint(m.Lines))})
	}
	return o
}

func sharesTable(caption, of string, shares []Share, most int) ui.TableOptions {
	o := ui.TableOptions{Caption: caption, CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: of}, ui.Num("Spend"), ui.Num("Share"), ui.Num("Lines")}}
	var rest Share
	for i, s := range shares {
		if i >= most {
			rest.Amount, rest.Lines, rest.Part = rest.Amount+s.Amount, rest.Lines+s.Lines, rest.Part+s.Part
			continue
		}
		name := s.Name
		if name == "" {
			name = "No supplier named"
		}
		o.Rows = append(o.Rows, []ui.Cell{{Text: name, Classes: "govuk-!-font-weight-regular"}, ui.Num(s.Amount.String()), ui.Num(percent(s.Part)), ui.Num(fmt.Sprint(s.Lines))})
	}
	if n := len(shares) - most; n > 0 {
		o.Rows = append(o.Rows, []ui.Cell{{Text: fmt.Sprintf("%d more", n), Classes: "govuk-!-font-weight-regular"}, ui.Num(rest.Amount.String()), ui.Num(percent(rest.Part)), ui.Num(fmt.Sprint(rest.Lines))})
	}
	return o
}

func openTable(r *Report, groups []Group) ui.TableOptions {
	o := ui.TableOptions{Caption: "Spend without a contract, by supplier", CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Supplier in the ledger"}, {Text: "Why"}, ui.Num("Lines"), ui.Num("Total")}}
	for i, g := range groups {
		o.Rows = append(o.Rows, []ui.Cell{
			{HTML: ui.LinkTo(g.Name, r.within(fmt.Sprintf("%s/unmatched?group=%d", home, i))), Classes: "govuk-!-font-weight-regular"},
			{Text: ui.Capital(g.Why)}, ui.Num(fmt.Sprint(len(g.Lines))), ui.Num(g.Amount.String()),
		})
	}
	return o
}

func linesTable(b *Book, lines []Match, why bool) ui.TableOptions {
	o := ui.TableOptions{Caption: "Lines of the ledger", CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Day"}, {Text: "Line"}, {Text: "Supplier as written"}, {Text: "What for"}}}
	if why {
		o.Head = append(o.Head, ui.Cell{Text: "Why"})
	}
	o.Head = append(o.Head, ui.Num("Amount"))
	for _, x := range lines {
		row := []ui.Cell{{Text: dateText(x.On), Classes: "app-when govuk-!-font-weight-regular"}, ui.CellHTML(ui.LinkTo(x.ID, b.href(lineHref(x.ID)))), {Text: x.Line.Supplier}, {Text: x.Description}}
		if why {
			row = append(row, ui.Cell{Text: ui.Capital(x.Why)})
		}
		o.Rows = append(o.Rows, append(row, ui.Num(Money(x.Amount).String())))
	}
	return o
}

// contractRow is a supplier contract in the list of them.
type contractRow struct {
	register.Contract
	Supplier, State string
	Paid            Money
	Committed       Money
	Known           bool
	Over            float64 // paid against committed: 0.2 is a fifth more
}

func contractRows(r *Report) []contractRow {
	var out []contractRow
	for _, k := range r.Book.Snapshot.Contracts {
		x := contractRow{Contract: k, Paid: r.Contracts[k.ID], State: state(r.Snapshot, k)}
		if k.Spec.Supplier != "" {
			x.Supplier = r.OrganisationName(k.Spec.Supplier)
		}
		x.Committed, x.Known = Committed(k, r.Period)
		if x.Known && x.Committed > 0 {
			x.Over = float64(x.Paid-x.Committed) / float64(x.Committed)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b contractRow) int {
		return cmp.Or(cmp.Compare(b.Paid, a.Paid), strings.Compare(a.Name, b.Name))
	})
	return out
}

// state says where a contract is in its life.
func state(s *register.Snapshot, k register.Contract) string {
	t := k.Spec.Term
	switch {
	case t == nil || t.Ends == nil:
		return "End not known"
	case t.Starts != nil && t.Starts.After(s.Today):
		return "Starts " + dateText(*t.Starts)
	case t.Ends.Before(s.Today):
		return "Ended " + dateText(*t.Ends)
	}
	if by, ok := k.Spec.NoticeBy(); ok && by.Before(s.Today) && !k.Spec.Decided(s.Today) {
		return "Notice date passed, ends " + dateText(*t.Ends)
	}
	return "Ends " + dateText(*t.Ends)
}

func difference(x contractRow) string {
	switch {
	case !x.Known:
		return "Not known"
	case x.Over > 0.005:
		return percent(x.Over) + " more"
	case x.Over < -0.005:
		return percent(-x.Over) + " less"
	}
	return "As agreed"
}

func contractsTable(r *Report, all map[string]Seats) ui.TableOptions {
	o := ui.TableOptions{Caption: "Supplier contracts", CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Contract"}, {Text: "Supplier"}, {Text: "Term"}, ui.Num("Committed"), ui.Num("In the ledger"), ui.Num("Difference"), ui.Num("Seats idle")}}
	for _, x := range contractRows(r) {
		committed := "Not known"
		if x.Known {
			committed = x.Committed.String()
		}
		supplier := x.Supplier
		if supplier == "" {
			supplier = "Not known"
		}
		o.Rows = append(o.Rows, []ui.Cell{
			{HTML: ui.LinkTo(x.Name, r.href(contractHref(x.ID))), Classes: "govuk-!-font-weight-regular"},
			{Text: supplier}, {Text: x.State}, ui.Num(committed), ui.Num(x.Paid.String()), ui.Num(difference(x)), ui.Num(idle(all[x.ID])),
		})
	}
	return o
}

func idle(s Seats) string {
	switch {
	case !s.BoughtKnown:
		return ""
	case !s.ActiveKnown:
		return "Not known"
	}
	return fmt.Sprintf("%d of %d", s.Idle, s.Bought)
}

func contractSummary(b *Book, k register.Contract, n Seats) ui.SummaryListOptions {
	unknown := func(ok bool, s string) string {
		if !ok {
			return "Not known"
		}
		return s
	}
	rows := []ui.SummaryRow{
		ui.Row("Supplier", unknown(k.Spec.Supplier != "", b.OrganisationName(k.Spec.Supplier))),
		ui.Row("Number", unknown(k.Spec.Reference != "", k.Spec.Reference)),
		ui.Row("Cost a year", register.CostOf(k).String()),
	}
	term, notice := "Not known", "Not known"
	if t := k.Spec.Term; t != nil {
		from, to := "a day that is not known", "a day that is not known"
		if t.Starts != nil {
			from = dateText(*t.Starts)
		}
		if t.Ends != nil {
			to = dateText(*t.Ends)
		}
		term = "From " + from + " to " + to
	}
	if by, ok := k.Spec.NoticeBy(); ok {
		notice = fmt.Sprintf("%s, in %s", dateText(by), count(by.Sub(b.Today), "day", "days"))
		if by.Before(b.Today) {
			notice = fmt.Sprintf("%s: passed %s ago", dateText(by), count(b.Today.Sub(by), "day", "days"))
		}
	}
	rows = append(rows, ui.Row("Term", term), ui.Row("Last day for notice", notice))
	decision := "None recorded"
	if d := k.Spec.Decision; d != nil {
		decision = ui.Capital(d.What) + ", decided on " + dateText(d.On)
		if d.By != "" {
			decision += " by " + d.By
		}
		if d.Reason != "" {
			decision += ": " + d.Reason
		}
	}
	exit := "Nobody has said how the body would leave"
	if e := k.Spec.Exit; e != nil {
		exit = "Data can be taken out as " + unknown(e.DataExport != "", strings.ToUpper(e.DataExport))
		if e.Tested == nil {
			exit += "; never tried"
		} else {
			exit += fmt.Sprintf("; last tried on %s, %s ago", dateText(*e.Tested), count(b.Today.Sub(*e.Tested), "day", "days"))
		}
	}
	return ui.SummaryListOptions{Rows: append(rows, ui.Row("Decision for the end", decision), ui.Row("Leaving", exit),
		ui.Row("Seats bought", unknown(n.BoughtKnown, chart.Number(float64(n.Bought)))),
		ui.Row("Seats given to people", unknown(n.Known, chart.Number(float64(n.Assigned)))),
		ui.Row(fmt.Sprintf("Seats used in %d days", Active), unknown(n.ActiveKnown, chart.Number(float64(n.Active)))),
		ui.Row("Money for seats not used", unknown(n.IdleMoneySure, n.IdleMoney.String()+" a year, if the cost is by the seat")))}
}

func contractYears(b *Book, k register.Contract) ui.TableOptions {
	o := ui.TableOptions{Caption: "Committed and paid, by financial year", CaptionClasses: "govuk-table__caption--m", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Year"}, ui.Num("Committed"), ui.Num("In the ledger"), ui.Num("Lines")}}
	for _, name := range b.Years {
		p, _ := b.Year(name)
		paid, lines := Money(0), 0
		for _, x := range b.Matches {
			if x.Contract == k.ID && p.Contains(x.On) {
				paid, lines = paid+Money(x.Amount), lines+1
			}
		}
		label := name
		if !p.Whole {
			label += ", to " + dateText(p.To)
		}
		committed := "Not known"
		if m, ok := Committed(k, p); ok {
			committed = m.String()
		}
		o.Rows = append(o.Rows, []ui.Cell{{Text: label, Classes: "govuk-!-font-weight-regular"}, ui.Num(committed), ui.Num(paid.String()), ui.Num(fmt.Sprint(lines))})
	}
	return o
}

func contractChoices(b *Book, x Match) ui.SelectOptions {
	o := ui.SelectOptions{Label: ui.Text("Supplier contract that it pays"), Name: "contract", ID: "contract", Items: []ui.SelectItem{{Value: "", Text: "Not known"}}}
	if x.Person {
		o.Value, o.Items[0].Text = x.Contract, "What is worked out without me"
	} else if x.State == Matched {
		o.Items[0].Text = "What was worked out"
	}
	if o.Items = append(o.Items, ui.SelectItem{Value: NoContract, Text: "It pays no contract"}); x.State == NoneDue {
		o.Value = NoContract
	}
	ks := slices.Clone(b.Contracts)
	likely := func(k register.Contract) int {
		switch {
		case x.Contract == k.ID || slices.Contains(x.Candidates, k.ID):
			return 0
		case x.Supplier != "" && b.Set.Present("Organisation", k.Spec.Supplier) == x.Supplier:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(ks, func(p, q register.Contract) int {
		return cmp.Or(cmp.Compare(likely(p), likely(q)), strings.Compare(p.Name, q.Name))
	})
	for _, k := range ks {
		text := k.Name
		if k.Spec.Supplier != "" {
			text += " (" + b.OrganisationName(k.Spec.Supplier) + ")"
		}
		o.Items = append(o.Items, ui.SelectItem{Value: k.ID, Text: text})
	}
	return o
}

func lineSummary(b *Book, x Match) ui.SummaryListOptions {
	or := func(s string) string {
		if strings.TrimSpace(s) == "" {
			return "Not given"
		}
		return s
	}
	rows := []ui.SummaryRow{ui.Row("Day", dateText(x.On)), ui.Row("Supplier as written", or(x.Line.Supplier)), ui.Row("What for", or(x.Description)),
		ui.Row("Reference", or(x.Reference)), ui.Row("Code", or(x.Code)), ui.Row("Kind of spend", or(x.Type)), ui.Row("Amount", Money(x.Amount).String())}
	if k, ok := b.contract(x.Contract); ok {
		rows = append(rows, ui.RowHTML("Supplier contract", ui.LinkTo(k.Name, b.href(contractHref(k.ID)))))
	} else {
		rows = append(rows, ui.Row("Supplier contract", map[State]string{Unclear: "Unclear", Unmatched: "None found", NoneDue: "None"}[x.State]))
	}
	return ui.SummaryListOptions{Rows: append(rows, ui.Row("Why", ui.Capital(x.Why)))}
}

// monthOf groups events by month.
type monthOf struct {
	Of     def.Date
	Events []Event
}

func byMonth(events []Event) []monthOf {
	var out []monthOf
	for _, e := range events {
		of := def.Date{Year: e.On.Year, Month: e.On.Month, Day: 1}
		if len(out) == 0 || out[len(out)-1].Of != of {
			out = append(out, monthOf{Of: of})
		}
		out[len(out)-1].Events = append(out[len(out)-1].Events, e)
	}
	return out
}

func eventsTable(s *register.Snapshot, m monthOf) ui.TableOptions {
	o := ui.TableOptions{Caption: monthText(m.Of), CaptionClasses: "govuk-table__caption--m", FirstCellIsHeader: true, Classes: "app-table--stack", Head: []ui.Cell{{Text: "Day"}, {Text: "What"}, {Text: "Contract"}, {Text: "Supplier"}, ui.Num("Cost a year"), {Text: "Decision"}}}
	for _, e := range m.Events {
		what := map[string]string{NoticeDay: "Last day for notice", EndDay: "Ends"}[e.What]
		if e.What == EndDay && e.renews() {
			what = "Renews, unless notice was given"
		}
		decision := "None yet"
		if e.Decided {
			decision = ui.Capital(e.Contract.Spec.Decision.What)
		}
		o.Rows = append(o.Rows, []ui.Cell{{Text: dateText(e.On), Classes: "app-when govuk-!-font-weight-regular"}, {Text: what},
			ui.CellHTML(ui.LinkTo(e.Contract.Name, register.Href(s, contractHref(e.Contract.ID)))), {Text: e.Supplier}, ui.Num(e.Cost.String()), {Text: decision}})
	}
	return o
}
