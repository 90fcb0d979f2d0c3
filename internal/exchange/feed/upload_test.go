package feed_test

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/exchange/feed/spool"
)

func form(t *testing.T, name, text string) (body, boundary string) {
	t.Helper()
	var b strings.Builder
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("file", name)
	must(t, err)
	_, err = io.WriteString(part, text)
	must(t, err)
	must(t, m.Close())
	return b.String(), m.Boundary()
}

// Of a file that is too large no more is kept than tells so, and the form is read to
// its end.
func TestTooLargeAForm(t *testing.T) {
	for _, c := range []struct {
		most, size int64
		large      bool
	}{{0, 5000, false}, {5000, 5000, false}, {4999, 5000, true}, {1, 5000, true}} {
		dir := t.TempDir()
		body, boundary := form(t, "a.csv", strings.Repeat("x", int(c.size)))
		rest := strings.NewReader(body)
		in, err := spool.Read(multipart.NewReader(rest, boundary), dir, c.most)
		must(t, err)
		if in.TooLarge != c.large || !c.large && in.Size != c.size || c.large && in.Size != c.most+1 || rest.Len() > 0 {
			t.Errorf("%+v: %+v, %d bytes left", c, in, rest.Len())
		}
	}
}

// No more than five files of one partner wait on the disk; those of others, and what
// comes later, do.
func TestPartnersFilesThatWait(t *testing.T) {
	each(t, func(t *testing.T, h *house, _ func() *house) {
		send := func(who string, n int) *httptest.ResponseRecorder {
			body, boundary := form(t, fmt.Sprintf("%d.ndjson", n), lines(n, n))
			return h.do("POST", "/partner/send/rec-thing.v1", who, strings.NewReader(body), "Content-Type", "multipart/form-data; boundary="+boundary, "Sec-Fetch-Site", "same-origin")
		}
		for n := range 5 {
			if w := send("partner:org-sender", n+1); w.Code != 303 {
				t.Fatalf("file %d: %d %s", n+1, w.Code, w.Body)
			}
		}
		if w := send("partner:org-sender", 6); w.Code != 200 || !strings.Contains(w.Body.String(), "5 files of yours wait to be taken") {
			t.Errorf("a sixth: %d %s", w.Code, w.Body)
		}
		for who, code := range map[string]int{"partner:org-other": 403, "staff:integration": 403, "": 401} {
			if w := send(who, 7); w.Code != code || strings.Contains(w.Header().Get("Location"), "/partner/files/") {
				t.Errorf("%q sends: %d %s", who, w.Code, w.Header())
			}
		}
		h.settle()
		if w := send("partner:org-sender", 6); w.Code != 303 {
			t.Errorf("when they are taken: %d %s", w.Code, w.Body)
		}
		h.settle()
		if got := len(h.records()); got != 6 {
			t.Errorf("%d records, want 6", got)
		}
		if left, err := filepath.Glob(filepath.Join(h.k.Dir, "scratch", "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}
