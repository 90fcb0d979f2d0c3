package search

import (
	"net/http"
	"net/url"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages on which people look for things.
type Desk struct {
	register.Desk
	Search *Search
}

// Mount mounts them on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/search", register.Read, d.page)
	m.Handle("GET /staff/estate/search/hits", register.Read, d.hits)
}

const (
	onPage  = 50 // hits of the page
	inFrame = 8  // hits shown while somebody types in the frame of another page
)

func (d *Desk) page(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	f := d.Search.Index(s).Find(q.Get("q"), q.Get("kind"), onPage)
	return d.Render(w, r, s, web.Page{Title: title(f), Crumbs: []ui.Link{register.Crumb}}, foundPage(s, f, q.Get("kind")))
}

// hits is what the form of another page shows while somebody types.
func (d *Desk) hits(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	f := d.Search.Index(s).Find(r.URL.Query().Get("q"), "", inFrame)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if f.Query == "" {
		return nil
	}
	return foundHits(s, f).Render(r.Context(), w)
}

func title(f Found) string {
	if f.Query == "" {
		return "Find in the estate"
	}
	return f.Query + ": found in the estate"
}

// pageHref is the page of what was found, of one kind or all.
func pageHref(s *register.Snapshot, f Found, kind string) string {
	q := url.Values{"q": {f.Query}}
	if kind != "" {
		q.Set("kind", kind)
	}
	return register.Href(s, "/staff/estate/search?"+q.Encode())
}
