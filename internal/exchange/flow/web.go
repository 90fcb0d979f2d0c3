package flow

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionRead   = "flow.read"
	ActionUnsure = "delivery.read"
	ActionDecide = "delivery.decide"
)

// actionEdit is the action of changing a flow, on a page of another room.
const actionEdit = "flow.edit"

// Mount adds the pages of flows and of uncertain deliveries.
func (r *Runner) Mount(m *web.Mux) {
	p := pages{r, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Flows", Href: "/staff/flows", Action: ActionRead, Order: 25})
	m.Handle("GET /staff/flows", ActionRead, p.list)
	m.Handle("GET /staff/flows/{id}", ActionRead, p.show)
	m.Handle("GET /staff/deliveries/uncertain", ActionUnsure, p.unsure)
	m.Handle("POST /staff/deliveries/{flow}/{n}", ActionDecide, p.decide)
}

type pages struct {
	r *Runner
	m *web.Mux
}

func (p pages) list(w http.ResponseWriter, req *http.Request) error {
	stats, err := p.r.Volumes(req.Context())
	if err != nil {
		return err
	}
	return p.m.Render(w, req, web.Page{Title: "Flows", Active: "/staff/flows", Wide: true}, listPage(stats, p.r.Set(), p.r.o.Now()))
}

func (p pages) show(w http.ResponseWriter, req *http.Request) error {
	id := req.PathValue("id")
	stats, err := p.r.Volumes(req.Context())
	if err != nil {
		return err
	}
	f, _ := p.r.Set().Get(id)
	for _, s := range stats {
		if s.Flow == id {
			may := f != nil && p.m.Decide(req.Context(), policy.Request{Action: actionEdit}) == nil
			return p.m.Render(w, req, web.Page{Title: s.Name, Active: "/staff/flows", Crumbs: []ui.Link{{Text: "Flows", Href: "/staff/flows"}}}, showPage(s, f, may, p.r.o.Now()))
		}
	}
	return reeve.E(reeve.NotFound, "exchange.flow.show", "there is no flow %q", id)
}

func (p pages) unsure(w http.ResponseWriter, req *http.Request) error {
	list, err := p.r.o.Desk.Uncertain(req.Context())
	if err != nil {
		return err
	}
	cards := make([]unsureCard, len(list))
	for i, u := range list {
		cards[i] = unsureCard{Unsure: u, Name: u.Flow, To: u.Flow}
		if f, ok := p.r.Set().Get(u.Flow); ok {
			cards[i].Name, cards[i].To = f.Name, or(f.To.SystemName, f.To.Name)
		}
	}
	page := web.Page{Title: "Uncertain deliveries", Active: "/staff/flows", Crumbs: []ui.Link{{Text: "Flows", Href: "/staff/flows"}}}
	return p.m.Render(w, req, page, unsurePage(cards))
}

func (p pages) decide(w http.ResponseWriter, req *http.Request) error {
	const op = "exchange.flow.decide"
	n, err := strconv.ParseInt(req.PathValue("n"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, op, "there is no such delivery")
	}
	var arrived bool
	switch req.PostFormValue("decision") {
	case "arrived":
		arrived = true
	case "again":
	default:
		return reeve.E(reeve.Invalid, op, "choose whether it arrived or is to be sent again")
	}
	if err := p.r.o.Desk.Decide(req.Context(), web.Actor(req.Context()), req.PathValue("flow"), n, arrived); err != nil {
		return err
	}
	message := "Noted: it is being sent again."
	if arrived {
		message = "Noted: it arrived."
	}
	p.m.Flash(w, message)
	return web.Redirect(w, req, "/staff/deliveries/uncertain")
}

// unsureCard is one uncertain delivery as the page shows it.
type unsureCard struct {
	delivery.Unsure
	Name, To string
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// state is a flow's state as a coloured word.
func (s Stat) state() (text string, tone ui.Tone) {
	switch {
	case s.State == "drawn":
		return "Not carried", ui.Quiet
	case s.State == "stopped":
		return "Stopped", ui.Bad
	case s.State == "held":
		return "Removed", ui.Bad
	case s.State == "waiting":
		return "Waiting", ui.Waiting
	case s.Delayed:
		return "Late", ui.Waiting
	case s.Quiet:
		return "Silent", ui.Waiting
	case s.idle():
		return "Nothing yet", ui.Quiet
	}
	return "Running", ui.Good
}

// idle reports whether nothing has come through yet, and nothing is on its way.
func (s Stat) idle() bool {
	return s.LastSeen.IsZero() && s.Uncertain == 0 && s.Waiting == 0 && s.Lag == 0
}

// explain says in a sentence how the flow stands.
func (s Stat) explain() string {
	switch {
	case s.State == "drawn":
		return "It is declared, but goes another way (" + s.Via + "): Reeve does not carry it and cannot count it."
	case s.State == "stopped":
		return sentence(s.Why) + " Nothing is disclosed; it goes on by itself when an agreement is in force again."
	case s.State == "held":
		return sentence(s.Why)
	case s.State == "waiting":
		return "The receiver does not take records now: " + sentence(s.Why) + " It is tried again by itself."
	case s.Delayed:
		return "Records wait longer than its definition expects."
	case s.Quiet:
		return "Nothing has come through for longer than its definition expects."
	case s.idle():
		return "Nothing has come through yet."
	}
	return "Records go through as they come."
}

// sentence ends a text as a sentence, and begins it like one.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func listStats(stats []Stat) []ui.Stat {
	var delivered, waiting, unsure, stopped int64
	for _, s := range stats {
		delivered += s.Delivered
		waiting += int64(s.Waiting) + s.Lag
		unsure += int64(s.Uncertain)
		if s.State == "stopped" || s.State == "held" {
			stopped++
		}
	}
	out := []ui.Stat{{Label: "Delivered", Value: ui.Count(delivered)}, {Label: "Waiting", Value: ui.Count(waiting)},
		{Label: "Uncertain", Value: ui.Count(unsure), Href: "/staff/deliveries/uncertain"}, {Label: "Stopped flows", Value: ui.Count(stopped)}}
	if unsure > 0 {
		out[2].Tone = ui.Bad
	}
	if stopped > 0 {
		out[3].Tone = ui.Bad
	}
	return out
}

// apart divides flows into those that Reeve carries and those that are only drawn.
func apart(stats []Stat) (carried, drawn []Stat) {
	for _, s := range stats {
		if s.State == "drawn" {
			drawn = append(drawn, s)
		} else {
			carried = append(carried, s)
		}
	}
	return carried, drawn
}

func drawnRows(stats []Stat) (rows [][]ui.Cell) {
	for _, s := range stats {
		how := "directly, from system to system"
		if s.Via == "manual" {
			how = "by hand"
		}
		rows = append(rows, []ui.Cell{ui.CellHTML(link(s.Name, "/staff/flows/"+s.Flow)), {Text: or(s.From.SystemName, s.From.Interface)},
			{Text: or(s.To.SystemName, s.To.Interface)}, {Text: ui.Words(string(s.Purpose))}, {Text: how}})
	}
	return rows
}

func listRows(stats []Stat, set *Set, now time.Time) (rows [][]ui.Cell) {
	for _, s := range stats {
		text, tone := s.state()
		f, _ := set.Get(s.Flow)
		rows = append(rows, []ui.Cell{
			ui.CellHTML(link(s.Name, "/staff/flows/"+s.Flow)), {Text: or(s.From.SystemName, s.From.Interface)}, {Text: or(s.To.SystemName, s.To.Interface)},
			{Text: f.does()}, ui.Num(ui.Count(s.Delivered)), ui.Num(ui.Count(int64(s.Waiting) + s.Lag)), ui.Num(ui.Count(s.Parked + int64(s.Uncertain))),
			{Text: ui.Ago(now, s.LastSeen), Classes: "app-nowrap"}, ui.CellHTML(ui.Status(text, tone)),
		})
	}
	return rows
}

// does says in a few words what a flow does to a record on its way.
func (f *Flow) does() string {
	if f == nil {
		return ""
	}
	parts := []string{"cut to " + strconv.Itoa(len(f.Fields)) + " fields"}
	switch {
	case len(f.Fields) == 1 && f.Fields[0] == "":
		parts[0] = "whole"
	case len(f.Fields) == 1:
		parts[0] = "cut to 1 field"
	}
	if f.filter != nil {
		parts = append(parts, "filtered")
	}
	if f.mapper != nil {
		parts = append(parts, "mapped")
	}
	if f.Target != nil {
		parts = append(parts, "checked")
	}
	return strings.Join(parts, ", ")
}

func showStats(s Stat) []ui.Stat {
	out := []ui.Stat{{Label: "Delivered", Value: ui.Count(s.Delivered)}, {Label: "Still to come", Value: ui.Count(s.Lag)}, {Label: "Waiting to be sent", Value: ui.Count(int64(s.Waiting))},
		{Label: "Not for them", Value: ui.Count(s.Filtered)}, {Label: "Parked so far", Value: ui.Count(s.Parked), Href: "/staff/held#parked"},
		{Label: "Uncertain", Value: ui.Count(int64(s.Uncertain))}}
	if s.Uncertain > 0 {
		out[5].Tone, out[5].Href = ui.Bad, "/staff/deliveries/uncertain"
	}
	return out
}

func showRows(s Stat, f *Flow, now time.Time) []ui.SummaryRow {
	rows := []ui.SummaryRow{ui.Row("Carries", string(s.Type))}
	if f != nil {
		rows[0] = ui.Row("Carries", f.Type.Name)
		if f.Spec.Description != "" {
			rows = append(rows, ui.Row("What for", f.Spec.Description))
		}
	}
	rows = append(rows,
		ui.RowHTML("From", end(s.From)), ui.RowHTML("To", end(s.To)),
		ui.Row("Agreement", agreementName(s, f)), ui.Row("Purpose", ui.Words(string(s.Purpose))))
	if f != nil {
		rows = append(rows, ui.Row("Until", ui.DateText(f.Agreement.Ends.Time(time.UTC))), ui.RowHTML("What they may see", fieldList(names(f.Fields))))
		if f.Spec.Filter != "" {
			rows = append(rows, ui.RowHTML("Only records where", ui.Code("Filter", f.Spec.Filter)))
		}
		if f.Spec.Map != "" {
			rows = append(rows, ui.RowHTML("Put into their shape by", mapText(f)))
		}
		if f.Target != nil {
			rows = append(rows, ui.Row("Their shape", f.Target.Name+": what does not match it is parked"))
		}
	}
	if !s.Since.IsZero() {
		rows = append(rows, ui.RowHTML("Takes nothing since", ui.Time(s.Since)))
	}
	if f != nil && f.Spec.Carried() {
		rows = append(rows, ui.Row("Order", order(f)), ui.Row("If an answer is lost", repeat(f)), ui.Row("Last delivery", ui.Ago(now, s.LastSeen)))
	}
	return rows
}

// agreementName is what people call the agreement of a flow.
func agreementName(s Stat, f *Flow) string {
	if f != nil && f.Agreement != nil && f.Agreement.Name != "" {
		return f.Agreement.Name
	}
	return s.Agreement
}

// more is what is known of an end besides its system.
func (e End) more() string {
	var parts []string
	if e.PartyName != "" {
		parts = append(parts, "of "+e.PartyName)
	}
	if e.Name != "" {
		parts = append(parts, "through "+e.Name)
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func order(f *Flow) string {
	if f.Type.Strict {
		return "Records of the same key are delivered in order; a later one waits for an earlier one."
	}
	return "Each record is delivered as soon as it can be."
}

func repeat(f *Flow) string {
	switch f.iface.Repeat {
	case "key":
		return "It is sent again under the same key, which the receiver recognises."
	case "put":
		return "It is sent again to the same address, which has the same effect."
	case "lookup":
		return "The receiver is asked whether it has it, before it is sent again."
	}
	switch f.iface.Style {
	case "file", "internal":
		return "Nothing can be lost: it is there once or not at all."
	case "db":
		return "It is written again, which has the same effect: the row is there once."
	}
	return "A person decides: the receiver cannot recognise a repeat."
}
