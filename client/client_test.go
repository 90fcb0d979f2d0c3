package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/client"
)

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &client.Client{BaseURL: s.URL + "/", Token: "secret"}
}

func TestSendTriesAgain(t *testing.T) {
	var keys []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/v1/records/rec-a" || string(b) != "{\"a\":1}\n{\"a\":2}\n" {
			t.Errorf("%s %s %q", r.URL.Path, r.Header, b)
		}
		switch len(keys) {
		case 1:
			w.WriteHeader(503)
		case 2: // dies in the middle of its answer
			w.WriteHeader(202)
			fmt.Fprintln(w, `{"id":"r1-1","seq":1,"status":"accepted","problems":[]}`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(202)
			fmt.Fprintln(w, `{"id":"r1-1","seq":1,"status":"duplicate","problems":[]}`)
			fmt.Fprintln(w, `{"id":"r1-2","seq":2,"status":"held","problems":[{"path":"/b","message":"is missing"}]}`)
		}
	})
	rs, err := c.Send(t.Context(), "rec-a", []json.RawMessage{json.RawMessage(`{ "a": 1 }`), json.RawMessage(`{"a":2}`)})
	if err != nil || len(rs) != 2 || rs[0].Status != "accepted" || rs[1].Problems[0].Path != "/b" {
		t.Fatal(rs, err)
	}
	if len(keys) != 3 || keys[0] == "" || keys[0] != keys[2] {
		t.Error(keys)
	}
}

func TestProblem(t *testing.T) {
	calls := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(400)
		fmt.Fprint(w, `{"title":"Not valid","status":400,"detail":"the body stops half-way","counts":{"records":3,"accepted":3},"receipts":"/v1/submissions/s/receipts"}`)
	})
	err := c.Stream(t.Context(), "rec-a", "k", strings.NewReader("{}"), nil)
	var e *client.Error
	if !errors.As(err, &e) || e.Status != 400 || e.Counts.Accepted != 3 || e.Receipts == "" || calls != 1 {
		t.Fatal(err, calls)
	}
	if !strings.Contains(err.Error(), "half-way") {
		t.Error(err)
	}
}

func TestListOfReceipts(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/json" {
			t.Error(r.Header)
		}
		fmt.Fprint(w, `[{"id":"r1-1","status":"accepted"},`+"\n"+`{"id":"r1-2","status":"accepted"}]`)
	})
	n := 0
	err := c.Stream(t.Context(), "rec-a", "", strings.NewReader(" \n [{},{}]"), func(client.Receipt) error { n++; return nil })
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
}
