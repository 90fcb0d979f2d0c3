package flow_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// The pages say in plain words how flows stand, and take a decision about an
// uncertain delivery; a route is closed to who may not.
func TestPages(t *testing.T) {
	r := newRig(t, "")
	recv := connectortest.NewReceiver(t)
	recv.Recognise = false
	recv.Behave(connectortest.DyingAfterTake)
	r.env["TAX"] = recv.Server.URL
	r.use("none", toTax("style: api\naddress: env:TAX\nrepeat: none", "filter: 'record.registration != \"x\"'")+`
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-drawn, name: By hand}
spec: {from: if-register, to: if-tax, record: rec-death.v1, agreement: agr-tax, purpose: exemption, via: manual}
`, nil)
	rec := r.accept(death(1))[0]
	r.settle()

	pol, err := policy.New(policy.Rule{Name: "staff", Actions: []string{"flow.*", "delivery.*"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal})
	r.check(err)
	m := web.New(web.Options{Policy: pol, Now: r.clock, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe"})
	kind := reeve.Staff
	m.Authenticate(func(*http.Request) (reeve.Actor, bool, error) {
		return reeve.Actor{ID: "staff/1", Kind: kind, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
	})
	r.runner.Mount(m)
	do := func(method, path string, form url.Values) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, req)
		return w
	}
	for path, want := range map[string][]string{
		"/staff/flows":                {"Deaths to council tax", "Council tax", "exemption", "Running", "By hand", "Declared, but going another way"},
		"/staff/flows/flow-tax":       {"What they may see", "address, postcode", "A person decides", "Deaths to council tax"},
		"/staff/deliveries/uncertain": {string(rec.ID), "It arrived", "Send it again", "The connection broke"},
	} {
		w := do("GET", path, nil)
		body := w.Body.String()
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		for _, s := range want {
			if s == "The connection broke" {
				s = "connection broke"
			}
			if !strings.Contains(body, s) {
				t.Errorf("%s: %q is not on the page", path, s)
			}
		}
		if strings.Contains(body, "SECRET") || strings.Contains(body, "Person 1") {
			t.Errorf("%s shows something of the record", path)
		}
	}
	if w := do("GET", "/staff/flows/none", nil); w.Code != 404 {
		t.Errorf("unknown flow: %d", w.Code)
	}
	t.Run("in a browser", func(t *testing.T) {
		chrome := webtest.Browser(t)
		srv := httptest.NewServer(m)
		defer srv.Close()
		for name, path := range map[string]string{"flows": "/staff/flows", "flow": "/staff/flows/flow-tax", "uncertain": "/staff/deliveries/uncertain"} {
			chrome.Check(t, name, webtest.Visit{URL: srv.URL + path}, 200)
		}
	})
	decide := "/staff/deliveries/flow-tax/1"
	if w := do("POST", decide, url.Values{"decision": {"maybe"}}); w.Code != 400 {
		t.Errorf("no decision: %d", w.Code)
	}
	kind = reeve.Partner
	if w := do("POST", decide, url.Values{"decision": {"arrived"}}); w.Code == 303 {
		t.Errorf("a partner decided: %d", w.Code)
	}
	kind = reeve.Staff
	if w := do("POST", decide, url.Values{"decision": {"arrived"}}); w.Code != 303 {
		t.Errorf("arrived: %d %s", w.Code, w.Body)
	}
	if w := do("POST", decide, url.Values{"decision": {"again"}}); w.Code != 409 {
		t.Errorf("decided twice: %d", w.Code)
	}
	if l := r.leg0(rec.N); l.State != "delivered" || recv.Requests() != 1 {
		t.Errorf("%+v after %d requests", l, recv.Requests())
	}
}
