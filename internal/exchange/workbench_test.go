package exchange_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/exchange/replay"
	"github.com/reeve-civic/reeve/internal/exchange/workbench"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

const second = "staff:integration:2"

// mistake is the id of the one group of held records whose message has a text.
func (h *house) mistake(text string) quarantine.Mistake {
	h.t.Helper()
	ms, err := h.x.Quarantine.Mistakes(h.t.Context(), "", 100)
	must(h.t, err)
	for _, m := range ms {
		if strings.Contains(m.Text(), text) {
			return m
		}
	}
	h.t.Fatalf("no group says %q: %+v", text, ms)
	return quarantine.Mistake{}
}

func (h *house) post(path, who string, form url.Values) string {
	h.t.Helper()
	w := h.do("POST", path, who, form, "")
	if w.Code != 303 {
		h.t.Fatal(path, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

func move(ref, count, born string) string {
	return fmt.Sprintf(`{"ref":%q,"count":%s,"nino":"QQ123456C","person":{"name":"Kim Quux","born":%q}}`, ref, count, born) + "\n"
}

// A correction is tried on a whole group, applied, undone, applied again and
// released; records that it does not put right are not touched.
func TestBench(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := open(t, db)
		var body strings.Builder
		for i := range 30 {
			body.WriteString(move(fmt.Sprint("a", i), `1`, "31/12/1980"))
		}
		rs := h.send("rec-move.v1", body.String()+move("bad", `"2"`, "31/12/1980")+move("odd", `1`, "Quuxember")+move("a0", `2`, "1980-12-31"))
		m := h.mistake("Person, born")
		if m.Count != 32 {
			t.Fatalf("%+v", m)
		}
		at := "/staff/mistakes/" + m.ID
		if w := h.do("GET", at, staff, nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "root.person.born = this.person.born") {
			t.Fatal(w.Code, w.Body)
		}
		const source = `root = this
root.person.born = this.person.born.ts_strptime("%d/%m/%Y").ts_strftime("%Y-%m-%d")`
		w := h.do("POST", at, staff, url.Values{"source": {source}, "do": {"try"}}, "")
		page := w.Body.String()
		for _, want := range []string{"Apply it to the 30 that would be in order", "/count must be a whole number, not text", "1980-12-31", "31/12/1980"} {
			if w.Code != 200 || !strings.Contains(page, want) {
				t.Errorf("%d, the page lacks %q", w.Code, want)
			}
		}
		if strings.Contains(page, "QQ123456C") || strings.Contains(page, "Quuxember") {
			t.Error("a value shows that should not")
		}
		w = h.do("POST", at, staff, url.Values{"source": {"root = env(\"HOME\")"}, "do": {"try"}}, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "There is a problem") {
			t.Error(w.Code, w.Body)
		}
		for _, hidden := range []string{`root.person.name = this.nino`, "root.nino = \"x\"", "root = this.without(\"nino\")\nroot.person.born = \"1980-01-01\""} {
			w = h.do("POST", at, staff, url.Values{"source": {"root = this\n" + hidden}, "do": {"try"}}, "")
			if strings.Contains(w.Body.String(), "QQ123456C") {
				t.Errorf("%q shows what its author may not see", hidden)
			}
		}
		correction := h.post(at, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
		h.settle()
		if len(h.back) != 0 {
			t.Fatal("it went on before it was released:", h.back)
		}
		// What is set aside is nobody else's.
		if w := h.do("POST", "/staff/held/"+string(rs[0].ID)+"/discard", second, url.Values{"reason": {"x"}}, ""); w.Code != 409 {
			t.Error(w.Code, w.Body)
		}
		if w := h.do("POST", "/staff/held/"+string(rs[0].ID)+"/correct", second, url.Values{"f/person/born": {"1980-01-01"}}, ""); w.Code != 409 {
			t.Error(w.Code, w.Body)
		}
		h.post(correction, staff, url.Values{"decision": {"undo"}})
		if got := h.mistake("Person, born"); got.Count != 32 {
			t.Error("undone, the group has", got.Count)
		}
		held, err := h.x.Quarantine.Get(t.Context(), rs[0].ID)
		must(t, err)
		if held.Correction != 0 || !strings.Contains(string(held.Body), "31/12/1980") {
			t.Errorf("undone, it is %+v", held)
		}
		correction = h.post(at, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
		if w := h.do("GET", correction, staff, nil, ""); !strings.Contains(w.Body.String(), "Release now") || strings.Contains(w.Body.String(), "QQ123456C") {
			t.Error(w.Body)
		}
		h.post(correction, staff, url.Values{"decision": {"release"}})
		h.settle()
		if len(h.back) != 31 { // one followed
			t.Errorf("%d went on", len(h.back))
		}
		if w := h.do("POST", correction, staff, url.Values{"decision": {"undo"}}, ""); w.Code != 303 {
			t.Error("too late", w.Code)
		}
		// Kept as a rule, it puts the same mistake right at the door.
		again := h.send("rec-move.v1", move("new", `1`, "01/02/1990")+move("bad2", `"x"`, "01/02/1990")+move("new", `1`, "01/02/1990")+move("a1", `1`, "31/12/1980"))
		if got := fmt.Sprint(again[0].Status, again[1].Status, again[2].Status, again[3].Status); got != "acceptedheldduplicateduplicate" {
			t.Fatalf("%s %+v", got, again)
		}
		if !strings.Contains(again[0].Problems[0].Message, "rule 1 put it right") {
			t.Errorf("%+v", again[0])
		}
		h.settle()
		if len(h.back) != 32 {
			t.Errorf("%d went on", len(h.back))
		}
		w = h.do("GET", "/partner/corrections", "partner:org-sender", nil, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "Put right") || !strings.Contains(w.Body.String(), "1 record, last") || strings.Contains(w.Body.String(), "staff/1") {
			t.Error(w.Code, w.Body)
		}
		if w := h.do("GET", "/partner/corrections.csv", "partner:org-sender", nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "corrected by a rule,rec-move.v1,/person/born") {
			t.Error(w.Code, w.Body)
		}
		if w := h.do("GET", "/partner/corrections", "partner:org-other", nil, ""); w.Code != 200 || strings.Contains(w.Body.String(), "born") {
			t.Error("another's report:", w.Code, w.Body)
		}
		h.post("/staff/rules/1", staff, url.Values{"switch": {"off"}})
		if off := h.send("rec-move.v1", move("off", `1`, "01/02/1990")); off[0].Status != "held" {
			t.Errorf("switched off: %+v", off)
		}
		if w := h.do("GET", "/staff/corrections", staff, nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "Time to correct") {
			t.Error(w.Code, w.Body)
		}
		h.noValues("1980", "Kim", "Quux", "QQ123456C", "1990")
	})
}

// A rule goes on when its record type gets another id while the program runs.
func TestRuleOfRenamedType(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := open(t, db)
		h.send("rec-move.v1", move("a1", `1`, "31/12/1980"))
		const source = "root = this\nroot.person.born = \"1980-12-31\""
		correction := h.post("/staff/mistakes/"+h.mistake("Person, born").ID, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
		h.post(correction, staff, url.Values{"decision": {"release"}})
		for _, typ := range []string{"rec-move.v1", "rec-removal.v1"} {
			if rs := h.send(typ, move("of "+typ, `1`, "31/12/1980")); rs[0].Status != "accepted" {
				t.Fatalf("%s: %+v", typ, rs)
			}
			renamed := strings.Replace(definitions, "{id: rec-move.v1, ", "{id: rec-removal.v1, formerly: [rec-move.v1], ", 1)
			h.change(strings.ReplaceAll(renamed, "type: rec-move.v1", "type: rec-removal.v1"))
		}
	})
}

// Where the class of a field asks it, whoever corrects does not send it on.
func TestApproval(t *testing.T) {
	h := openWith(t, storetest.Open(t, nil), strings.Replace(definitions, "  key: /ref\n  order: strict\n", "  key: /ref\n  order: strict\n  approval: confidential\n", 1))
	rs := h.send("rec-move.v1", move("a", `"2"`, "1980")+move("a", `3`, "1980-01-01"))
	at := "/staff/held/" + string(rs[0].ID)
	w := h.do("POST", at+"/correct", staff, url.Values{"f/count": {"2"}}, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Date of birth") {
		t.Fatal("half a correction goes to nobody:", w.Code, w.Body)
	}
	held, err := h.x.Quarantine.Get(t.Context(), rs[0].ID)
	must(t, err)
	if !strings.Contains(string(held.Body), `"2"`) {
		t.Errorf("it was saved: %s", held.Body)
	}
	correction := h.post(at+"/correct", staff, url.Values{"f/count": {"2"}, "f/person/born": {"1980-01-01"}})
	h.settle()
	if w := h.do("POST", correction+"/approve", staff, url.Values{}, ""); w.Code != 403 {
		t.Error("approved by whoever made it:", w.Code)
	}
	if w := h.do("POST", correction, staff, url.Values{"decision": {"release"}}, ""); w.Code != 303 {
		t.Error(w.Code, w.Body)
	}
	h.settle()
	if len(h.back) != 0 {
		t.Fatal("it went on without approval:", h.back)
	}
	if w := h.do("GET", correction, second, nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "Approve") {
		t.Error(w.Code, w.Body)
	}
	h.post(correction+"/approve", second, url.Values{})
	h.settle()
	if len(h.back) != 2 {
		t.Error("approved, it and what waited went on:", h.back)
	}
	es, err := h.k.Journal.About(t.Context(), "correction/1", 10)
	must(t, err)
	if text := fmt.Sprint(es); !strings.Contains(text, "staff/1 proposed") && !strings.Contains(text, "approved") {
		t.Error(text)
	}
}

// Whatever the order of corrections, approvals, undos, releases, discards and new
// records, a strict key's records go on in order, each once, and none is lost.
func TestOrderThroughCorrections(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { orderThroughCorrections(t, uint64(seed)) })
	}
}

func orderThroughCorrections(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	h := openWith(t, storetest.Open(t, nil), strings.Replace(definitions, "  order: strict\n", "  order: strict\n  approval: "+[]string{"confidential", "never"}[seed%2]+"\n", 1))
	ctx := t.Context()
	const sources = "root = this\nroot.person.born = \"1980-01-01\""
	var ids []reeve.RecordID
	sent := map[reeve.RecordID]int{} // place in the order of arrival
	keys := map[int]string{}
	gone := map[reeve.RecordID]bool{}
	arrive := func() {
		var body strings.Builder
		n := 1 + rnd.IntN(4)
		first := len(sent)
		for i := range n {
			key := string(rune('a' + rnd.IntN(3)))
			keys[first+i] = key
			// the place travels in the name, which is what is delivered
			born, count := "1980-01-01", "1"
			if rnd.IntN(2) == 0 {
				born = "bad"
			}
			if rnd.IntN(5) == 0 {
				count = `"1"`
			}
			fmt.Fprintf(&body, `{"ref":%q,"count":%s,"person":{"name":"%d","born":%q}}`+"\n", key, count, first+i, born)
		}
		for i, r := range h.send("rec-move.v1", body.String()) {
			sent[r.ID] = first + i
			ids = append(ids, r.ID)
		}
	}
	someOpen := func() (workbench.Correction, bool) {
		open, _, err := h.x.Workbench.List(ctx)
		must(t, err)
		if len(open) == 0 {
			return workbench.Correction{}, false
		}
		return open[rnd.IntN(len(open))], true
	}
	one, two := reeve.Actor{ID: "staff/1", Kind: reeve.Staff}, reeve.Actor{ID: "staff/2", Kind: reeve.Staff}
	fix := func(body []byte, all bool) []byte {
		var v map[string]any
		must(t, json.Unmarshal(body, &v))
		v["person"].(map[string]any)["born"] = "1980-01-01"
		if all || rnd.IntN(2) == 0 {
			v["count"] = 1
		}
		b, err := json.Marshal(v)
		must(t, err)
		return b
	}
	fine := func(err error) {
		t.Helper()
		if k := reeve.KindOf(err); err != nil && k != reeve.Conflict && k != reeve.Invalid && k != reeve.Forbidden {
			t.Fatal(err)
		}
	}
	for range 60 {
		switch op := rnd.IntN(12); op {
		case 0, 1, 2:
			arrive()
		case 3, 4: // apply to a group, or a rule
			ms, err := h.x.Quarantine.Mistakes(ctx, "", 10)
			must(t, err)
			if len(ms) > 0 {
				_, err := h.x.Workbench.Apply(ctx, one, ms[rnd.IntN(len(ms))].ID, sources, reeve.Restricted, rnd.IntN(4) == 0)
				fine(err)
			}
		case 5:
			if c, ok := someOpen(); ok {
				fine(h.x.Workbench.Undo(ctx, two, c.ID))
			}
		case 6:
			if c, ok := someOpen(); ok {
				fine(h.x.Workbench.Approve(ctx, two, c.ID))
			}
		case 7:
			if c, ok := someOpen(); ok {
				fine(h.x.Workbench.Release(ctx, one, c.ID))
			}
		case 8, 9: // a correction by hand, or a discard
			if len(ids) == 0 {
				continue
			}
			id := ids[rnd.IntN(len(ids))]
			err := db(h).Update(ctx, func(tx *store.Tx) error {
				held, err := h.x.Quarantine.GetTx(tx, id)
				if err != nil || held.State != quarantine.Open {
					return nil
				}
				if op == 9 {
					_, err = h.x.Quarantine.Discard(tx, one, id, "not needed")
					if err == nil {
						gone[id] = true
					}
					return err
				}
				_, err = h.x.Quarantine.Correct(tx, one, id, fix(held.Body, false))
				return err
			})
			fine(err)
		case 10:
			_, _, err := h.x.Quarantine.Recheck(ctx, one, quarantine.Filter{})
			must(t, err)
		case 11:
			h.settle()
		}
	}
	// In the end everything is put right.
	open, _, err := h.x.Workbench.List(ctx)
	must(t, err)
	for _, c := range open {
		fine(h.x.Workbench.Undo(ctx, one, c.ID))
	}
	left, err := h.x.Quarantine.List(ctx, quarantine.Filter{Max: 10_000})
	must(t, err)
	rnd.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	for _, l := range left {
		must(t, db(h).Update(ctx, func(tx *store.Tx) error {
			held, err := h.x.Quarantine.GetTx(tx, l.ID)
			if err != nil || held.State != quarantine.Open {
				return err
			}
			_, err = h.x.Quarantine.Correct(tx, one, l.ID, fix(held.Body, true))
			return err
		}))
	}
	h.settle()
	if left, err := h.x.Quarantine.List(ctx, quarantine.Filter{}); err != nil || len(left) > 0 {
		t.Fatalf("%v: %d are still held: %+v", err, len(left), left[0])
	}
	var want, got []string
	for id, place := range sent {
		if !gone[id] {
			want = append(want, fmt.Sprint(place))
		}
	}
	last := map[string]int{}
	for _, b := range h.back {
		var v struct {
			Ref    string
			Person struct{ Name string }
		}
		must(t, json.Unmarshal([]byte(b), &v))
		var place int
		_, err := fmt.Sscan(v.Person.Name, &place)
		must(t, err)
		if before, ok := last[v.Ref]; ok && before >= place {
			t.Errorf("key %s: %d came after %d", v.Ref, place, before)
		}
		last[v.Ref] = place
		got = append(got, v.Person.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	for id, place := range sent {
		if !gone[id] && !slices.Contains(got, fmt.Sprint(place)) {
			held, err := h.x.Quarantine.Get(ctx, id)
			t.Logf("%s, the %dth, is lost: %s %q became %s (%v)", id, place, held.State, held.Body, held.Became, err)
			es, err := h.k.Journal.About(ctx, reeve.Ref("record/"+id), 50)
			for _, e := range es {
				t.Log(e.Actor, e.Verb, e.Why, err)
			}
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func db(h *house) *store.DB { return h.k.DB }

// Sent again, records go in order, as new versions, and none that is older than what
// the receiver has.
func TestReplay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := open(t, db)
		var body strings.Builder
		const n = 450
		for i := range n {
			body.WriteString(move(fmt.Sprint("k", i%150), fmt.Sprint(1+i/150), "1980-01-01"))
		}
		rs := h.send("rec-move.v1", body.String()+move("held", `"1"`, "1980-01-01"))
		h.settle()
		if len(h.back) != n || len(h.keys) != n {
			t.Fatal(len(h.back), len(h.keys))
		}
		by := reeve.Actor{ID: "operator"}
		try, err := h.x.Replays.Try(t.Context(), by, replay.Selection{Flow: "flow-back"})
		must(t, err)
		if try.Selected != 150 || try.Report.Differ != 0 || try.Skipped["a newer record with the same key was accepted since"] != 300 {
			t.Errorf("%+v", try)
		}
		_, err = h.x.Replays.Start(t.Context(), by, replay.Selection{Flow: "flow-back", Where: `record.ref != "k0"`})
		must(t, err)
		must(t, db.Update(t.Context(), func(tx *store.Tx) error { // while it runs, more comes
			_, err := h.x.Quarantine.Correct(tx, by, rs[n].ID, []byte(strings.TrimSpace(move("held", "1", "1980-01-01"))))
			return err
		}))
		h.send("rec-move.v1", move("k1", "7", "1980-01-01"))
		h.settle()
		if len(h.back) != n+149+2 && len(h.back) != n+148+2 { // the new k1 may have come before the replay's
			t.Errorf("%d were sent", len(h.back)-n)
		}
		if len(h.keys) != len(h.back) {
			t.Errorf("%d idempotency keys for %d records", len(h.keys), len(h.back))
		}
		jobs, err := h.x.Replays.List(t.Context())
		must(t, err)
		if len(jobs) != 1 || jobs[0].State != "done" || int(jobs[0].Taken) < 148 {
			t.Errorf("%+v", jobs)
		}
		for _, bad := range []replay.Selection{{Flow: "nope"}, {Flow: "flow-back", From: "x"}, {Flow: "flow-back", Where: "record."}, {Flow: "flow-back", Type: "rec-application.v1"}} {
			if _, err := h.x.Replays.Start(t.Context(), by, bad); reeve.KindOf(err) == reeve.Fault {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
