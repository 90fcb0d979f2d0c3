package data

import (
	"encoding/json"
	"fmt"
)

// Award is a benefit awarded to a household. Every one of them is made up here,
// and says so: MadeUp is always true.
type Award struct {
	Award     string    `json:"award"`
	MadeUp    bool      `json:"madeUp"`
	Benefit   string    `json:"benefit"`
	Starts    string    `json:"starts"`
	Claimant  Claimant  `json:"claimant"`
	Household Household `json:"household"`
}

// Claimant is the adult to whom a benefit is awarded.
type Claimant struct {
	Name        Name   `json:"name"`
	DateOfBirth string `json:"dateOfBirth"`
	Email       string `json:"email,omitempty"`
}

// Household is who lives with the claimant. Income is in pennies a year, nil
// where it is not known yet.
type Household struct {
	Address  Address `json:"address"`
	Income   *int64  `json:"income,omitempty"`
	Children []Child `json:"children"`
}

// Child is a child of the household.
type Child struct {
	Name        Name   `json:"name"`
	DateOfBirth string `json:"dateOfBirth"`
}

// AwardCount is how many awards there are: one for each child of the hospital's
// living patients who was born in the years that make a pupil today, up to this
// many, and one whose claimant has died.
const AwardCount = 25

// Awards makes the awards up: households of the hospital's youngest patients,
// with an invented parent. One in four has an income that is not known, one in
// four an income above the limit for free school meals, and the last is an old
// award whose claimant has died since: nobody may write to them.
func Awards(ps []Patient) []Award {
	parents := []string{"Alex", "Charlie", "Frankie", "Jo", "Kim", "Lee", "Max", "Nicky", "Sam", "Terry"}
	var out []Award
	for _, p := range Living(ps) {
		if len(out) == AwardCount-1 {
			break
		}
		if !Pupil(p) {
			continue
		}
		n := len(out) + 1
		a := Award{
			Award:   fmt.Sprintf("AW-%05d", n),
			MadeUp:  true,
			Benefit: "universal-credit",
			Starts:  "2026-09-01",
			Claimant: Claimant{
				Name:        Name{Given: parents[n%len(parents)], Family: p.Name.Family},
				DateOfBirth: fmt.Sprintf("%d-%02d-%02d", 1979+n%14, 1+n%12, 1+n%28),
				Email:       fmt.Sprintf("household-%02d@example.org", n),
			},
			Household: Household{Address: p.Address, Children: []Child{{Name: p.Name, DateOfBirth: p.Born}}},
		}
		switch n % 4 {
		case 0: // not known yet
		case 3:
			a.Household.Income = pennies(18_000_00 + int64(n)*10_00)
		default:
			a.Household.Income = pennies(4_000_00 + int64(n)*100_00)
		}
		out = append(out, a)
	}
	for _, p := range Dead(ps) {
		if Age(p.Born, p.Died) >= 30 && p.Born >= "1970" {
			out = append(out, Award{
				Award:    fmt.Sprintf("AW-%05d", len(out)+1),
				MadeUp:   true,
				Benefit:  "universal-credit",
				Starts:   "2026-09-01",
				Claimant: Claimant{Name: p.Name, DateOfBirth: p.Born, Email: "household-old@example.org"},
				Household: Household{
					Address:  p.Address,
					Income:   pennies(3_000_00),
					Children: []Child{{Name: Name{Given: "Ash", Family: p.Name.Family}, DateOfBirth: "2016-02-29"}},
				},
			})
			break
		}
	}
	return out
}

// Pupil tells whether a patient was born in the years of whom all are between 4
// and 15 for some years around 2026. The demo does not ask the clock: the same
// awards must come out when it is started again.
func Pupil(p Patient) bool { return p.Born >= "2012-06-01" && p.Born < "2020-01-01" }

func pennies(n int64) *int64 { return &n }

// JSON is the award as it is sent.
func (a Award) JSON() json.RawMessage {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and integers only: it cannot fail
	}
	return b
}
