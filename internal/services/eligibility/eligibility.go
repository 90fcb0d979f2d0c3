// Package eligibility finds out what people are entitled to: yes, no, or what is
// still unknown, each with its reasons in plain words.
//
// Facts come from records (awards of benefits) and from what staff were told;
// each fact keeps its source, and the newest record wins whatever order they
// arrive in. Rules are looked at again when a fact changes, when the definitions
// change, and once a day, because people grow older. Nobody loses anything by
// program: someone who is enrolled and no longer seems entitled becomes a case.
package eligibility

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/casework"
	"github.com/reeve-civic/reeve/internal/services/enrolment"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

//go:embed *.sql
var migrations embed.FS

// People is what this room asks of identity. Find takes a person as a record
// describes them; while match is not 0 a person has yet to decide who they are.
type People interface {
	Find(tx *store.Tx, told json.RawMessage, source string) (id reeve.PersonID, match int64, err error)
	Standing(tx *store.Tx, id reeve.PersonID) (string, error)
	Born(tx *store.Tx, id reeve.PersonID) (string, error)
	Name(tx *store.Tx, id reeve.PersonID) (string, error)
}

// Options of a desk.
type Options struct {
	DB        *store.DB
	Keys      *seal.Keys
	Journal   *journal.Journal
	Bus       *bus.Bus
	Defs      *def.Live
	People    People
	Enrolment *enrolment.Desk
	Cases     *casework.Desk
	Notify    *notify.Desk
	Log       *slog.Logger
	Zone      *time.Location
}

// Assessment is what a rule came to for one person in one household.
type Assessment struct {
	ID        int64
	Benefit   string
	Person    reeve.PersonID
	Household string
	Outcome   string
	Missing   []string
	Day       string // civil date it was last looked at
	Changed   time.Time
	Set       string
	sealed    []byte
}

// Ref is how journal and events name it.
func (a Assessment) Ref() reeve.Ref { return reeve.Ref(fmt.Sprintf("entitlement/%d", a.ID)) }

// catalogue is the benefits of a set of definitions.
type catalogue struct {
	benefits []*benefit
	hash     string
}

// Desk assesses.
type Desk struct {
	o   Options
	cat atomic.Pointer[catalogue]
}

// Open opens the desk.
func Open(ctx context.Context, o Options) (*Desk, error) {
	d := &Desk{o: o}
	d.cat.Store(&catalogue{})
	if err := o.DB.Migrate(ctx, "services/eligibility", migrations); err != nil {
		return nil, err
	}
	problems := o.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) {
		bs, problems := compile(s)
		return func() { d.cat.Store(&catalogue{bs, s.Hash()}) }, problems
	})
	if len(problems) > 0 {
		return nil, reeve.E(reeve.Invalid, "services.eligibility.Open", "%v", problems[0])
	}
	o.Bus.Subscribe("services/eligibility", []string{"person.matched"}, d.onMatched)
	return d, nil
}

func (c *catalogue) get(id string) *benefit {
	for _, b := range c.benefits {
		if b.id == id {
			return b
		}
	}
	return nil
}

// Terms returns how people are enrolled for a benefit, for [enrolment.Options].
func (d *Desk) Terms(id string) (enrolment.Terms, bool) {
	cat := d.cat.Load()
	b := cat.get(id)
	if b == nil {
		return enrolment.Terms{}, false
	}
	e := b.spec.Enrol
	return enrolment.Terms{Benefit: b.id, Name: b.name, Notice: e.Notice.D(), Choose: e.Choose.D(), Templates: e.Templates, Set: cat.hash, Help: b.spec.Help}, true
}

// Step looks again at households that were not looked at today, or not under the
// definitions in force. A worker calls it.
func (d *Desk) Step(ctx context.Context) (did int, err error) {
	var ids []string
	find := func(tx *store.Tx) error {
		ids, err = toAssess(tx, d.today(tx.Now), d.cat.Load().hash, 50)
		return err
	}
	if err := d.o.DB.View(ctx, find); err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, id := range ids {
		err := d.o.DB.Update(ctx, func(tx *store.Tx) error { return d.assess(tx, id) })
		if err != nil { // one household holds up no other; it is tried again tomorrow
			d.o.Log.Error("a household could not be assessed", "household", id, "error", err)
			err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
				return setAssessed(tx, id, d.today(tx.Now), d.cat.Load().hash)
			})
		}
		if err != nil {
			return did, err
		}
		did++
	}
	return did, nil
}

func (d *Desk) today(now time.Time) string { return now.In(d.o.Zone).Format(time.DateOnly) }

// assess looks at every benefit for everybody in the household.
func (d *Desk) assess(tx *store.Tx, household string) error {
	cat := d.cat.Load()
	ms, err := members(tx, household)
	if err != nil {
		return err
	}
	claimant, err := claimantOf(tx, household)
	if err != nil {
		return err
	}
	base, err := d.knownFacts(tx, household, ms)
	if err != nil {
		return err
	}
	for _, b := range cat.benefits {
		for _, m := range ms {
			if m.role != b.spec.For {
				continue
			}
			s, err := d.o.People.Standing(tx, m.person)
			if err != nil {
				return err
			}
			if s != "living" {
				continue
			}
			if err := d.assessOne(tx, cat, b, household, claimant, m.person, base); err != nil {
				return err
			}
		}
	}
	return setAssessed(tx, household, d.today(tx.Now), cat.hash)
}

// knownFacts are the variables of rules but for the person.
func (d *Desk) knownFacts(tx *store.Tx, household string, ms []member) (map[string]any, error) {
	children := 0
	for _, m := range ms {
		if m.role == "child" {
			children++
		}
	}
	today, err := def.ParseDate(d.today(tx.Now))
	if err != nil {
		return nil, err
	}
	vars := map[string]any{"today": today}
	house, award := map[string]any{"children": int64(children)}, map[string]any(nil)
	fs, err := facts(tx, household)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		v, err := d.openFact(household, f)
		if err != nil {
			return nil, err
		}
		switch f.name {
		case "household.income":
			house["income"] = v
		case "award":
			award, _ = v.(map[string]any)
		}
	}
	vars["household"] = house
	if award != nil {
		vars["award"] = award
	}
	return vars, nil
}

func (d *Desk) openFact(household string, f fact) (any, error) {
	plain, err := d.o.Keys.Open(f.sealed, factAAD(household, f.name))
	if err != nil {
		return nil, fmt.Errorf("services/eligibility: opening a fact of %s: %w", household, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(plain)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if n, ok := v.(json.Number); ok {
		return n.Int64()
	}
	return v, nil
}

func (d *Desk) setFact(tx *store.Tx, household, name string, v any, source string, n int64) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sealed, err := d.o.Keys.Seal(plain, factAAD(household, name))
	if err != nil {
		return err
	}
	return putFact(tx, household, fact{name: name, sealed: sealed, source: source, n: n, at: tx.Now})
}

func factAAD(household, name string) []byte { return []byte("household/" + household + "/" + name) }

func (d *Desk) assessOne(tx *store.Tx, cat *catalogue, b *benefit, household string, claimant, p reeve.PersonID, base map[string]any) error {
	vars := map[string]any{}
	for k, v := range base {
		vars[k] = v
	}
	person := map[string]any{}
	born, err := d.o.People.Born(tx, p)
	if err != nil {
		return err
	}
	if born != "" {
		person["dateOfBirth"] = born
	}
	vars["person"] = person
	ans, err := b.assess(tx.Ctx, vars)
	if err != nil {
		return err
	}
	was, found, err := findAssessment(tx, b.id, p, household)
	if err != nil {
		return err
	}
	changed := !found || was.Outcome != ans.Outcome || !slices.Equal(was.Missing, ans.Missing)
	a := Assessment{ID: was.ID, Benefit: b.id, Person: p, Household: household, Outcome: ans.Outcome, Missing: ans.Missing, Day: d.today(tx.Now), Changed: was.Changed, Set: cat.hash}
	if changed {
		a.Changed = tx.Now
	}
	plain, err := json.Marshal(ans)
	if err != nil {
		return err
	}
	if a.sealed, err = d.o.Keys.Seal(plain, answerAAD(a)); err != nil {
		return err
	}
	if a.ID, err = putAssessment(tx, a); err != nil {
		return err
	}
	if changed {
		if err := d.tellChange(tx, a, ans); err != nil {
			return err
		}
	}
	return d.follow(tx, b, a, ans, was.Outcome, claimant)
}

func answerAAD(a Assessment) []byte {
	return []byte("assessment/" + a.Benefit + "/" + string(a.Person) + "/" + a.Household)
}

func (d *Desk) openAnswer(a Assessment) (ans Answer, err error) {
	plain, err := d.o.Keys.Open(a.sealed, answerAAD(a))
	if err != nil {
		// After a merge the row belongs to another person than it was sealed for;
		// it is sealed anew when it is next assessed.
		return Answer{Outcome: a.Outcome, Missing: a.Missing}, nil
	}
	return ans, json.Unmarshal(plain, &ans)
}

func (d *Desk) tellChange(tx *store.Tx, a Assessment, ans Answer) error {
	why := []string{}
	for _, r := range ans.Reasons {
		why = append(why, r.Name+"="+r.Truth)
	}
	for _, m := range ans.Missing {
		why = append(why, "missing "+m)
	}
	verb := map[string]string{Yes: "found entitled to ", No: "found not entitled to ", Unknown: "cannot tell yet about "}[a.Outcome] + a.Benefit
	if err := d.noteAbout(tx, "eligibility", verb, a, why...); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"benefit": a.Benefit, "outcome": a.Outcome})
	if err != nil {
		return err
	}
	_, err = d.o.Bus.Emit(tx, reeve.Event{Type: "eligibility.changed", Subject: a.Person, About: a.Ref(), Body: body})
	return err
}

// follow does what an answer calls for: enrol, ask, or have a person look.
func (d *Desk) follow(tx *store.Tx, b *benefit, a Assessment, ans Answer, was string, claimant reeve.PersonID) error {
	switch {
	case ans.Outcome == Yes && b.spec.Enrol.How == "automatic":
		s, err := d.o.People.Standing(tx, claimant)
		if err != nil {
			return err
		}
		if s != "living" { // nobody may be enrolled without being told
			return d.review(tx, b, a, "The person who claimed cannot be told: decide who should be, and enrol the child.")
		}
		t, _ := d.Terms(b.id)
		_, err = d.o.Enrolment.Enrol(tx, t, a.Person, claimant, a.Household)
		return err
	case ans.Outcome == Unknown && len(b.spec.Ask) > 0:
		var what, how []string
		for _, n := range b.needs(ans.Missing) {
			what, how = append(what, n.Name), append(how, n.How)
		}
		_, err := d.o.Notify.Queue(tx, notify.Order{
			Templates: b.spec.Ask, To: claimant, Of: a.Person, About: reeve.Ref("household/" + a.Household),
			Once:   "ask " + b.id + " " + a.Household + " " + strings.Join(ans.Missing, " "),
			Fields: map[string]string{"benefit": b.name, "what": strings.Join(what, "; "), "how": strings.Join(how, " "), "help": b.spec.Help},
		})
		return err
	case was == Yes:
		return d.review(tx, b, a, "What we know has changed: this person may no longer be entitled. Nothing was stopped.")
	}
	return nil
}

// review opens a case, unless the person is entitled in another household or is
// not enrolled.
func (d *Desk) review(tx *store.Tx, b *benefit, a Assessment, why string) error {
	if b.spec.Review == "" {
		return nil
	}
	if a.Outcome != Yes {
		all, err := ofPerson(tx, a.Person)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Benefit == a.Benefit && o.Outcome == Yes {
				return nil
			}
		}
		es, err := d.o.Enrolment.Of(tx, a.Person)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(es, func(e enrolment.Enrolment) bool {
			return e.Benefit == a.Benefit && (e.State == enrolment.Active || e.State == enrolment.Notice)
		}) {
			return nil
		}
	}
	_, err := d.o.Cases.Open(tx, "eligibility", casework.New{Type: b.spec.Review, Person: a.Person, About: a.Ref(), Once: fmt.Sprintf("%s %s %d", b.spec.Review, a.Ref(), a.Changed.UnixMilli()), Why: why})
	return err
}

// noteAbout journals that somebody did something with an assessment.
func (d *Desk) noteAbout(tx *store.Tx, by, verb string, a Assessment, why ...string) error {
	s, err := d.o.Journal.Commitment(tx, a.Person)
	if err != nil {
		return err
	}
	_, err = d.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, Subject: s, About: a.Ref(), Set: a.Set, Why: why})
	return err
}

// Counts of assessments by outcome.
func (d *Desk) Counts(tx *store.Tx) (map[string]int, error) { return counts(tx) }

// Of returns the assessments of a person.
func (d *Desk) Of(tx *store.Tx, p reeve.PersonID) ([]Assessment, error) { return ofPerson(tx, p) }

// Repoint makes what is known of one person that of another, after a merge.
func (d *Desk) Repoint(tx *store.Tx, from, to reeve.PersonID) error {
	if err := repoint(tx, from, to); err != nil {
		return err
	}
	return touchHouseholds(tx, to)
}

// Touch has the person's households looked at again soon.
func (d *Desk) Touch(tx *store.Tx, p reeve.PersonID) error { return touchHouseholds(tx, p) }

func newHouseholdID() string { return "h-" + strings.ToLower(rand.Text()[:20]) }
