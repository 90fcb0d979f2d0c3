package steward

import (
	"net/http"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// ActionOpen is to open one thing for a reason.
const ActionOpen = "restricted.open"

// Mount adds the page, and lets the policy know what is open.
func (r *Register) Mount(m *web.Mux) {
	p := pages{r, m}
	m.Sworn(r.IsOpen)
	m.Handle("GET /staff/open/{kind}/{id}", ActionOpen, p.form)
	m.Handle("POST /staff/open/{kind}/{id}", ActionOpen, p.open)
}

type pages struct {
	r *Register
	m *web.Mux
}

// thing is what a request is about, and its page.
func thing(r *http.Request) (about reeve.Ref, href string, err error) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	place, ok := map[string]string{"record": "/staff/held/", "correction": "/staff/corrections/"}[kind]
	plain := id != "" && len(id) <= 100 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	if !ok || !plain {
		return "", "", reeve.E(reeve.NotFound, "steward.open", "there is nothing at this address")
	}
	return reeve.Ref(kind + "/" + id), place + id, nil
}

func page(href string, failed bool) web.Page {
	return web.Page{Title: "Open restricted fields", Active: "/staff/held", Error: failed, Crumbs: []ui.Link{{Text: "Held", Href: "/staff/held"}, {Text: "What it is about", Href: href}}}
}

func (p pages) form(w http.ResponseWriter, r *http.Request) error {
	_, href, err := thing(r)
	if err != nil {
		return err
	}
	return p.m.Render(w, r, page(href, false), openPage(nil))
}

func (p pages) open(w http.ResponseWriter, r *http.Request) error {
	about, href, err := thing(r)
	if err != nil {
		return err
	}
	err = p.r.Open(r.Context(), web.Actor(r.Context()), about, r.PostFormValue("reason"))
	if reeve.KindOf(err) == reeve.Invalid {
		var errs ui.Errors
		errs.Add("reason", "Say why you have to see it")
		return p.m.Render(w, r, page(href, true), openPage(errs))
	}
	if err != nil {
		return err
	}
	p.m.Flash(w, "It is open to you for an hour. The journal says so.")
	return web.Redirect(w, r, href)
}

func reasonItems() (items []ui.ChoiceItem) {
	for _, code := range codes() {
		items = append(items, ui.ChoiceItem{Value: code, Text: Reasons[code]})
	}
	return items
}
