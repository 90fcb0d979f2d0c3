package person

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Standing returns [Living], [ReportedDead] or [Dead].
func (r *Register) Standing(tx *store.Tx, id reeve.PersonID) (string, error) {
	p, err := r.resolve(tx, id)
	return p.standing, err
}

// SetStanding says that the person lives, is reported dead or is dead; on is the
// civil date of death, "" if they live or it is not known. The caller journals why.
func (r *Register) SetStanding(tx *store.Tx, id reeve.PersonID, standing, on string) error {
	switch standing {
	case Living, ReportedDead, Dead:
	default:
		return reeve.E(reeve.Invalid, "identity.person.SetStanding", "%q is not a standing", standing)
	}
	p, err := r.resolve(tx, id)
	if err != nil {
		return err
	}
	d, err := r.open(p)
	if err != nil || p.standing == standing && d.Died == on {
		return err
	}
	d.Died = on
	if err := r.save(tx, p.id, d, false); err != nil {
		return err
	}
	return setStanding(tx, p.id, standing)
}

// Name returns the full name.
func (r *Register) Name(tx *store.Tx, id reeve.PersonID) (string, error) {
	d, err := r.details(tx, id)
	return d.Name.String(), err
}

// GivenName returns the first name alone, for pages that show as little as they can.
func (r *Register) GivenName(tx *store.Tx, id reeve.PersonID) (string, error) {
	d, err := r.details(tx, id)
	first, _, _ := strings.Cut(d.Name.Given, " ")
	return first, err
}

// Born returns the civil date of birth, "" when it is not known.
func (r *Register) Born(tx *store.Tx, id reeve.PersonID) (string, error) {
	d, err := r.details(tx, id)
	return d.DateOfBirth, err
}

// Contact returns the ways to reach the person, each "" when not known; letter
// is the name and address, one line each.
func (r *Register) Contact(tx *store.Tx, id reeve.PersonID) (email, phone, letter string, err error) {
	d, err := r.details(tx, id)
	if err != nil {
		return "", "", "", err
	}
	if a := d.Address.String(); a != "" {
		lines := append([]string{d.Name.String()}, d.Address.Lines...)
		for _, l := range []string{d.Address.Town, d.Address.Postcode} {
			if l != "" {
				lines = append(lines, l)
			}
		}
		letter = strings.Join(lines, "\n")
	}
	return d.Contact.Email, d.Contact.Phone, letter, nil
}

// Describe returns all that is known, as JSON of [Details], for a page that may
// show it.
func (r *Register) Describe(tx *store.Tx, id reeve.PersonID) (json.RawMessage, error) {
	d, err := r.details(tx, id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// OpenMatches counts the matches that wait for a person.
func (r *Register) OpenMatches(tx *store.Tx) (int, error) { return countOpen(tx) }

// Decide answers a match: sameAs is a candidate, or "" when the person told of is
// somebody else. It answers once; a second answer is a Conflict. The event
// "person.matched" tells those who wait.
func (r *Register) Decide(tx *store.Tx, by string, match int64, sameAs reeve.PersonID) error {
	m, err := getMatch(tx, match)
	if err != nil {
		return err
	}
	if m.State != "open" {
		return reeve.E(reeve.Conflict, "identity.person.Decide", "this was already decided: %s", m.State)
	}
	if sameAs == "" {
		return r.decided(tx, by, m, "different", "")
	}
	cs, err := candidates(tx, match)
	if err != nil {
		return err
	}
	for _, c := range cs {
		if c.id != sameAs {
			continue
		}
		into, err := r.merge(tx, m.Person, sameAs)
		if err != nil {
			return err
		}
		return r.decided(tx, by, m, "same", into)
	}
	return reeve.E(reeve.Invalid, "identity.person.Decide", "choose one of the people shown, or say that it is somebody else")
}

func (r *Register) decided(tx *store.Tx, by string, m Match, state string, same reeve.PersonID) error {
	if err := decideMatch(tx, m.ID, state, same, by); err != nil {
		return err
	}
	if err := r.note(tx, by, "decided a match: "+state, m.Person, m.Ref(), m.Why); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"decision": state, "into": string(same)})
	if err != nil {
		return err
	}
	_, err = r.bus.Emit(tx, reeve.Event{Type: "person.matched", Subject: m.Person, About: m.Ref(), Body: body})
	return err
}

// merge makes from an alias of into and returns the person that stays.
func (r *Register) merge(tx *store.Tx, from, into reeve.PersonID) (reeve.PersonID, error) {
	f, err := r.resolve(tx, from)
	if err != nil {
		return "", err
	}
	i, err := r.resolve(tx, into)
	if err != nil || f.id == i.id {
		return i.id, err
	}
	fd, err := r.open(f)
	if err != nil {
		return "", err
	}
	id, err := r.open(i)
	if err != nil {
		return "", err
	}
	id.add(fd)
	for _, f := range fd.spellings() {
		if a := (Also{f.Name, f.DateOfBirth}); (a != Also{id.Name, id.DateOfBirth}) && !slices.Contains(id.Also, a) {
			id.Also = append(id.Also, a)
		}
	}
	if err := setAlias(tx, f.id, i.id); err != nil {
		return "", err
	}
	if err := dropKeys(tx, f.id); err != nil {
		return "", err
	}
	worse := rank(f.standing) > rank(i.standing)
	if worse {
		id.Died = fd.Died
	}
	if err := r.save(tx, i.id, id, false); err != nil {
		return "", err
	}
	if worse {
		err = setStanding(tx, i.id, f.standing)
	}
	return i.id, err
}

func rank(standing string) int {
	switch standing {
	case Dead:
		return 2
	case ReportedDead:
		return 1
	}
	return 0
}
