// Package person is the register of people known to the body.
//
// A person here is opaque: an id that no other sector gave or knows. What is
// known of them is sealed at rest, and found again by keyed hashes. Two
// descriptions are one person only when that is certain (see compare); what is
// unsure becomes a match for a person to decide, and until then the description
// stands for a person of its own.
//
// People who turn out to be one are merged by alias: both ids go on working and
// resolve to the one that stays. Nothing here is ever logged.
package person

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/identity/blind"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// The standings of a person.
const (
	Living       = "living"
	ReportedDead = "reported-dead" // someone said so; nothing is sent until it is sure
	Dead         = "dead"
)

// Details are what a record says of a person: the JSON that [Register.Find]
// reads and, sealed, what is stored. Dates are civil, "1950-03-04".
type Details struct {
	Name        Name         `json:"name"`
	DateOfBirth string       `json:"dateOfBirth,omitempty"`
	Address     Address      `json:"address,omitzero"`
	Former      []Address    `json:"former,omitempty"`
	Contact     Contact      `json:"contact,omitzero"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Also        []Also       `json:"also,omitempty"` // other names and births that a person found to be theirs
	Died        string       `json:"died,omitempty"` // civil date; only SetStanding writes it
}

// Also is another name and date of birth under which a person was told of.
type Also struct {
	Name        Name   `json:"name"`
	DateOfBirth string `json:"dateOfBirth,omitempty"`
}

// Name of a person.
type Name struct {
	Given  string `json:"given"`
	Family string `json:"family"`
}

func (n Name) String() string { return strings.TrimSpace(n.Given + " " + n.Family) }

// Address of a person.
type Address struct {
	Lines    []string `json:"lines,omitempty"`
	Town     string   `json:"town,omitempty"`
	Postcode string   `json:"postcode,omitempty"`
}

func (a Address) String() string {
	return strings.Join(slices.DeleteFunc(append(slices.Clone(a.Lines), a.Town, a.Postcode), func(s string) bool { return s == "" }), ", ")
}

// line is the street and town for comparing, "" when the street is not known.
func (a Address) line() string {
	l := fold(strings.Join(a.Lines, ""))
	if l == "" {
		return ""
	}
	return l + "|" + fold(a.Town)
}

// Contact is how a person wants to be reached.
type Contact struct {
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Identifier is a number that someone gave to a person; System says who.
type Identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// spellings are d under each name and date of birth that is known to be theirs.
func (d Details) spellings() []Details {
	all := []Details{d}
	for _, a := range d.Also {
		s := d
		s.Name, s.DateOfBirth = a.Name, a.DateOfBirth
		all = append(all, s)
	}
	return all
}

func (d Details) addresses() []Address { return append([]Address{d.Address}, d.Former...) }

// Match asks a person whether Person is one of the candidates.
type Match struct {
	ID        int64
	Person    reeve.PersonID // as told, until decided a person of its own
	Why       string         // a code; see whyText
	Source    string         // who told, an Organisation id or "staff/3"
	State     string         // "open", "same" or "different"
	SameAs    reeve.PersonID
	Opened    time.Time
	Decided   time.Time
	DecidedBy string
}

// Ref is how journal and events name the match.
func (m Match) Ref() reeve.Ref { return matchRef(m.ID) }

func matchRef(id int64) reeve.Ref { return reeve.Ref(fmt.Sprintf("match/%d", id)) }

type candidate struct {
	id  reeve.PersonID
	why string
}

// Options of a register.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Bus     *bus.Bus
	Blind   *blind.Index
	Own     []string // systems of identifiers that this body gives
}

// Register is the register of people.
type Register struct {
	db    *store.DB
	keys  *seal.Keys
	log   *journal.Journal
	bus   *bus.Bus
	blind *blind.Index
	rules rules
}

// Open opens the register in o.DB.
func Open(ctx context.Context, o Options) (*Register, error) {
	r := &Register{db: o.DB, keys: o.Keys, log: o.Journal, bus: o.Bus, blind: o.Blind, rules: rules{own: map[string]bool{}}}
	for _, s := range o.Own {
		r.rules.own[s] = true
	}
	return r, o.DB.Migrate(ctx, "identity/person", migrations)
}

// Find returns the person whom told (JSON of [Details]; other fields are not
// looked at) describes, who is new if nobody fits. While match is not 0, a
// person has yet to decide whether id is someone we know: keep what it was asked
// for, and ask again when the event "person.matched" comes about that match.
// Source is who told us, without personal data.
func (r *Register) Find(tx *store.Tx, told json.RawMessage, source string) (id reeve.PersonID, match int64, err error) {
	var d Details
	if err := json.Unmarshal(told, &d); err != nil {
		return "", 0, reeve.E(reeve.Invalid, "identity.person.Find", "the person cannot be read: they are described by name, dateOfBirth and address")
	}
	d.Former, d.Also, d.Died = nil, nil, ""
	if d.Identifiers = slices.DeleteFunc(d.Identifiers, func(i Identifier) bool { return !r.rules.own[i.System] }); len(d.Identifiers) == 0 {
		d.Identifiers = nil
	}
	if fold(d.Name.Family+d.Name.Given) == "" {
		return "", 0, reeve.E(reeve.Invalid, "identity.person.Find", "the person has no name")
	}
	if d.DateOfBirth != "" {
		if _, err := time.Parse(time.DateOnly, d.DateOfBirth); err != nil {
			return "", 0, reeve.E(reeve.Invalid, "identity.person.Find", "the date of birth is not a date: write it like 1950-03-04")
		}
	}
	return r.find(tx, d, source)
}

func (r *Register) find(tx *store.Tx, d Details, source string) (reeve.PersonID, int64, error) {
	same, unsure, err := r.candidates(tx, d)
	if err != nil {
		return "", 0, err
	}
	if len(same) == 1 {
		id := same[0].id
		if err := r.learn(tx, id, d); err != nil {
			return "", 0, err
		}
		match, err := openMatchOf(tx, id)
		return id, match, err
	}
	id := reeve.PersonID("p-" + strings.ToLower(rand.Text()[:20]))
	if err := r.save(tx, id, d, true); err != nil {
		return "", 0, err
	}
	why := ""
	if len(same) > 1 {
		unsure, why = append(same, unsure...), "several"
	}
	if len(unsure) == 0 {
		return id, 0, nil
	}
	if why == "" {
		why = unsure[0].why
	}
	match, err := insertMatch(tx, id, why, source)
	if err != nil {
		return "", 0, err
	}
	for _, c := range unsure {
		if err := addCandidate(tx, match, c.id, c.why); err != nil {
			return "", 0, err
		}
	}
	if err := r.note(tx, "person", "asked whether two people are one", id, matchRef(match), why); err != nil {
		return "", 0, err
	}
	_, err = r.bus.Emit(tx, reeve.Event{Type: "person.unsure", Subject: id, About: matchRef(match)})
	return id, match, err
}

// candidates compares d with everybody who shares a hash with it.
func (r *Register) candidates(tx *store.Tx, d Details) (same, unsure []candidate, err error) {
	seen := map[reeve.PersonID]bool{}
	for _, h := range r.hashes(d) {
		ids, err := byKey(tx, h)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			known, err := r.details(tx, id)
			if err != nil {
				return nil, nil, err
			}
			best, code := Different, ""
			for _, k := range known.spellings() {
				if v, why := r.rules.compare(k, d); v > best {
					best, code = v, why
				}
			}
			switch best {
			case Same:
				same = append(same, candidate{id, code})
			case Unsure:
				unsure = append(unsure, candidate{id, code})
			}
		}
	}
	return same, unsure, nil
}

// hashes are the keys under which d is found: whoever compare does not find
// Different shares at least one of them.
func (r *Register) hashes(d Details) (hs []string) {
	for _, s := range d.spellings() {
		hs = append(hs, r.hash(s)...)
	}
	slices.Sort(hs)
	return slices.Compact(hs)
}

func (r *Register) hash(d Details) (hs []string) {
	first, _ := given(d.Name)
	name := first + "|" + fold(d.Name.Family)
	if d.DateOfBirth != "" {
		hs = append(hs, r.blind.Hash("name-birth", name, d.DateOfBirth))
	}
	for _, a := range d.addresses() {
		for kind, place := range map[string]string{"postcode": fold(a.Postcode), "line": a.line()} {
			if place == "" {
				continue
			}
			hs = append(hs, r.blind.Hash("name-"+kind, name, place))
			if d.DateOfBirth != "" {
				hs = append(hs, r.blind.Hash("birth-"+kind, d.DateOfBirth, place))
			}
		}
	}
	for _, i := range d.Identifiers {
		hs = append(hs, r.blind.Hash("identifier", i.System, fold(i.Value)))
	}
	return hs
}

// learn adds to what is known of id: an address we did not have, a newer contact,
// another number of ours.
func (r *Register) learn(tx *store.Tx, id reeve.PersonID, d Details) error {
	known, err := r.details(tx, id)
	if err != nil {
		return err
	}
	before, _ := json.Marshal(known)
	known.add(d)
	if after, _ := json.Marshal(known); string(after) == string(before) {
		return nil
	}
	return r.save(tx, id, known, false)
}

func (d *Details) add(more Details) {
	if d.DateOfBirth == "" {
		d.DateOfBirth = more.DateOfBirth
	}
	if len(more.Name.Given) > len(d.Name.Given) && sameName(d.Name, more.Name) {
		d.Name.Given = more.Name.Given
	}
	for _, a := range more.addresses() {
		if a.String() == "" {
			continue
		}
		if same, _ := sameAddress(*d, Details{Address: a}); same {
			if d.Address.Postcode == "" && a.line() == d.Address.line() {
				d.Address.Postcode = a.Postcode
			}
			continue
		}
		if d.Address.String() != "" && len(d.Former) < 20 {
			d.Former = append(d.Former, d.Address)
		}
		d.Address = a
	}
	if more.Contact.Email != "" {
		d.Contact.Email = more.Contact.Email
	}
	if more.Contact.Phone != "" {
		d.Contact.Phone = more.Contact.Phone
	}
	for _, i := range more.Identifiers {
		if !slices.Contains(d.Identifiers, i) {
			d.Identifiers = append(d.Identifiers, i)
		}
	}
}

func (r *Register) save(tx *store.Tx, id reeve.PersonID, d Details, fresh bool) error {
	plain, err := json.Marshal(d)
	if err != nil {
		return err
	}
	sealed, err := r.keys.Seal(plain, []byte("person/"+id))
	if err != nil {
		return err
	}
	if fresh {
		err = insertPerson(tx, id, sealed)
	} else {
		err = setSealed(tx, id, sealed)
	}
	if err != nil {
		return err
	}
	for _, h := range r.hashes(d) {
		if err := addKey(tx, h, id); err != nil {
			return err
		}
	}
	return nil
}

// details returns what is known of id, aliases resolved.
func (r *Register) details(tx *store.Tx, id reeve.PersonID) (d Details, err error) {
	p, err := r.resolve(tx, id)
	if err != nil {
		return d, err
	}
	return r.open(p)
}

func (r *Register) open(p row) (d Details, err error) {
	plain, err := r.keys.Open(p.sealed, []byte("person/"+p.id))
	if err != nil {
		return d, fmt.Errorf("identity/person: opening %s: %w", p.id, err)
	}
	return d, json.Unmarshal(plain, &d)
}

func (r *Register) resolve(tx *store.Tx, id reeve.PersonID) (row, error) {
	p, err := getPerson(tx, id)
	if err == nil && p.alias != "" {
		p, err = getPerson(tx, p.alias)
	}
	return p, err
}

func (r *Register) note(tx *store.Tx, actor, verb string, p reeve.PersonID, about reeve.Ref, why ...string) error {
	c, err := r.log.Commitment(tx, p)
	if err != nil {
		return err
	}
	_, err = r.log.Append(tx, journal.Entry{Actor: actor, Verb: verb, Subject: c, About: about, Why: why})
	return err
}
