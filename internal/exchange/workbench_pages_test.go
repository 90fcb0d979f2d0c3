package exchange_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// The workbench's pages work in a browser, on a phone and on a desk.
func TestWorkbenchPages(t *testing.T) {
	browser := webtest.Browser(t)
	h := openWith(t, storetest.Open(t, nil), strings.Replace(definitions, "  order: strict\n", "  order: strict\n  approval: confidential\n", 1))
	trying, tried := "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+map[bool]string{true: "partner:org-sender", false: second}[strings.HasPrefix(r.URL.Path, "/partner")])
		if r.URL.Path == "/try" { // what the button's form answers
			_, err := w.Write(h.do("POST", "/staff/mistakes/"+trying, second, url.Values{"source": {tried}, "do": {"try"}}, "").Body.Bytes())
			must(t, err)
			return
		}
		h.k.Web.ServeHTTP(w, r)
	}))
	defer server.Close()
	var body strings.Builder
	for i := range 30 {
		body.WriteString(move(fmt.Sprint("a", i), `1`, "31/12/1980"))
	}
	rs := h.send("rec-move.v1", body.String()+move("odd", `"1"`, "Quuxember"))
	m := h.mistake("Person, born")
	const source = `root = this
root.person.born = this.person.born.ts_strptime("%d/%m/%Y").ts_strftime("%Y-%m-%d")`
	correction := h.post("/staff/mistakes/"+m.ID, staff, url.Values{"source": {source}, "do": {"apply"}, "keep": {"yes"}})
	h.post(correction+"/approve", second, url.Values{})
	h.post(correction, staff, url.Values{"decision": {"release"}})
	rs = append(rs, h.send("rec-move.v1", move("later", `1`, "31/12/1980")+move("later2", `2`, "12.1980"))...)
	h.post("/staff/mistakes/"+m.ID, staff, url.Values{"source": {"root = this\nroot.person.born = \"1980-12-31\""}, "do": {"apply"}})
	h.settle()
	h.send("rec-move.v1", move("t1", `1`, "31-12-1980")+move("t2", `1`, "30-12-1980"))
	trying, tried = m.ID, strings.ReplaceAll(source, "/%", "-%")
	for name, at := range map[string]string{"held": server.URL + "/staff/held", "record": server.URL + "/staff/held/" + string(rs[30].ID), "mistake": server.URL + "/staff/mistakes/" + m.ID,
		"try": server.URL + "/try", "corrections": server.URL + "/staff/corrections", "correction": server.URL + "/staff/corrections/2", "report": server.URL + "/partner/corrections"} {
		browser.Check(t, "workbench-"+name, webtest.Visit{URL: at}, http.StatusOK)
	}
}
