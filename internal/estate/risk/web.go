package risk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Curate is the action of saying which product a name means, and that a
// vulnerability was dealt with.
const Curate = "estate.import"

// Desk is the pages of risk.
type Desk struct {
	register.Desk
	Inventory *inventory.Store

	reports register.Kept[*register.Snapshot, *Report]
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/risk", register.Read, d.risk)
	m.Handle("POST /staff/estate/risk/done", Curate, d.done)
	m.Handle("GET /staff/estate/products", Curate, d.products)
	m.Handle("POST /staff/estate/products", Curate, d.join)
}

func (d *Desk) report(r *http.Request) (*Report, error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return nil, err
	}
	return d.reports.Get(s, func() *Report { return New(s) }), nil
}

const (
	riskPath     = "/staff/estate/risk"
	productsPath = "/staff/estate/products"
	perPage      = 25
)

// exposed are the installed products with open threats, the one that is due first
// first.
func (r *Report) exposed(system string) (out []*Installed) {
	for _, i := range r.Installed {
		if i.Open() > 0 && (system == "" || i.relied[system]) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b *Installed) int { return a.Threats[0].Due.Compare(b.Threats[0].Due) })
	return out
}

// ending are the installed products whose support has ended or soon ends.
func (r *Report) ending(system string) (out []*Installed) {
	for _, i := range r.Installed {
		if days, ok := i.Days(r.Today); ok && days <= SoonDays && (system == "" || i.relied[system]) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b *Installed) int {
		x, _ := a.Days(r.Today)
		y, _ := b.Days(r.Today)
		return x - y
	})
	return out
}

// view is what the page of risk shows.
type view struct {
	*Report
	System          string // chosen, "" for all
	Exposed, Ending []*Installed
	More            int // exposed products beyond those shown
	MayCurate       bool
	Rolled          []rolled
}

// rolled is the risk of a system, by what it is made of and runs on.
type rolled struct {
	ID, Name                  string
	Open, Past, Ended, Ending int
}

func (d *Desk) risk(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	v := view{Report: rep, System: r.URL.Query().Get("system"), MayCurate: !rep.Past && d.May(r.Context(), Curate)}
	if _, ok := rep.System(v.System); v.System != "" && !ok {
		return reeve.E(reeve.NotFound, "estate.risk", "there is no system %q", v.System)
	}
	v.Exposed, v.Ending = rep.exposed(v.System), rep.ending(v.System)
	if v.System == "" {
		v.Rolled = rep.roll()
	}
	if n := len(v.Exposed); n > 50 {
		v.Exposed, v.More = v.Exposed[:50], n-50
	}
	return d.Render(w, r, rep.Snapshot, web.Page{Title: "Risk", Crumbs: []ui.Link{register.Crumb}}, riskPage(v))
}

// roll adds up by system, the worst first.
func (r *Report) roll() (out []rolled) {
	by := map[string]*rolled{}
	for _, i := range r.Installed {
		open, past := i.Open(), i.Past(r.Today)
		days, ok := i.Days(r.Today)
		for _, id := range i.Systems {
			x := by[id]
			if x == nil {
				x = &rolled{ID: id, Name: id}
				if sys, ok := r.System(id); ok {
					x.Name = sys.Name
				}
				by[id] = x
			}
			x.Open += open
			x.Past += past
			if ok && days < 0 {
				x.Ended++
			} else if ok && days <= SoonDays {
				x.Ending++
			}
		}
	}
	for _, x := range by {
		if x.Open+x.Ended+x.Ending > 0 {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, b rolled) int {
		if a.Past != b.Past {
			return b.Past - a.Past
		}
		if a.Ended != b.Ended {
			return b.Ended - a.Ended
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// done says that a vulnerability was dealt with in one place, or wherever the
// same product is.
func (d *Desk) done(w http.ResponseWriter, r *http.Request) error {
	cve, how := r.PostFormValue("cve"), strings.TrimSpace(r.PostFormValue("how"))
	if how == "" {
		return reeve.E(reeve.Invalid, "estate.risk.done", "say how it was dealt with: \"patched on 3 May\", \"not reachable, the feature is off\"")
	}
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(rep.Installed, func(i *Installed) bool { return i.key() == r.PostFormValue("product") })
	if at < 0 || !slices.ContainsFunc(rep.Installed[at].Threats, func(t Threat) bool { return t.CVE == cve && t.Closed == "" }) {
		return reeve.E(reeve.Invalid, "estate.risk.done", "that vulnerability is not open for this product")
	}
	var items []inventory.Item
	for _, p := range rep.Installed[at].Places {
		if where := r.PostFormValue("where"); where == "all" || where == p.Kind+"/"+p.ID {
			items = append(items, inventory.Evidence{Kind: p.Kind, ID: p.ID, Fact: factDone + cve, Value: how, On: rep.Today, Source: web.Actor(r.Context()).ID})
		}
	}
	if len(items) == 0 {
		return reeve.E(reeve.Invalid, "estate.risk.done", "say where it was dealt with")
	}
	if _, err := d.Inventory.Put(r.Context(), web.Actor(r.Context()).ID, nil, items...); err != nil {
		return err
	}
	d.Mux.Flash(w, fmt.Sprintf("%s counts as dealt with in %s.", cve, words.Count(len(items), "place", "places")))
	return web.Redirect(w, r, riskPath)
}

// curation is what the page of product names shows.
type curation struct {
	*Report
	Names   []*Name
	Entries []Entry
	Total   int
	Page    int
	Pages   int
	All     bool
	Errors  ui.Errors
}

func (d *Desk) products(w http.ResponseWriter, r *http.Request) error { return d.curate(w, r, nil) }

func (d *Desk) curate(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	v := curation{Report: rep, All: r.FormValue("show") == "all", Errors: errs}
	names := rep.Curate()
	if !v.All {
		names = slices.DeleteFunc(names, func(n *Name) bool { return n.Identity.Joined() })
	}
	v.Total = len(names)
	v.Pages = max(1, (len(names)+perPage-1)/perPage)
	if v.Page, err = strconv.Atoi(r.FormValue("page")); err != nil {
		v.Page = 1
	}
	v.Page = min(max(v.Page, 1), v.Pages)
	v.Names = names[min((v.Page-1)*perPage, len(names)):min(v.Page*perPage, len(names))]
	for _, n := range v.Names {
		n.Suggestions = rep.Suggest(n)
	}
	if entries := rep.Entries(); v.Page == 1 {
		v.Entries = entries[:min(len(entries), perPage)]
	}
	p := web.Page{Title: "Names of products", Crumbs: []ui.Link{register.Crumb, {Text: "Risk", Href: riskPath}}, Error: len(errs) > 0}
	if len(errs) > 0 {
		p.Status = http.StatusUnprocessableEntity
	}
	return d.Render(w, r, rep.Snapshot, p, productsPage(v))
}

func (v curation) href(page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	if v.All {
		q.Set("show", "all")
	}
	return productsPath + "?" + q.Encode()
}

// join keeps what a name means.
func (d *Desk) join(w http.ResponseWriter, r *http.Request) error {
	by := web.Actor(r.Context()).ID
	i := inventory.Identity{Vendor: Normal(r.PostFormValue("vendor")), Name: Normal(r.PostFormValue("name")), By: by}
	if i.Name == "" {
		return reeve.E(reeve.Invalid, "estate.products", "say which name it is")
	}
	if r.PostFormValue("vendor") == "" {
		i.Vendor = ""
	}
	var errs ui.Errors
	switch choice := r.PostFormValue("choice"); choice {
	case "none":
		i.None = true
	case "other":
		i.CPE, i.EOL = strings.ToLower(strings.TrimSpace(r.PostFormValue("cpe"))), strings.ToLower(strings.TrimSpace(r.PostFormValue("eol")))
		if i.CPE == "" && i.EOL == "" {
			errs.Add("", "Give a CPE name or a product of endoflife.date for %q", r.PostFormValue("name"))
		}
	case "":
		errs.Add("", "Choose which product %q is", r.PostFormValue("name"))
	default:
		i.CPE, i.EOL, _ = strings.Cut(choice, "|")
	}
	if i.CPE != "" && strings.Count(i.CPE, ":") != 1 {
		errs.Add("", "Write the CPE name as vendor:product, like microsoft:sql_server")
	}
	if len(errs) > 0 {
		return d.curate(w, r, errs)
	}
	if _, err := d.Inventory.Put(r.Context(), by, nil, i); err != nil {
		return err
	}
	d.Mux.Flash(w, fmt.Sprintf("Kept what %q is. It holds for every later list too.", r.PostFormValue("name")))
	return web.Redirect(w, r, productsPath)
}

func systemHref(s *register.Snapshot, id string) string {
	return register.Href(s, words.SystemHref(id))
}

func placeHref(s *register.Snapshot, p Place) string {
	if p.Kind == "Asset" {
		return register.Href(s, words.Href(p.Kind, p.ID))
	}
	if c, ok := def.Get[componentSpec](s.Set, p.ID); ok {
		return systemHref(s, c.Spec.System)
	}
	return ""
}
