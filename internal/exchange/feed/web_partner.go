package feed

import (
	"maps"
	"net/http"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// ActionFiles is a partner looking at its own files; it sends as its programs do.
const ActionFiles = "partner.files"

func (d *Desk) mountPartners(m *web.Mux) {
	p := pages{d, m, audience{own: true, home: ui.Link{Text: "Files", Href: "/partner/files"}, files: "/partner/files/", held: "/partner/records/", send: "/partner/send/", most: mostPage}}
	m.Nav(web.Partners, web.NavItem{Text: "Files", Href: "/partner/files", Action: ActionFiles, Order: 20})
	m.Handle("GET /partner/files", ActionFiles, p.mine)
	m.Handle("GET /partner/files/{id}", ActionFiles, p.file)
	m.Handle("GET /partner/files/{id}/problems.csv", ActionFiles, p.problems, web.Stream())
	m.Handle("GET /partner/send/{type}", intake.ActionSend, p.upload)
	m.Handle("POST /partner/send/{type}", intake.ActionSend, p.take, web.Stream())
}

// mine lists the files of the partner that asks, under any id that it had.
func (p pages) mine(w http.ResponseWriter, r *http.Request) error {
	party := web.Actor(r.Context()).Party
	ids := p.d.o.Lineage("Organisation", party)
	if len(ids) == 0 {
		ids = []string{party}
	}
	var files []File
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) (err error) {
		files, err = p.d.filesOf(tx, ids, filesShown)
		return err
	})
	if err != nil {
		return err
	}
	page := p.page("Your files")
	page.Crumbs, page.Wide = nil, true
	return p.m.Render(w, r, page, minePage(p.rows(files), p.d.choices(party), p.d.o.Now()))
}

// find finds the file of a request. To a partner, those of others are not there.
func (p pages) find(r *http.Request) (*File, error) {
	f, err := p.d.File(r.Context(), r.PathValue("id"))
	if err != nil || !p.own {
		return f, err
	}
	sender := f.Sender
	if ids := p.d.o.Lineage("Organisation", sender); len(ids) > 0 {
		sender = ids[0]
	}
	if p.m.Decide(r.Context(), policy.Request{Action: ActionFiles, Party: sender, Type: f.Type}) != nil {
		return nil, reeve.E(reeve.NotFound, "exchange.feed.File", "there is no file %q", f.ID)
	}
	return f, nil
}

// problems gives the rows of a file that were held or refused as a table that no
// spreadsheet calculates with.
func (p pages) problems(w http.ResponseWriter, r *http.Request) error {
	f, err := p.find(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="problems.csv"`)
	out, err := format.NewWriter(format.Spec{Name: "csv", Columns: []string{"row", "at", "field", "message", "status", "id"}}, w)
	if err != nil {
		return err
	}
	err = p.d.EachFault(r.Context(), f, func(lines []byte) error {
		for _, line := range intake.SplitLines(lines) {
			if err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// uploadData is the form to send a file.
type uploadData struct {
	audience
	Org, Type, TypeName string   // what is sent, where it is settled
	Choices             []choice // else
	Chosen              string
	Errs                ui.Errors
}

// action is where the form goes.
func (u *uploadData) action() string {
	if u.own {
		return u.send + u.Type
	}
	return u.send
}

// field is what a mistake in what is sent is shown at.
func (u *uploadData) field() string {
	if u.own {
		return "file"
	}
	return "what"
}

// form is the form that a request asks for or sends. A partner sends only what an
// agreement lets it give.
func (p pages) form(r *http.Request) (u uploadData, err error) {
	u.audience = p.audience
	if !p.own {
		u.Choices = p.d.choices("")
		return u, nil
	}
	actor := web.Actor(r.Context())
	t, err := p.d.o.Intake.May(r.Context(), actor, reeve.RecordType(r.PathValue("type")))
	u.Org, u.Type, u.TypeName = actor.Party, string(t), p.d.o.Name("RecordType", string(t))
	return u, err
}

func (p pages) upload(w http.ResponseWriter, r *http.Request) error {
	u, err := p.form(r)
	if err != nil {
		return err
	}
	return p.m.Render(w, r, p.page("Send a file"), uploadPage(u))
}

// choice is what can be sent: a type, by whom.
type choice struct{ Value, Text string }

// choices are the types that organisations may give under agreements; those of one
// organisation by the type alone.
func (d *Desk) choices(only string) (all []choice) {
	rules, now := d.o.Rules(), d.o.DB.Now()
	if only != "" {
		for _, t := range rules.Agreements.Types(now, only) {
			all = append(all, choice{string(t), d.o.Name("RecordType", string(t))})
		}
		return all
	}
	orgs := d.o.List("Organisation")
	for _, org := range slices.Sorted(maps.Keys(orgs)) {
		for _, t := range rules.Agreements.Types(now, org) {
			all = append(all, choice{org + " " + string(t), orgs[org] + ": " + d.o.Name("RecordType", string(t))})
		}
	}
	return all
}
