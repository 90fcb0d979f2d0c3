package atlas

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the map's pages.
type Desk struct {
	register.Desk
	index register.Kept[*register.Snapshot, *Index]
}

// Mount mounts them on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/map", register.Read, d.page)
	m.Handle("GET /staff/estate/map.svg", register.Read, d.drawing)
	m.Handle("GET /staff/map", register.Read, d.short)
	m.Nav(web.StaffArea, web.NavItem{Text: "Map", Href: Live.Href(), Action: register.Read, Order: 1})
}

// load is what a request asks for, drawn; linked as in [View.Draw]. A place by an id
// that it had before is looked at by the one it has now.
func (d *Desk) load(r *http.Request, linked bool) (p page, err error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return p, err
	}
	p.Index = d.index.Get(s, func() *Index { return NewIndex(s) })
	q := ParseQuery(r.URL.Query())
	q.At = p.present(q.At)
	if p.View, err = p.Index.View(q); err != nil {
		return p, err
	}
	if q.Show != "" {
		p.Impact = p.Index.Impact(q.At, q.Show == "stops")
		p.Drawing = p.Impact.Draw(q, linked)
	} else {
		p.Drawing = p.View.Draw(linked)
	}
	return p, nil
}

func (d *Desk) page(w http.ResponseWriter, r *http.Request) error {
	p, err := d.load(r, true)
	if err != nil {
		return err
	}
	q := p.View.Query
	title := "Map"
	if q.At.Kind != "" {
		title = p.View.Title + ": map"
	}
	active := ""
	if q.At.Kind == "" && q.By == AtSystem {
		active = Live.Href()
	}
	return d.Render(w, r, p.Snapshot, web.Page{Title: title, Wide: true, Active: active, Crumbs: p.crumbs(q)}, mapPage(p))
}

// short is a short way to what goes on now.
func (d *Desk) short(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, Live.Href(), http.StatusMovedPermanently)
	return nil
}

// drawing is the map as a file.
func (d *Desk) drawing(w http.ResponseWriter, r *http.Request) error {
	p, err := d.load(r, false)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="map-%s.svg"`, fileName(p.Name(p.View.At))))
	_, err = w.Write([]byte(p.Drawing))
	return err
}

// fileName is a name as part of the name of a file.
func fileName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s)), "-")
}

// crumbs lead back to what holds the place.
func (x *Index) crumbs(q Query) []ui.Link {
	out := []ui.Link{{Text: register.Crumb.Text, Href: register.Href(x.Snapshot, register.Crumb.Href)}}
	if q.At.Kind == "" {
		return out
	}
	link := func(p Place) {
		out = append(out, ui.Link{Text: x.Name(p), Href: Query{At: p, On: q.On}.Href()})
	}
	out = append(out, ui.Link{Text: "Map", Href: Query{On: q.On}.Href()})
	system := func(id string) {
		if home := x.home[id]; home != "" {
			if b := x.branch[home]; b != home {
				link(Place{AtCapability, b})
			}
			link(Place{AtCapability, home})
		}
	}
	switch q.At.Kind {
	case AtCapability:
		if b := x.branch[q.At.ID]; b != q.At.ID && b != "" {
			link(Place{AtCapability, b})
		}
	case AtSystem:
		system(q.At.ID)
	case AtInterface:
		if i, ok := x.iface[q.At.ID]; ok {
			system(x.Snapshot.Interfaces[i].System)
			link(Place{AtSystem, x.Snapshot.Interfaces[i].System})
		}
	case AtFlow:
		if f, ok := x.flow(q.At.ID); ok {
			link(Place{AtSystem, f.From})
		}
	}
	return out
}

// boxHref is where a box leads: to what it stands for, closer.
func (v *View) boxHref(b Box) string {
	switch {
	case b.Kind == atMore || b.Kind == atSender:
		return "#table"
	case b.ID == "":
		return "/staff/estate/systems?" + url.Values{b.Kind: {"unknown"}}.Encode()
	case b.Kind == AtService:
		return "/staff/services/" + url.PathEscape(b.ID)
	case b.Place == v.At:
		return ""
	}
	q := v.Query.at(b.Place)
	q.Organisation, q.Capability, q.Text = "", "", ""
	return q.Href()
}

// lineHref is where a line leads: to its flow, or to those between its ends.
func (v *View) lineHref(l Line) string {
	switch {
	case l.Flow != nil && l.Flow.ID != "":
		return Query{At: Place{AtFlow, l.Flow.ID}, On: v.On}.Href()
	case l.State() == Undeclared && l.Total() == l.Undeclared && v.Flows == nil:
		return "#undeclared"
	case l.From.Kind == atMore || l.To.Kind == atMore || l.From.ID == "" || l.To.ID == "" || l.From.Kind == atSender || l.To.Kind == atSender:
		return "#table"
	}
	q := v.Query
	q.At, q.With, q.Show = l.From, l.To, ""
	if l.From.Kind == AtInterface {
		q.At, q.With = l.To, Place{AtSystem, v.At.ID}
	}
	return q.Href()
}

// lineWords is a line in words.
func lineWords(v *View, l Line) string {
	tells := "%s tells %s: %s. %s"
	if l.both {
		tells = "%s and %s tell each other: %s. %s"
	}
	return fmt.Sprintf(tells, v.name(l.From), v.name(l.To), l.what(3), l.Count.Words())
}

// name is the name of a box.
func (v *View) name(p Place) string {
	if i, ok := v.box[p]; ok && i < len(v.Boxes) {
		return v.Boxes[i].Name
	}
	return p.ID
}
