package flow

import (
	"context"
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

// actionFeeds is the action of looking at what records are fetched from.
const actionFeeds = "feed.read"

// Around is what pages of flows know of other rooms; each may be nil.
type Around struct {
	Part   func(flow string) (id, name string)    // the process that a flow is a step of
	Fed    func(iface string) bool                // whether records are fetched from an interface
	Alerts func(ctx context.Context) (int, error) // how many things are not as expected now
}

// part is the process that a flow is a step of; "" for none.
func (a Around) part(flow string) (id, name string) {
	if a.Part == nil {
		return "", ""
	}
	return a.Part(flow)
}

type pages struct {
	r *Runner
	m *web.Mux
}

// line is a flow in the list.
type line struct {
	Stat
	Process, ProcessName string // that it is a step of; "" for none
}

// showData is what the page of a flow shows.
type showData struct {
	line
	f        *Flow // nil where it was removed
	may, fed bool  // change it; look at what its records are fetched from
	now      time.Time
}

func (p pages) list(w http.ResponseWriter, req *http.Request) error {
	stats, err := p.r.Volumes(req.Context())
	if err != nil {
		return err
	}
	alerts := 0
	if p.r.o.Around.Alerts != nil {
		if alerts, err = p.r.o.Around.Alerts(req.Context()); err != nil {
			return err
		}
	}
	lines := make([]line, len(stats))
	for i, s := range stats {
		lines[i] = p.line(s)
	}
	return p.m.Render(w, req, web.Page{Title: "Flows", Active: "/staff/flows", Wide: true}, listPage(lines, alerts, p.r.Set(), p.r.o.Now()))
}

func (p pages) line(s Stat) line {
	l := line{Stat: s}
	l.Process, l.ProcessName = p.r.o.Around.part(s.Flow)
	return l
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
			d := showData{line: p.line(s), f: f, now: p.r.o.Now()}
			d.may = f != nil && p.m.Decide(req.Context(), policy.Request{Action: actionEdit}) == nil
			fed := p.r.o.Around.Fed
			d.fed = fed != nil && fed(s.From.Interface) && p.m.Decide(req.Context(), policy.Request{Action: actionFeeds}) == nil
			return p.m.Render(w, req, web.Page{Title: s.Name, Active: "/staff/flows", Crumbs: []ui.Link{{Text: "Flows", Href: "/staff/flows"}}}, showPage(d))
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
	case s.Quiet && s.LastSeen.IsZero():
		return "Never carried", ui.Waiting
	case s.Quiet:
		return "Silent", ui.Waiting
	case s.idle():
		return "Never carried", ui.Quiet
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
	case s.Quiet && s.LastSeen.IsZero():
		return "Nothing has ever come through, and its definition expects something by now."
	case s.Quiet:
		return "Nothing has come through for longer than its definition expects."
	case s.idle():
		return "Nothing has come through yet."
	}
	return "Records go through as they come."
}

// explain says it of a flow with what is known around it.
func (d showData) explain() string {
	said := d.Stat.explain()
	if text, _ := d.state(); text == "Running" {
		switch {
		case d.Process != "":
			return "It is a step: records come to it when those before it are done."
		case d.f != nil && d.f.schedule != nil:
			return "Records wait until it is due, and go through together."
		}
	}
	return said
}

// sentence ends a text as a sentence, and begins it like one.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return strings.TrimSuffix(ui.Capital(s), ".") + "."
}

func listStats(stats []line, alerts int) []ui.Stat {
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
	if alerts > 0 {
		out = append(out, ui.Stat{Label: "Late, silent or unread", Value: ui.Count(int64(alerts)), Href: "/staff/flows/alerts", Tone: ui.Bad})
	}
	return out
}

// apart divides flows into those that Reeve carries by themselves, those that are
// steps of a process, and those that are only drawn.
func apart(stats []line) (carried, steps, drawn []line) {
	for _, s := range stats {
		switch {
		case s.Process != "":
			steps = append(steps, s)
		case s.State == "drawn":
			drawn = append(drawn, s)
		default:
			carried = append(carried, s)
		}
	}
	return carried, steps, drawn
}

func stepRows(stats []line, now time.Time) (rows [][]ui.Cell) {
	for _, s := range stats {
		text, tone := s.state()
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(s.Name, "/staff/flows/"+s.Flow)), ui.CellHTML(ui.LinkTo(s.ProcessName, "/staff/processes/"+s.Process)),
			{Text: or(s.To.SystemName, s.To.Interface)}, ui.Num(ui.Count(s.Delivered)), {Text: ui.Ago(now, s.LastSeen), Classes: "app-nowrap app-brief"}, ui.CellHTML(ui.Status(text, tone))})
	}
	return rows
}

func drawnRows(stats []line) (rows [][]ui.Cell) {
	for _, s := range stats {
		how := "directly, from system to system"
		if s.Via == "manual" {
			how = "by hand"
		}
		rows = append(rows, []ui.Cell{ui.CellHTML(ui.LinkTo(s.Name, "/staff/flows/"+s.Flow)), {Text: or(s.From.SystemName, s.From.Interface), Classes: "app-brief"},
			{Text: or(s.To.SystemName, s.To.Interface)}, {Text: ui.Words(string(s.Purpose))}, {Text: how}})
	}
	return rows
}

func listRows(stats []line, set *Set, now time.Time) (rows [][]ui.Cell) {
	for _, s := range stats {
		text, tone := s.state()
		f, _ := set.Get(s.Flow)
		rows = append(rows, []ui.Cell{
			ui.CellHTML(ui.LinkTo(s.Name, "/staff/flows/"+s.Flow)), {Text: or(s.From.SystemName, s.From.Interface), Classes: "app-brief"},
			{Text: or(s.To.SystemName, s.To.Interface), Classes: "app-brief"}, {Text: f.does()}, ui.Num(ui.Count(s.Delivered)), ui.Num(ui.Count(int64(s.Waiting) + s.Lag)), ui.Num(ui.Count(s.Parked + int64(s.Uncertain))),
			{Text: ui.Ago(now, s.LastSeen), Classes: "app-nowrap app-brief"}, ui.CellHTML(ui.Status(text, tone)),
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
	if f.schedule != nil {
		parts = append(parts, "at set times")
	}
	return strings.Join(parts, ", ")
}

func (d showData) stats() []ui.Stat {
	s := d.Stat
	if d.Process != "" {
		return []ui.Stat{{Label: "Delivered", Value: ui.Count(s.Delivered)}}
	}
	out := []ui.Stat{{Label: "Delivered", Value: ui.Count(s.Delivered)}, {Label: "Still to come", Value: ui.Count(s.Lag)}, {Label: "Waiting to be sent", Value: ui.Count(int64(s.Waiting))},
		{Label: "Not for them", Value: ui.Count(s.Filtered)}, {Label: "Parked so far", Value: ui.Count(s.Parked), Href: "/staff/held#parked"},
		{Label: "Uncertain", Value: ui.Count(int64(s.Uncertain))}}
	if s.Uncertain > 0 {
		out[5].Tone, out[5].Href = ui.Bad, "/staff/deliveries/uncertain"
	}
	return out
}

func (d showData) rows() []ui.SummaryRow {
	s, f := d.Stat, d.f
	rows := []ui.SummaryRow{ui.Row("Carries", string(s.Type))}
	if f != nil {
		rows[0] = ui.Row("Carries", f.Type.Name)
		if f.Spec.Description != "" {
			rows = append(rows, ui.Row("What for", f.Spec.Description))
		}
	}
	rows = append(rows,
		ui.RowHTML("From", from(s.From, d.fed)), ui.RowHTML("To", end(s.To)),
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
	switch {
	case d.Process != "":
		rows = append(rows, ui.RowHTML("When", stepOf(d.ProcessName, "/staff/processes/"+d.Process)), ui.Row("Last delivery", ui.Ago(d.now, s.LastSeen)))
	case f != nil && f.schedule != nil:
		rows = append(rows, ui.RowHTML("When", due(f.Spec.Schedule, f.Next(d.now))))
	}
	if !s.Since.IsZero() {
		rows = append(rows, ui.RowHTML("Takes nothing since", ui.Time(s.Since)))
	}
	if f != nil && f.Spec.Carried() {
		rows = append(rows, ui.Row("Order", order(f)), ui.Row("If an answer is lost", repeat(f)), ui.Row("Last delivery", ui.Ago(d.now, s.LastSeen)))
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
