package services_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// other is Ann, told of at another address.
var other = someone("Ann", "Archer", "1950-03-04", "ZZ9 9ZZ")

// knowAnn makes Ann somebody we know.
func knowAnn(h *house) {
	other["address"].(m)["lines"] = []string{"77 Low Road"}
	h.tell("awards", "org-benefits", award("AW-00009", ann, 0))
}

func TestUnsureMatchWaitsForAPerson(t *testing.T) {
	each(t, func(h *house) {
		knowAnn(h)
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", other))
		h.events() // nothing happens to anybody until a person decides
		h.want("standing", h.rows(`select standing from person`), "living", "living")
		h.signIn("caseworker")
		h.has(h.get("/staff/people/matches"), "org-register-office", "the address is different", "Decide")
		page := h.get("/staff/people/matches/1")
		h.has(page, "77 Low Road", "1 High Street", "Ann Archer", "Same", "Somebody else")
		h.want("journal", h.verbs("match/1"), "person: asked whether two people are one", "staff/1: saw")
		if resp, body := h.request("POST", "/staff/people/matches/1", url.Values{}); resp.StatusCode != 400 || !strings.Contains(body, "Choose who it is") {
			h.Error(resp.Status)
		}
		same := regexp.MustCompile(`value="(p-[a-z0-9]+)"`).FindStringSubmatch(page)[1]
		h.post("/staff/people/matches/1", url.Values{"same": {same}})
		h.events("le-death confirmed 0 1")
		h.cases("case-bereavement open ")
		h.want("standing", h.rows(`select standing from person where id = ?`, same), "dead")
		h.want("alias", h.rows(`select count(*) from person where alias_of = ?`, same), "1")
		// Both ids go on working, and the other spelling is certain from now on.
		h.tell("life-events", "org-hospital", death("informal", "", "2026-10-30", other))
		h.events("le-death confirmed 0 2")
		if resp, _ := h.request("POST", "/staff/people/matches/1", url.Values{"same": {"nobody"}}); resp.StatusCode != 409 {
			h.Error("decided twice:", resp.Status)
		}
		h.has(h.get("/staff/people/matches"), "Nothing waits", "The same person")
	})
}

func TestMatchToSomebodyElse(t *testing.T) {
	each(t, func(h *house) {
		knowAnn(h)
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", other))
		h.tell("life-events", "org-hospital", death("informal", "", "2026-10-30", other)) // waits for the same answer
		h.tell("awards", "org-benefits", award("AW-00010", other, nil, child))            // and so does this
		h.want("households", h.rows(`select count(*) from household`), "1")
		h.signIn("caseworker")
		h.post("/staff/people/matches/1", url.Values{"same": {"nobody"}})
		h.events("le-death confirmed 0 2")
		h.want("standing", h.rows(`select standing from person order by standing`), "dead", "living", "living")
		h.want("households", h.rows(`select count(*) from household`), "2")
		h.want("waiting", h.rows(`select (select count(*) from award_waiting) + (select count(*) from life_event_waiting)`), "0")
	})
}

// TestMergeStopsWhatWasUnderWay: the one who stays has died, so what was under way
// under the other id stops too.
func TestMergeStopsWhatWasUnderWay(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, child))
		moved := someone("Kit", "Miller", "2016-06-06", "QQ1 1QQ")
		moved["address"].(m)["lines"] = []string{"5 Far Lane"}
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", moved))
		h.enrolments("ben-free-school-meals notice")
		h.signIn("caseworker")
		page := h.get("/staff/people/matches/1")
		same := regexp.MustCompile(`value="(p-[a-z0-9]+)"`).FindStringSubmatch(page)[1]
		h.post("/staff/people/matches/1", url.Values{"same": {same}})
		h.enrolments("ben-free-school-meals stopped")
		h.cases("case-child-death open ")
	})
}

func (h *house) link() string {
	h.Helper()
	sent := h.fake.Sent()
	link := sent[len(sent)-1].Personalisation["opt out link"]
	u, err := url.Parse(link)
	if err != nil || u.Host != "reeve.ashcombe.example" {
		h.Fatalf("no link: %q", link)
	}
	return u.Path
}

func TestOptOut(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, child))
		link := h.link()
		for range 3 { // mail scanners
			h.has(h.get(link), "Kit will get free school meals from 16 November 2026", "until the end of 30 November 2026", "Opt out")
		}
		h.enrolments("ben-free-school-meals notice")
		if page := h.get(link); strings.Contains(page, "Miller") {
			h.Error("the page tells more than the first name")
		}
		h.post(link, url.Values{"choice": {"out"}})
		h.enrolments("ben-free-school-meals opted-out")
		h.has(h.get(link), "Kit will not get free school meals", "Opt in again")
		h.post(link, url.Values{"choice": {"out"}}) // twice is once
		h.pass(15 * day)                            // the notice ends, and nothing begins
		h.enrolments("ben-free-school-meals opted-out")
		h.tell("awards", "org-benefits", award("AW-00001", mum, 1, child)) // nor is the answer asked for again
		h.enrolments("ben-free-school-meals opted-out")
		h.post(link, url.Values{"choice": {"in"}})
		h.enrolments("ben-free-school-meals active")
		h.pass(13*day + 14*time.Hour) // 30 November, 11pm
		h.post(link, url.Values{"choice": {"out"}})
		h.enrolments("ben-free-school-meals opted-out")
		h.pass(2 * time.Hour) // the date is over
		h.has(h.get(link), "That date has passed")
		h.post(link, url.Values{"choice": {"in"}})
		h.enrolments("ben-free-school-meals opted-out")
		if resp, _ := h.request("GET", "/opt-out/nonsense", nil); resp.StatusCode != 404 {
			h.Error("an unknown link:", resp.Status)
		}
		h.want("journal", h.verbs("enrolment/1"), "enrolment: will enrol for ben-free-school-meals", "resident/link: opted out of ben-free-school-meals",
			"resident/link: opted in again to ben-free-school-meals", "resident/link: opted out of ben-free-school-meals")
	})
}

// TestStaffDoNotSeeTheLink: who has the link can choose, so nobody else sees it.
func TestStaffDoNotSeeTheLink(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, child))
		link := h.link()
		h.signIn("caseworker")
		page := h.get("/staff/messages/" + h.rows(`select id from message`)[0])
		h.has(page, "/opt-out/(their own link)", "Good news")
		if strings.Contains(page, link) {
			h.Error("staff see the link")
		}
	})
}

func TestOptOutInTimeForTheNotice(t *testing.T) {
	each(t, func(h *house) {
		h.tell("awards", "org-benefits", award("AW-00001", mum, 0, child))
		h.post(h.link(), url.Values{"choice": {"out"}})
		h.post(h.link(), url.Values{"choice": {"in"}}) // before the notice ended
		h.enrolments("ben-free-school-meals notice")
		h.pass(15 * day)
		h.enrolments("ben-free-school-meals active")
	})
}

func TestCasework(t *testing.T) {
	each(t, func(h *house) {
		h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", ann))
		if resp, _ := h.request("GET", "/staff/cases", nil); resp.StatusCode != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "/staff/sign-in") {
			h.Error("nobody is signed in:", resp.Status)
		}
		h.signIn("architect")
		if resp, _ := h.request("GET", "/staff/cases/1", nil); resp.StatusCode != 403 {
			h.Error("an architect sees a case:", resp.Status)
		}
		h.signIn("governance")
		h.has(h.get("/staff/cases/1"), "Ann Archer")
		if resp, _ := h.request("POST", "/staff/cases/1/notes", url.Values{"text": {"x"}}); resp.StatusCode != 403 {
			h.Error("governance writes a note:", resp.Status)
		}
		h.signIn("caseworker")
		h.has(h.get("/staff/cases"), "Bereavement", "Ann Archer", "Nobody yet", "12 November 2026")
		page := h.get("/staff/cases/1")
		h.has(page, "4 March 1950", "See whether the person lived alone", "Mark as done", "Registered.", "Assign to me")
		h.post("/staff/cases/1/assign", url.Values{"to": {"me"}})
		h.has(h.get("/staff/cases?whose=me"), "Ann Archer", "Jo Okafor")
		if strings.Contains(h.get("/staff/cases?whose=nobody"), "Ann Archer") {
			h.Error("the filter shows what it should not")
		}
		h.post("/staff/cases/1/notes", url.Values{"text": {"Spoke to her son. <b>Fine</b>"}})
		h.has(h.get("/staff/cases/1"), "Spoke to her son. &lt;b&gt;Fine", "Taken by Jo Okafor")
		resp, body := h.request("POST", "/staff/cases/1/close", url.Values{"outcome": {"Everything is settled"}})
		if resp.StatusCode != 400 {
			h.Error("closed with tasks left:", resp.Status)
		}
		h.has(body, "3 of the tasks are not done")
		for _, n := range h.rows(`select n from case_item where kind = 'task' order by n`) {
			h.post("/staff/cases/1/tasks/"+n, url.Values{"done": {"yes"}})
		}
		if resp, body := h.request("POST", "/staff/cases/1/close", url.Values{"outcome": {"made up"}}); resp.StatusCode != 400 || !strings.Contains(body, "Choose how the case ended") {
			h.Error("an outcome that is none:", resp.Status)
		}
		h.post("/staff/cases/1/close", url.Values{"outcome": {"Everything is settled"}})
		h.cases("case-bereavement closed ")
		h.has(h.get("/staff/cases?state=closed"), "Ann Archer")
		if resp, _ := h.request("POST", "/staff/cases/1/notes", url.Values{"text": {"late"}}); resp.StatusCode != 400 {
			h.Error("a note in a closed case:", resp.Status)
		}
		h.pass(time.Hour)
		h.tell("life-events", "org-register-office", death("reported-in-error", "ASH-2026-0001", "2026-10-30", ann))
		h.cases("case-bereavement open reported-in-error")
		h.has(h.get("/staff/cases/1"), "This was reported in error", "say sorry")
		saw := 0
		for _, v := range h.verbs("case/1") {
			if strings.HasSuffix(v, ": saw") {
				saw++
			}
		}
		if saw < 4 {
			h.Errorf("looking at a case was journalled %d times", saw)
		}
		h.has(h.get("/staff/life-events"), "Reported in error", "Ann Archer")
		h.has(h.get("/staff/life-events/1"), "org-register-office", "Registration", "Case 1")
	})
}

func TestResidentsCheckForThemselves(t *testing.T) {
	each(t, func(h *house) {
		h.has(h.get("/entitlements"), "Free school meals")
		page := h.get("/entitlements/ben-free-school-meals")
		h.has(page, "born-day", "income", "Universal Credit")
		ask := func(form url.Values) string {
			_, body := h.request("POST", "/entitlements/ben-free-school-meals", form)
			return body
		}
		full := url.Values{"born-day": {"6"}, "born-month": {"6"}, "born-year": {"2016"}, "benefit": {"universal-credit"}, "income": {"7,400"}}
		h.has(ask(full), "By what you told us, you are entitled")
		full.Set("income", "")
		h.has(ask(full), "We cannot tell yet", "net earned income", "01632 960 700")
		full.Set("benefit", "none")
		h.has(ask(full), "you are not entitled")
		full.Set("born-day", "31")
		h.has(ask(full), "Enter a real date of birth")
		h.want("kept", h.rows(`select count(*) from person`), "0")
	})
}

// TestNothingInTheClear looks for what was told in every file of the database,
// the log and the journal.
func TestNothingInTheClear(t *testing.T) {
	each(t, func(h *house) {
		h.signIn("caseworker")
		secret := someone("Zebedee", "Quillfeather", "1977-07-17", "QX7 7QX")
		secret["address"] = m{"lines": []string{"12 Marmalade Mews"}, "town": "Nevermore", "postcode": "QX7 7QX"}
		h.tell("awards", "org-benefits", award("AW-00001", secret, 123456, someone("Peregrine", "Quillfeather", "2016-06-06", "QX7 7QX")))
		h.tell("life-events", "org-register-office", death("registered", "QXX-2026-7777", "2026-10-30", secret))
		h.post("/staff/cases/1/notes", url.Values{"text": {"Lives above the Xylophone Inn"}})
		h.get("/staff/cases/1")
		h.get("/staff/entitlements/1")
		words := []string{"Zebedee", "Quillfeather", "1977-07-17", "QX7 7QX", "qx77qx", "Marmalade", "Nevermore", "123456", "Peregrine", "QXX-2026", "Xylophone", "ida@example", "parent@example", "jo@ashcombe", "Okafor"}
		es, err := h.k.Journal.Read(h.ctx, 0, 10_000)
		if err != nil {
			h.Fatal(err)
		}
		look := map[string]string{"the log": h.logged.String(), "the journal": fmt.Sprintf("%+v", es)}
		tables := []string{"person", "person_key", "person_match", "staff", "message", "case_file", "case_item", "enrolment", "household", "household_fact", "household_member", "assessment", "life_event", "life_event_source", "event"}
		for _, t := range tables[:len(tables)-1] {
			look[t] = strings.Join(h.rows(`select * from `+t), "\n")
		}
		if !h.k.DB.Postgres() {
			files, _ := filepath.Glob(filepath.Join(h.dbDir(), "*"))
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					h.Fatal(err)
				}
				look[filepath.Base(f)] = string(b)
			}
		}
		for where, text := range look {
			for _, w := range words {
				if strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
					h.Errorf("%s holds %q in the clear", where, w)
				}
			}
		}
	})
}

func (h *house) dbDir() string {
	h.Helper()
	rows := h.rows(`pragma database_list`)
	f := strings.Fields(rows[0])
	return filepath.Dir(f[len(f)-1])
}

func TestBadInputIsTold(t *testing.T) {
	each(t, func(h *house) {
		good := death("registered", "A", "2026-10-30", ann)
		with := func(k string, v any) m {
			c := m{}
			for k, v := range good {
				c[k] = v
			}
			c[k] = v
			return c
		}
		for want, body := range map[string]m{
			"no LifeEvent is defined":   with("event", "lottery"),
			"standing is registered":    with("standing", "maybe"),
			"occurredOn is not a date":  with("occurredOn", "yesterday"),
			"has no name":               with("person", m{"dateOfBirth": "1950-01-01"}),
			"cannot be read":            with("person", "Ann"),
			"the date of birth is not":  with("person", m{"name": m{"given": "A", "family": "B"}, "dateOfBirth": "1950-02-31"}),
			"a field has the wrong typ": with("event", 7),
		} {
			if p := h.tell("life-events", "org-x", body); !strings.Contains(p, want) {
				h.Errorf("got %q, want %q", p, want)
			}
		}
		h.events()
		if p := h.tell("awards", "org-x", m{"award": 3}); !strings.Contains(p, "not an award") {
			h.Error(p)
		}
		// One that is wrong holds up nobody else in its batch.
		ok := reeve.Delivered{Record: "r1-500", N: 500, Body: []byte(`{"event":"death","standing":"registered","occurredOn":"2026-10-30","person":{"name":{"given":"A","family":"B"},"dateOfBirth":"1950-01-01"}}`)}
		bad := reeve.Delivered{Record: "r1-499", N: 499, Body: []byte(`{`)}
		h.update(func(tx *store.Tx) error {
			problems, err := h.s.LifeEvents.Receive(tx, []reeve.Delivered{bad, ok, bad})
			if len(problems) != 2 || problems[0] == "" || problems[2] == "" {
				h.Errorf("problems %v", problems)
			}
			return err
		})
		h.events("le-death confirmed 0 1")
	})
}
