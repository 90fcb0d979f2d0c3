package reader

import (
	"context"
	"net/http"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages of the readers.
type Desk struct {
	register.Desk
	// Cards are more questions of a reader, which other rooms answer; may be nil.
	Cards func(ctx context.Context, s *register.Snapshot, reader string) ([]Card, error)
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	d.Mux = m
	m.Handle("GET /staff/estate/for", register.Read, d.index)
	m.Handle("GET /staff/estate/for/{reader}", register.Read, d.show)
}

func (d *Desk) index(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "Where to begin", Crumbs: []ui.Link{register.Crumb}}, indexPage(s))
}

// quarter is how far back better and worse look.
const quarter = 91

func (d *Desk) show(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	who, ok := Find(r.PathValue("reader"))
	if !ok {
		return reeve.E(reeve.NotFound, "estate.reader", "there is no view for %q", r.PathValue("reader"))
	}
	var before *register.Snapshot
	if who.ID == "member" {
		before, err = d.At(r.Context(), s.Today.AddDays(-quarter))
		if k := reeve.KindOf(err); err != nil && k != reeve.NotFound && k != reeve.Invalid {
			return err
		}
	}
	owner := r.URL.Query().Get("owner")
	v := newView(s, before, owner)
	p := pageView{S: s, Reader: who, Cards: v.cards(who.ID)}
	if who.ID == "owner" {
		p.Owner, p.Owners = owner, owners(s)
	}
	if d.Cards != nil {
		more, err := d.Cards(r.Context(), s, who.ID)
		if err != nil {
			return err
		}
		for i := range more {
			more[i].Href = register.Href(s, more[i].Href)
		}
		p.Cards = append(p.Cards, more...)
	}
	return d.Render(w, r, s, web.Page{Title: who.Name, Crumbs: []ui.Link{register.Crumb, {Text: "Where to begin", Href: "/staff/estate/for"}}}, readerPage(p))
}

// owners are those who answer for a service.
func owners(s *register.Snapshot) []ui.SelectItem {
	var ids []string
	for _, x := range def.All[catalogue.Spec](s.Set) {
		if x.Spec.Owner != "" {
			ids = append(ids, x.Spec.Owner)
		}
	}
	slices.Sort(ids)
	items := []ui.SelectItem{{Value: "", Text: "All owners"}}
	for _, id := range slices.Compact(ids) {
		name := words.Post(id)
		if p, ok, _ := s.Person(id); ok && p.Post != "" {
			name = p.Post
		}
		items = append(items, ui.SelectItem{Value: id, Text: name})
	}
	return items
}
