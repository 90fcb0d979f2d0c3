package exchange_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// classed are the definitions with other classes of the fields of a move.
func classed(fields, approval string) string {
	s := strings.Replace(definitions, "{level: confidential, personal: true, fields: {/nino: restricted}}", "{level: internal, personal: true, fields: {"+fields+"}}", 1)
	return strings.Replace(s, "  key: /ref\n  order: strict\n", "  key: /ref\n  order: strict\n  approval: "+approval+"\n", 1)
}

// A rule changes nothing by itself that a second person would have had to approve: a
// map may do to the next records what it did to none that it was tried on.
func TestRuleNeedsTheApprovalOfWhatItChanges(t *testing.T) {
	h := openWith(t, storetest.Open(t, nil), classed("/nino: restricted, /person: confidential", "confidential"))
	h.send("rec-move.v1", move("a", `"2"`, "1980-01-01"))
	m := h.mistake("whole number")
	const source = "root = this\nroot.count = this.count.number()\nroot.person.name = if this.ref == \"x\" { \"Somebody Else\" }"
	correction := h.post("/staff/mistakes/"+m.ID, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
	h.post(correction, staff, url.Values{"decision": {"release"}})
	h.settle()
	rs := h.send("rec-move.v1", move("b", `"2"`, "1980-01-01")+move("x", `"2"`, "1980-01-01"))
	if rs[0].Status != "accepted" || rs[1].Status != "held" {
		t.Fatalf("%+v", rs)
	}
	h.settle()
	for _, got := range h.back {
		if strings.Contains(got, "Somebody Else") {
			t.Error("one person alone changed", got)
		}
	}
}

// What a form takes out is what was ticked, in a list of any length, and nothing that
// its author may not see.
func TestFormTakesOutWhatWasTicked(t *testing.T) {
	h := openWith(t, storetest.Open(t, nil), classed("/person/born: restricted", "never"))
	var lines []string
	for i := range 13 {
		lines = append(lines, fmt.Sprintf(`"line%d"`, i))
	}
	lines[2], lines[10] = `"b"`, `"j"`
	rs := h.send("rec-move.v1", `{"ref":"a","count":1,"lines":[`+strings.Join(lines, ",")+`],"person":{"name":"Kim","born":"1980-01-01","more":1}}`+"\n")
	at := "/staff/held/" + string(rs[0].ID) + "/correct"
	h.post(at, staff, url.Values{"x/lines/2": {"yes"}, "x/lines/10": {"yes"}})
	held, err := h.x.Quarantine.Get(t.Context(), rs[0].ID)
	must(t, err)
	want := append(append(append([]string{}, lines[:2]...), lines[3:10]...), lines[11:]...)
	if !strings.Contains(string(held.Body), `[`+strings.Join(want, ",")+`]`) {
		t.Errorf("it is %s", held.Body)
	}
	h.post(at, staff, url.Values{"x/person": {"yes"}})
	if held, err = h.x.Quarantine.Get(t.Context(), rs[0].ID); err != nil || !strings.Contains(string(held.Body), "1980-01-01") {
		t.Errorf("what may not be seen was taken out: %s %v", held.Body, err)
	}
}

// A record that has nothing wrong goes on when the correction that it was set aside for
// is undone, if nothing else is in its way any more.
func TestUndoneCorrectionKeepsNobodyWaiting(t *testing.T) {
	h := openWith(t, storetest.Open(t, nil), classed("/person: confidential", "confidential"))
	rs := h.send("rec-move.v1", move("a", `"2"`, "1980-01-01")+move("a", `3`, "1980-01-02")+move("a", `4`, "1980-01-03"))
	second := "/staff/held/" + string(rs[1].ID) + "/correct"
	correction := h.post(second, staff, url.Values{"f/person/born": {"1980-02-02"}})
	h.post("/staff/held/"+string(rs[0].ID)+"/correct", staff, url.Values{"f/count": {"2"}})
	h.settle()
	if len(h.back) != 1 {
		t.Fatalf("%d went on, and one was proposed for correction", len(h.back))
	}
	h.post(correction, staff, url.Values{"decision": {"undo"}})
	h.settle()
	if len(h.back) != 3 {
		t.Errorf("%d of 3 went on", len(h.back))
	}
}
