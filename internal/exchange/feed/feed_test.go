package feed_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/client"
	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, `{"id":"t%d","n":%d,"name":"thing %d"}`+"\n", i, i, i)
	}
	return b.String()
}

func each(t *testing.T, fn func(t *testing.T, h *house, again func() *house)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c, dir := newClock(), t.TempDir()
		h := start(t, db, c, dir)
		fn(t, h, func() *house { return start(t, db, c, dir) })
	})
}

func TestFolderIsReadOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		h.put("a.ndjson", lines(1, 3)+"{\"id\":\"t4\"}\nnot a record\n")
		h.put("b.ndjson", `{"id":"t5","n":5}`+"\n"+`{"id":"t6","n":"six"}`)
		h.look()
		files := h.files()
		if len(files) != 2 {
			t.Fatalf("%d files in the ledger: %+v", len(files), files)
		}
		i := slices.IndexFunc(files, func(f feed.File) bool { return f.Name == "a.ndjson" })
		a := files[i]
		if a.State != feed.Complete || !a.Adds() || a.Counts.Accepted != 3 || a.Counts.Held != 1 || a.Counts.Refused != 1 || a.Rows != 5 || a.Sender != "org-sender" {
			t.Errorf("a.ndjson: %+v", a)
		}
		var faults []intake.Fault
		must(t, h.x.Feeds.EachFault(t.Context(), &a, func(b []byte) error {
			for _, l := range intake.SplitLines(b) {
				var f intake.Fault
				must(t, json.Unmarshal(l, &f))
				faults = append(faults, f)
			}
			return nil
		}))
		if len(faults) != 2 || faults[0].Row != 4 || faults[0].Status != "held" || faults[0].Field != "/n" || faults[1].Row != 5 || faults[1].Status != "refused" || faults[1].At == "" {
			t.Errorf("faults: %+v", faults)
		}
		if b := files[1-i]; b.Counts.Accepted != 1 || b.Counts.Held != 1 || !b.Adds() {
			t.Errorf("b.ndjson: %+v", b)
		}
		if _, err := os.Stat(filepath.Join(h.folder, "a.ndjson")); !errors.Is(err, os.ErrNotExist) {
			t.Error("a file that was taken was not moved away")
		}
		if got := h.journalled(); len(got) != 2 || !strings.HasPrefix(got[0], "completed: ") || !strings.Contains(strings.Join(got, "\n"), "5 rows, 3 accepted, 1 held, 0 duplicate, 1 refused") {
			t.Errorf("the journal says %q", got)
		}
		// The same file again, under the same name: it was taken before.
		h.put("a.ndjson", lines(1, 3)+"{\"id\":\"t4\"}\nnot a record\n")
		h = again()
		h.look()
		if got := h.files(); len(got) != 2 {
			t.Errorf("a file that is there again was taken again: %+v", got)
		}
		// Another of the same name is another.
		h.put("a.ndjson", lines(3, 7))
		h.look()
		if got := h.files(); len(got) != 3 || got[0].Counts.Duplicate+got[1].Counts.Duplicate+got[2].Counts.Duplicate != 1 {
			t.Errorf("another file of the same name: %+v", got)
		}
		if got := len(h.records()); got != 3+1+4 {
			t.Errorf("%d records, want 8", got)
		}
	})
}

// A file whose rows do not add up stays where it is.
func TestFileThatDoesNotAddUpStays(t *testing.T) {
	each(t, func(t *testing.T, h *house, _ func() *house) {
		h.put("a.ndjson", lines(1, 3))
		h.look()
		must(t, h.k.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`update feed_file set accepted = 2`)
			return err
		}))
		h.put("a.ndjson", lines(1, 3))
		h.look()
		if _, err := os.Stat(filepath.Join(h.folder, "a.ndjson")); err != nil {
			t.Error("it was taken away:", err)
		}
	})
}

func TestFeedWithoutAgreement(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	h.settle()
	h.clock.move(22 * time.Hour) // past six o'clock of the next day
	h.settle()
	if w := h.do("GET", "/staff/feeds/if-nobody", "staff:integration", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "No agreement lets") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.clock.move(48 * time.Hour)
	h.settle()
	entries, err := h.k.Journal.Read(t.Context(), 0, 100)
	must(t, err)
	for _, e := range entries {
		if e.Verb == "refused" {
			t.Errorf("a look is journalled as a refusal: %+v", e)
		}
	}
}

func TestSendFile(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		c := &client.Client{BaseURL: h.serve(), Token: "partner:org-sender"}
		text := lines(1, 2500) + "{\"id\":\"bad\"}\n" + lines(1, 1)
		f := client.File{Type: "rec-thing.v1", Name: "things.ndjson", Body: strings.NewReader(text)}
		s, err := c.SendFile(t.Context(), f)
		must(t, err)
		if s.State != "complete" || !s.Reconciled || s.Rows != 2502 || s.Accepted != 2500 || s.Held != 1 || s.Duplicate != 1 || s.Before {
			t.Errorf("%+v", s)
		}
		sum := intake.Sum{}
		for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
			sum = sum.Plus(intake.RowSum(int64(i+1), []byte(l)))
		}
		if s.Sums["read"] != sum.String() {
			t.Errorf("the sum is %s, and that of the rows is %s", s.Sums["read"], sum)
		}
		var faults []client.Fault
		must(t, c.Faults(t.Context(), s.ID, func(f client.Fault) error { faults = append(faults, f); return nil }))
		if len(faults) != 1 || faults[0].Row != 2501 || faults[0].Field != "/n" {
			t.Errorf("faults: %+v", faults)
		}
		if s, err = c.SendFile(t.Context(), f); err != nil || !s.Before || s.Accepted != 2500 {
			t.Errorf("sent again: %+v, %v", s, err)
		}
		f.Key = "tomorrow"
		if s, err = c.SendFile(t.Context(), f); err != nil || s.Before || s.Duplicate != 2502 || !s.Reconciled {
			t.Errorf("under another key: %+v, %v", s, err)
		}
		f.Key, f.Format = "", client.Format{Name: "ndjson"}
		if s, err = c.SendFile(t.Context(), f); err != nil || s.Before || s.Duplicate != 2502 || !s.Reconciled {
			t.Errorf("read in another way: %+v, %v", s, err)
		}
		if s, err = c.SendFile(t.Context(), f); err != nil || !s.Before {
			t.Errorf("read in the same way again: %+v, %v", s, err)
		}
		other := &client.Client{BaseURL: c.BaseURL, Token: "partner:org-other", Tries: 1}
		var e *client.Error
		if _, err := other.FileStatus(t.Context(), s.ID); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("another's file: %v", err)
		}
		if _, err := other.SendFile(t.Context(), f); !errors.As(err, &e) || e.Status != 403 {
			t.Errorf("without an agreement: %v", err)
		}
	})
}

func announce(h *house, name, text string) feed.Status {
	sum := sha256.Sum256([]byte(text))
	w := h.do("POST", "/v1/files/rec-thing.v1", "partner:org-sender", strings.NewReader(fmt.Sprintf(`{"name":%q,"sha256":"%x","size":%d}`, name, sum, len(text))))
	return status(h.t, w, 201)
}

// cutOff is a body that breaks off after some bytes.
type cutOff struct {
	r io.Reader
}

func (c cutOff) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// TestCutAtEveryPoint sends a file whose connection breaks off at many points, with
// a new program after each: no row is lost, none is taken twice.
func TestCutAtEveryPoint(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		for _, kind := range []string{"x.ndjson", "x.csv", "x.json"} {
			var text string
			switch kind {
			case "x.csv":
				text = "id,n\n"
				for i := range 300 {
					text += fmt.Sprintf("%s%d,%d\n", kind, i, i)
				}
			case "x.json":
				text = "["
				for i := range 300 {
					text += fmt.Sprintf("{\"id\":\"%s%d\",\"n\":%d},\n", kind, i, i)
				}
				text = strings.TrimSuffix(text, ",\n") + "]"
			default:
				for i := range 300 {
					text += fmt.Sprintf("{\"id\":\"%s%d\",\"n\":%d}\n", kind, i, i)
				}
			}
			before := len(h.records())
			s, step := announce(h, kind, text), max(1, len(text)/23)
			for at := 0; at < len(text); at += step {
				w := h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", cutOff{strings.NewReader(text[:at])})
				if w.Code != 400 || !strings.Contains(w.Body.String(), "goes on from there") {
					t.Fatalf("%s cut at byte %d: %d %s", kind, at, w.Code, w.Body)
				}
				if at/step%8 == 0 {
					h = again()
				}
			}
			s = status(t, h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", strings.NewReader(text)), 200)
			if s.State != feed.Complete || !s.Reconciled || s.Rows != 300 || s.Accepted != 300 {
				t.Fatalf("%s: %+v", kind, s)
			}
			if got := len(h.records()) - before; got != 300 {
				t.Errorf("%s: %d records, want 300", kind, got)
			}
		}
	})
}

func TestChunksOfAFile(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		text := lines(1, 30)
		s := announce(h, "chunks.ndjson", text)
		rows := "/v1/files/" + s.ID + "/rows"
		s = status(t, h.do("POST", rows+"?after=0", "partner:org-sender", strings.NewReader(lines(1, 10))), 200)
		if s.State != feed.Receiving || s.Rows != 10 {
			t.Errorf("%+v", s)
		}
		h = again()
		if w := h.do("POST", rows+"?after=5", "partner:org-sender", strings.NewReader(lines(6, 10))); w.Code != 409 || !strings.Contains(w.Body.String(), `"rows":10`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := h.do("POST", "/v1/files/"+s.ID+"/end", "partner:org-sender", strings.NewReader(`{"rows":30}`)); w.Code != 409 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		status(t, h.do("POST", rows+"?after=10", "partner:org-sender", strings.NewReader(lines(11, 30))), 200)
		s = status(t, h.do("POST", "/v1/files/"+s.ID+"/end", "partner:org-sender", strings.NewReader(`{"rows":30}`)), 200)
		if s.State != feed.Complete || !s.Reconciled || s.Accepted != 30 {
			t.Errorf("%+v", s)
		}
	})
}

func TestFileIsNotWhatWasAnnounced(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	for name, c := range map[string]struct{ announced, sent, why string }{
		"other.ndjson":  {lines(1, 3), lines(1, 4), "not those of the SHA-256"},
		"half.json":     {"[" + strings.ReplaceAll(lines(1, 3), "\n", ",")[:60], "[" + strings.ReplaceAll(lines(1, 3), "\n", ",")[:60], ""},
		"nothing.xlsx":  {"PK\x03\x04 and no more", "PK\x03\x04 and no more", ""},
		"entities.xml":  {"<!DOCTYPE a [<!ENTITY b 'c'>]><a><r>&b;</r></a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a><r>&b;</r></a>", ""},
		"binary.ndjson": {"\x00\x01\x02\xff", "\x00\x01\x02\xff", ""},
	} {
		s := announce(h, name, c.announced)
		s = status(t, h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", strings.NewReader(c.sent)), 200)
		if s.State == feed.Complete && s.Accepted > 0 || s.State == feed.Broken && s.Why == "" || !strings.Contains(s.Why, c.why) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, body := range []string{`{}`, `[]`, `{"name":"a/b","sha256":"` + strings.Repeat("0", 64) + `"}`, `{"name":"a","sha256":"zz"}`, `{"name":"a","what":1}`, `{"name":"a","sha256":"` + strings.Repeat("0", 64) + `","format":"cobol"}`} {
		if w := h.do("POST", "/v1/files/rec-thing.v1", "partner:org-sender", strings.NewReader(body)); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestChangedFileIsNotGoneOnWith sends the beginning of one file and then another
// under its id.
func TestChangedFileIsNotGoneOnWith(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	text := lines(1, 3000)
	s := announce(h, "changed.ndjson", text)
	h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", cutOff{strings.NewReader(text[:len(text)/2])})
	s = status(t, h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", strings.NewReader(strings.Replace(text, "thing 7\"", "thing 8\"", 1))), 200)
	if s.State != feed.Broken || !strings.Contains(s.Why, "taken before") {
		t.Errorf("%+v", s)
	}
}

func TestJournalFailureStops(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		h.put("a.ndjson", lines(1, 50))
		rename := func(from, to string) {
			must(t, h.k.DB.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`alter table ` + from + ` rename to ` + to)
				return err
			}))
		}
		rename("journal_pack", "journal_gone")
		must(t, h.x.Feeds.Ask(t.Context(), "if-folder"))
		for range 50 {
			if _, err := h.x.Feeds.Step(t.Context()); err != nil {
				break
			}
		}
		h.x.Wait()
		rename("journal_gone", "journal_pack")
		if got := h.records(); len(got) != 0 {
			t.Errorf("%d records were taken without a journal", len(got))
		}
		if _, err := os.Stat(filepath.Join(h.folder, "a.ndjson")); err != nil {
			t.Error("the file was moved away all the same")
		}
		h = again()
		h.look()
		if f := h.files(); len(f) != 1 || f[0].State != feed.Complete || f[0].Counts.Accepted != 50 {
			t.Errorf("when there is a journal again: %+v", f)
		}
	})
}

// TestDiskFullStops takes a large file while the database may not grow, then while
// it may.
func TestDiskFullStops(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	limit := func(pages int) {
		must(t, h.k.DB.Update(t.Context(), func(tx *store.Tx) error {
			var n int
			return tx.QueryRow(fmt.Sprintf(`pragma max_page_count = %d`, pages)).Scan(&n)
		}))
	}
	var now int
	must(t, h.k.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(`pragma page_count`).Scan(&now) }))
	text := lines(1, 20_000)
	s := announce(h, "large.ndjson", text)
	var taken feed.Status
	for room := 40; taken.Rows == 0; room += 40 { // how many batches are committed together is the machine's business
		limit(now + room)
		w := h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", strings.NewReader(text))
		if w.Code != 503 {
			t.Fatalf("with a full disk: %d %s", w.Code, w.Body)
		}
		limit(1 << 30)
		taken = status(t, h.do("GET", "/v1/files/"+s.ID, "partner:org-sender", nil), 200)
	}
	if taken.State != feed.Receiving || taken.Rows == 20_000 {
		t.Errorf("when the disk was full: %+v", taken)
	}
	s = status(t, h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", strings.NewReader(text)), 200)
	if s.State != feed.Complete || !s.Reconciled || s.Accepted != 20_000 || len(h.records()) != 20_000 {
		t.Errorf("when there is room again: %+v", s)
	}
}

func TestHook(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		post := func(path, body, secret string, at time.Time) *httptest.ResponseRecorder {
			stamp := strconv.FormatInt(at.Unix(), 10)
			m := hmac.New(sha256.New, []byte(secret))
			m.Write([]byte(stamp + "." + body))
			return h.do("POST", path, "", strings.NewReader(body), "X-Timestamp", stamp, "X-Signature", hex.EncodeToString(m.Sum(nil)))
		}
		now := h.clock.now()
		if w := post("/v1/hooks/if-hook", lines(1, 2), hookSecret, now); w.Code != 202 || !strings.Contains(w.Body.String(), `"accepted":2`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		h = again()
		if w := post("/v1/hooks/if-hook", lines(1, 2), hookSecret, now); w.Code != 202 || !strings.Contains(w.Body.String(), `"duplicate":2`) {
			t.Errorf("a repeat: %d %s", w.Code, w.Body)
		}
		answers := map[string]bool{}
		for _, w := range []*httptest.ResponseRecorder{
			post("/v1/hooks/if-hook", lines(3, 3), "another secret, long enough too", now),
			post("/v1/hooks/if-hook", lines(3, 3), hookSecret, now.Add(-time.Hour)),
			post("/v1/hooks/if-hook", lines(3, 3), hookSecret, now.Add(time.Hour)),
			post("/v1/hooks/if-folder", lines(3, 3), hookSecret, now),
			post("/v1/hooks/if-nowhere", lines(3, 3), hookSecret, now),
			h.do("POST", "/v1/hooks/if-hook", "", strings.NewReader(lines(3, 3))),
		} {
			var p map[string]any
			must(t, json.Unmarshal(w.Body.Bytes(), &p))
			delete(p, "instance")
			answers[fmt.Sprint(w.Code, p)] = w.Code == 401
		}
		if len(answers) != 1 {
			t.Errorf("strangers can tell what there is: %v", answers)
		}
		for a, ok := range answers {
			if !ok {
				t.Error(a)
			}
		}
		if len(h.records()) != 2 {
			t.Errorf("%d records", len(h.records()))
		}
		// What cannot be read to its end is not said to be taken.
		if w := post("/v1/hooks/if-hook", "["+strings.TrimSpace(lines(5, 5))+",", hookSecret, now); w.Code != 400 || !strings.Contains(w.Body.String(), "were taken: 1") {
			t.Errorf("half a list: %d %s", w.Code, w.Body)
		}
	})
}

func TestPages(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	h.put("a.ndjson", lines(1, 3)+"{\"id\":\"t4\"}\n<b>\n")
	h.look()
	f := h.files()[0]
	for path, want := range map[string][]string{
		"/staff/feeds":            {"Folder", "every minute", "a.ndjson", "Complete, with problems", "Cannot be read"},
		"/staff/feeds/if-folder":  {"Folder", "Given by", "The sender", "a.ndjson", "Look now"},
		"/staff/files/" + f.ID:    {"line 4", "/n", "line 5", "Held", "Refused", "Yes: every row", f.Read.String()},
		"/staff/files/new":        {"The sender: Thing", "File"},
		"/staff/feeds/if-nowhere": nil,
	} {
		w := h.do("GET", path, "staff:integration", nil)
		if want == nil && w.Code == 404 {
			continue
		}
		for _, s := range want {
			if w.Code != 200 || !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: %d, without %q:\n%s", path, w.Code, s, w.Body)
			}
		}
	}
	if w := h.do("GET", "/staff/feeds", "partner:org-sender", nil); w.Code != 403 {
		t.Errorf("a partner sees the feeds: %d", w.Code)
	}
	if w := h.do("POST", "/staff/feeds/if-folder/run", "staff:integration", nil, "Sec-Fetch-Site", "same-origin"); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.settle()
}

func TestUpload(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		send := func(what, name, text string) *httptest.ResponseRecorder {
			var b strings.Builder
			m := multipart.NewWriter(&b)
			must(t, m.WriteField("what", what))
			must(t, m.WriteField("key", ""))
			part, err := m.CreateFormFile("file", name)
			must(t, err)
			_, err = io.WriteString(part, text)
			must(t, err)
			must(t, m.Close())
			return h.do("POST", "/staff/files", "staff:integration", strings.NewReader(b.String()), "Content-Type", m.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
		}
		w := send("org-sender rec-thing.v1", `C:\things.csv`, "id;n\na;1\nb;zwei\n")
		if w.Code != 303 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		at := w.Header().Get("Location")
		h.settle()
		page := h.do("GET", at, "staff:integration", nil).Body.String()
		for _, want := range []string{"things.csv", "Complete, with problems", "line 3", "/n", "Held"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of the file does not say %q:\n%s", want, page)
			}
		}
		if w := send("org-sender rec-thing.v1", "things.csv", "id;n\na;1\nb;zwei\n"); w.Header().Get("Location") != at {
			t.Errorf("the same file again: %d %s", w.Code, w.Header())
		}
		for _, w := range []*httptest.ResponseRecorder{send("", "a.csv", "id\n1\n"), send("org-sender rec-thing.v1", "", ""), send("org-other rec-thing.v1", "a.csv", "id\n1\n"), send("org-sender rec-none.v1", "a.csv", "id\n1\n")} {
			if w.Code != 200 || !strings.Contains(w.Body.String(), "There is a problem") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if left, err := filepath.Glob(filepath.Join(h.k.Dir, "scratch", "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

// polled is a system that gives its records by number, 40 at a time; it breaks off
// now and then.
type polled struct {
	rows  int
	fails func(asked int) bool
	asked int
}

func (p *polled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked++
	since, _ := strconv.Atoi(r.URL.Query().Get("since"))
	w.Header().Set("Content-Type", "application/json")
	var b strings.Builder
	b.WriteString("[")
	for n := max(since, 1); n <= min(p.rows, since+40); n++ {
		if n > max(since, 1) {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":"p%d","n":%d}`, n, n)
	}
	b.WriteString("]")
	out := b.String()
	if p.fails != nil && p.fails(p.asked) {
		w.Header().Set("Content-Length", strconv.Itoa(len(out)))
		out = out[:len(out)/2]
	}
	_, _ = io.WriteString(w, out)
}

func TestPoll(t *testing.T) {
	each(t, func(t *testing.T, h *house, again func() *house) {
		system := &polled{rows: 500, fails: func(n int) bool { return n%3 == 0 }}
		server := httptest.NewServer(system)
		t.Cleanup(server.Close)
		h.env["POLL"] = server.URL
		for look := 0; len(h.records()) < 500; look++ {
			if look == 50 {
				t.Fatalf("%d of 500 records after 50 looks", len(h.records()))
			}
			must(t, h.x.Feeds.Ask(t.Context(), "if-poll"))
			h.settle()
			if look%4 == 3 {
				h = again()
				h.env["POLL"] = server.URL
			}
		}
		system.rows = 520
		h.clock.move(time.Hour)
		h.settle()
		must(t, h.x.Feeds.Ask(t.Context(), "if-poll"))
		h.settle()
		seen := map[string]int{}
		for _, r := range h.records() {
			seen[r]++
		}
		if len(seen) != 520 {
			t.Errorf("%d different records, want 520", len(seen))
		}
		for r, n := range seen {
			if n > 1 {
				t.Errorf("%s came %d times", r, n)
			}
		}
		for _, f := range h.files() {
			if !f.Adds() || f.State == feed.Receiving {
				t.Errorf("a run: %+v", f)
			}
		}
	})
}
