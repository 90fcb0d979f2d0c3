package process

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// ActionDecide is for what becomes of a run that waits for a person.
const ActionDecide = "delivery.decide"

const shown = 50 // runs on the page of a process

// Mount adds the pages of processes.
func (d *Runner) Mount(m *web.Mux) {
	p := pages{d, m}
	m.Handle("GET /staff/processes", flow.ActionRead, p.list)
	m.Handle("GET /staff/processes/{id}", flow.ActionRead, p.show)
	m.Handle("GET /staff/processes/{id}/{n}", flow.ActionUnsure, p.run)
	m.Handle("POST /staff/processes/{id}/{n}", ActionDecide, p.decide)
}

type pages struct {
	d *Runner
	m *web.Mux
}

func page(title string, more ...ui.Link) web.Page {
	crumbs := []ui.Link{{Text: "Flows", Href: "/staff/flows"}}
	return web.Page{Title: title, Active: "/staff/flows", Crumbs: append(crumbs, more...)}
}

var inAll = ui.Link{Text: "In several steps", Href: "/staff/processes"}

// summary is one process in the list.
type summary struct {
	*Process
	counts map[State]int64
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	var all []summary
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		for _, x := range p.d.Set().All {
			c, err := counts(tx, x.ID)
			if err != nil {
				return err
			}
			all = append(all, summary{x, c})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, page("Flows in several steps"), listPage(all))
}

func (p pages) process(r *http.Request) (*Process, error) {
	x, ok := p.d.Set().Get(r.PathValue("id"))
	if !ok {
		return nil, reeve.E(reeve.NotFound, "exchange.process", "there is no process %q", r.PathValue("id"))
	}
	return x, nil
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	x, err := p.process(r)
	if err != nil {
		return err
	}
	s := summary{Process: x}
	var runs []*run
	if err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) (err error) {
		if s.counts, err = counts(tx, x.ID); err == nil {
			runs, err = p.d.listRuns(tx, x.ID, shown)
		}
		return err
	}); err != nil {
		return err
	}
	return p.m.Render(w, r, page(x.Name, inAll), showPage(s, runs))
}

// view is one run as its page shows it.
type view struct {
	*run
	process *Process
	steps   []stepRow
}

func (p pages) run(w http.ResponseWriter, r *http.Request) error {
	x, err := p.process(r)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "exchange.process", "there is no such run")
	}
	v := view{process: x}
	if err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) (err error) {
		if v.run, err = p.d.runOf(tx, x.ID, n); err == nil {
			v.steps, err = x.placed(stepsOf(tx, x.ID, n))
		}
		return err
	}); err != nil {
		return err
	}
	return p.m.Render(w, r, page("Record "+string(v.record), inAll, ui.Link{Text: x.Name, Href: "/staff/processes/" + x.ID}), runPage(v))
}

func (p pages) decide(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "exchange.process", "there is no such run")
	}
	err = p.d.Decide(r.Context(), web.Actor(r.Context()), r.PathValue("id"), n, Decision(r.PostFormValue("decision")), strings.TrimSpace(r.PostFormValue("reason")))
	if err != nil {
		return err
	}
	p.m.Flash(w, "Noted: it goes on.")
	return web.Redirect(w, r, fmt.Sprintf("/staff/processes/%s/%d", r.PathValue("id"), n))
}

// words and tones of states.
var states = map[State]struct {
	text string
	tone ui.Tone
}{
	Running: {"Under way", ui.Info},
	Undoing: {"Being undone", ui.Waiting},
	Unsure:  {"Needs a decision", ui.Bad},
	Stuck:   {"Cannot be undone", ui.Bad},
	Done:    {"Done", ui.Good},
	Undone:  {"Undone", ui.Special},
}

func (s summary) stats() []ui.Stat {
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	c := s.counts
	people := ui.Stat{Label: "Need a person", Value: num(c[Unsure] + c[Stuck])}
	if c[Unsure]+c[Stuck] > 0 {
		people.Tone = ui.Bad
	}
	return []ui.Stat{{Label: "Done", Value: num(c[Done])}, {Label: "Under way", Value: num(c[Running] + c[Undoing])}, {Label: "Undone", Value: num(c[Undone])}, people}
}

// row is one run in the table of a process.
func (x *Process) row(r *run) []ui.Cell {
	done := fmt.Sprintf("all %d steps", len(x.Steps))
	switch {
	case r.state == Undone:
		done = "nothing that stands"
	case r.step < 0 && !r.state.ended():
		done = "at a step that is gone"
	case r.step >= 0 && r.step < len(x.Steps) && !r.state.ended():
		done = fmt.Sprintf("at step %d of %d, %s", r.step+1, len(x.Steps), x.Steps[r.step].Flow.To.SystemName)
	}
	return []ui.Cell{ui.CellHTML(ui.LinkTo(string(r.record), fmt.Sprintf("/staff/processes/%s/%d", x.ID, r.n))), ui.CellHTML(state(r.state)), {Text: done}, {Text: ui.Capital(r.why)}, ui.CellHTML(ui.Time(r.began))}
}

// moments is what became of each step, then what was undone, from the last to the first.
func (v view) moments() (out []ui.Moment) {
	rows := map[[2]int]stepRow{}
	for _, s := range v.steps {
		undo := 0
		if s.undo {
			undo = 1
		}
		rows[[2]int{s.step, undo}] = s
	}
	for i, st := range v.process.Steps {
		m := ui.Moment{Title: st.Flow.Name, Tag: "Not begun", Tone: ui.Quiet}
		s, ok := rows[[2]int{i, 0}]
		switch {
		case ok:
			m = moment(st.Flow.Name, s)
		case v.state == Running && v.step == i:
			m.Tag, m.Tone, m.Body = "Under way", ui.Info, why(ui.Capital(v.why))
		}
		out = append(out, m)
	}
	for i := len(v.process.Steps) - 1; i >= 0; i-- {
		st := v.process.Steps[i]
		s, ok := rows[[2]int{i, 1}]
		switch {
		case st.Undo == nil:
		case ok:
			out = append(out, moment(st.Undo.Name, s))
		case v.state == Undoing && v.step == i:
			out = append(out, ui.Moment{Title: st.Undo.Name, Tag: "Under way", Tone: ui.Info, Body: why(ui.Capital(v.why))})
		}
	}
	return out
}

func moment(title string, s stepRow) ui.Moment {
	m := ui.Moment{Title: title, At: s.at, Tag: "Done", Tone: ui.Good}
	switch s.state {
	case "skipped":
		m.Tag, m.Tone = "Not for them", ui.Quiet
	case "failed":
		m.Tag, m.Tone = "Failed", ui.Bad
	case "maybe", "unsure":
		m.Tag, m.Tone = "Unclear", ui.Waiting
	}
	if s.why != "" {
		m.Body = why(ui.Capital(s.why))
	}
	return m
}
