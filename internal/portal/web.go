package portal

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// journalPage is how many entries a page of the journal shows.
const journalPageSize = 100

func (p *Portal) mount() {
	m := p.k.Web
	m.Handle("GET /{$}", "public.home", p.residents)
	m.Handle("GET /staff/{$}", "staff.home", p.staff)
	m.Handle("GET /staff/journal", "journal.read", p.journal)
	m.Handle("POST /staff/journal/verify", "journal.verify", p.verify)
	m.Handle("GET /partner/{$}", "partner.home", p.partner)
	m.Nav("staff", web.NavItem{Text: "Today", Href: "/staff/", Action: "staff.home", Order: 0})
	m.Nav("staff", web.NavItem{Text: "Journal", Href: "/staff/journal", Action: "journal.read", Order: 90})
	m.Nav("partner", web.NavItem{Text: "Your exchange", Href: "/partner/", Action: "partner.home", Order: 0})
	m.Nav("resident", web.NavItem{Text: "What you can do", Href: "/", Action: "public.home", Order: 0})
}

func (p *Portal) residents(w http.ResponseWriter, r *http.Request) error {
	offers, err := p.asks.Offers(r.Context())
	if err != nil {
		return err
	}
	return p.k.Web.Render(w, r, web.Page{Title: "What you can do", Area: "resident", Active: "/"}, residentHome(offers))
}

func (p *Portal) staff(w http.ResponseWriter, r *http.Request) error {
	var groups []Group
	for _, ask := range p.asks.Today {
		g, err := ask(r.Context())
		if err != nil {
			return err
		}
		groups = append(groups, g)
	}
	return p.k.Web.Render(w, r, web.Page{Title: "Today", Area: "staff", Active: "/staff/"}, staffHome(groups))
}

func (p *Portal) journal(w http.ResponseWriter, r *http.Request) error {
	size, err := p.k.Journal.Size(r.Context())
	if err != nil {
		return err
	}
	from := max(0, size-journalPageSize)
	if s := r.URL.Query().Get("from"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			from = min(max(0, n), max(0, size-1))
		}
	}
	es, err := p.k.Journal.Read(r.Context(), from, journalPageSize)
	if err != nil {
		return err
	}
	var older, newer string
	if from > 0 {
		older = "/staff/journal?from=" + strconv.FormatInt(max(0, from-journalPageSize), 10)
	}
	if from+journalPageSize < size {
		newer = "/staff/journal?from=" + strconv.FormatInt(from+journalPageSize, 10)
	}
	return p.k.Web.Render(w, r, web.Page{Title: "Journal", Area: "staff", Active: "/staff/journal", Wide: true}, journalPage(size, p.lines(es), older, newer))
}

func (p *Portal) verify(w http.ResponseWriter, r *http.Request) error {
	report, err := journal.Verify(r.Context(), p.k.DB, journal.VerifyOptions{Dir: p.k.Dir})
	if err != nil {
		return err
	}
	return p.k.Web.Render(w, r, web.Page{Title: "Verify the journal", Area: "staff", Active: "/staff/journal"}, verifyPage(report))
}

func (p *Portal) partner(w http.ResponseWriter, r *http.Request) error {
	if id := strings.TrimSpace(r.URL.Query().Get("id")); id != "" {
		return web.Redirect(w, r, "/partner/records/"+url.PathEscape(id))
	}
	v, err := p.asks.Partner(r.Context(), web.Actor(r.Context()).Party)
	if err != nil {
		return err
	}
	return p.k.Web.Render(w, r, web.Page{Title: "Your exchange", Area: "partner", Active: "/partner/", Wide: true}, partnerHome(v, p.k.Now()))
}

func num(n int64) ui.Cell { return ui.Num(ui.Count(n)) }

func seen(now, t time.Time) ui.Cell {
	if t.IsZero() {
		return ui.Cell{Text: "never", Classes: "app-nowrap"}
	}
	return ui.Cell{Text: ui.Ago(now, t), Classes: "app-nowrap"}
}

func pages(older, newer string) ui.PaginationOptions {
	var o ui.PaginationOptions
	if newer != "" {
		o.Previous = &ui.PageLink{Text: "Newer", Href: newer}
	}
	if older != "" {
		o.Next = &ui.PageLink{Text: "Older", Href: older}
	}
	return o
}

func typeRows(ts []PartnerType, now time.Time) (rows [][]ui.Cell) {
	for _, t := range ts {
		rows = append(rows, []ui.Cell{{Text: t.Name}, num(t.Accepted), num(t.Held), num(t.Refused), seen(now, t.LastSeen)})
	}
	return rows
}

func heldRows(hs []PartnerHeld, now time.Time) (rows [][]ui.Cell) {
	for _, h := range hs {
		text := ""
		for i, p := range h.Problems {
			if i > 0 {
				text += "; "
			}
			text += p
		}
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(h.ID, "/partner/records/"+h.ID)), {Text: h.Type}, seen(now, h.At), {Text: text}})
	}
	return rows
}

func receivedRows(fs []PartnerFlow, now time.Time) (rows [][]ui.Cell) {
	for _, f := range fs {
		rows = append(rows, []ui.Cell{{Text: f.Type}, {Text: f.System}, {Text: f.Agreement}, num(f.Delivered), num(f.Waiting), seen(now, f.LastSeen)})
	}
	return rows
}

func latestRows(rs []PartnerRecord) (rows [][]ui.Cell) {
	for _, r := range rs {
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(r.ID, "/partner/records/"+r.ID)), {Text: r.Type}, ui.CellHTML(ui.Time(r.At))})
	}
	return rows
}

func agreementRows(as []PartnerAgreement) (rows [][]ui.Cell) {
	for _, a := range as {
		rows = append(rows, []ui.Cell{{Text: a.Name}, {Text: a.What}, {Text: a.Ends}})
	}
	return rows
}
