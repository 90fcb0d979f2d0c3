package intake

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// most are how many similar things a form shows.
const most = 6

// asking is the form of a request.
type asking struct {
	S        *register.Snapshot
	Values   url.Values
	Errors   ui.Errors
	Looked   bool
	Matches  []Match
	Triage   *gate.Triage
	Findings []standard.Finding // of the draft: not met, or not known
	Others   []standard.Finding // what others would newly fail
	Problems []string           // why the draft could not be checked
}

// questions are those of triage that are answered by yes, no or not known.
var questions = []struct{ name, text, hint string }{
	{"personalData", "Does it handle data about people?", "Names, addresses, pictures, anything that says who somebody is."},
	{"sensitive", "Is any of that data sensitive?", "About health, children, care, money, crime or belief; or anything marked confidential."},
	{"publicFacing", "Will residents use it, or notice it?", ""},
	{"newSupplier", "Is the supplier new to us?", ""},
	{"novelTech", "Is the technology new to us?", ""},
	{"ai", "Does it use artificial intelligence?", "To decide, to write, to sort or to talk with people."},
	{"sensors", "Does it collect data by sensors or cameras?", ""},
}

func (d *Desk) find(s *register.Snapshot, all []*gate.Request, text, capability string) []Match {
	if d.Search != nil {
		return d.Search(s, all, text, capability, most)
	}
	return Similar(s, all, text, capability, most)
}

func (d *Desk) form(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := asking{S: s, Values: url.Values{}}
	for _, name := range []string{"kind", "name", "description", "capability", "system", "sponsor"} {
		if q.Has(name) {
			v.Values.Set(name, q.Get(name))
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Ask for something", Crumbs: []ui.Link{register.Crumb, requestsCrumb}}, formPage(v))
}

// similar answers scripts, while a person types.
func (d *Desk) similar(w http.ResponseWriter, r *http.Request) error {
	s, all, err := d.both(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	text := cut(q.Get("name")+" "+q.Get("description"), 2000)
	return fragment(w, r, matches(d.find(s, all, text, q.Get("capability")), len(terms(text)) > 0))
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func (d *Desk) create(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return reeve.E(reeve.Invalid, "gate.create", "the form cannot be read")
	}
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	all, err := d.all(r.Context(), s)
	if err != nil {
		return err
	}
	v := asking{S: s, Values: r.PostForm, Looked: r.PostFormValue("do") == "look"}
	n := readForm(s, &v)
	n.By = web.Actor(r.Context()).ID
	rs, err := d.Rules(s.Set)
	if err != nil {
		return err
	}
	if n.Triage, err = rs.Triage(r.Context(), n.Spec.Kind, n.Spec.Answers); err != nil {
		return err
	}
	if v.Looked || len(v.Errors) > 0 {
		if v.Looked {
			v.Errors = nil
			if n.Spec.Kind != "" {
				v.Triage = &n.Triage
			}
			if err := d.checkDraft(r.Context(), &v, &n); err != nil {
				return err
			}
		}
		v.Matches = d.find(s, all, n.Name+" "+n.Spec.Description, v.Values.Get("capability"))
		p := web.Page{Title: "Ask for something", Crumbs: []ui.Link{register.Crumb, requestsCrumb}, Error: len(v.Errors) > 0}
		if p.Error {
			p.Status = http.StatusBadRequest
		}
		return d.Render(w, r, s, p, formPage(v))
	}
	if err := d.checkDraft(r.Context(), &v, &n); err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, x := range all {
		taken[x.ID] = true
	}
	n.Taken = func(id string) bool { _, declared := s.Set.Lookup("IntakeRequest", id); return taken[id] || declared }
	var made *gate.Request
	if err := d.Update(r.Context(), func(tx *store.Tx) error { made, err = d.Create(tx, n); return err }); err != nil {
		return err
	}
	flash := "Your request is in. It gets a " + strings.ToLower(reviewNames[made.Spec.Review]) + " review."
	if made.Spec.Decided != nil {
		flash = "Your request is approved: its risk is low."
	}
	d.Mux.Flash(w, flash)
	return web.Redirect(w, r, href(made.ID))
}

// readForm reads a request from the form and says what is wrong with it.
func readForm(s *register.Snapshot, v *asking) (n gate.New) {
	get := func(name string) string { return strings.TrimSpace(v.Values.Get(name)) }
	add := func(field, text string) { v.Errors.Add(field, "%s", text) }
	spec := &n.Spec
	if spec.Kind = get("kind"); kindNames[spec.Kind] == "" {
		spec.Kind = ""
		add("kind", "Choose what you want to do")
	}
	switch n.Name = get("name"); {
	case n.Name == "":
		add("name", "Say in a few words what you need")
	case len(n.Name) > 120:
		add("name", "Keep it under 120 characters")
	}
	spec.Description = get("description")
	checkText(&v.Errors, "description", spec.Description, "Say what it is for")
	if spec.Sponsor = get("sponsor"); spec.Sponsor == "" {
		add("sponsor", "Choose the part of the body that asks")
	} else if _, ok := s.Organisations[spec.Sponsor]; !ok {
		add("sponsor", "Choose a part of the body from the list")
	}
	if id := get("capability"); id != "" {
		if _, ok := s.Capability(id); ok {
			spec.Capabilities = []string{id}
		} else {
			add("capability", "Choose what it is about from the list")
		}
	}
	if id := get("system"); id != "" {
		if _, ok := s.System(id); ok {
			spec.Systems = []string{id}
		} else {
			add("system", "Choose a system from the list")
		}
	} else if spec.Kind == "change" || spec.Kind == "retire" {
		add("system", "Choose the system that you want to change or stop using")
	}
	readAnswers(v, &spec.Answers)
	n.Flows = v.whole("flows", 10_000)
	n.Draft = gate.Draft{Product: cut(get("product"), 200), Hosting: oneOf(get("hosting"), hostings), SignIn: anyOf(v.Values["signIn"], signIns), Clients: anyOf(v.Values["clients"], clients), API: oneOf(get("api"), apis)}
	n.Privacy = gate.Privacy{Data: cut(get("data"), 5000), Why: cut(get("why"), 5000), Risks: cut(get("risks"), 5000), Measure: cut(get("measure"), 5000)}
	if spec.Kind == "pilot" {
		readPilot(s, v, n.Spec.Answers, spec)
	}
	return n
}

func readAnswers(v *asking, a *gate.Answers) {
	for _, q := range questions {
		var x *bool
		switch v.Values.Get(q.name) {
		case "yes":
			x = new(bool)
			*x = true
		case "no":
			x = new(bool)
		}
		switch q.name {
		case "personalData":
			a.PersonalData = x
		case "sensitive":
			a.Sensitive = x
		case "publicFacing":
			a.PublicFacing = x
		case "newSupplier":
			a.NewSupplier = x
		case "novelTech":
			a.NovelTech = x
		case "ai":
			a.AI = x
		case "sensors":
			a.Sensors = x
		}
	}
	a.Users = v.whole("users", 100_000_000)
	if n := v.whole("annualCost", 1_000_000_000); n != nil {
		c := int64(*n)
		a.AnnualCost = &c
	}
}

// whole reads a whole number, written as people write numbers; nil is not known.
func (v *asking) whole(field string, most int) *int {
	text := strings.NewReplacer(",", "", " ", "", "£", "").Replace(v.Values.Get(field))
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		v.Errors.Add(field, "Enter a whole number, like 1200, or leave it empty if nobody knows")
		return nil
	}
	return &n
}

func readPilot(s *register.Snapshot, v *asking, a gate.Answers, spec *gate.RequestSpec) {
	day, err1 := strconv.Atoi(strings.TrimSpace(v.Values.Get("ends-day")))
	month, err2 := strconv.Atoi(strings.TrimSpace(v.Values.Get("ends-month")))
	year, err3 := strconv.Atoi(strings.TrimSpace(v.Values.Get("ends-year")))
	text := ""
	if err1 == nil && err2 == nil && err3 == nil {
		text = strconv.Itoa(year) + "-" + two(month) + "-" + two(day)
	}
	ends, err := def.ParseDate(text)
	switch {
	case v.Values.Get("ends-day")+v.Values.Get("ends-month")+v.Values.Get("ends-year") == "":
		v.Errors.Add("ends-day", "Enter the last day of the pilot")
	case err != nil || ends.IsZero():
		v.Errors.Add("ends-day", "The last day must be a real date")
	case !ends.After(s.Today):
		v.Errors.Add("ends-day", "The last day must be in the future")
	case ends.Sub(s.Today) > gate.MaxPilotDays:
		v.Errors.Add("ends-day", "A pilot ends within a year: choose a day up to %s", ui.DateText(s.Today.AddDays(gate.MaxPilotDays).Time(s.At.Location())))
	default:
		starts := s.Today
		spec.Pilot = &gate.Pilot{Starts: &starts, Ends: &ends}
	}
	if gate.Yes(a.Sensitive) {
		v.Errors.Add("sensitive", "A pilot may not use sensitive data: try it with made-up data, or ask to buy or build it")
	}
}

func two(n int) string {
	if n >= 0 && n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// The choices of a draft, as the kind System has them, in words.
var (
	hostings = []ui.SelectItem{{Value: "", Text: "Not known"}, {Value: "saas", Text: "The supplier runs it for many (software as a service)"}, {Value: "paas", Text: "On a platform that a supplier runs"}, {Value: "public-cloud", Text: "On servers rented in a public cloud"}, {Value: "private-cloud", Text: "In a private cloud"}, {Value: "on-premise", Text: "In our own buildings"}}
	signIns  = []ui.SelectItem{{Value: "oidc", Text: "Our single sign-on (OpenID Connect)"}, {Value: "saml", Text: "Our single sign-on (SAML)"}, {Value: "ldap", Text: "The directory"}, {Value: "password", Text: "Passwords of its own"}}
	clients  = []ui.SelectItem{{Value: "browser", Text: "A browser"}, {Value: "app", Text: "An app on a phone or tablet"}, {Value: "desktop", Text: "A program installed on a computer"}, {Value: "remote-desktop", Text: "A remote desktop"}}
	apis     = []ui.SelectItem{{Value: "", Text: "Not known"}, {Value: "documented", Text: "Yes, and how is published"}, {Value: "undocumented", Text: "Yes, but how is not published"}, {Value: "none", Text: "No"}}
)

func oneOf(v string, items []ui.SelectItem) string {
	if slices.ContainsFunc(items, func(it ui.SelectItem) bool { return it.Value == v }) {
		return v
	}
	return ""
}

func anyOf(vs []string, items []ui.SelectItem) (out []string) {
	for _, it := range items {
		if slices.Contains(vs, it.Value) {
			out = append(out, it.Value)
		}
	}
	return out
}

func choices(items []ui.SelectItem) (out []ui.ChoiceItem) {
	for _, it := range items {
		out = append(out, ui.ChoiceItem{Value: it.Value, Text: it.Text})
	}
	return out
}

const draftID = "sys-draft-request"

// checkDraft holds what the request would add to the same standards as all else:
// what it would not meet, and what others would not meet any more because of it.
func (d *Desk) checkDraft(ctx context.Context, v *asking, n *gate.New) error {
	if d.Draft == nil || !slices.Contains([]string{"buy", "build", "pilot"}, n.Spec.Kind) {
		return nil
	}
	set := asSystem(n.Draft, n.Spec)
	then, problems, err := d.Draft(ctx, "System", draftID, cmp.Or(n.Name, "What is asked for"), set)
	if err != nil {
		return err
	}
	for _, p := range problems {
		v.Problems = append(v.Problems, p.Message)
	}
	if then == nil || then.Outcome == nil {
		n.Failing = append(n.Failing, "draft")
		return nil
	}
	v.Findings = findings(then, draftID)
	for _, f := range v.Findings {
		if f.Standard.Spec.Severity == "must" && (f.Result == standard.Fail || slices.ContainsFunc(f.Missing, func(m standard.Missing) bool { return asked(m.Path) })) {
			n.Failing = append(n.Failing, f.Standard.ID)
		}
	}
	v.Others = newlyFailing(v.S, then)
	return nil
}

// asked reports whether the form asks for what a rule misses: what nobody can
// know before there is such a system keeps nobody from being approved.
func asked(path string) bool {
	return slices.ContainsFunc([]string{"hosting", "auth.methods", "clients"}, func(p string) bool {
		return strings.HasPrefix(strings.TrimPrefix(path, "self."), "spec."+p)
	})
}

// asSystem is a draft as the definition of a system in use, by path.
func asSystem(d gate.Draft, spec gate.RequestSpec) map[string]any {
	set := map[string]any{"description": spec.Description, "organisation": spec.Sponsor, "lifecycle.phase": "live"}
	maps.DeleteFunc(set, func(_ string, v any) bool { return v == "" })
	put := func(path string, v any, given bool) {
		if given {
			set[path] = v
		}
	}
	a := spec.Answers
	put("capabilities", spec.Capabilities, len(spec.Capabilities) > 0)
	put("product", d.Product, d.Product != "")
	put("hosting", d.Hosting, d.Hosting != "")
	put("auth.methods", d.SignIn, len(d.SignIn) > 0)
	put("clients", d.Clients, len(d.Clients) > 0)
	put("api", d.API, d.API != "")
	if a.Users != nil {
		set["users"] = *a.Users
	}
	if a.PersonalData != nil {
		set["data.personal"] = *a.PersonalData
	}
	if a.PublicFacing != nil {
		set["audience"] = map[bool][]string{true: {"public", "staff"}, false: {"staff"}}[*a.PublicFacing]
	}
	switch {
	case gate.Yes(a.Sensitive):
		set["data.class"] = "confidential"
	case a.Sensitive != nil:
		set["data.class"] = "internal"
	}
	return set
}

// findings are the standards that a system does not meet, or of which that is not
// known: what fails first, the weightiest first.
func findings(s *register.Snapshot, system string) []standard.Finding {
	if s.Outcome == nil {
		return nil
	}
	out := slices.DeleteFunc(slices.Clone(s.Outcome.Of("System", system)), func(f standard.Finding) bool {
		return f.Result != standard.Fail && f.Result != standard.Unknown
	})
	rank := func(f standard.Finding) int {
		n := slices.Index([]string{"must", "should", "info"}, f.Standard.Spec.Severity)
		if f.Result == standard.Unknown {
			n += 3
		}
		return n
	}
	slices.SortStableFunc(out, func(a, b standard.Finding) int { return rank(a) - rank(b) })
	return out
}

// newlyFailing are what others fail then and do not fail now.
func newlyFailing(now, then *register.Snapshot) (out []standard.Finding) {
	if now.Outcome == nil {
		return nil
	}
	for i := range then.Outcome.Standings {
		st := &then.Outcome.Standings[i]
		before := map[string]bool{}
		if old, ok := now.Outcome.Standing(st.ID); ok {
			if old.Fail == st.Fail && old.Waived == st.Waived && old.Pass == st.Pass {
				continue
			}
			for _, f := range old.Findings(0, standard.Fail) {
				before[f.Kind+"\x00"+f.ID] = true
			}
		}
		for _, f := range st.Findings(0, standard.Fail) {
			if f.ID != draftID && !before[f.Kind+"\x00"+f.ID] {
				out = append(out, f)
			}
		}
	}
	return out
}

// sponsors are the parts of the body that may ask.
func sponsors(s *register.Snapshot) []ui.SelectItem {
	items := []ui.SelectItem{{Value: "", Text: "Choose one"}}
	for _, o := range def.All[organisation.Spec](s.Set) {
		if s.Ours(o.ID) {
			items = append(items, ui.SelectItem{Value: o.ID, Text: cmp.Or(o.Name, o.ID)})
		}
	}
	return items
}

func capabilities(s *register.Snapshot) []ui.SelectItem {
	items := []ui.SelectItem{{Value: "", Text: "Not sure"}}
	for _, c := range s.Capabilities {
		if len(s.Children(c.ID)) == 0 {
			items = append(items, ui.SelectItem{Value: c.ID, Text: cmp.Or(c.Name, c.ID)})
		}
	}
	slices.SortStableFunc(items[1:], func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return items
}

func systems(s *register.Snapshot) []ui.SelectItem {
	items := []ui.SelectItem{{Value: "", Text: "None"}}
	for _, x := range s.Systems {
		if x.Spec.Phase() != "retired" && s.Ours(x.Spec.Organisation) {
			items = append(items, ui.SelectItem{Value: x.ID, Text: cmp.Or(x.Name, x.ID)})
		}
	}
	return items
}
