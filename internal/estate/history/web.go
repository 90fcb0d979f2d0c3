package history

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the page of what changed.
type Desk struct {
	register.Desk
	Asks
	Now     func() time.Time // in the body's time zone
	Compare func(before, after *register.Snapshot) *change.Difference
}

// Mount mounts it on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/changes", register.Read, d.page)
}

// mostActivations bounds how far back the list of sets goes.
const mostActivations = 100_000

func (d *Desk) page(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := view{From: fields(q, "from"), To: fields(q, "to")}
	activations, err := d.Activations(r.Context(), mostActivations)
	if err != nil {
		return err
	}
	if before, after := q.Get("before"), q.Get("after"); before != "" && after != "" && d.WithSet != nil {
		return d.sets(w, r, v, activations, before, after)
	}
	var from, to def.Date
	from, v.Errors = readDay(q, "from", "first day", v.Errors)
	to, v.Errors = readDay(q, "to", "last day", v.Errors)
	now := d.Now()
	if to.After(def.DateOf(now)) {
		v.Errors.Add("to-day", "The last day must be today or earlier")
	}
	if v.Period, err = period(activations, from, to, now); err != nil {
		return err
	}
	if len(v.Errors) > 0 {
		return d.render(w, r, v, http.StatusUnprocessableEntity)
	}
	v.From, v.To = parts("from", v.Period.From), parts("to", v.Period.To)
	before, err := d.At(r.Context(), v.Period.From)
	if err != nil {
		return err
	}
	after, err := d.At(r.Context(), v.Period.To)
	if err != nil {
		return err
	}
	v.compare(d, before, after)
	if d.Edits != nil {
		start, end := v.Period.From.AddDays(1).Time(now.Location()), v.Period.To.AddDays(1).Time(now.Location())
		if v.Edits, err = d.Edits(r.Context(), start, end); err != nil {
			return err
		}
		v.Edits = newest(v.Edits)
	}
	return d.render(w, r, v, http.StatusOK)
}

// sets compares two sets that were in force, both as if they were today.
func (d *Desk) sets(w http.ResponseWriter, r *http.Request, v view, activations []def.Activation, before, after string) (err error) {
	if v.Period, err = period(activations, def.Date{}, def.Date{}, d.Now()); err != nil {
		return err
	}
	v.From, v.To = parts("from", v.Period.From), parts("to", v.Period.To)
	a, err := d.WithSet(r.Context(), before)
	if err != nil {
		return err
	}
	b, err := d.WithSet(r.Context(), after)
	if err != nil {
		return err
	}
	v.Sets = true
	for _, x := range activations {
		if x.Hash == after {
			v.SetAt = x.At.In(d.Now().Location())
		}
	}
	v.compare(d, a, b)
	return d.render(w, r, v, http.StatusOK)
}

func (v *view) compare(d *Desk, before, after *register.Snapshot) {
	compare := d.Compare
	if compare == nil {
		compare = change.Compare
	}
	v.Before, v.After = before, after
	v.Difference = compare(before, after)
	v.Tallies = tallies(before.Inventory, after.Inventory)
	v.Came, v.Went, v.Differ = changedAssets(before, after)
}

func (d *Desk) render(w http.ResponseWriter, r *http.Request, v view, status int) error {
	p := web.Page{Title: "What changed", Crumbs: []ui.Link{register.Crumb}, Error: len(v.Errors) > 0, Status: status}
	return d.Render(w, r, nil, p, changesPage(v))
}

// fields are the parts of a day as they were typed.
func fields(q url.Values, name string) map[string]string {
	out := map[string]string{}
	for _, part := range []string{"-day", "-month", "-year"} {
		out[name+part] = strings.TrimSpace(q.Get(name + part))
	}
	return out
}

// parts are the parts of a day.
func parts(name string, d def.Date) map[string]string {
	t := d.Time(time.UTC)
	return map[string]string{name + "-day": strconv.Itoa(t.Day()), name + "-month": strconv.Itoa(int(t.Month())), name + "-year": strconv.Itoa(t.Year())}
}

// readDay reads a day, given whole (from=2026-01-31) or in three fields.
func readDay(q url.Values, name, words string, errs ui.Errors) (def.Date, ui.Errors) {
	text := q.Get(name)
	if f := fields(q, name); text == "" && f[name+"-day"]+f[name+"-month"]+f[name+"-year"] != "" {
		text = fmt.Sprintf("%s-%02s-%02s", f[name+"-year"], f[name+"-month"], f[name+"-day"])
	}
	if text == "" {
		return def.Date{}, errs
	}
	day, err := def.ParseDate(text)
	if err != nil {
		errs.Add(name+"-day", "The %s must be a real date, like 31 1 2026", words)
		return def.Date{}, errs
	}
	return day, errs
}

// setHref is the page of what one set changed.
func setHref(t Taken) string {
	return "/staff/estate/changes?" + url.Values{"before": {t.Before}, "after": {t.Hash}}.Encode()
}

// onHref is the estate as it was at the end of a day.
func onHref(day def.Date) string {
	return "/staff/estate?" + url.Values{"on": {day.String()}}.Encode()
}
