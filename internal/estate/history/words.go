package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the page says in words.

func words(d def.Date) string { return ui.DateText(d.Time(time.UTC)) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func named(name, id string) string { return or(name, id) }

func whatWords(what string) string {
	switch what {
	case change.Added:
		return "Added"
	case change.Removed:
		return "Removed"
	}
	return "Changed"
}

func whatTone(what string) ui.Tone {
	switch what {
	case change.Added:
		return ui.Good
	case change.Removed:
		return ui.Bad
	}
	return ui.Info
}

func kindWords(kind string) string {
	switch kind {
	case "SupplierContract":
		return "Supplier contract"
	case "RecordType":
		return "Record type"
	case "RoadmapItem":
		return "Roadmap item"
	case "BudgetLine":
		return "Budget line"
	case "IntakeRequest":
		return "Intake request"
	}
	return kind
}

// fieldWords is a path of a definition as a reader sees it: "spec.lifecycle.phase"
// is "lifecycle, phase".
func fieldWords(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "spec."), "metadata.")
	return ui.FieldText("/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path))
}

func fileWords(files []change.File) string {
	var out []string
	for i, f := range files {
		if i == 20 {
			out = append(out, fmt.Sprintf("and %d more", len(files)-i))
			break
		}
		out = append(out, f.Name+" "+strings.ToLower(whatWords(f.What)))
	}
	return strings.Join(out, ", ")
}

// entityNames are the first names of a list.
func entityNames(list []change.Entity) string {
	const most = 12
	var out []string
	for i, e := range list {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		out = append(out, named(e.Name, e.ID))
	}
	return strings.Join(out, ", ")
}

func disclosureWords(d change.Disclosure) string {
	fields := make([]string, 0, len(d.Fields))
	for _, f := range d.Fields {
		fields = append(fields, ui.FieldText(f))
	}
	text := named(d.Name, d.System) + ": of " + d.Record + ", " + strings.Join(fields, "; ")
	if d.Crosses {
		text += " (another organisation)"
	}
	return text
}

func signed(m register.Money) string {
	if m > 0 {
		return "+" + m.String()
	}
	return m.String()
}

func costWords(c change.CostChange) string {
	if c.Before == c.After {
		return "The supplier contracts in force cost the same a year: " + c.After.String() + "."
	}
	return fmt.Sprintf("The supplier contracts in force cost %s a year before, and %s after.", c.Before, c.After)
}

func costRows(list []change.SystemCost) (rows [][]ui.Cell) {
	for i, s := range list {
		if i == mostShown {
			break
		}
		rows = append(rows, []ui.Cell{{Text: named(s.Name, s.ID)}, ui.Num(s.Before.String()), ui.Num(s.After.String())})
	}
	return rows
}

func tallyRows(list []Tally) (rows [][]ui.Cell) {
	n := func(n int, known bool) ui.Cell {
		if !known {
			return ui.Num("not known")
		}
		return ui.Num(fmt.Sprint(n))
	}
	for _, t := range list {
		rows = append(rows, []ui.Cell{{Text: t.Type}, n(t.Before, t.KnownBefore), n(t.After, t.KnownAfter)})
	}
	return rows
}
