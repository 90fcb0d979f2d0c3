// Package intake is the pages of what is asked for and decided: the form of a
// request, where every request stands, the boards with their agendas and minutes.
// What happens to a request is package gate's.
package intake

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The actions of this room.
const (
	actCreate = "request.create"
	actDecide = "board.decide"
)

// Desk is the pages of requests and boards.
type Desk struct {
	register.Desk
	*gate.Keeper
	// Name is what pages call an actor ("staff/3"); nil: the id.
	Name func(ctx context.Context, actor string) string
	// Known is what definitions may call somebody: their id in the directory, their
	// address; nil: nobody knows.
	Known func(ctx context.Context, a reeve.Actor) []string
	// Draft is the estate as it would be with one more definition, which is not
	// kept: set holds its spec by path ("lifecycle.phase"). nil: drafts are not
	// checked, which is said.
	Draft func(ctx context.Context, kind, id, name string, set map[string]any) (*register.Snapshot, []def.Problem, error)
	// Edit changes definitions in the name of whoever asks; nil where nobody can.
	Edit func(ctx context.Context, message string, changes ...edit.Change) (edit.Outcome, error)
	// Search finds what may already do what a text says; nil: [Similar].
	Search func(s *register.Snapshot, all []*gate.Request, text, capability string, max int) []Match
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	d.Mux = m
	m.Handle("GET /staff/requests", register.Read, d.list)
	m.Handle("GET /staff/requests/new", actCreate, d.form)
	m.Handle("POST /staff/requests/new", actCreate, d.create)
	m.Handle("GET /staff/requests/similar", actCreate, d.similar)
	m.Handle("GET /staff/requests/emerging", register.Read, d.emerging)
	m.Handle("GET /staff/requests/{id}", register.Read, d.show)
	m.Handle("GET /staff/requests/{id}/dpia", register.Read, d.assess)
	m.Handle("GET /staff/requests/{id}/dpia.md", register.Read, d.assessText)
	m.Handle("POST /staff/requests/{id}/decide", actDecide, d.decideHere)
	m.Handle("POST /staff/requests/{id}/answer", actCreate, d.do("answer"))
	m.Handle("POST /staff/requests/{id}/withdraw", actCreate, d.do("withdraw"))
	m.Handle("POST /staff/requests/{id}/check", actCreate, d.do("check"))
	m.Handle("POST /staff/requests/{id}/environment", actCreate, d.do("environment"))
	m.Handle("POST /staff/requests/{id}/system", actEdit, d.add)
	m.Handle("GET /staff/boards", register.Read, d.boards)
	m.Handle("GET /staff/boards/{id}", register.Read, d.board)
	m.Handle("POST /staff/boards/{id}/decide", actDecide, d.decideBoard)
}

var (
	requestsCrumb = ui.Link{Text: "Requests", Href: "/staff/requests"}
	boardsCrumb   = ui.Link{Text: "Boards", Href: "/staff/boards"}
)

// all are the requests at the moment of a snapshot.
func (d *Desk) all(ctx context.Context, s *register.Snapshot) ([]*gate.Request, error) {
	at := time.Time{}
	if s.Past {
		at = s.At
	}
	return d.All(ctx, s.Set, at)
}

func (d *Desk) both(r *http.Request) (*register.Snapshot, []*gate.Request, error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return nil, nil, err
	}
	all, err := d.all(r.Context(), s)
	return s, all, err
}

func (d *Desk) one(r *http.Request) (*register.Snapshot, []*gate.Request, *gate.Request, error) {
	s, all, err := d.both(r)
	if err != nil {
		return nil, nil, nil, err
	}
	id := r.PathValue("id")
	if i := slices.IndexFunc(all, func(x *gate.Request) bool { return x.ID == id }); i >= 0 {
		return s, all, all[i], nil
	}
	if o, ok := s.Set.Lookup("IntakeRequest", id); ok {
		if i := slices.IndexFunc(all, func(x *gate.Request) bool { return x.ID == o.ID }); i >= 0 {
			return s, all, all[i], nil
		}
	}
	return nil, nil, nil, reeve.E(reeve.NotFound, "gate.request", "there is no request %q", id)
}

func (d *Desk) who(ctx context.Context, actor string) string {
	switch {
	case actor == "":
		return "Not said"
	case actor == gate.ByRule:
		return "Reeve, by the rules of triage"
	case d.Name != nil && strings.HasPrefix(actor, "staff/"):
		return d.Name(ctx, actor)
	}
	return actor
}

// decider is whoever makes the request, as one who would decide.
func (d *Desk) decider(ctx context.Context) gate.Decider {
	by := gate.Decider{Actor: web.Actor(ctx).ID}
	if d.Known != nil {
		by.Names = d.Known(ctx, web.Actor(ctx))
	}
	return by
}

func (d *Desk) list(w http.ResponseWriter, r *http.Request) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := listView{S: s, Show: q.Get("show"), Gate: q.Get("gate"), Mine: web.Actor(r.Context()).ID, CanAsk: d.May(r.Context(), actCreate) && !s.Past}
	for _, x := range all {
		over, _ := x.PilotOver(s.Today)
		if over {
			v.Overdue++
		}
		if x.Waits() {
			v.Waiting++
		}
		if due, ok := x.CheckDue(); ok && !due.After(s.Today) {
			v.Checks = append(v.Checks, x)
		}
		if x.Emerging() {
			v.Emerging++
		}
		switch {
		case v.Gate != "" && (x.Gate() != v.Gate || !x.Waits()):
		case v.Show == "mine" && x.AskedBy != v.Mine, v.Show == "closed" && x.Waits(), v.Show == "" && !x.Waits(), v.Show == "overdue" && !over:
		default:
			v.Rows = append(v.Rows, x)
		}
	}
	slices.SortStableFunc(v.Rows, func(a, b *gate.Request) int { return b.Days(s.Today) - a.Days(s.Today) })
	for _, review := range gate.Reviews {
		days, n := gate.Taken(all, review)
		v.Taken = append(v.Taken, taken{review, days, n})
	}
	return d.Render(w, r, s, web.Page{Title: "Requests", Crumbs: []ui.Link{register.Crumb}}, listPage(v))
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request) error { return d.page(w, r, nil) }

func (d *Desk) page(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	s, all, x, err := d.one(r)
	if err != nil {
		return err
	}
	if x.ID != r.PathValue("id") {
		return web.Redirect(w, r, href(x.ID))
	}
	v := requestView{S: s, R: x, Errors: errs, Said: r.PostFormValue("reason"), Outcome: r.PostFormValue("outcome"), Now: !s.Past,
		AskedBy: d.who(r.Context(), x.AskedBy), Boards: gate.BoardsAt(s.Set, x.Gate()), Compare: gate.Compare(s, x),
		Mine: x.AskedBy == "" || x.AskedBy == web.Actor(r.Context()).ID, CanAsk: d.May(r.Context(), actCreate), CanDecide: d.May(r.Context(), actDecide),
		CanAdd: d.Edit != nil && x.Approved() && d.May(r.Context(), actEdit), Name: r.PostFormValue("name")}
	v.By = d.decider(r.Context())
	v.Bar = gate.Barred(s.Set, x, v.board(), v.By)
	if !x.Kept || len(x.Reasons) == 0 {
		rs, err := d.Rules(s.Set)
		if err != nil {
			return err
		}
		t, err := rs.Triage(r.Context(), x.Spec.Kind, x.Spec.Answers)
		if err != nil {
			return err
		}
		v.Reasons = t.Reasons
		if v.Review = x.Spec.Review; v.Review == "" {
			v.Review = t.Review
		}
	} else {
		v.Reasons, v.Review = x.Reasons, x.Spec.Review
	}
	v.Days, v.Others = gate.Taken(all, v.Review)
	v.Target, v.HasTarget = gate.Target(s.Set, x.Gate())
	v.Over, _ = x.PilotOver(s.Today)
	v.Path = gate.Path(x.Spec.Kind, v.Review)
	for _, step := range x.Steps {
		v.Moments = append(v.Moments, d.moment(r.Context(), s, step))
	}
	for _, id := range x.Spec.Creates {
		v.Findings = append(v.Findings, findings(s, id)...)
	}
	if x.Folder() != "" {
		v.Folder = d.Folder(x)
	}
	p := web.Page{Title: x.Name, Crumbs: []ui.Link{register.Crumb, requestsCrumb}, Error: len(errs) > 0}
	if p.Error {
		p.Status = status(errs)
	}
	return d.Render(w, r, s, p, requestPage(v))
}

func (d *Desk) moment(ctx context.Context, s *register.Snapshot, step gate.Step) ui.Moment {
	who := d.who(ctx, step.Actor)
	if o, ok := s.Set.Lookup("Board", step.Board); ok && step.Board != "" {
		who = cmp.Or(o.Name, o.ID) + ", written down by " + who
	}
	m := ui.Moment{At: step.At, Body: stepBody(who, step)}
	switch step.Verb {
	case "asked":
		m.Title = "Asked for"
	case "decided":
		m.Title, m.Tag, m.Tone = "Decided at "+strings.ToLower(gateNames[step.From]), outcomeNames[step.Outcome], outcomeTone(step.Outcome)
	case "answered":
		m.Title = "Answered"
	case "withdrew":
		m.Title = "Withdrawn"
	case "checked":
		m.Title = "Compared with what was expected"
	case "added":
		m.Title = "Put on the map"
	case "environment":
		m.Title = "Discovery environment asked for"
	case "ended":
		m.Title = "Discovery environment closed"
	default:
		m.Title = step.Verb
	}
	return m
}

// do runs one change of a request and shows it again.
func (d *Desk) do(what string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, _, x, err := d.one(r)
		if err != nil {
			return err
		}
		if s.Past {
			return reeve.E(reeve.Invalid, "gate.do", "the past cannot be changed")
		}
		by, text := web.Actor(r.Context()).ID, strings.TrimSpace(r.PostFormValue("reason"))
		if what != "environment" && x.AskedBy != "" && x.AskedBy != by && !d.May(r.Context(), actDecide) {
			return reeve.E(reeve.Forbidden, "gate.do", "only whoever asked, or who decides, may do this")
		}
		var errs ui.Errors
		if what != "environment" {
			checkText(&errs, "reason", text, map[string]string{"answer": "Write the answer", "withdraw": "Say why it is not wanted any more", "check": "Say what was found"}[what])
		}
		if len(errs) > 0 {
			return d.page(w, r, errs)
		}
		err = d.Update(r.Context(), func(tx *store.Tx) error {
			switch what {
			case "answer":
				return d.Answer(tx, x.ID, by, text)
			case "withdraw":
				return d.Withdraw(tx, x.ID, by, text)
			case "check":
				return d.Check(tx, x, by, text)
			}
			return d.Environment(tx, s, x, by)
		})
		if k := reeve.KindOf(err); err != nil && (k == reeve.Invalid || k == reeve.Conflict) {
			errs.Add(map[bool]string{true: "environment", false: "reason"}[what == "environment"], "%s", ui.Capital(reeve.Message(err)))
			return d.page(w, r, errs)
		}
		if err != nil {
			return err
		}
		d.Mux.Flash(w, map[string]string{"answer": "Your answer is written down.", "withdraw": "The request is withdrawn.", "check": "The finding is written down.", "environment": "The discovery environment is being made."}[what])
		return web.Redirect(w, r, href(x.ID))
	}
}

func checkText(errs *ui.Errors, field, text, missing string) {
	switch {
	case text == "":
		errs.Add(field, "%s", missing)
	case len(text) > 5000:
		errs.Add(field, "Keep it under 5,000 characters")
	}
}

func (d *Desk) decideHere(w http.ResponseWriter, r *http.Request) error {
	s, _, x, err := d.one(r)
	if err != nil {
		return err
	}
	board := ""
	if bs := gate.BoardsAt(s.Set, x.Gate()); len(bs) > 0 {
		board = boardFor(bs, d.decider(r.Context()))
		if slices.ContainsFunc(bs, func(b gate.Board) bool { return b.ID == r.PostFormValue("board") }) {
			board = r.PostFormValue("board")
		}
	}
	errs, err := d.decision(r, s, x, board)
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		return d.page(w, r, errs)
	}
	d.Mux.Flash(w, "The decision is written down. Whoever asked sees it, with its reason.")
	return web.Redirect(w, r, href(x.ID))
}

// boardFor is the board that somebody decides for where several do: the first that
// they sit on.
func boardFor(bs []gate.Board, by gate.Decider) string {
	for _, b := range bs {
		if gate.Sits(b, by) {
			return b.ID
		}
	}
	if len(bs) == 0 {
		return ""
	}
	return bs[0].ID
}

// status is what a form is answered with that was sent in vain.
func status(errs ui.Errors) int {
	if errs.For("duty").Text != "" {
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// decision reads and records a decision; what is wrong with the form is returned
// for the page to show.
func (d *Desk) decision(r *http.Request, s *register.Snapshot, x *gate.Request, board string) (errs ui.Errors, err error) {
	if s.Past {
		return nil, reeve.E(reeve.Invalid, "gate.decide", "the past cannot be changed")
	}
	by := d.decider(r.Context())
	if bar := gate.Barred(s.Set, x, board, by); bar != nil {
		errs.Add("duty", "%s", bar.Text)
		return errs, d.Update(r.Context(), func(tx *store.Tx) error { return d.Refused(tx, x, board, by.Actor, bar) })
	}
	dec := gate.Decision{Request: x, By: by, Set: s.Set, Board: board, Outcome: r.PostFormValue("outcome"), Reason: strings.TrimSpace(r.PostFormValue("reason")), Expected: r.PostFormValue("gate")}
	if !slices.Contains([]string{"approved", "refused", "more-needed"}, dec.Outcome) {
		errs.Add("outcome", "Choose what is decided")
	}
	checkText(&errs, "reason", dec.Reason, "Give the reason: whoever asked will read it")
	if m := strings.TrimSpace(r.PostFormValue("minutes")); m != "" {
		if dec.Minutes, err = strconv.Atoi(m); err != nil || dec.Minutes < 0 || dec.Minutes > 600 {
			errs.Add("minutes", "Minutes must be a whole number from 0 to 600")
		}
	}
	if len(errs) > 0 {
		return errs, nil
	}
	err = d.Update(r.Context(), func(tx *store.Tx) error { return d.Decide(tx, dec) })
	if k := reeve.KindOf(err); err != nil && (k == reeve.Invalid || k == reeve.Conflict) {
		errs.Add("outcome", "%s", ui.Capital(reeve.Message(err)))
		return errs, nil
	}
	return nil, err
}

func (d *Desk) boards(w http.ResponseWriter, r *http.Request) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	v := boardsView{S: s}
	for _, b := range def.All[gate.BoardSpec](s.Set) {
		v.Rows = append(v.Rows, boardRow{b, len(gate.Agenda(b, all, s.Today)), gate.Measure(b, all, s.Today)})
	}
	for _, g := range gate.Gates[:len(gate.Gates)-1] {
		n := 0
		for _, x := range all {
			if x.Waits() && x.Gate() == g && (g == gate.Discovery || g == gate.Design || g == gate.Standards) {
				n++
			}
		}
		if n > 0 && len(gate.BoardsAt(s.Set, g)) == 0 {
			v.Nobody = append(v.Nobody, nobody{g, n})
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Boards", Crumbs: []ui.Link{register.Crumb}}, boardsPage(v))
}

func (d *Desk) board(w http.ResponseWriter, r *http.Request) error { return d.boardPage(w, r, nil, "") }

func (d *Desk) boardPage(w http.ResponseWriter, r *http.Request, errs ui.Errors, about string) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	b, ok := def.Get[gate.BoardSpec](s.Set, r.PathValue("id"))
	if !ok {
		return reeve.E(reeve.NotFound, "gate.board", "there is no board %q", r.PathValue("id"))
	}
	v := boardView{S: s, B: b, Agenda: gate.Agenda(b, all, s.Today), Figures: gate.Measure(b, all, s.Today), CanDecide: d.May(r.Context(), actDecide) && !s.Past, By: d.decider(r.Context()), Errors: errs, About: about,
		Said: r.PostFormValue("reason"), Outcome: r.PostFormValue("outcome"), Minutes: r.PostFormValue("minutes")}
	if about == "" {
		v.About = r.URL.Query().Get("request")
	}
	v.Past = append(v.Past, gate.Minutes(b.ID, all)...)
	p := web.Page{Title: cmp.Or(b.Name, b.ID), Crumbs: []ui.Link{register.Crumb, boardsCrumb}, Error: len(errs) > 0}
	if p.Error {
		p.Status = status(errs)
	}
	return d.Render(w, r, s, p, boardPage(v))
}

func (d *Desk) decideBoard(w http.ResponseWriter, r *http.Request) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	b, ok := def.Get[gate.BoardSpec](s.Set, r.PathValue("id"))
	if !ok {
		return reeve.E(reeve.NotFound, "gate.board", "there is no board %q", r.PathValue("id"))
	}
	id := r.PostFormValue("request")
	i := slices.IndexFunc(all, func(x *gate.Request) bool { return x.ID == id })
	var errs ui.Errors
	if i < 0 || !slices.Contains(gate.Agenda(b, all, s.Today), all[i]) {
		errs.Add("request", "Choose a request that is on the agenda")
	} else if errs, err = d.decision(r, s, all[i], b.ID); err != nil {
		return err
	}
	if len(errs) > 0 {
		return d.boardPage(w, r, errs, id)
	}
	d.Mux.Flash(w, "The decision about “"+all[i].Name+"” is in the minutes.")
	return web.Redirect(w, r, boardHref(b.ID))
}

func (d *Desk) emerging(w http.ResponseWriter, r *http.Request) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	var rows []*gate.Request
	for _, x := range all {
		if x.Emerging() {
			rows = append(rows, x)
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Emerging technology", Crumbs: []ui.Link{register.Crumb, requestsCrumb}}, emergingPage(s, rows))
}

func (d *Desk) assess(w http.ResponseWriter, r *http.Request) error {
	s, _, x, err := d.one(r)
	if err != nil {
		return err
	}
	a := gate.Assess(s, x)
	return d.Render(w, r, s, web.Page{Title: a.Title, Crumbs: []ui.Link{register.Crumb, requestsCrumb, {Text: x.Name, Href: href(x.ID)}}}, assessPage(s, x, a))
}

func (d *Desk) assessText(w http.ResponseWriter, r *http.Request) error {
	s, _, x, err := d.one(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/markdown; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="dpia-`+url.PathEscape(x.ID)+`.md"`)
	_, err = w.Write([]byte(gate.Assess(s, x).Markdown()))
	return err
}

// fragment answers with a piece of a page, for scripts.
func fragment(w http.ResponseWriter, r *http.Request, c templ.Component) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return c.Render(r.Context(), w)
}
