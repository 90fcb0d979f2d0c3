package register

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Read is the action of reading the estate's pages.
const Read = "estate.read"

// Desk is what every room of the estate needs to show a page.
type Desk struct {
	Mux *web.Mux
	// At is the estate at the end of a day; the zero date stands for now.
	At func(ctx context.Context, on def.Date) (*Snapshot, error)
}

// Crumb is where every page of the estate hangs.
var Crumb = ui.Link{Text: "Estate", Href: "/staff/estate"}

// Snapshot is the estate now, or as it was at the end of the day ?on=2026-01-31.
func (d *Desk) Snapshot(r *http.Request) (*Snapshot, error) {
	on := r.URL.Query().Get("on")
	if on == "" {
		return d.At(r.Context(), def.Date{})
	}
	day, err := def.ParseDate(on)
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "estate.on", "on=%q is not a day: write it like 2026-01-31", on)
	}
	return d.At(r.Context(), day)
}

// Render answers with a page of the estate: below its own navigation, and with
// the day said where it is not today.
func (d *Desk) Render(w http.ResponseWriter, r *http.Request, s *Snapshot, p web.Page, content templ.Component) error {
	if p.Active == "" {
		p.Active = "/staff/estate"
	}
	p.Crumbs = slices.Clone(p.Crumbs)
	for i := range p.Crumbs {
		if s != nil && strings.HasPrefix(p.Crumbs[i].Href, "/staff/estate") {
			p.Crumbs[i].Href = Href(s, p.Crumbs[i].Href)
		}
	}
	here, finds := d.mounted(r.Context())
	return d.Mux.Render(w, r, p, frame(s, here, finds && r.URL.Path != "/staff/estate/search", r.URL, content))
}

// Has reports whether this program has the page at path.
func (d *Desk) Has(path string) bool {
	return slices.ContainsFunc(d.Mux.Routes(), func(r web.Route) bool { return r.Pattern == "GET "+path })
}

// May reports whether whoever asks may do something.
func (d *Desk) May(ctx context.Context, action string) bool {
	return d.Mux.Decide(ctx, policy.Request{Action: action}) == nil
}

// mounted are the sections whose pages this program has for whoever asks, and
// whether it can find things.
func (d *Desk) mounted(ctx context.Context) (out []group, finds bool) {
	has, may := map[string]bool{}, map[string]bool{}
	for _, r := range d.Mux.Routes() {
		ok, asked := may[r.Action]
		if !asked {
			ok = d.May(ctx, r.Action)
			may[r.Action] = ok
		}
		has[r.Pattern] = ok
	}
	for _, g := range groups {
		m := group{Text: g.Text}
		for _, x := range g.Sections {
			if has["GET "+x.Href] {
				m.Sections = append(m.Sections, x)
			}
		}
		if len(m.Sections) > 0 {
			out = append(out, m)
		}
	}
	return out, has["GET /staff/estate/search"]
}

// Href is a link from one page of the estate to another that stays on the same
// day.
func Href(s *Snapshot, path string) string {
	if !s.Past {
		return path
	}
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	q := u.Query()
	q.Set("on", s.Today.String())
	u.RawQuery = q.Encode()
	return u.String()
}
