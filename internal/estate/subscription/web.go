package subscription

import (
	"context"
	"net/http"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the page on which people make and revoke their address, and the address
// itself.
type Desk struct {
	register.Desk
	*Keeper
	BaseURL  string                                    // of the site
	Calendar func(ctx context.Context) ([]byte, error) // as calendar programs read it
}

const (
	home   = "/staff/estate/spend/calendar/subscribe"
	feed   = "/calendar/"
	suffix = ".ics"
)

// Mount mounts the pages on m. The calendar is read without signing in: who may is
// known by the address.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+home, register.Read, d.page)
	m.Handle("POST "+home, register.Read, d.change)
	m.Handle("GET "+feed+"{file}", "public.calendar", d.read)
}

var crumbs = []ui.Link{register.Crumb, {Text: "Spend", Href: "/staff/estate/spend"}, {Text: "Renewals and notice dates", Href: "/staff/estate/spend/calendar"}}

func (d *Desk) page(w http.ResponseWriter, r *http.Request) error { return d.show(w, r, "") }

func (d *Desk) show(w http.ResponseWriter, r *http.Request, secret string) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	a, ok, err := d.Of(r.Context(), web.Actor(r.Context()).ID)
	if err != nil {
		return err
	}
	v := view{Address: a, Has: ok, Made: d.Mux.Local(a.Made)}
	if secret != "" {
		v.URL = strings.TrimSuffix(d.BaseURL, "/") + feed + secret + suffix
		w.Header().Set("Cache-Control", "no-store")
	}
	return d.Render(w, r, s, web.Page{Title: "Subscribe to the calendar", Crumbs: crumbs}, page(v))
}

func (d *Desk) change(w http.ResponseWriter, r *http.Request) error {
	by := web.Actor(r.Context()).ID
	if r.PostFormValue("do") == "revoke" {
		if err := d.Revoke(r.Context(), by); err != nil {
			return err
		}
		d.Mux.Flash(w, "The address does not work any more.")
		return web.Redirect(w, r, home)
	}
	secret, err := d.Make(r.Context(), by)
	if err != nil {
		return err
	}
	return d.show(w, r, secret)
}

func (d *Desk) read(w http.ResponseWriter, r *http.Request) error {
	secret, ok := strings.CutSuffix(r.PathValue("file"), suffix)
	if !ok {
		return reeve.E(reeve.NotFound, "subscription.read", "there is no calendar at this address")
	}
	if _, err := d.Check(r.Context(), secret); err != nil {
		return err
	}
	b, err := d.Calendar(r.Context())
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/calendar; charset=utf-8")
	h.Set("Content-Disposition", `inline; filename="supplier-contracts.ics"`)
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Robots-Tag", "noindex")
	_, err = w.Write(b)
	return err
}
