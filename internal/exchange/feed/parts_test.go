package feed_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// sender sends parts of files.
type sender struct {
	h  *house
	id string
}

func (s sender) post(want int, path, body string) feed.Status {
	s.h.t.Helper()
	return status(s.h.t, s.h.do("POST", "/v1/files/"+s.id+path, "partner:org-sender", strings.NewReader(body)), want)
}

func (s sender) end(rows int) feed.Status {
	s.h.t.Helper()
	return s.post(200, "/end", fmt.Sprintf(`{"rows":%d}`, rows))
}

// The SHA-256 that was announced holds across the parts of a file, also when the
// program is started anew between them; a file that is not the one that was announced
// is broken, and says what became of its rows.
func TestSumOfParts(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		s := sender{h, announce(h, "right.ndjson", lines(1, 300)).ID}
		s.post(200, "/rows?after=0", lines(1, 100))
		s.h = again()
		s.post(200, "/rows?after=100", lines(101, 250))
		s.post(200, "/rows?after=250", lines(251, 300))
		if f := s.end(300); f.State != feed.Complete || !f.Reconciled || f.Accepted != 300 {
			t.Errorf("as announced: %+v", f)
		}
		s.id = announce(s.h, "other.ndjson", lines(301, 320)).ID
		s.post(200, "/rows?after=0", lines(301, 310))
		s.post(200, "/rows?after=10", strings.Replace(lines(311, 320), "thing 315\"", "thing 351\"", 1))
		f := s.end(20)
		if f.State != feed.Broken || f.Reconciled || !strings.Contains(f.Why, "not those of the SHA-256") || !strings.Contains(f.Why, "Its 20 rows that came were taken and stay: 20 accepted") {
			t.Errorf("not as announced: %+v", f)
		}
		if j := s.h.journalled(); !slices.ContainsFunc(j, func(l string) bool {
			return strings.HasPrefix(l, "broke off: ") && strings.Contains(l, "20 rows, 20 accepted")
		}) {
			t.Errorf("%q", j)
		}
		// Fewer rows than the file has, said to be all.
		s.id = announce(s.h, "short.ndjson", lines(401, 420)).ID
		s.post(200, "/rows?after=0", lines(401, 410))
		if f := s.end(10); f.State != feed.Broken {
			t.Errorf("the half of it: %+v", f)
		}
	})
}

// A part that broke off is sent again from its beginning: what was taken of it is
// passed over, and the bytes still add up.
func TestPartThatBrokeOff(t *testing.T) {
	h := start(t, storetest.Open(t, nil), newClock(), t.TempDir())
	s := sender{h, announce(h, "part.ndjson", lines(1, 4000)).ID}
	s.post(200, "/rows?after=0", lines(1, 1000))
	part := lines(1001, 4000)
	h.do("POST", "/v1/files/"+s.id+"/rows?after=1000", "partner:org-sender", cutOff{strings.NewReader(part[:len(part)/2])})
	taken := status(t, h.do("GET", "/v1/files/"+s.id, "partner:org-sender", nil), 200).Rows
	if taken <= 1000 || taken >= 4000 {
		t.Fatalf("%d rows were taken of a part that broke off", taken)
	}
	for _, path := range []string{fmt.Sprintf("/rows?after=%d", taken), "/rows?after=0"} {
		w := h.do("POST", "/v1/files/"+s.id+path, "partner:org-sender", strings.NewReader(lines(int(taken)+1, 4000)))
		if w.Code != 409 || !strings.Contains(w.Body.String(), "after=1000") || !strings.Contains(w.Body.String(), `"rows":1000`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := h.do("POST", "/v1/files/"+s.id+"/end", "partner:org-sender", strings.NewReader(fmt.Sprintf(`{"rows":%d}`, taken))); w.Code != 409 {
		t.Errorf("ended in the middle of a part: %d %s", w.Code, w.Body)
	}
	if w := h.do("POST", "/v1/files/"+s.id+"/rows?after=1000", "partner:org-sender", strings.NewReader(strings.Replace(part, "thing 1001\"", "thing 1010\"", 1))); w.Code != 400 || !strings.Contains(w.Body.String(), "taken before") {
		t.Errorf("another part in its place: %d %s", w.Code, w.Body)
	}
	s.post(200, "/rows?after=1000", part)
	if f := s.end(4000); f.State != feed.Complete || !f.Reconciled || f.Accepted != 4000 {
		t.Errorf("%+v", f)
	}
}

// Parts of a CSV file have the headings again: the file as it was cut is what adds up.
func TestHeadingsOfParts(t *testing.T) {
	h := start(t, storetest.Open(t, nil), newClock(), t.TempDir())
	const head = "id,n,\"na\nme\"\r\n"
	row := func(from, to int) (text string) {
		for i := from; i <= to; i++ {
			text += fmt.Sprintf("t%d,%d,\"thing\n%d\"\r\n", i, i, i)
		}
		return text
	}
	sum := sha256.Sum256([]byte(head + row(1, 20)))
	w := h.do("POST", "/v1/files/rec-thing.v1", "partner:org-sender", strings.NewReader(fmt.Sprintf(`{"name":"a.csv","sha256":%q,"columns":["id","n","name"]}`, hex.EncodeToString(sum[:]))))
	var f feed.Status
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || w.Code != 201 {
		t.Fatal(w.Code, w.Body)
	}
	s := sender{h, f.ID}
	s.post(200, "/rows?after=0", head+row(1, 7))
	s.post(200, "/rows?after=7", head+row(8, 15))
	s.post(200, "/rows?after=15", head+row(16, 20))
	if f := s.end(20); f.State != feed.Complete || !f.Reconciled || f.Accepted != 20 {
		t.Errorf("%+v", f)
	}
}

// A file that nobody finishes expires: that is journalled and shown, with what became
// of its rows. Announced again it goes on where it was.
func TestUnfinishedFilesExpire(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		text := lines(1, 30)
		s := sender{h, announce(h, "late.ndjson", text).ID}
		never := announce(h, "never.ndjson", lines(90, 91))
		s.post(200, "/rows?after=0", lines(1, 10))
		pass := func(since time.Duration) { // since the last row came; the database goes by another clock
			t.Helper()
			h.clock.move(2 * time.Hour)
			must(t, h.k.DB.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`update feed_file set moved = ?`, h.clock.now().Add(-since))
				return err
			}))
			h.settle() // looks at what is due
			h.settle() // and tidies, with nothing else to do
		}
		pass(13 * 24 * time.Hour)
		if f := status(t, h.do("GET", "/v1/files/"+s.id, "partner:org-sender", nil), 200); f.State != feed.Receiving {
			t.Errorf("too early: %+v", f)
		}
		pass(15 * 24 * time.Hour)
		f := status(t, h.do("GET", "/v1/files/"+s.id, "partner:org-sender", nil), 200)
		if f.State != feed.Expired || f.Reconciled || f.Ended == nil || f.Rows != 10 || f.Accepted != 10 || f.Sums.Read != f.Sums.Accepted ||
			!strings.Contains(f.Why, "14 days") || !strings.Contains(f.Why, "Its 10 rows that came were taken and stay: 10 accepted") {
			t.Errorf("%+v", f)
		}
		if f := status(t, h.do("GET", "/v1/files/"+never.ID, "partner:org-sender", nil), 200); f.State != feed.Expired || f.Rows != 0 {
			t.Errorf("of which nothing came: %+v", f)
		}
		page := h.do("GET", "/staff/files/"+s.id, "staff:integration", nil)
		if page.Code != 200 || !strings.Contains(page.Body.String(), "Nobody finished it") || !strings.Contains(page.Body.String(), "10 accepted") {
			t.Errorf("%d %s", page.Code, page.Body)
		}
		if j := h.journalled(); !slices.ContainsFunc(j, func(l string) bool {
			return strings.HasPrefix(l, "expired: ") && strings.Contains(l, "10 rows, 10 accepted")
		}) {
			t.Errorf("%q", j)
		}
		if f := s.post(200, "/rows", text); f.State != feed.Expired || f.Rows != 10 {
			t.Errorf("rows of an expired file: %+v", f)
		}
		s.h = again()
		said := fmt.Sprintf(`{"name":"late.ndjson","sha256":"%x"}`, sha256.Sum256([]byte(text)))
		if f := status(t, s.h.do("POST", "/v1/files/rec-thing.v1", "partner:org-sender", strings.NewReader(said)), 200); f.ID != s.id || f.State != feed.Receiving || f.Rows != 10 {
			t.Errorf("announced again: %+v", f)
		}
		if f := s.post(200, "/rows", text); f.State != feed.Complete || !f.Reconciled || f.Accepted != 30 || f.Why != "" {
			t.Errorf("sent again: %+v", f)
		}
	})
}
