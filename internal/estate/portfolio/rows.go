package portfolio

import (
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// factRows is what is known of a system, and what is not.
func factRows(r *Report, row *Row) []ui.SummaryRow {
	s := row.Spec
	text := func(key, value string) ui.SummaryRow { return ui.RowHTML(key, words.Text(value)) }
	hosting := words.Value(s.Hosting)
	if hosting != "" && s.HostingReason != "" {
		hosting += ". " + s.HostingReason
	}
	rows := []ui.SummaryRow{
		text("Belongs to", row.Organisation),
		text("Owner", words.Post(s.Owner)),
		text("Deputy", words.Post(s.Deputy)),
		ui.RowHTML("What it does", capabilityLinks(r, r.CapabilitiesOf(row.ID))),
		text("Runs in", hosting),
	}
	if s.Product != "" {
		rows = append(rows, text("Product", s.Product))
	}
	life, since := "", ""
	if l := s.Lifecycle; l != nil {
		life = ui.Capital(l.Phase)
		if l.Since != nil {
			since = words.Date(*l.Since)
		}
		if l.End != nil {
			life = strings.TrimPrefix(life+", until "+words.Date(*l.End), ", ")
			if l.End.Before(r.Today) && row.InUse {
				life += ", which has passed"
			}
		}
	}
	rows = append(rows, text("Phase of its life", life), text("In use since", since))
	if s.Lifecycle != nil && s.Lifecycle.Successor != "" {
		rows = append(rows, ui.RowHTML("To be followed by", successorLink(r, s.Lifecycle.Successor)))
	}
	rows = append(rows, ui.RowHTML("Most sensitive data", classCell(r, row)))
	signIn := ""
	if a := s.Auth; a != nil {
		signIn = strings.Trim(words.Values(a.Methods)+". "+ui.Capital(levels(a.Identity, a.Authn)), ". ")
	}
	users, restore, rto := "", "", ""
	if s.Users != nil {
		users = fmt.Sprint(*s.Users)
	}
	if c := s.Continuity; c != nil {
		if c.RestoreTested != nil {
			restore = words.Date(*c.RestoreTested)
		}
		if c.RTOHours != nil {
			rto = words.Count(*c.RTOHours, "hour", "hours")
		}
	}
	rows = append(rows,
		text("Sign-in", signIn),
		text("Used with", words.Values(s.Clients)),
		text("Serves", words.Values(s.Audience)),
		text("People who use it", users),
	)
	if c := s.Channels; c != nil && c.Online != "" {
		rows = append(rows, ui.RowHTML("Do it yourself at", webLink(c.Online)))
	} else if c != nil && c.None {
		rows = append(rows, text("Do it yourself at", "Nowhere: people have to ask"))
	}
	return append(rows,
		text("Must be back within", rto),
		text("Restore last tried", restore),
		ui.RowHTML("Costs a year", yearlyCell(row)),
	)
}

func capabilityRows(r *Report, c Capability) []ui.SummaryRow {
	var rows []ui.SummaryRow
	if parent, ok := r.Capability(c.Spec.Parent); ok {
		rows = append(rows, ui.RowHTML("A part of", here(r, parent.Name, words.CapabilityHref(parent.ID))))
	}
	if c.Spec.Generic {
		rows = append(rows, ui.RowHTML("Shared system", platformCell(r, c)))
	}
	allowed := "Any number"
	if most := c.Spec.Max(); most > 0 {
		allowed = fmt.Sprint(most)
	}
	rows = append(rows,
		ui.Row("Our systems in use", fmt.Sprint(len(r.Providers[c.ID]))),
		ui.Row("As many as needed", allowed),
	)
	return rows
}

// peers are the other systems in use that have one capability.
type peers struct {
	Capability Capability
	Rows       []*Row
}

// peersOf lists what other systems in use do the same as row, where that is more
// than is needed.
func peersOf(r *Report, row *Row) []peers {
	var out []peers
	for _, d := range r.Duplicates {
		p := peers{Capability: d.Capability}
		mine := false
		for _, other := range d.Rows {
			if other == row {
				mine = true
			} else {
				p.Rows = append(p.Rows, other)
			}
		}
		if mine {
			out = append(out, p)
		}
	}
	return out
}

// shares reports whether a contract of the row pays for other systems too.
func shares(row *Row) bool {
	for _, k := range row.Contracts {
		if len(k.Spec.Systems) > 1 {
			return true
		}
	}
	return false
}
