package notifysim

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A stand-in that is opened again, also after it was killed half-way through a
// line, is the same service and knows what it was given.
func TestLedger(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notify")
	open := func() *Server {
		s, err := Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	first := open()
	take := func(s *Server, reference string) {
		w := httptest.NewRecorder()
		s.send(w, httptest.NewRequest("POST", "/v2/notifications/email", strings.NewReader(fmt.Sprintf(`{"email_address":"ann@example.org","template_id":"0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01","reference":%q}`, reference))), "email")
		if w.Code != 201 {
			t.Fatal(w.Code, w.Body)
		}
	}
	take(first, "m-1")
	if err := first.Set(first.Sent()[0].ID, "delivered"); err != nil {
		t.Fatal(err)
	}
	take(first, "m-2")
	f, err := os.OpenFile(filepath.Join(dir, "ledger.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"took":{"ID":"half`)
	f.Close()

	again := open()
	take(again, "m-3")
	for _, s := range []*Server{again, open()} {
		if s.APIKey() != first.APIKey() {
			t.Error("it became another service")
		}
		got := s.Sent()
		if len(got) != 3 || got[0].Status != "delivered" || got[0].Completed.IsZero() || got[1].Status != "created" || got[1].To != "ann@example.org" || got[2].Reference != "m-3" {
			t.Errorf("%+v", got)
		}
	}
}
