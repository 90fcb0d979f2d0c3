package exporter

import (
	"fmt"
	"net/http"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages for taking the estate away.
type Desk struct {
	register.Desk
	Body    string // name of the public body
	Version string // of the program
}

const home = "/staff/estate/export"

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+home, register.Read, d.choose)
	m.Handle("GET "+home+"/{format}", register.Read, d.take, web.Stream())
}

func (d *Desk) choose(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "Export", Crumbs: []ui.Link{register.Crumb}}, choosePage(s))
}

// take streams a file. What goes wrong after it began breaks the connection, so
// that half a file is never taken for a whole one.
func (d *Desk) take(w http.ResponseWriter, r *http.Request) error {
	f, err := Find(r.PathValue("format"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	o := Options{Audience: q.Get("audience"), Kind: q.Get("kind"), Body: d.Body, Version: d.Version}
	if err := f.Check(o); err != nil {
		return err
	}
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	name, media := f.Named(o)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	return f.Write(w, s, o)
}
