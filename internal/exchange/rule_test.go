package exchange_test

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// TestMain is also the process that maps run in.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "map-worker" {
		if err := sandbox.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A rule that takes too long with some records holds nobody up for long: they are
// held as if there were no rule, and the third time it is switched off, which is
// journalled, told and shown. Switched on again, it has another three.
func TestSlowRuleIsStopped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		self, err := os.Executable()
		must(t, err)
		h := openAsking(t, db, definitions, exchange.Asks{MapWorker: []string{self, "map-worker"}})
		h.send("rec-move.v1", move("a1", `1`, "31/12/1980"))
		// Far too much is made of a long name with an a in it, and nothing of others.
		const source = `root = this.assign({"person": {"born": this.person.born.ts_strptime("%d/%m/%Y").ts_strftime("%Y-%m-%d"), "name": this.person.name` +
			`.replace_all("a", this.person.name).replace_all("a", this.person.name).replace_all("a", this.person.name).replace_all("a", this.person.name).replace_all("a", this.person.name).slice(0, 8)}})`
		m := h.mistake("Person, born")
		correction := h.post("/staff/mistakes/"+m.ID, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
		h.post(correction, staff, url.Values{"decision": {"release"}})
		h.settle()
		mended := func(ref string) (rs []receipt) {
			t.Helper()
			for i := range 50 { // where the machine is too busy for the rule, a record is held, and the next is not
				if rs = h.send("rec-move.v1", move(fmt.Sprint(ref, "-", i), `1`, "31/12/1980")); rs[0].Status == "accepted" {
					break
				}
			}
			return rs
		}
		if rs := mended("a2"); rs[0].Status != "accepted" {
			t.Fatalf("the rule does nothing: %+v", rs)
		}
		on := func() bool {
			t.Helper()
			rules, err := h.x.Workbench.Rules(t.Context(), "")
			must(t, err)
			return rules[0].On
		}
		slow := func(i int) string {
			return strings.Replace(move(fmt.Sprint("slow", i), `1`, "31/12/1980"), "Kim Quux", strings.Repeat("a", 200), 1)
		}
		sent := 0
		for ; on() && sent < 50; sent++ { // a machine that is too busy is not the rule's fault: then it is not counted
			if rs := h.send("rec-move.v1", slow(sent)); rs[0].Status != "held" {
				t.Fatalf("a slow one: %+v", rs)
			}
		}
		if on() || sent < 3 {
			t.Fatalf("after %d slow records the rule is on: %v", sent, on())
		}
		if rs := h.send("rec-move.v1", move("a3", `1`, "31/12/1980")); rs[0].Status != "held" {
			t.Errorf("with no rule: %+v", rs)
		}
		if w := h.do("GET", "/staff/corrections", staff, nil, ""); !strings.Contains(w.Body.String(), "Switched off by the program") || !strings.Contains(w.Body.String(), "it took too long 3 times") {
			t.Error(w.Code, w.Body)
		}
		size, err := h.k.Journal.Size(t.Context())
		must(t, err)
		es, err := h.k.Journal.Read(t.Context(), 0, int(size))
		must(t, err)
		entries := []string{}
		for _, e := range es {
			entries = append(entries, fmt.Sprint(e.Actor, " ", e.Verb, " ", e.About, " ", e.Why))
		}
		if !slices.Contains(entries, "program switched off rule/1 [it took too long 3 times]") {
			t.Errorf("%q", entries)
		}
		h = openAsking(t, db, definitions, exchange.Asks{MapWorker: []string{self, "map-worker"}}) // after a restart, too
		_, err = h.x.Alerts.Step(t.Context())
		must(t, err)
		if open, err := h.x.Alerts.Open(t.Context()); err != nil || len(open) != 1 || open[0].About != "rule/1" || open[0].What != "stopped" {
			t.Errorf("%+v %v", open, err)
		}
		h.post("/staff/rules/1", staff, url.Values{"switch": {"on"}})
		if rs := mended("a4"); rs[0].Status != "accepted" || !on() {
			t.Errorf("on again: %+v", rs)
		}
		if rs := h.send("rec-move.v1", slow(1000)); rs[0].Status != "held" || !on() {
			t.Errorf("once more slow: %+v", rs)
		}
	})
}
