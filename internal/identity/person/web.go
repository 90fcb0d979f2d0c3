package person

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Mount adds the pages on which staff decide who is who. SourceName turns the id
// of an organisation into its name.
func (r *Register) Mount(m *web.Mux, zone *time.Location, sourceName func(id string) string) {
	p := &pages{r, m, zone, sourceName}
	m.Nav(web.StaffArea, web.NavItem{Text: "Matches", Href: "/staff/people/matches", Action: "match.read", Order: 60})
	m.Handle("GET /staff/people/matches", "match.read", p.list)
	m.Handle("GET /staff/people/matches/{id}", "match.read", p.show)
	m.Handle("POST /staff/people/matches/{id}", "match.decide", p.decide)
}

type pages struct {
	r          *Register
	m          *web.Mux
	zone       *time.Location
	sourceName func(string) string
}

func (p *pages) item(m Match) matchItem {
	it := matchItem{Match: m, Reason: whyText(m.Why), When: ui.TimeText(m.Opened.In(p.zone))}
	it.Source = p.sourceName(m.Source)
	switch m.State {
	case "same":
		it.Answer = "The same person. Decided on " + ui.TimeText(m.Decided.In(p.zone)) + " by " + m.DecidedBy + "."
	case "different":
		it.Answer = "Somebody else. Decided on " + ui.TimeText(m.Decided.In(p.zone)) + " by " + m.DecidedBy + "."
	}
	return it
}

func (p *pages) list(w http.ResponseWriter, req *http.Request) error {
	var open, decided []matchItem
	err := p.r.db.View(req.Context(), func(tx *store.Tx) error {
		for _, isOpen := range []bool{true, false} {
			limit := 20
			if isOpen {
				limit = 200
			}
			ms, err := listMatches(tx, isOpen, limit)
			if err != nil {
				return err
			}
			for _, m := range ms {
				if isOpen {
					open = append(open, p.item(m))
				} else {
					decided = append(decided, p.item(m))
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, req, web.Page{Title: "Is this the same person?"}, matchesPage(open, decided))
}

func (p *pages) show(w http.ResponseWriter, req *http.Request) error {
	return p.render(w, req, nil)
}

func (p *pages) render(w http.ResponseWriter, req *http.Request, errs ui.Errors) error {
	id, err := strconv.ParseInt(req.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "identity.person.match", "there is no such match")
	}
	var it matchItem
	var told side
	var known []side
	err = p.r.db.Update(req.Context(), func(tx *store.Tx) error { // to look is to leave a trace
		known = nil
		m, err := getMatch(tx, id)
		if err != nil {
			return err
		}
		it = p.item(m)
		own, err := getPerson(tx, m.Person)
		if err != nil {
			return err
		}
		d, err := p.r.open(own) // as told, even after a merge
		if err != nil {
			return err
		}
		told = p.side("", "As we were told now", d, Details{})
		cs, err := candidates(tx, id)
		if err != nil {
			return err
		}
		for i, c := range cs {
			k, err := p.r.details(tx, c.id)
			if err != nil {
				return err
			}
			title := "Somebody we know"
			if len(cs) > 1 {
				title = fmt.Sprintf("Somebody we know (%d)", i+1)
			}
			known = append(known, p.side(string(c.id), title, k, d))
		}
		return p.r.note(tx, web.Actor(req.Context()).ID, "saw", m.Person, m.Ref())
	})
	if err != nil {
		return err
	}
	page := web.Page{Title: "Is this the same person?", Back: "/staff/people/matches", Error: len(errs) > 0}
	if page.Error {
		page.Status = http.StatusBadRequest
	}
	return p.m.Render(w, req, page, matchPage(it, told, known, errs))
}

// side puts a description into rows, marking what is the same in other.
func (p *pages) side(id, title string, d, other Details) side {
	addr, same := d.Address.String(), false
	if addr != "" {
		same, _ = sameAddress(d, other)
	}
	s := side{ID: id, Title: title, Rows: []sideRow{
		{"Name", d.Name.String(), sameName(d.Name, other.Name)},
		{"Date of birth", p.dateText(d.DateOfBirth), d.DateOfBirth != "" && d.DateOfBirth == other.DateOfBirth},
		{"Address", orUnknown(addr), same},
	}}
	for _, a := range d.Former {
		s.Rows = append(s.Rows, sideRow{"Earlier address", a.String(), false})
	}
	for _, a := range d.Also {
		s.Rows = append(s.Rows, sideRow{"Also known as", a.Name.String() + ", born " + p.dateText(a.DateOfBirth), false})
	}
	return s
}

func (p *pages) dateText(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return orUnknown(day)
	}
	return ui.DateText(t)
}

func orUnknown(s string) string {
	if s == "" {
		return "Not known"
	}
	return s
}

func (p *pages) decide(w http.ResponseWriter, req *http.Request) error {
	id, err := strconv.ParseInt(req.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "identity.person.match", "there is no such match")
	}
	same := req.PostFormValue("same")
	if same == "" {
		var errs ui.Errors
		errs.Add("same", "Choose who it is, or that it is somebody else")
		return p.render(w, req, errs)
	}
	err = p.r.db.Update(req.Context(), func(tx *store.Tx) error {
		return p.r.Decide(tx, web.Actor(req.Context()).ID, id, reeve.PersonID(strings.TrimPrefix(same, "nobody")))
	})
	if err != nil {
		return err
	}
	p.m.Flash(w, "Decided. What waited for this goes on now.")
	return web.Redirect(w, req, "/staff/people/matches")
}

func openRows(ms []matchItem) (rows [][]ui.Cell) {
	for _, m := range ms {
		rows = append(rows, []ui.Cell{{Text: m.When}, {Text: m.Source}, {Text: m.Reason}, ui.CellHTML(matchLink(m, "Decide"))})
	}
	return rows
}

func decidedRows(ms []matchItem) (rows [][]ui.Cell) {
	for _, m := range ms {
		rows = append(rows, []ui.Cell{{Text: m.When}, {Text: m.Source}, {Text: m.Answer}, ui.CellHTML(matchLink(m, "Look"))})
	}
	return rows
}

func sideRows(s side) (rows []ui.SummaryRow) {
	for _, r := range s.Rows {
		rows = append(rows, ui.RowHTML(r.Key, value(r)))
	}
	return rows
}

func choices(known []side) (items []ui.ChoiceItem) {
	for _, k := range known {
		text := "The same person"
		if len(known) > 1 {
			text = "The same as: " + k.Title
		}
		items = append(items, ui.ChoiceItem{Value: k.ID, Text: text})
	}
	return append(items, ui.ChoiceItem{Value: "nobody", Text: "Somebody else"})
}
