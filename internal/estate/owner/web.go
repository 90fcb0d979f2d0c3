package owner

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages of owners.
type Desk struct {
	register.Desk
	reports register.Kept[*register.Snapshot, *Report]
}

const path = "/staff/estate/owners"

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+path, register.Read, d.owners)
}

func (d *Desk) owners(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	rep := d.reports.Get(s, func() *Report { return New(s) })
	who := r.URL.Query().Get("who")
	if who == "" {
		return d.Render(w, r, s, web.Page{Title: "Owners", Crumbs: []ui.Link{register.Crumb}}, ownersPage(rep, r.URL.Query().Get("deputies") == "all"))
	}
	p, ok := rep.Person(who)
	if !ok {
		return reeve.E(reeve.NotFound, "estate.owner", "nobody of that name answers for anything, and the directory does not know them")
	}
	sees := d.May(r.Context(), "asset.holders")
	return d.Render(w, r, s, web.Page{Title: p.Name(), Crumbs: []ui.Link{register.Crumb, {Text: "Owners", Href: register.Href(s, path)}}}, personPage(rep, p, rep.Leaves(p), sees))
}

func personHref(s *register.Snapshot, key string) string {
	return register.Href(s, path+"?"+url.Values{"who": {key}}.Encode())
}

func (r *Report) stats() []ui.Stat {
	none, gone, deputy := 0, 0, 0
	for _, t := range r.Things {
		if t.Owner.Key == "" {
			none++
		}
		if t.Owner.Gone() {
			gone++
		}
		if t.Deputy.Key == "" {
			deputy++
		}
	}
	out := []ui.Stat{
		{Label: "systems and services in use", Value: fmt.Sprint(len(r.Things))},
		{Label: "without an owner", Value: fmt.Sprint(none), Href: "#lacking"},
		{Label: "whose owner is no longer there", Value: fmt.Sprint(gone), Href: "#lacking"},
		{Label: "without a deputy", Value: fmt.Sprint(deputy), Href: path + "?deputies=all#lacking"},
	}
	if !r.Known {
		out[2].Value, out[2].Note = "Not known", "no directory was imported"
	}
	for i := 1; i < 3; i++ {
		if n := []int{none, gone}[i-1]; n > 0 && (i == 1 || r.Known) {
			out[i].Tone = ui.Bad
		}
	}
	return out
}

// life says where a thing is in its life, and what comes next.
func (t Thing) life() string {
	text := map[string]string{"": "Not known"}[t.Phase]
	if text == "" {
		text = ui.Words(t.Phase)
	}
	if !t.Since.IsZero() {
		text += ", since " + words.Date(t.Since)
	}
	if !t.End.IsZero() {
		text += ", until " + words.Date(t.End)
	}
	if t.Successor != "" {
		text += ", then " + t.Successor
	}
	return text
}

func systemName(s *register.Snapshot, id string) string {
	if x, ok := s.System(id); ok {
		return x.Name
	}
	return id
}
