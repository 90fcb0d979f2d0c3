package services_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// TestNothingForTheDeadWhateverHappens tells of awards, deaths, notices and errors
// in any order, with Notify failing at any time. Whatever the order: nothing is
// sent to or about a child's enrolment for somebody who is registered dead, and
// nobody dead is enrolled or about to be; somebody who lives again is not stopped.
func TestNothingForTheDeadWhateverHappens(t *testing.T) {
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		if runs++; runs > 40 { // each run is a database of its own
			return
		}
		now := start
		clock := func() time.Time { return now }
		h := &house{T: t, ctx: t.Context(), logged: newLog()}
		h.open(storetest.Open(t, clock), clock)
		h.set(&now)
		parents, children := []m{}, []m{}
		for i := range 2 {
			post := fmt.Sprintf("AS%d 1AA", i)
			parents = append(parents, someone("Parent", fmt.Sprintf("Family%d", i), "1985-05-05", post))
			children = append(children, someone(fmt.Sprintf("Child%d", i), fmt.Sprintf("Family%d", i), "2016-06-06", post))
		}
		dead := map[string]bool{} // by email of a parent or first name of a child
		email := func(i int) string { return fmt.Sprintf("parent%d@example.org", i) }
		seen, told := 0, 0
		for range rapid.IntRange(4, 16).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "family")
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0, 1:
				income := any(rapid.SampledFrom([]int64{0, 740000, 900000}).Draw(r, "income"))
				if rapid.Bool().Draw(r, "unknown") {
					income = nil
				}
				a := award(fmt.Sprintf("AW-%05d", i), parents[i], income, children[i])
				a["claimant"].(m)["email"] = email(i)
				if rapid.Bool().Draw(r, "wait") { // what this queues is still there when the next thing happens
					h.fake.FailNext(429)
				}
				h.tell("awards", "org-benefits", a)
			case 2, 3:
				who, name := parents[i], email(i)
				if rapid.Bool().Draw(r, "child") {
					who, name = children[i], fmt.Sprintf("Child%d", i)
				}
				told++
				standing := rapid.SampledFrom([]string{"registered", "registered", "informal", "reported-in-error"}).Draw(r, "standing")
				switch standing {
				case "registered":
					dead[name] = true
				case "reported-in-error":
					dead[name] = false
				}
				h.tell("life-events", "org-register-office", death(standing, fmt.Sprint("R", told), "2026-10-30", who))
			case 4:
				h.fake.FailNext(rapid.SampledFrom([]int{429, 500}).Draw(r, "status"))
				if rapid.Bool().Draw(r, "drop") {
					h.fake.DropNext(1)
				}
			case 5:
				h.pass(time.Duration(rapid.IntRange(1, 20*24).Draw(r, "hours")) * time.Hour)
			}
			sent := h.fake.Sent()
			for _, n := range sent[seen:] {
				if dead[n.To] || n.Template != "0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01" && dead[n.Personalisation["name"]] {
					r.Fatalf("sent %s to %s about %s, after a death", n.Template, n.To, n.Personalisation["name"])
				}
			}
			seen = len(sent)
			for j := range 2 {
				for _, state := range h.rows(`select e.state from enrolment e join person p on p.id = e.person where p.standing = 'dead'`) {
					if state != "stopped" && state != "opted-out" {
						r.Fatalf("somebody dead is %s", state)
					}
				}
				if !dead[email(j)] && !dead[fmt.Sprintf("Child%d", j)] && len(h.rows(`select id from person where standing <> 'living'`)) == 0 {
					if rows := h.rows(`select state from enrolment where state = 'stopped'`); len(rows) > 0 {
						r.Fatalf("everybody lives, and %d enrolments are stopped", len(rows))
					}
				}
			}
		}
	})
}
