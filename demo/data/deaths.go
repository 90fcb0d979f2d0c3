package data

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"
)

// The two standings of an entry in the register of deaths.
const (
	Registered      = "registered"
	ReportedInError = "reported-in-error"
)

// Death is one entry in the register of deaths, as the register office sends it.
type Death struct {
	Registration string     `json:"registration"`
	Status       string     `json:"status"`
	RegisteredOn string     `json:"registeredOn"`
	District     string     `json:"district"`
	DateOfDeath  string     `json:"dateOfDeath"`
	Deceased     Deceased   `json:"deceased"`
	Informant    *Informant `json:"informant,omitempty"`
}

// Deceased is the person whose death is registered.
type Deceased struct {
	Name        Name    `json:"name"`
	DateOfBirth string  `json:"dateOfBirth"`
	Sex         string  `json:"sex"`
	Address     Address `json:"address"`
}

// Informant is whoever registered the death.
type Informant struct {
	Name         Name   `json:"name"`
	Relationship string `json:"relationship"`
	Email        string `json:"email"`
}

// day is the layout of a civil date.
const day = "2006-01-02"

// History makes the register's entries for the patients who have died: what the
// register office would have sent at the time. They are numbered within a year in
// the order in which people died, and registered on the day of death plus three.
// Nobody is named as informant: registers of the past are not asked for it.
func History(ps []Patient) ([]Death, error) {
	dead := Dead(ps)
	sort.SliceStable(dead, func(i, j int) bool { return dead[i].Died < dead[j].Died })
	in := map[int]int{}
	out := make([]Death, 0, len(dead))
	for _, p := range dead {
		died, err := time.Parse(day, p.Died)
		if err != nil {
			return nil, fmt.Errorf("data.History: %w", err)
		}
		registered := died.AddDate(0, 0, 3)
		in[registered.Year()]++
		out = append(out, entry(p, died, registered, in[registered.Year()]))
	}
	return out, nil
}

// Fresh makes the entry for a patient who dies in the demo: the day before today,
// registered today, with an informant to write to. n counts the fresh ones from 1;
// numbers below 5000 are left to the history of the same year.
func Fresh(p Patient, today time.Time, n int) Death {
	d := entry(p, today.AddDate(0, 0, -1), today, 5000+n)
	if d.DateOfDeath < p.Born {
		d.DateOfDeath = p.Born
	}
	d.Informant = &Informant{
		Name:         Name{Given: "Robin", Family: p.Name.Family},
		Relationship: "family",
		Email:        fmt.Sprintf("informant-%04d@example.org", n),
	}
	return d
}

func entry(p Patient, died, registered time.Time, n int) Death {
	return Death{
		Registration: fmt.Sprintf("ASH-%04d-%04d", registered.Year(), n),
		Status:       Registered,
		RegisteredOn: registered.Format(day),
		District:     "Ashcombe and Thornford",
		DateOfDeath:  died.Format(day),
		Deceased:     Deceased{Name: p.Name, DateOfBirth: p.Born, Sex: p.Sex, Address: p.Address},
	}
}

// InError is the same entry, found to be wrong: a new version of it.
func (d Death) InError() Death {
	d.Status = ReportedInError
	return d
}

// JSON is the entry as it is sent.
func (d Death) JSON() json.RawMessage {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings only: it cannot fail
	}
	return b
}

// Age is the age in whole years on a day, both as civil dates; -1 if either is
// not a date.
func Age(born, on string) int {
	b, err1 := time.Parse(day, born)
	o, err2 := time.Parse(day, on)
	if err1 != nil || err2 != nil {
		return -1
	}
	years := o.Year() - b.Year()
	if o.Month() < b.Month() || o.Month() == b.Month() && o.Day() < b.Day() {
		years--
	}
	return years
}
