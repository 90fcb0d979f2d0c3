package services_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
)

var (
	ann   = someone("Ann", "Archer", "1950-03-04", "AS1 1AA")
	mum   = someone("Max", "Miller", "1985-05-05", "AS2 2BB")
	child = someone("Kit", "Miller", "2016-06-06", "AS2 2BB")
)

const day = 24 * time.Hour

func TestRegistration(t *testing.T) {
	each(t, func(h *house) {
		r := death("registered", "ASH-2026-0001", "2026-10-30", ann)
		if p := h.tell("life-events", "org-register-office", r); p != "" {
			h.Fatal(p)
		}
		h.events("le-death confirmed 0 1")
		h.cases("case-bereavement open ")
		h.messages("tpl-bereavement accepted")
		h.want("sent", h.sent(), "ida@example.org")
		h.want("standing", h.rows(`select standing from person`), "dead")
		h.want("journal", h.verbs("life-event/1"), "lifeevent: confirmed le-death")
		// The same record again, and the same registration in another record: nothing more.
		h.n--
		h.tell("life-events", "org-register-office", r)
		h.tell("life-events", "org-register-office", r)
		h.events("le-death confirmed 0 2")
		h.cases("case-bereavement open ")
		h.messages("tpl-bereavement accepted")
	})
}

func TestNoticeCorroborates(t *testing.T) {
	each(t, func(h *house) {
		notice, reg := death("informal", "", "2026-10-30", ann), death("registered", "ASH-2026-0001", "2026-10-30", ann)
		h.tell("life-events", "org-hospital", notice)
		h.events("le-death noticed 0 1")
		h.want("standing", h.rows(`select standing from person`), "reported-dead")
		h.cases()
		h.tell("life-events", "org-register-office", reg)
		h.events("le-death confirmed 0 2")
		h.cases("case-bereavement open ")
		h.pass(10 * day) // no review any more
		h.cases("case-bereavement open ")

		bob := someone("Bob", "Baker", "1940-01-01", "AS1 9ZZ") // the other way round
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0002", "2026-11-05", bob))
		h.tell("life-events", "org-hospital", death("informal", "", "2026-11-05", bob))
		h.events("le-death confirmed 0 2", "le-death confirmed 0 2")
		h.cases("case-bereavement open ", "case-bereavement open ")
	})
}

func TestNoticeAloneIsReviewed(t *testing.T) {
	each(t, func(h *house) {
		h.tell("life-events", "org-hospital", death("informal", "", "2026-10-30", ann))
		h.pass(6 * day)
		h.cases()
		h.pass(2 * day)
		h.cases("case-death-review open ")
		h.messages()
		// A registration settles the review.
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", ann))
		h.cases("case-death-review closed ", "case-bereavement open ")
	})
}

func TestHistoryIsOnlyRecorded(t *testing.T) {
	each(t, func(h *house) {
		h.tell("life-events", "org-register-office", death("registered", "ASH-1999-0001", "1999-01-02", ann))
		h.tell("life-events", "org-hospital", death("informal", "", "1999-01-02", ann))
		bob := someone("Bob", "Baker", "1940-01-01", "AS1 9ZZ")
		h.tell("life-events", "org-hospital", death("informal", "", "1998-01-02", bob))
		h.pass(30 * day)
		h.events("le-death confirmed 1 2", "le-death noticed 1 1")
		h.cases()
		h.messages()
		h.want("standing", h.rows(`select standing from person order by standing`), "dead", "reported-dead")
	})
}

func TestChild(t *testing.T) {
	each(t, func(h *house) {
		h.signIn("caseworker")
		if _, _, err := h.id.Staff.Invite(h.ctx, "test", "marian.holt@ashcombe.example", "Marian Holt", []string{"caseworker"}); err != nil {
			h.Fatal(err)
		}
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", child))
		h.cases("case-child-death open ")
		h.messages()
		h.want("assignee", h.rows(`select assignee, named from case_file`), "staff/2 Marian Holt")
		unknown := someone("Uma", "Unknown", "", "AS7 7AA")
		delete(unknown, "dateOfBirth")
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0002", "2026-10-30", unknown))
		h.cases("case-child-death open ", "case-bereavement open ")
		h.messages() // nobody knows whether it was a child
	})
}

func TestReversal(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 500000, child))
		h.enrolments("ben-free-school-meals notice")
		h.fake.FailNext(429) // so that the message to Ida is still queued
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", child))
		h.enrolments("ben-free-school-meals stopped")
		h.cases("case-child-death open ")
		rev := death("reported-in-error", "ASH-2026-0001", "2026-10-30", child)
		h.tell("life-events", "org-register-office", rev)
		h.events("le-death reversed 0 2")
		h.enrolments("ben-free-school-meals notice")
		h.cases("case-child-death open reported-in-error")
		h.want("standing", h.rows(`select standing from person order by standing`), "living", "living")
		items := len(h.rows(`select n from case_item`))
		h.tell("life-events", "org-register-office", rev) // once
		h.events("le-death reversed 0 3")
		if n := len(h.rows(`select n from case_item`)); n != items {
			h.Errorf("the second reversal added %d items to the case", n-items)
		}
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", child)) // late repeat of the wrong one
		h.events("le-death reversed 0 4")
		h.pass(15 * day)
		h.enrolments("ben-free-school-meals active")
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0009", "2026-11-16", child)) // another registration is another fact
		h.events("le-death confirmed 0 5")
	})
}

func TestReversalCancelsWhatItQueued(t *testing.T) {
	each(t, func(h *house) {
		h.fake.FailNext(429)
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", ann))
		h.messages("tpl-bereavement queued")
		h.tell("life-events", "org-register-office", death("reported-in-error", "ASH-2026-0001", "2026-10-30", ann))
		h.messages("tpl-bereavement cancelled")
		h.pass(time.Hour)
		h.want("sent", h.sent())
		h.want("tasks", h.rows(`select state from case_item where kind = 'task' order by n`), "dropped", "dropped", "dropped", "todo", "todo", "todo")
	})
}

func TestReversalBeforeTheEvent(t *testing.T) {
	each(t, func(h *house) {
		h.tell("life-events", "org-register-office", death("reported-in-error", "ASH-2026-0001", "2026-10-30", ann))
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", ann))
		h.events("le-death reversed 0 2")
		h.cases()
		h.messages()
		h.want("standing", h.rows(`select standing from person`), "living")
	})
}

func TestNothingIsSentToTheDead(t *testing.T) {
	each(t, func(h *house) {
		h.fake.FailNext(503, 429, 429) // asked first, then told to wait: the message is queued when the death comes
		h.tell("awards", "org-benefits", award("AW-00001", mum, 500000, child))
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", mum))
		h.pass(30 * day)
		for _, to := range h.sent() {
			if to == "parent@example.org" {
				h.Error("a message went to someone who has died")
			}
		}
		h.enrolments("ben-free-school-meals stopped") // only she had been told of it
		h.cases("case-bereavement open ", "case-entitlement-review open ")
		h.tell("awards", "org-benefits", award("AW-00002", mum, 500000, child, someone("Lou", "Miller", "2017-07-07", "AS2 2BB")))
		h.enrolments("ben-free-school-meals stopped")
	})
}

func TestReportedDeadWaits(t *testing.T) {
	each(t, func(h *house) {
		h.tell("life-events", "org-hospital", death("informal", "", "2026-10-30", mum))
		h.tell("awards", "org-benefits", award("AW-00001", mum, 500000, child))
		h.want("sent", h.sent())
		h.enrolments()
		h.tell("life-events", "org-register-office", death("reported-in-error", "", "2026-10-30", mum))
		h.pass(day)
		h.enrolments("ben-free-school-meals notice")
		h.want("sent", h.sent(), "parent@example.org")
	})
}

func TestAwards(t *testing.T) {
	each(t, func(h *house) {
		baby, teen := someone("Bo", "Miller", "2025-01-01", "AS2 2BB"), someone("Tam", "Miller", "2010-01-01", "AS2 2BB")
		h.tell("awards", "org-benefits", award("AW-00001", mum, 740000, child, baby, teen))
		h.want("answers", h.rows(`select outcome from assessment order by outcome`), "no", "no", "yes")
		h.enrolments("ben-free-school-meals notice")
		h.tell("awards", "org-benefits", award("AW-00001", mum, 740000, child, baby, teen)) // again: nothing more
		h.enrolments("ben-free-school-meals notice")
		h.messages("tpl-school-meals-email accepted")
		h.pass(15 * day)
		h.enrolments("ben-free-school-meals active")
		// More income: a person looks; nothing is taken away by itself.
		h.tell("awards", "org-benefits", award("AW-00001", mum, 740001, child, baby, teen))
		h.enrolments("ben-free-school-meals active")
		h.cases("case-entitlement-review open ")
		// An older award that comes late changes nothing.
		h.deliver("awards", reeve.Delivered{Record: "r1-900", N: 1, Sender: "org-benefits", Body: []byte(`{"award": "AW-00001", "benefit": "universal-credit", "starts": "2026-09-01", "claimant": {"name": {"given": "Max", "family": "Miller"}, "dateOfBirth": "1985-05-05"}, "household": {"address": {"lines": ["1 High Street"], "town": "Ashcombe", "postcode": "AS2 2BB"}, "income": 1, "children": []}}`)})
		h.want("answers", h.rows(`select outcome from assessment order by outcome`), "no", "no", "no")
		h.pass(4 * 365 * day) // Bo turns four, income is still too high
		h.want("answers", h.rows(`select outcome from assessment order by outcome`), "no", "no", "no")
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, baby))
		h.want("answers", h.rows(`select outcome from assessment order by outcome`), "no", "no", "yes")
	})
}

func TestBirthdayEnrols(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, someone("Bo", "Miller", "2022-11-10", "AS2 2BB")))
		h.enrolments()
		h.pass(8 * day)
		h.enrolments("ben-free-school-meals notice")
	})
}

func TestIncomeUnknown(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, nil, child))
		h.enrolments()
		h.want("answers", h.rows(`select outcome, missing from assessment`), "unknown household.income")
		h.messages("tpl-income-needed-email accepted")
		h.pass(3 * day)
		h.messages("tpl-income-needed-email accepted") // asked once
		h.signIn("caseworker")
		h.has(h.get("/staff/entitlements"), "Kit Miller", "net earned income")
		page := h.get("/staff/entitlements/1")
		h.has(page, "The child is between 4 and 15", "What is still needed", "01632 960 700", "household-income")
		if resp, body := h.request("POST", "/staff/entitlements/1", url.Values{"path": {"household.income"}, "household-income": {"lots"}}); resp.StatusCode != 400 || !strings.Contains(body, "Enter the amount in pounds, like") {
			h.Error(resp.Status, body)
		}
		h.post("/staff/entitlements/1", url.Values{"path": {"household.income"}, "household-income": {"£7,400"}})
		h.want("answers", h.rows(`select outcome, missing from assessment`), "yes ")
		h.enrolments("ben-free-school-meals notice")
		h.has(h.get("/staff/entitlements/1"), "Will be enrolled on", "£7,400", "Written down by staff")
	})
}
