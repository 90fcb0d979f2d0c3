package custody

import (
	"cmp"
	"context"
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
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The actions of this room beside reading.
const (
	Change  = "estate.import" // states, sites, holders
	Holders = "asset.holders" // to see who has what
	Report  = "asset.report"  // to say that something was lost or stolen
)

// Desk is the pages of assets.
type Desk struct {
	register.Desk
	Inventory *inventory.Store
	// Lost opens a case for what was lost or stolen, in the transaction that says so;
	// nil where nobody handles cases.
	Lost func(tx *store.Tx, by string, a inventory.Asset, stolen bool, note string) (caseRef string, err error)
	// Who is the directory id of whoever is signed in, "" if it is not known; nil
	// where people choose their post themselves.
	Who func(ctx context.Context, a reeve.Actor) string
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/assets", register.Read, d.list)
	m.Handle("GET /staff/estate/assets/{id}", register.Read, d.show)
	m.Handle("POST /staff/estate/assets/{id}/state", Change, d.state)
	m.Handle("POST /staff/estate/assets/{id}/lost", Report, d.lost)
	m.Handle("GET /staff/estate/seats", register.Read, d.seats)
	m.Handle("GET /staff/estate/attest", Report, d.attest)
	m.Handle("POST /staff/estate/attest", Report, d.attested)
}

const (
	assetsPath = "/staff/estate/assets"
	seatsPath  = "/staff/estate/seats"
	attestPath = "/staff/estate/attest"
	perPage    = 50
)

// listing is what the list of assets shows.
type listing struct {
	*register.Snapshot
	Filter                  filter
	Total, All, Page, Pages int
	Rows                    []inventory.Asset
	Types, States, Sites    []tally
	Known                   bool // a list of assets was imported
	SeesHolders             bool
	dir                     *inventory.Directory
}

func (d *Desk) list(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	l := listing{Snapshot: s, dir: s.Directory, SeesHolders: d.May(r.Context(), Holders), All: len(s.Assets)}
	l.Filter = filter{Text: strings.TrimSpace(q.Get("q")), Type: q.Get("type"), State: q.Get("state"), Site: q.Get("site"), Contract: q.Get("contract"), System: q.Get("system"), Show: q.Get("show")}
	if l.SeesHolders {
		l.Filter.Holder = strings.TrimSpace(q.Get("holder"))
	}
	_, l.Known = s.Inventory.Imports[string(inventory.TypeAsset)]
	at := l.Filter.chosen(s, l.dir)
	l.Total, l.Pages = len(at), max(1, (len(at)+perPage-1)/perPage)
	if l.Page, err = strconv.Atoi(q.Get("page")); err != nil {
		l.Page = 1
	}
	l.Page = min(max(l.Page, 1), l.Pages)
	l.Types = count(s, at, func(a *inventory.Asset) string { return a.Type })
	l.States = count(s, at, func(a *inventory.Asset) string { return a.State })
	l.Sites = count(s, at, func(a *inventory.Asset) string { return a.Site })
	for _, i := range at[min((l.Page-1)*perPage, len(at)):min(l.Page*perPage, len(at))] {
		l.Rows = append(l.Rows, s.Assets[i])
	}
	return d.Render(w, r, s, web.Page{Title: "Assets", Crumbs: []ui.Link{register.Crumb}, Wide: true}, listPage(l))
}

// href is the list with another word in the filter.
func (l listing) href(field, value string) string {
	q := url.Values{}
	for k, v := range map[string]string{"q": l.Filter.Text, "type": l.Filter.Type, "state": l.Filter.State, "site": l.Filter.Site, "holder": l.Filter.Holder, "contract": l.Filter.Contract, "system": l.Filter.System, "show": l.Filter.Show, field: value} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return register.Href(l.Snapshot, assetsPath+"?"+q.Encode())
}

func (l listing) pageHref(page int) string { return l.href("page", strconv.Itoa(page)) }

// detail is what the page of an asset shows.
type detail struct {
	*register.Snapshot
	Asset       inventory.Asset
	Holder      inventory.Found
	SeesHolder  bool
	History     []inventory.Version
	Next        []string
	MayChange   bool
	MayReport   bool
	Attestation *inventory.Attestation
	Errors      ui.Errors
}

func find(s *register.Snapshot, id string) (inventory.Asset, error) {
	i, ok := slices.BinarySearchFunc(s.Assets, id, func(a inventory.Asset, id string) int { return cmp.Compare(a.ID, id) })
	if !ok {
		return inventory.Asset{}, reeve.E(reeve.NotFound, "estate.asset", "there is no such asset")
	}
	return s.Assets[i], nil
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request) error { return d.page(w, r, nil) }

func (d *Desk) page(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	a, err := find(s, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := detail{Snapshot: s, Asset: a, Holder: s.Directory.Find(a.Holder), SeesHolder: d.May(r.Context(), Holders), Errors: errs,
		MayChange: !s.Past && d.May(r.Context(), Change), MayReport: !s.Past && d.May(r.Context(), Report), Next: next(a.State)}
	if v.History, err = d.Inventory.History(r.Context(), inventory.TypeAsset, a.ID); err != nil {
		return err
	}
	for _, x := range s.Inventory.Attestations {
		if x.Kind == "Asset" && x.ID == a.ID {
			v.Attestation = &x
		}
	}
	p := web.Page{Title: title(a), Crumbs: []ui.Link{register.Crumb, {Text: "Assets", Href: register.Href(s, assetsPath)}}, Error: len(errs) > 0}
	if len(errs) > 0 {
		p.Status = http.StatusUnprocessableEntity
	}
	return d.Render(w, r, s, p, showPage(v))
}

// now is an asset as it stands, and what a person said of it here.
func (d *Desk) now(r *http.Request) (a, said inventory.Asset, err error) {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return a, said, err
	}
	if a, err = find(s, r.PathValue("id")); err != nil {
		return a, said, err
	}
	x, err := d.Inventory.Said(r.Context(), inventory.TypeAsset, a.ID)
	if err != nil {
		return a, said, err
	}
	if said, ok := x.(inventory.Asset); ok {
		return a, said, nil
	}
	if layers, err := d.Inventory.Layers(r.Context(), inventory.TypeAsset, a.ID); err != nil || len(layers) == 0 {
		return a, a, err // declared, and in no list yet: what is declared goes on to hold
	}
	return a, inventory.Asset{ID: a.ID}, nil
}

// state takes an asset a step further in its life.
func (d *Desk) state(w http.ResponseWriter, r *http.Request) error {
	a, said, err := d.now(r)
	if err != nil {
		return err
	}
	to := r.PostFormValue("state")
	var errs ui.Errors
	switch {
	case to == "":
		errs.Add("state", "Choose what became of it")
	case !slices.Contains(next(a.State), to) && to != a.State:
		errs.Add("state", "It is %s, so it cannot become %s", word(a.State), word(to))
	case to == "in-use" && r.PostFormValue("holder") == "" && a.Holder == "":
		errs.Add("holder", "Say who has it")
	}
	if len(errs) > 0 {
		return d.page(w, r, errs)
	}
	said.State = to
	if h := strings.TrimSpace(r.PostFormValue("holder")); h != "" {
		said.Holder = h
	}
	if site := strings.TrimSpace(r.PostFormValue("site")); site != "" {
		said.Site = site
	}
	if _, err := d.Inventory.Put(r.Context(), web.Actor(r.Context()).ID, nil, said); err != nil {
		return err
	}
	d.Mux.Flash(w, "Kept: it is "+word(to)+".")
	return web.Redirect(w, r, href(nil, a.ID))
}

var errReported = reeve.E(reeve.Conflict, "estate.asset.lost", "it was reported already")

// lost says that an asset was lost or stolen, and opens a case.
func (d *Desk) lost(w http.ResponseWriter, r *http.Request) error {
	a, said, err := d.now(r)
	if err != nil {
		return err
	}
	stolen := r.PostFormValue("how") == "stolen"
	note := strings.TrimSpace(r.PostFormValue("note"))
	if a.State == "lost" || a.State == "stolen" {
		return errReported
	}
	said.State = "lost"
	if stolen {
		said.State = "stolen"
	}
	by, ref := web.Actor(r.Context()).ID, ""
	_, err = d.Inventory.Put(r.Context(), by, func(tx *store.Tx) (err error) {
		inv, err := d.Inventory.Now(r.Context()) // as it is while nobody else can write
		if err != nil {
			return err
		}
		if i, ok := slices.BinarySearchFunc(inv.Assets, a.ID, func(x inventory.Asset, id string) int { return cmp.Compare(x.ID, id) }); ok && (inv.Assets[i].State == "lost" || inv.Assets[i].State == "stolen") {
			return errReported
		}
		if d.Lost != nil {
			ref, err = d.Lost(tx, by, a, stolen, note)
		}
		return err
	}, said)
	if err != nil {
		return err
	}
	message := "Reported as " + said.State + "."
	if ref != "" {
		message += " The case is " + ref + "."
	}
	d.Mux.Flash(w, message)
	return web.Redirect(w, r, href(nil, a.ID))
}

// seesHeld reports whether whoever is signed in may know what an owner holds:
// their own things, or everybody's.
func (d *Desk) seesHeld(ctx context.Context, owner string) bool {
	return d.May(ctx, Holders) || d.Who != nil && owner != "" && d.Who(ctx, web.Actor(ctx)) == owner
}

// attestation is what the page of an owner's tasks shows.
type attestation struct {
	*register.Snapshot
	Owner  string
	Name   string
	Owners []ui.SelectItem
	Tasks  []Task
	Due    int
	Errors ui.Errors
}

func (d *Desk) attest(w http.ResponseWriter, r *http.Request) error { return d.tasks(w, r, nil) }

func (d *Desk) tasks(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	v := attestation{Snapshot: s, Owner: r.FormValue("owner"), Errors: errs}
	if v.Owner == "" && d.Who != nil {
		v.Owner = d.Who(r.Context(), web.Actor(r.Context()))
	}
	dir := s.Directory
	owners := map[string]bool{}
	for _, x := range s.Systems {
		for _, id := range []string{x.Spec.Owner, x.Spec.Deputy} {
			if id != "" {
				owners[id] = true
			}
		}
	}
	v.Owners = []ui.SelectItem{{Value: "", Text: "Choose"}}
	for _, id := range sorted(owners) {
		v.Owners = append(v.Owners, ui.SelectItem{Value: id, Text: personText(dir, id)})
	}
	if v.Owner != "" {
		v.Name, v.Tasks = personText(dir, v.Owner), tasks(s, v.Owner, d.seesHeld(r.Context(), v.Owner))
		for _, t := range v.Tasks {
			if t.Due {
				v.Due++
			}
		}
	}
	p := web.Page{Title: "Is this right?", Crumbs: []ui.Link{register.Crumb}, Error: len(errs) > 0}
	if len(errs) > 0 {
		p.Status = http.StatusUnprocessableEntity
	}
	return d.Render(w, r, s, p, attestPage(v))
}

// attested keeps an owner's word.
func (d *Desk) attested(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	kind, id, owner := r.PostFormValue("kind"), r.PostFormValue("id"), r.PostFormValue("owner")
	at := slices.IndexFunc(tasks(s, owner, d.seesHeld(r.Context(), owner)), func(t Task) bool { return t.Kind == kind && t.ID == id })
	if at < 0 {
		return reeve.E(reeve.Invalid, "estate.attest", "that is not a task of %q", owner)
	}
	by := web.Actor(r.Context()).ID
	a := inventory.Attestation{Kind: kind, ID: id, By: by, On: s.Today}
	if r.PostFormValue("answer") != "right" {
		why := strings.TrimSpace(r.PostFormValue("why"))
		if why == "" {
			var errs ui.Errors
			errs.Add("why-"+kind+"-"+id, "Say what is wrong with it")
			return d.tasks(w, r, errs)
		}
		a.Note = wrong + why
	}
	if _, err := d.Inventory.Put(r.Context(), by, nil, a); err != nil {
		return err
	}
	d.Mux.Flash(w, "Kept, thank you.")
	return web.Redirect(w, r, attestPath+"?"+url.Values{"owner": {owner}}.Encode())
}

// seatsOf is how the seats of a system stand.
type seatsOf struct {
	System, Name       string
	Seats, Used, Gone  int // used within 90 days; of people who are no longer there
	Bought             int
	KnownUse, KnownBuy bool
}

func (d *Desk) seats(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	rows, _ := seatsBySystem(s)
	return d.Render(w, r, s, web.Page{Title: "Licences and seats", Crumbs: []ui.Link{register.Crumb, {Text: "Assets", Href: register.Href(s, assetsPath)}}}, seatsPage(s, rows))
}

func seatsBySystem(s *register.Snapshot) (rows []seatsOf, known bool) {
	_, known = s.Inventory.Imports[string(inventory.TypeSeat)]
	dir, by := s.Directory, map[string]*seatsOf{}
	of := func(id string) *seatsOf {
		id = cmp.Or(s.Set.Present("System", id), id)
		if by[id] == nil {
			by[id] = &seatsOf{System: id, Name: id}
			if x, ok := s.System(id); ok {
				by[id].Name = x.Name
			}
		}
		return by[id]
	}
	for _, x := range s.Inventory.Seats {
		row := of(x.System)
		row.Seats++
		if !x.LastUsed.IsZero() {
			row.KnownUse = true
			if s.Today.Sub(x.LastUsed) <= 90 {
				row.Used++
			}
		}
		if dir.Find(x.Person).Gone() {
			row.Gone++
		}
	}
	for _, k := range s.Contracts {
		if k.Spec.Seats != nil && s.InForce(k) {
			for _, id := range s.Pays[k.ID] {
				row := of(id)
				row.Bought += *k.Spec.Seats
				row.KnownBuy = true
			}
		}
	}
	for _, x := range by {
		rows = append(rows, *x)
	}
	slices.SortFunc(rows, func(a, b seatsOf) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return rows, known
}

func href(s *register.Snapshot, id string) string {
	path := assetsPath + "/" + url.PathEscape(id)
	if s == nil {
		return path
	}
	return register.Href(s, path)
}

func title(a inventory.Asset) string {
	return cmp.Or(a.Name, a.Tag, strings.TrimSpace(a.Maker+" "+a.Model), a.ID)
}

func personText(d *inventory.Directory, id string) string {
	if h := d.Find(id); h.OK {
		name := cmp.Or(h.Person.Name, id)
		if h.Person.Post != "" && h.Person.Post != name {
			name += ", " + h.Person.Post
		}
		if !h.Person.Active {
			name += " (no longer there)"
		}
		return name
	}
	return words.Post(id)
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func word(state string) string {
	switch state {
	case "":
		return "not known"
	case "in-use":
		return "in use"
	case "stock":
		return "in stock"
	case "repair":
		return "in repair"
	case "licence-seat":
		return "licence"
	case "vm":
		return "virtual machine"
	}
	return state
}
