package exporter

import (
	"archive/zip"
	"embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

//go:embed site.html
var pages embed.FS

var site = template.Must(template.New("site").ParseFS(pages, "site.html"))

// link is a link between pages of the site.
type siteLink struct{ Text, Href string }

// fact is a line of a page's summary.
type siteFact struct{ Name, Value string }

// sitePage is a page of the site: what its template shows, whatever it is about.
type sitePage struct {
	Title, Body, Day, Up string // Up leads to the top folder: "" or "../"
	Staff                bool
	Lead                 string
	Facts                []siteFact
	Lists                []siteList
}

// siteList is a list of links with a line each.
type siteList struct {
	Title string
	Items []siteItem
	Empty string
}

type siteItem struct {
	siteLink
	Note  string
	Depth int // of a tree
}

// maker makes the site's pages.
type maker struct {
	s     *register.Snapshot
	o     Options
	staff bool
	z     *zip.Writer
	shown []register.System
	has   map[string]bool
	err   error
}

// writeSite writes self-contained pages into a zip. They need no server, no script
// and nothing from elsewhere. For the public they name no owners and say nothing of
// how systems are protected, what they cost or how they stand.
func writeSite(w io.Writer, s *register.Snapshot, o Options) error {
	m := &maker{s: s, o: o, staff: o.Audience == Staff, z: zip.NewWriter(w), has: map[string]bool{}}
	if m.staff {
		for _, x := range s.Systems {
			if s.Ours(x.Spec.Organisation) {
				m.shown = append(m.shown, x)
			}
		}
	} else {
		m.shown = shown(s)
	}
	for _, x := range m.shown {
		m.has[x.ID] = true
	}
	m.index()
	m.systems()
	m.capabilities()
	m.suppliers()
	m.services()
	m.standards()
	if m.err != nil {
		return m.err
	}
	return m.z.Close()
}

func (m *maker) page(name string, p sitePage) {
	if m.err != nil {
		return
	}
	p.Body, p.Day, p.Staff = m.o.Body, m.s.Today.Time(m.s.At.Location()).Format("2 January 2006"), m.staff
	p.Up = strings.Repeat("../", strings.Count(name, "/"))
	f, err := m.z.Create(name)
	if err != nil {
		m.err = err
		return
	}
	m.err = site.ExecuteTemplate(f, "site.html", p)
}

// file is the name of the page of an id.
func file(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id) + ".html"
}

func (m *maker) system(id, up string) siteItem {
	x, _ := m.s.System(id)
	return siteItem{siteLink: siteLink{x.Name, up + "systems/" + file(id)}, Note: x.Spec.Description}
}

func (m *maker) index() {
	m.page("index.html", sitePage{Title: "The technology of " + m.o.Body, Lead: "The systems that are run, bought or depended on, and what they are for.", Lists: []siteList{{Items: []siteItem{
		{siteLink: siteLink{"Systems", "systems.html"}, Note: "what is in use"}, {siteLink: siteLink{"Capabilities", "capabilities.html"}, Note: "what can be done, and with which systems"},
		{siteLink: siteLink{"Suppliers", "suppliers.html"}, Note: "who supplies what"}, {siteLink: siteLink{"Services", "services.html"}, Note: "what is offered, and how to reach it"},
		{siteLink: siteLink{"Standards", "standards.html"}, Note: "what is asked of everything that is bought, built or changed"}}}}})
}

func (m *maker) systems() {
	all := siteList{Empty: "None is known."}
	for _, x := range m.shown {
		all.Items = append(all.Items, m.system(x.ID, ""))
	}
	m.page("systems.html", sitePage{Title: "Systems", Lists: []siteList{all}})
	for _, x := range m.shown {
		m.page("systems/"+file(x.ID), m.systemPage(x))
	}
}

func (m *maker) systemPage(x register.System) sitePage {
	p := sitePage{Title: x.Name, Lead: x.Spec.Description}
	put := func(name, value string) {
		if value == "" {
			value = unknown
		}
		p.Facts = append(p.Facts, siteFact{name, value})
	}
	organisation := ""
	if x.Spec.Organisation != "" {
		organisation = m.s.OrganisationName(x.Spec.Organisation)
	}
	put("Belongs to", organisation)
	put("Product", x.Spec.Product)
	put("Supplied by", strings.Join(suppliers(m.s, x.ID), ", "))
	put("For", strings.Join(x.Spec.Audience, ", "))
	put("Kinds of data", kept(m.s, x))
	if m.staff {
		put("Owner", x.Spec.Owner)
		put("Runs", strings.ReplaceAll(x.Spec.Hosting, "-", " "))
		put("Phase", x.Spec.Phase())
		cost := m.s.YearlyOf(x.ID)
		put("Cost a year", cost.String())
	}
	does := siteList{Title: "What it does", Empty: unknown}
	for _, c := range m.s.CapabilitiesOf(x.ID) {
		does.Items = append(does.Items, siteItem{siteLink: siteLink{c.Name, "../capabilities.html#" + c.ID}})
	}
	p.Lists = append(p.Lists, does)
	if x.Spec.Channels != nil && strings.HasPrefix(x.Spec.Channels.Online, "http") {
		p.Lists = append(p.Lists, siteList{Title: "Use it", Items: []siteItem{{siteLink: siteLink{x.Spec.Channels.Online, x.Spec.Channels.Online}}}})
	}
	if m.staff && m.s.Outcome != nil {
		stands := siteList{Title: "How it stands", Empty: "No standard is about it."}
		for _, f := range m.s.Outcome.Of("System", x.ID) {
			stands.Items = append(stands.Items, siteItem{siteLink: siteLink{f.Standard.Name, "../standards.html#" + f.Standard.ID}, Note: map[standard.Result]string{standard.Pass: "met", standard.Fail: "not met", standard.Unknown: "not known", standard.Waived: "waived"}[f.Result]})
		}
		p.Lists = append(p.Lists, stands)
	}
	return p
}

func (m *maker) capabilities() {
	p := sitePage{Title: "Capabilities"}
	var below func(parent string, depth int) []siteItem
	below = func(parent string, depth int) (out []siteItem) {
		for _, c := range m.s.Children(parent) {
			var by []string
			for _, x := range m.s.Providers[c.ID] {
				if m.has[x.ID] {
					by = append(by, x.Name)
				}
			}
			out = append(out, siteItem{siteLink: siteLink{c.Name, "#" + c.ID}, Note: strings.Join(by, ", "), Depth: min(depth, 6)})
			if depth < 20 {
				out = append(out, below(c.ID, depth+1)...)
			}
		}
		return out
	}
	p.Lists = []siteList{{Items: below("", 0), Empty: "None is declared."}}
	m.page("capabilities.html", p)
}

func (m *maker) suppliers() {
	all := map[string][]siteItem{}
	for _, x := range m.shown {
		for _, name := range suppliers(m.s, x.ID) {
			all[name] = append(all[name], m.system(x.ID, ""))
		}
	}
	p := sitePage{Title: "Suppliers", Lead: "Under contracts in force."}
	for _, name := range sortedKeys(all) {
		p.Lists = append(p.Lists, siteList{Title: name, Items: all[name]})
	}
	m.page("suppliers.html", p)
}

func (m *maker) services() {
	list := siteList{Empty: "None is declared."}
	for _, x := range def.All[catalogue.Spec](m.s.Set) {
		withdrawn := x.Spec.Withdrawn != nil && !x.Spec.Withdrawn.After(m.s.Today)
		if withdrawn || !m.staff && (x.Spec.Audience != Public || !published(x.Object)) {
			continue
		}
		href := ""
		if strings.HasPrefix(x.Spec.Channels.Online, "http") {
			href = x.Spec.Channels.Online
		}
		list.Items = append(list.Items, siteItem{siteLink: siteLink{x.Name, href}, Note: x.Spec.Description})
	}
	m.page("services.html", sitePage{Title: "Services", Lists: []siteList{list}})
}

func (m *maker) standards() {
	list := siteList{Empty: "None is declared."}
	all := def.All[standard.Spec](m.s.Set)
	slices.SortFunc(all, func(a, b def.Of[standard.Spec]) int { return strings.Compare(a.Name, b.Name) })
	for _, x := range all {
		list.Items = append(list.Items, siteItem{siteLink: siteLink{x.Name, "#" + x.ID}, Note: x.Spec.Principle})
	}
	m.page("standards.html", sitePage{Title: "Standards", Lead: "What is asked of everything that is bought, built or changed.", Lists: []siteList{list}})
}
