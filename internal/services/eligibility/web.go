package eligibility

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
	"github.com/reeve-civic/reeve/internal/services/enrolment"
)

// Mount adds the pages for staff, and those on which residents check for
// themselves.
func (d *Desk) Mount(m *web.Mux) {
	p := &pages{d, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Entitlements", Href: "/staff/entitlements", Action: "entitlement.read", Order: 55})
	m.Handle("GET /staff/entitlements", "entitlement.read", p.list)
	m.Handle("GET /staff/entitlements/{id}", "entitlement.read", func(w http.ResponseWriter, r *http.Request) error { return p.show(w, r, nil, "") })
	m.Handle("POST /staff/entitlements/{id}", "entitlement.work", p.record)
	m.Nav(web.Residents, web.NavItem{Text: "What you may be entitled to", Href: "/entitlements", Order: 20})
	m.Handle("GET /entitlements", "entitlement.check", p.benefits)
	m.Handle("GET /entitlements/{id}", "entitlement.check", func(w http.ResponseWriter, r *http.Request) error { return p.check(w, r, false) })
	m.Handle("POST /entitlements/{id}", "entitlement.check", func(w http.ResponseWriter, r *http.Request) error { return p.check(w, r, true) })
}

type pages struct {
	d *Desk
	m *web.Mux
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) error {
	v := listView{Outcome: r.URL.Query().Get("outcome")}
	if v.Outcome != Yes && v.Outcome != No {
		v.Outcome = Unknown
	}
	cat := p.d.cat.Load()
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		as, err := byOutcome(tx, v.Outcome, "", 200)
		if err != nil {
			return err
		}
		for _, a := range as {
			name, err := p.d.o.People.Name(tx, a.Person)
			if err != nil {
				return err
			}
			benefit, need := a.Benefit, ""
			if b := cat.get(a.Benefit); b != nil {
				benefit = b.name
				var names []string
				for _, n := range b.needs(a.Missing) {
					names = append(names, n.Name)
				}
				need = strings.Join(names, "; ")
			}
			v.Rows = append(v.Rows, []ui.Cell{
				ui.CellHTML(personLink(a, name)), {Text: benefit}, ui.CellHTML(outcomeTag(a.Outcome)), {Text: need},
				{Text: ui.DateText(a.Changed.In(p.d.o.Zone))},
			})
		}
		v.Stats, err = p.d.Stats(tx)
		return err
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Entitlements", Wide: true}, listPage(v))
}

// Stats are the figures of entitlements and enrolments.
func (d *Desk) Stats(tx *store.Tx) ([]ui.Stat, error) {
	n, err := counts(tx)
	if err != nil {
		return nil, err
	}
	e, err := d.o.Enrolment.Counts(tx)
	if err != nil {
		return nil, err
	}
	stat := func(label string, n int, href string) ui.Stat {
		return ui.Stat{Label: label, Value: strconv.Itoa(n), Href: href}
	}
	return []ui.Stat{
		stat("entitled", n[Yes], "/staff/entitlements?outcome=yes"), stat("something is missing", n[Unknown], "/staff/entitlements?outcome=unknown"),
		stat("enrolled or told so", e[enrolment.Notice]+e[enrolment.Active], ""), stat("opted out", e[enrolment.OptedOut], ""),
	}, nil
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, errs ui.Errors, typed string) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "services.eligibility", "there is no such entitlement")
	}
	var v detailView
	err = p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { // to look is to leave a trace
		v, err = p.detail(tx, r, id, typed)
		if err != nil {
			return err
		}
		return p.d.noteAbout(tx, web.Actor(r.Context()).ID, "saw", v.Assessment)
	})
	if err != nil {
		return err
	}
	v.Errors = errs
	page := web.Page{Title: v.Benefit, Back: "/staff/entitlements?outcome=" + v.Outcome, Error: len(errs) > 0}
	if page.Error {
		page.Status = http.StatusBadRequest
	}
	return p.m.Render(w, r, page, detailPage(v))
}

func (p *pages) detail(tx *store.Tx, r *http.Request, id int64, typed string) (v detailView, err error) {
	a, found, err := getAssessment(tx, id)
	if err != nil {
		return v, err
	}
	if !found {
		return v, reeve.E(reeve.NotFound, "services.eligibility", "there is no such entitlement")
	}
	ans, err := p.d.openAnswer(a)
	if err != nil {
		return v, err
	}
	v = detailView{Assessment: a, Benefit: a.Benefit, Reasons: ans.Reasons}
	v.CanWork = p.m.Decide(r.Context(), policy.Request{Action: "entitlement.work"}) == nil
	if v.Name, err = p.d.o.People.Name(tx, a.Person); err != nil {
		return v, err
	}
	b := p.d.cat.Load().get(a.Benefit)
	if b != nil {
		v.Benefit, v.Summary = b.name, b.spec.Summary
		for _, path := range a.Missing {
			v.Missing = append(v.Missing, missing{Path: path, Field: field(path), Value: typed, Need: b.need(path)})
		}
	}
	es, err := p.d.o.Enrolment.Of(tx, a.Person)
	if err != nil {
		return v, err
	}
	for _, e := range es {
		if e.Benefit == a.Benefit {
			v.Enrolment = p.enrolmentText(e)
		}
	}
	born, err := p.d.o.People.Born(tx, a.Person)
	if err != nil {
		return v, err
	}
	v.Facts = []ui.SummaryRow{ui.Row("Date of birth", dayText(born))}
	fs, err := facts(tx, a.Household)
	if err != nil {
		return v, err
	}
	for _, f := range fs {
		value, err := p.d.openFact(a.Household, f)
		if err != nil {
			return v, err
		}
		for _, kv := range factTexts(f.name, value) {
			source, href := "Given to us by "+f.source, ""
			if id, ok := strings.CutPrefix(f.source, "record/"); ok {
				source, href = "From record "+id, "/staff/records/"+id
			} else if strings.HasPrefix(f.source, "staff/") {
				source = "Written down by staff"
			}
			v.Facts = append(v.Facts, ui.RowHTML(kv[0], factValue(kv[1], source+", "+ui.DateText(f.at.In(p.d.o.Zone)), href)))
		}
	}
	return v, nil
}

func (p *pages) enrolmentText(e enrolment.Enrolment) string {
	start := ui.DateText(e.Starts.In(p.d.o.Zone))
	switch e.State {
	case enrolment.Notice:
		return "Will be enrolled on " + start + ". They were told and can opt out."
	case enrolment.Active:
		return "Enrolled since " + start + "."
	case enrolment.OptedOut:
		return "They opted out on " + ui.DateText(e.Changed.In(p.d.o.Zone)) + "."
	}
	return "The enrolment was stopped on " + ui.DateText(e.Changed.In(p.d.o.Zone)) + "."
}

// factTexts are the parts of a fact in plain words.
func factTexts(name string, v any) (rows [][2]string) {
	switch name {
	case "household.income":
		if n, ok := v.(int64); ok {
			rows = append(rows, [2]string{"Net earned income a year", money(n)})
		}
	case "award":
		m, _ := v.(map[string]any)
		for _, k := range [][2]string{{"reference", "Award"}, {"benefit", "Benefit"}, {"starts", "Award starts"}, {"ends", "Award ends"}} {
			s, _ := m[k[0]].(string)
			if s == "" {
				continue
			}
			if k[0] == "starts" || k[0] == "ends" {
				s = dayText(s)
			}
			if k[0] == "benefit" {
				s = words(s)
			}
			rows = append(rows, [2]string{k[1], s})
		}
	default:
		rows = append(rows, [2]string{name, fmt.Sprint(v)})
	}
	return rows
}

// record takes a fact that someone told staff.
func (p *pages) record(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "services.eligibility", "there is no such entitlement")
	}
	path := r.PostFormValue("path")
	typed := strings.TrimSpace(r.PostFormValue(field(path)))
	var errs ui.Errors
	value, err := parseMoney(typed)
	switch {
	case path != "household.income":
		return reeve.E(reeve.Invalid, "services.eligibility", "this cannot be typed in here")
	case typed == "":
		errs.Add(field(path), "Enter the amount in pounds, 0 if there is none")
	case err != nil:
		errs.Add(field(path), "Enter the amount in pounds, like 12500 or 12500.50")
	}
	if len(errs) > 0 {
		return p.show(w, r, errs, typed)
	}
	err = p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error {
		return p.d.Record(tx, web.Actor(r.Context()).ID, id, path, value)
	})
	if err != nil {
		return err
	}
	p.m.Flash(w, "Saved, and looked at again.")
	return web.Redirect(w, r, fmt.Sprintf("/staff/entitlements/%d", id))
}

func (p *pages) benefits(w http.ResponseWriter, r *http.Request) error {
	var v benefitsView
	for _, b := range p.d.cat.Load().benefits {
		v.Items = append(v.Items, benefitItem{b.id, b.name, b.spec.Summary})
	}
	return p.m.Render(w, r, web.Page{Title: "What you may be entitled to", Area: web.Residents}, benefitsPage(v))
}

// check lets a resident try a rule. Nothing of what is typed in is kept.
func (p *pages) check(w http.ResponseWriter, r *http.Request, asked bool) error {
	b := p.d.cat.Load().get(r.PathValue("id"))
	if b == nil {
		return reeve.E(reeve.NotFound, "services.eligibility", "there is no such entitlement")
	}
	v := checkView{ID: b.id, Name: b.name, Summary: b.spec.Summary, Help: b.spec.Help, Asked: asked}
	today, err := def.ParseDate(p.d.today(p.d.o.DB.Now()))
	if err != nil {
		return err
	}
	person, household, award := map[string]any{}, map[string]any{}, map[string]any{"starts": today.String()}
	born := checkInput{Path: "person.dateOfBirth", Field: "born", Label: "Date of birth of the person it is for", Unit: "date", Date: map[string]string{}}
	if asked {
		y, m, d := strings.TrimSpace(r.PostFormValue("born-year")), strings.TrimSpace(r.PostFormValue("born-month")), strings.TrimSpace(r.PostFormValue("born-day"))
		born.Date = map[string]string{"year": y, "month": m, "day": d}
		if y+m+d != "" {
			if t, err := time.Parse("2006-1-2", y+"-"+m+"-"+d); err != nil || t.Year() < 1900 {
				v.Errors.Add("born", "Enter a real date of birth, like 27 3 2018")
			} else {
				person["dateOfBirth"] = t.Format(time.DateOnly)
			}
		}
	}
	income := checkInput{Path: "household.income", Field: "income", Label: "Net earned income of your household in a year", Unit: "pounds", Value: strings.TrimSpace(r.PostFormValue("income"))}
	if income.Value != "" {
		if n, err := parseMoney(income.Value); err != nil {
			v.Errors.Add("income", "Enter the amount in pounds, like 12500 or 12500.50")
		} else {
			household["income"] = n
		}
	}
	benefit := checkInput{Path: "award.benefit", Field: "benefit", Label: "Which of these does your household get?", Unit: "choice", Value: r.PostFormValue("benefit"), Choices: []ui.ChoiceItem{
		{Value: "universal-credit", Text: "Universal Credit"}, {Value: "income-support", Text: "Income Support"}, {Value: "pension-credit", Text: "Pension Credit"}, {Value: "none", Text: "None of them"},
	}}
	if benefit.Value != "" {
		award["benefit"] = benefit.Value
	}
	v.Inputs = b.asks(born, benefit, income)
	if asked && len(v.Errors) == 0 {
		vars := map[string]any{"today": today, "person": person, "household": household, "award": award}
		if v.Answer, err = b.assess(r.Context(), vars); err != nil {
			return err
		}
		v.Needs = b.needs(v.Answer.Missing)
	}
	page := web.Page{Title: b.name, Area: web.Residents, Back: "/entitlements", Error: len(v.Errors) > 0}
	if page.Error {
		page.Status = http.StatusBadRequest
	}
	return p.m.Render(w, r, page, checkPage(v))
}

// asks keeps the inputs that the rule reads.
func (b *benefit) asks(all ...checkInput) (used []checkInput) {
	reads := map[string]bool{}
	for _, p := range b.programs {
		for _, in := range p.Inputs() {
			reads[in] = true
		}
	}
	for _, in := range all {
		if reads[in.Path] {
			used = append(used, in)
		}
	}
	return used
}

func field(path string) string { return strings.ReplaceAll(path, ".", "-") }

func inputFor(n missing, errs ui.Errors) ui.InputOptions {
	return ui.InputOptions{
		Name: n.Field, ID: n.Field, Value: n.Value, Label: ui.Text("If they have told you, write it down here"), Prefix: poundSign(n.Unit),
		Inputmode: "numeric", Classes: "govuk-input--width-10", ErrorMessage: errs.For(n.Field),
	}
}

func poundSign(unit string) ui.Part {
	if unit == "pounds" {
		return ui.Text("£")
	}
	return ui.Part{}
}

func dayText(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		if day == "" {
			return "Not known"
		}
		return day
	}
	return ui.DateText(t)
}

// words turns a code into words: "universal-credit" is "Universal credit".
func words(code string) string {
	return ui.Capital(strings.ReplaceAll(code, "-", " "))
}
