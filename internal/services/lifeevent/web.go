package lifeevent

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Mount adds the pages of life events. SourceName turns the id of an
// organisation into its name.
func (d *Desk) Mount(m *web.Mux, sourceName func(id string) string) {
	p := &pages{d, m, sourceName}
	m.Nav(web.StaffArea, web.NavItem{Text: "Life events", Href: "/staff/life-events", Action: "life-event.read", Order: 45})
	m.Handle("GET /staff/life-events", "life-event.read", p.list)
	m.Handle("GET /staff/life-events/{id}", "life-event.read", p.show)
}

type pages struct {
	d          *Desk
	m          *web.Mux
	sourceName func(string) string
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) error {
	v := listView{State: r.URL.Query().Get("state")}
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		es, err := p.d.events().latest(tx, v.State, 200)
		if err != nil {
			return err
		}
		for _, e := range es {
			name, err := p.d.o.People.Name(tx, e.Person)
			if err != nil {
				return err
			}
			told := "1 source"
			if e.Sources != 1 {
				told = fmt.Sprintf("%d sources", e.Sources)
			}
			v.Rows = append(v.Rows, []ui.Cell{
				ui.CellHTML(eventLink(e, p.kindName(e.Kind))), {Text: name}, {Text: dayText(e.Occurred)}, ui.CellHTML(stateTag(e)), {Text: told},
			})
		}
		v.Stats, err = p.d.Stats(tx)
		return err
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Life events", Wide: true}, listPage(v))
}

// Stats are the figures of life events.
func (d *Desk) Stats(tx *store.Tx) ([]ui.Stat, error) {
	n, err := counts(tx)
	if err != nil {
		return nil, err
	}
	wait, err := countWaiting(tx)
	if err != nil {
		return nil, err
	}
	stat := func(label string, n int, href string) ui.Stat {
		return ui.Stat{Label: label, Value: strconv.Itoa(n), Href: href}
	}
	return []ui.Stat{
		stat("confirmed", n[Confirmed], "/staff/life-events?state=confirmed"), stat("only noticed", n[Noticed], "/staff/life-events?state=noticed"),
		stat("reported in error", n[Reversed], "/staff/life-events?state=reversed"), stat("history", n["history"], ""),
		stat("wait for a match", wait, "/staff/people/matches"),
	}, nil
}

func (p *pages) kindName(id string) string {
	if s, ok := def.Get[EventSpec](p.d.defs.Load(), id); ok {
		return s.Name
	}
	return id
}

func (p *pages) show(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "services.lifeevent", "there is no such life event")
	}
	var v eventView
	err = p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { // to look is to leave a trace
		e, found, err := p.d.events().get(tx, id)
		if err != nil {
			return err
		}
		if !found {
			return reeve.E(reeve.NotFound, "services.lifeevent", "there is no such life event")
		}
		if v, err = p.view(tx, e); err != nil {
			return err
		}
		return p.d.noteBy(tx, web.Actor(r.Context()).ID, "saw", e)
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: v.Kind, Back: "/staff/life-events"}, eventPage(v))
}

func (p *pages) view(tx *store.Tx, e Event) (v eventView, err error) {
	v = eventView{Event: e, Kind: p.kindName(e.Kind)}
	if v.Person, err = p.d.o.People.Name(tx, e.Person); err != nil {
		return v, err
	}
	born, err := p.d.o.People.Born(tx, e.Person)
	if err != nil {
		return v, err
	}
	zone := p.d.o.Zone
	v.Summary = []ui.SummaryRow{
		ui.Row("Person", v.Person), ui.Row("Date of birth", dayText(born)), ui.Row("Happened on", dayText(e.Occurred)),
		ui.Row("First told", ui.TimeText(e.Opened.In(zone))), ui.Row("Last change", ui.TimeText(e.Changed.In(zone))),
	}
	ss, err := sources(tx, e.ID)
	if err != nil {
		return v, err
	}
	for _, s := range ss {
		m := ui.Moment{Title: p.sourceName(s.source), At: s.at.In(zone), Tag: "Registration", Tone: ui.Good, Body: recordLink(string(s.record))}
		switch s.standing {
		case informal:
			m.Tag, m.Tone = "Notice", ui.Info
		case inError:
			m.Tag, m.Tone = "Reported in error", ui.Special
		}
		v.Told = append(v.Told, m)
	}
	cs, err := p.d.o.Cases.Of(tx, e.Person)
	if err != nil {
		return v, err
	}
	for _, c := range cs {
		if c.About == e.Ref() {
			v.Cases = append(v.Cases, caseLink{fmt.Sprintf("/staff/cases/%d", c.ID), fmt.Sprintf("Case %d, %s", c.ID, c.State)})
		}
	}
	return v, nil
}

func dayText(day string) string {
	t, err := time.Parse(time.DateOnly, strings.TrimSpace(day))
	if err != nil {
		return "Not known"
	}
	return ui.DateText(t)
}
