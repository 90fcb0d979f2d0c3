package eligibility

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// award is a record of an award of a benefit to a household. Dates are civil,
// income is in pence a year, absent while it is not known.
type award struct {
	Award    string `json:"award"`
	Benefit  string `json:"benefit"`
	Starts   string `json:"starts"`
	Ends     string `json:"ends"`
	Claimant struct {
		described
		Email string `json:"email"`
		Phone string `json:"phone"`
	} `json:"claimant"`
	Household struct {
		Address  json.RawMessage `json:"address"`
		Income   *int64          `json:"income"`
		Children []described     `json:"children"`
	} `json:"household"`
}

type described struct {
	Name        json.RawMessage `json:"name"`
	DateOfBirth string          `json:"dateOfBirth,omitempty"`
}

// person is how identity is told of someone.
func (p described) person(address json.RawMessage, email, phone string) (json.RawMessage, error) {
	type contact struct {
		Email string `json:"email,omitempty"`
		Phone string `json:"phone,omitempty"`
	}
	return json.Marshal(struct {
		described
		Address json.RawMessage `json:"address,omitempty"`
		Contact contact         `json:"contact"`
	}{p, address, contact{email, phone}})
}

// Receive takes awards that a flow delivers inside this program. Each stands for
// itself: a problem with one is told by its index and touches no other.
func (d *Desk) Receive(tx *store.Tx, all []reeve.Delivered) (map[int]string, error) {
	problems := map[int]string{}
	for i, r := range all {
		err := tx.Savepoint(func() error { return d.take(tx, r.Record, r.N, r.Sender, r.Body) })
		switch {
		case err == nil:
		case tx.Ctx.Err() != nil:
			return nil, err
		case reeve.KindOf(err) == reeve.Fault:
			d.o.Log.Error("an award could not be taken in", "record", r.Record, "error", err)
			problems[i] = "it could not be taken in because of a fault here; the log has the details"
		default:
			problems[i] = reeve.Message(err)
		}
	}
	return problems, nil
}

func (d *Desk) take(tx *store.Tx, record reeve.RecordID, n int64, source string, body json.RawMessage) error {
	const op = "services.eligibility.Receive"
	var a award
	if err := json.Unmarshal(body, &a); err != nil {
		return reeve.E(reeve.Invalid, op, "it is not an award: a field has the wrong type")
	}
	if a.Award == "" || len(a.Claimant.Name) == 0 {
		return reeve.E(reeve.Invalid, op, "an award has a number (award) and a claimant")
	}
	told, err := a.Claimant.person(a.Household.Address, a.Claimant.Email, a.Claimant.Phone)
	if err != nil {
		return err
	}
	claimant, match, err := d.o.People.Find(tx, told, source)
	if err != nil {
		return err
	}
	if match != 0 {
		return d.wait(tx, match, record, n, source, body)
	}
	household, err := householdOf(tx, claimant)
	if err != nil {
		return err
	}
	if household == "" {
		household = newHouseholdID()
		if err := insertHousehold(tx, household, claimant); err != nil {
			return err
		}
	}
	newest, err := latestFact(tx, household)
	if err != nil {
		return err
	}
	if n >= newest { // an older award that comes late says nothing of who lives there now
		if err := d.takeMembers(tx, a, household, claimant, record, n, source, body); err != nil {
			return err
		}
	}
	facts := map[string]any{"reference": a.Award, "benefit": a.Benefit, "starts": a.Starts}
	if a.Ends != "" {
		facts["ends"] = a.Ends
	}
	if err := d.setFact(tx, household, "award", facts, "record/"+string(record), n); err != nil {
		return err
	}
	if a.Household.Income != nil {
		if err := d.setFact(tx, household, "household.income", *a.Household.Income, "record/"+string(record), n); err != nil {
			return err
		}
	}
	s, err := d.o.Journal.Commitment(tx, claimant)
	if err != nil {
		return err
	}
	if _, err := d.o.Journal.Append(tx, journal.Entry{Actor: "eligibility", Verb: "took in an award", Subject: s, About: reeve.Ref("record/" + string(record))}); err != nil {
		return err
	}
	return d.assess(tx, household)
}

func (d *Desk) takeMembers(tx *store.Tx, a award, household string, claimant reeve.PersonID, record reeve.RecordID, n int64, source string, body json.RawMessage) error {
	if err := putMember(tx, household, member{claimant, "claimant", n}); err != nil {
		return err
	}
	for _, c := range a.Household.Children {
		told, err := c.person(a.Household.Address, "", "")
		if err != nil {
			return err
		}
		child, match, err := d.o.People.Find(tx, told, source)
		if err != nil {
			return err
		}
		if match != 0 { // the others go on; this child when a person has decided who it is
			if err := d.wait(tx, match, record, n, source, body); err != nil {
				return err
			}
			continue
		}
		if err := putMember(tx, household, member{child, "child", n}); err != nil {
			return err
		}
	}
	return dropMembers(tx, household, n)
}

func (d *Desk) wait(tx *store.Tx, match int64, record reeve.RecordID, n int64, source string, body json.RawMessage) error {
	sealed, err := d.o.Keys.Seal(body, []byte("award_waiting/"+string(record)))
	if err != nil {
		return err
	}
	return putWaiting(tx, match, waiting{record, n, source, sealed, tx.Now})
}

// onMatched goes on with what waited for a person to decide who is meant.
func (d *Desk) onMatched(tx *store.Tx, ev reeve.Event) error {
	match, err := strconv.ParseInt(strings.TrimPrefix(string(ev.About), "match/"), 10, 64)
	if err != nil {
		return fmt.Errorf("services/eligibility: %q is not a match", ev.About)
	}
	var body struct {
		Into reeve.PersonID `json:"into"`
	}
	if err := json.Unmarshal(ev.Body, &body); err != nil {
		return err
	}
	if body.Into != "" {
		if err := d.Repoint(tx, ev.Subject, body.Into); err != nil {
			return err
		}
	}
	ws, err := takeWaiting(tx, match)
	if err != nil {
		return err
	}
	for _, w := range ws {
		plain, err := d.o.Keys.Open(w.sealed, []byte("award_waiting/"+string(w.record)))
		if err != nil {
			return err
		}
		if err := d.take(tx, w.record, w.n, w.source, plain); err != nil {
			return err
		}
	}
	return nil
}

// Record keeps a fact that staff were told, and looks again at the household.
// What a later record says wins over it.
func (d *Desk) Record(tx *store.Tx, by string, id int64, name string, value any) error {
	a, found, err := getAssessment(tx, id)
	if err != nil {
		return err
	}
	if !found {
		return reeve.E(reeve.NotFound, "services.eligibility.Record", "there is no entitlement %d", id)
	}
	n, err := latestFact(tx, a.Household)
	if err != nil {
		return err
	}
	if err := d.setFact(tx, a.Household, name, value, by, n); err != nil {
		return err
	}
	if err := d.noteAbout(tx, by, "recorded a fact", a, name); err != nil {
		return err
	}
	return d.assess(tx, a.Household)
}
