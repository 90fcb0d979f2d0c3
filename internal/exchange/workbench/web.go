package workbench

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionRead    = "held.read"
	ActionCorrect = "held.correct"
	ActionApprove = "held.approve"
	ActionReport  = "partner.corrections"
)

// Mount adds the pages of the workbench.
func (b *Bench) Mount(m *web.Mux) {
	p := pages{b, m}
	m.Nav(web.Partners, web.NavItem{Text: "Corrections", Href: "/partner/corrections", Action: ActionReport, Order: 30})
	m.Handle("GET /staff/mistakes/{id}", ActionRead, p.mistake)
	m.Handle("POST /staff/mistakes/{id}", ActionCorrect, p.correct)
	m.Handle("GET /staff/corrections", ActionRead, p.list)
	m.Handle("GET /staff/corrections/{id}", ActionRead, p.show)
	m.Handle("POST /staff/corrections/{id}", ActionCorrect, p.decide)
	m.Handle("POST /staff/corrections/{id}/approve", ActionApprove, p.approve)
	m.Handle("POST /staff/rules/{id}", ActionCorrect, p.rule)
	m.Handle("GET /partner/corrections", ActionReport, p.report)
	m.Handle("GET /partner/corrections.csv", ActionReport, p.reportCSV)
}

type pages struct {
	b *Bench
	m *web.Mux
}

func (p pages) page(title string, failed bool) web.Page {
	return web.Page{Title: title, Active: "/staff/held", Wide: true, Error: failed, Crumbs: []ui.Link{{Text: "Held", Href: "/staff/held"}, {Text: "Corrections", Href: "/staff/corrections"}}}
}

// sees is the highest class of a type that the actor of a request may see.
func (p pages) sees(ctx context.Context, action, sender string, t reeve.RecordType, of reeve.Ref) reeve.Class {
	return quarantine.Top(func(c reeve.Class) bool {
		return p.m.Decide(ctx, policy.Request{Action: action, Party: sender, Type: t, Classes: []reeve.Class{c}, About: of}) == nil
	})
}

func (p pages) mistake(w http.ResponseWriter, r *http.Request) error {
	m, err := p.b.o.Ward.Mistake(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return p.group(w, r, mistakeData{Mistake: m, Source: suggested(m.Path)}, "")
}

// group shows a group of held records, with the form to correct them.
func (p pages) group(w http.ResponseWriter, r *http.Request, d mistakeData, wrong string) (err error) {
	if d.Records, err = p.b.o.Ward.Having(r.Context(), d.Mistake.ID, 0, examples); err != nil {
		return err
	}
	d.p, d.now, d.Wrong = p, p.b.o.DB.Now(), wrong
	page := p.page(d.Mistake.Text(), wrong != "")
	page.Crumbs = page.Crumbs[:1]
	return p.m.Render(w, r, page, mistakePage(d))
}

func (p pages) correct(w http.ResponseWriter, r *http.Request) error {
	m, err := p.b.o.Ward.Mistake(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	d := mistakeData{Mistake: m, Source: strings.ReplaceAll(r.PostFormValue("source"), "\r\n", "\n"), Keep: r.PostFormValue("keep") != ""}
	sees, actor := p.sees(r.Context(), ActionCorrect, m.Sender, m.Type, ""), web.Actor(r.Context())
	if r.PostFormValue("do") == "apply" {
		c, err := p.b.Apply(r.Context(), actor, m.ID, d.Source, sees, d.Keep)
		if err == nil {
			return web.Redirect(w, r, href(c.ID))
		}
		return p.wrong(w, r, d, err)
	}
	t, err := p.b.Try(r.Context(), actor, m.ID, d.Source, sees)
	if err != nil {
		return p.wrong(w, r, d, err)
	}
	d.Trial = &t
	return p.group(w, r, d, "")
}

// wrong shows what is wrong with a correction beside it.
func (p pages) wrong(w http.ResponseWriter, r *http.Request, d mistakeData, err error) error {
	if k := reeve.KindOf(err); k != reeve.Invalid && k != reeve.TooLarge {
		return err
	}
	return p.group(w, r, d, reeve.Message(err))
}

func href(id int64) string { return fmt.Sprintf("/staff/corrections/%d", id) }

// suggested is how a correction of a field begins.
func suggested(path string) string {
	const same = "root = this\n"
	if path == "" || strings.Contains(path, "*") {
		return same
	}
	field := ""
	for _, tok := range contract.Tokens(path) {
		plain := strings.Trim(tok, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
		if !plain || tok == "" || tok[0] >= '0' && tok[0] <= '9' {
			tok = strconv.Quote(tok)
		}
		field += "." + tok
	}
	return same + "root" + field + " = this" + field + "\n"
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	d := listData{p: p, now: p.b.o.DB.Now()}
	var err error
	if d.Open, d.Ended, err = p.b.List(r.Context()); err != nil {
		return err
	}
	if d.Rules, err = p.b.Rules(r.Context(), ""); err != nil {
		return err
	}
	if d.Times, err = p.b.o.Ward.TimeToCorrect(r.Context(), d.now.AddDate(0, 0, -30), ""); err != nil {
		return err
	}
	page := p.page("Corrections", false)
	page.Crumbs = page.Crumbs[:1]
	return p.m.Render(w, r, page, listPage(d))
}

func number(r *http.Request) (int64, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		err = reeve.E(reeve.NotFound, "workbench", "there is no such correction or rule")
	}
	return n, err
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	d := correctionData{p: p, now: p.b.o.DB.Now(), Actor: web.Actor(r.Context())}
	if d.Correction, err = p.b.Get(r.Context(), id); err != nil {
		return err
	}
	c := d.Correction
	if d.Examples, err = p.b.Look(r.Context(), d.Actor, c, p.sees(r.Context(), ActionRead, c.Sender, c.Type, about(c.ID))); err != nil {
		return err
	}
	d.MayApprove = p.m.Decide(r.Context(), policy.Request{Action: ActionApprove, Party: c.Sender, Type: c.Type, Classes: []reeve.Class{c.Top}, About: about(c.ID)}) == nil
	if c.Mistake != "" {
		if d.Mistake, err = p.b.o.Ward.Mistake(r.Context(), c.Mistake); err != nil {
			return err
		}
	}
	return p.m.Render(w, r, p.page(fmt.Sprintf("Correction %d", id), false), correctionPage(d))
}

func (p pages) decide(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	text := ""
	switch r.PostFormValue("decision") {
	case "undo":
		err, text = p.b.Undo(r.Context(), web.Actor(r.Context()), id), "was undone: its records are as they were."
	case "release":
		err, text = p.b.Release(r.Context(), web.Actor(r.Context()), id), "was released."
	default:
		err = reeve.E(reeve.Invalid, "workbench.decide", "choose to undo the correction or to release it")
	}
	return p.decided(w, r, id, err, text)
}

func (p pages) approve(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	c, err := p.b.Get(r.Context(), id)
	if err != nil {
		return err
	}
	if err := p.m.Decide(r.Context(), policy.Request{Action: ActionApprove, Party: c.Sender, Type: c.Type, Classes: []reeve.Class{c.Top}, About: about(c.ID)}); err != nil {
		return err // nobody approves what they may not see
	}
	return p.decided(w, r, id, p.b.Approve(r.Context(), web.Actor(r.Context()), id), "was approved.")
}

func (p pages) decided(w http.ResponseWriter, r *http.Request, id int64, err error, text string) error {
	if err != nil && reeve.KindOf(err) != reeve.Conflict {
		return err
	}
	if err != nil { // somebody was quicker: the page says how it is now
		p.m.Flash(w, reeve.Message(err))
	} else {
		p.m.Flash(w, fmt.Sprintf("Correction %d %s", id, text))
	}
	return web.Redirect(w, r, href(id))
}

func (p pages) rule(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	on := r.PostFormValue("switch") == "on"
	if err := p.b.Switch(r.Context(), web.Actor(r.Context()), id, on); err != nil {
		return err
	}
	p.m.Flash(w, fmt.Sprintf("Rule %d is %s.", id, map[bool]string{true: "on", false: "off"}[on]))
	return web.Redirect(w, r, "/staff/corrections#rules")
}

// party is whose report it is: a partner sees its own alone.
func (p pages) party(r *http.Request) (string, error) {
	party := web.Actor(r.Context()).Party
	return party, p.m.Decide(r.Context(), policy.Request{Action: ActionReport, Party: party})
}

func (p pages) report(w http.ResponseWriter, r *http.Request) error {
	party, err := p.party(r)
	if err != nil {
		return err
	}
	rep, err := p.b.Report(r.Context(), party)
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Corrections of your records", Area: web.Partners, Active: "/partner/corrections", Wide: true}, reportPage(reportData{rep, p}))
}

func (p pages) reportCSV(w http.ResponseWriter, r *http.Request) error {
	party, err := p.party(r)
	if err != nil {
		return err
	}
	rep, err := p.b.Report(r.Context(), party)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="corrections.csv"`)
	out := csv.NewWriter(w)
	if err := out.Write([]string{"what", "record type", "field", "problem", "records", "since", "correction"}); err != nil {
		return err
	}
	for _, row := range rep.Rows() {
		for i := range row {
			row[i] = noFormula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// noFormula keeps a spreadsheet from calculating a text.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (p pages) name(kind, id string) string {
	if p.b.o.Name == nil {
		return id
	}
	return p.b.o.Name(kind, id)
}

// held leads to a held record.
func heldHref(id reeve.RecordID) string { return "/staff/held/" + url.PathEscape(string(id)) }
