package intake_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func TestTypeKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { testTypeKey(t, openDB(t, db, t.TempDir())) })
}

func testTypeKey(t *testing.T, d *door) {
	a := d.send("rec-thing.v1", `{"id":"a","n":1}`+"\n"+`{"id":"a", "n": 1, "ignored": true}`+"\n"+`{"id":"a","n":2}`+"\n"+`{"id":"a","n":2}`+"\n"+`{"id":"a","n":1}`)
	if a.statuses() != "accepted duplicate accepted duplicate accepted" {
		t.Fatal(a.body)
	}
	r := a.receipts
	if r[1].ID != r[0].ID || r[1].Seq != r[0].Seq || r[3].ID != r[2].ID || r[4].ID == r[0].ID {
		t.Error(a.body)
	}
	rec, err := d.log.Get(t.Context(), r[2].Seq)
	must(t, err)
	if string(rec.Replaces) != r[0].ID || rec.Key != "a" || rec.Sender != "org-sender" {
		t.Errorf("%+v", rec)
	}
	// A type without a key has no memory.
	if a := d.send("rec-loose.v1", `{"x":1}`+"\n"+`{"x":1}`); a.statuses() != "accepted accepted" {
		t.Error(a.body)
	}
	// What is held is recognised too.
	a = d.send("rec-thing.v1", `{"id":"h"}`+"\n"+`{"id":"h"}`)
	if a.statuses() != "held duplicate" || a.receipts[0].ID != a.receipts[1].ID {
		t.Error(a.body)
	}
	if v := d.verbs(); v["duplicate"] != 0 || v["accepted"] != 5 || v["held"] != 1 {
		t.Error(v)
	}
}

func TestIdempotencyKey(t *testing.T) {
	at := &clock{}
	d := open(t, t.TempDir(), at)
	two := `{"x":1}` + "\n" + `{"x":2}`
	first := d.send("rec-loose.v1", two, "key=k1")
	again := d.send("rec-loose.v1", two, "key=k1")
	if first.statuses() != "accepted accepted" || again.statuses() != "duplicate duplicate" || again.receipts[1].ID != first.receipts[1].ID {
		t.Fatal(first.body, again.body)
	}
	if a := d.send("rec-loose.v1", two, "key=k2"); a.statuses() != "accepted accepted" {
		t.Error("another key:", a.body)
	}
	if a := d.send("rec-loose.v1", `{"x":1}`+"\n"+`{"x":3}`, "key=k1"); a.statuses() != "duplicate refused" || a.status != 202 {
		t.Error("partly new content:", a.status, a.body)
	}
	if a := d.send("rec-loose.v1", `{"x":3}`, "key=k1"); a.status != 409 || len(a.problem.Refused) != 1 {
		t.Error("new content:", a.status, a.body)
	}
	// More records under the same key go on from there.
	if a := d.send("rec-loose.v1", two+"\n"+`{"x":3}`, "key=k1"); a.statuses() != "duplicate duplicate accepted" {
		t.Error("longer:", a.body)
	}
	if a := d.send("rec-loose.v1", `{}`, "key="+strings.Repeat("x", 300)); a.status != 400 {
		t.Error("long key:", a.status)
	}
	at.Add(int64(once.Window + time.Hour))
	if a := d.send("rec-loose.v1", `{"x":9}`, "key=k1"); a.statuses() != "accepted" {
		t.Error("after the window:", a.status, a.body)
	}
}

func TestRestartKeepsDuplicates(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, nil)
	body := `{"id":"a","n":1}` + "\n" + `{"id":"h"}` + "\n" + `{"id":"c","n":1}`
	first := d.send("rec-thing.v1", body)
	loose := d.send("rec-loose.v1", `{"x":1}`, "key=k")
	must(t, d.db.Close())
	d = open(t, dir, nil)
	again := d.send("rec-thing.v1", body)
	if again.statuses() != "duplicate duplicate duplicate" {
		t.Error(again.body)
	}
	for i := range first.receipts {
		if first.receipts[i].ID != again.receipts[i].ID {
			t.Error(i, first.receipts[i], again.receipts[i])
		}
	}
	if a := d.send("rec-loose.v1", `{"x":1}`, "key=k"); a.statuses() != "duplicate" || a.receipts[0].ID != loose.receipts[0].ID {
		t.Error(a.body)
	}
	if a := d.send("rec-loose.v1", `{"x":2}`, "key=k"); a.status != 409 {
		t.Error(a.body)
	}
}

// What is written to the index behind is found there, also by another process later.
func TestIndexWrittenBehind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { testIndexWrittenBehind(t, db) })
}

func testIndexWrittenBehind(t *testing.T, db *store.DB) {
	dir := t.TempDir()
	d := openDB(t, db, dir)
	const n = 26_000
	body := things(n)
	a := d.send("rec-thing.v1", body, "key=big")
	if a.status != 202 || len(a.receipts) != n {
		t.Fatal(a.status, len(a.receipts))
	}
	d.send("rec-thing.v1", `{"id":"last","n":1}`) // the next group takes over what the last one told
	did := 0
	for {
		k, err := d.index.Step(t.Context())
		must(t, err)
		if did += k; k == 0 {
			break
		}
	}
	if upto, err := d.index.Upto(t.Context()); err != nil || upto == 0 || did == 0 {
		t.Fatal("nothing was written", upto, did, err)
	}
	check := func() {
		t.Helper()
		b := d.send("rec-thing.v1", body)
		dup := strings.Count(b.body, `"duplicate"`)
		if dup != n || b.receipts[0].ID != a.receipts[0].ID || b.receipts[n-1].ID != a.receipts[n-1].ID {
			t.Fatalf("%d duplicates of %d", dup, n)
		}
		if c := d.send("rec-thing.v1", things(3), "key=big"); c.statuses() != "duplicate duplicate duplicate" {
			t.Error(c.body)
		}
	}
	check()
	d = openDB(t, db, dir) // an index that remembers nothing by itself
	check()
}

func things(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"id-%d","n":%d}`+"\n", i, i)
	}
	return b.String()
}

// Keys of headers leave the index after their window; those of types stay.
func TestWindowInTheIndex(t *testing.T) {
	at := &clock{}
	d := open(t, t.TempDir(), at)
	d.send("rec-thing.v1", things(15_000), "key=big") // 30,000 keys
	d.send("rec-thing.v1", `{"id":"last","n":1}`)
	steps := func() (n int) {
		for {
			k, err := d.index.Step(t.Context())
			must(t, err)
			if n += k; k == 0 {
				return n
			}
		}
	}
	written := steps()
	at.Add(int64(once.Window + time.Hour))
	forgot := steps()
	if written == 0 || forgot == 0 || forgot > written/2+1 {
		t.Errorf("%d keys written, %d forgotten", written, forgot)
	}
	if a := d.send("rec-thing.v1", things(5)); a.statuses() != "duplicate duplicate duplicate duplicate duplicate" {
		t.Error(a.body)
	}
}

// A record is kept as soon as it has come, while the body is still open.
func TestOpenStream(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	in, out := io.Pipe()
	done := make(chan answer)
	go func() {
		done <- d.do(req{party: "org-sender", typ: "rec-thing.v1", contentType: "application/x-ndjson", body: in})
	}()
	const n = 50
	for i := range n {
		_, err := fmt.Fprintf(out, `{"id":"s%d","n":1}`+"\n", i)
		must(t, err)
		for len(d.bodies()) <= i {
			time.Sleep(time.Millisecond)
		}
	}
	must(t, out.Close())
	if a := <-done; strings.Count(a.body, `"accepted"`) != n {
		t.Error(a.body)
	}
}

// Of many senders of the same keys at the same moment, each key is accepted once.
func TestRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { testRace(t, openDB(t, db, t.TempDir())) })
}

func testRace(t *testing.T, d *door) {
	const senders, records = 16, 200
	var wg sync.WaitGroup
	answers := make([]answer, senders)
	for i := range senders {
		wg.Go(func() {
			order := rand.Perm(records)
			var b strings.Builder
			for _, k := range order {
				fmt.Fprintf(&b, `{"id":"k%d","n":%d}`+"\n", k, k)
			}
			answers[i] = d.send("rec-thing.v1", b.String())
		})
	}
	wg.Wait()
	accepted := 0
	for _, a := range answers {
		if len(a.receipts) != records {
			t.Fatal(a.status, a.body)
		}
		accepted += strings.Count(a.body, `"accepted"`)
	}
	if accepted != records || len(d.bodies()) != records {
		t.Errorf("%d accepted, %d kept", accepted, len(d.bodies()))
	}
}

// A transaction that is undone leaves nothing in the index's memory.
func TestUndone(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	boom := reeve.E(reeve.Transient, "test", "boom")
	h := d.index.Key("org-sender", "rec-thing.v1", "a")
	err := d.db.Update(t.Context(), func(tx *store.Tx) error {
		if err := d.index.Put(tx, h, once.Seen{N: 1, Epoch: 1, Digest: h}); err != nil {
			return err
		}
		if _, ok, err := d.index.Find(tx, nil, h); err != nil || !ok {
			t.Error("not found in its own transaction", err)
		}
		return boom
	})
	if err == nil {
		t.Fatal("no error")
	}
	if a := d.send("rec-thing.v1", `{"id":"a","n":1}`); a.statuses() != "accepted" {
		t.Error(a.body)
	}
}

type brokenBody struct {
	io.Reader
	err error
}

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func TestBodyStopsHalfWay(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	body := things(2500) + `{"id":"cut`
	a := d.do(req{party: "org-sender", typ: "rec-thing.v1", contentType: "application/x-ndjson", body: brokenBody{strings.NewReader(body), io.ErrUnexpectedEOF}})
	if a.status != 400 || a.problem.Counts.Accepted != 2500 || a.problem.Receipts == "" {
		t.Fatal(a.status, a.body)
	}
	code, lines := d.get(a.problem.Receipts, "org-sender")
	if code != 200 || strings.Count(lines, "accepted") != 2500 {
		t.Error(code, len(lines))
	}
	if code, _ := d.get(a.problem.Receipts, "org-other"); code != 404 {
		t.Error("somebody else reads the receipts:", code)
	}
	if code, _ := d.get("/v1/submissions/sub-nothing/receipts", "org-sender"); code != 404 {
		t.Error(code)
	}
	// Nothing kept: nothing to look up.
	a = d.do(req{party: "org-sender", typ: "rec-thing.v1", contentType: "application/x-ndjson", body: brokenBody{strings.NewReader(`{"id":"cut`), io.ErrUnexpectedEOF}})
	if a.status != 400 || a.problem.Receipts != "" || a.problem.Counts.Records != 0 {
		t.Error(a.status, a.body)
	}
}

// A client that writes everything before it reads anything, over a real connection.
func TestWritesBeforeItReads(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	srv := httptest.NewServer(d.mux)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	body := things(n)
	fmt.Fprintf(conn, "POST /v1/records/rec-thing.v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer org-sender\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len(body))
	_, err = io.WriteString(conn, body)
	must(t, err)
	all, err := io.ReadAll(conn)
	must(t, err)
	if got := bytes.Count(all, []byte(`"accepted"`)); got != n || !bytes.HasPrefix(all, []byte("HTTP/1.1 202")) {
		t.Fatalf("%d receipts, %.200s", got, all)
	}
}

func TestConnectionCut(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	srv := httptest.NewServer(d.mux)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/records/rec-thing.v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer org-sender\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n%s{\"id\"", things(3))
	must(t, conn.(*net.TCPConn).CloseWrite())
	all, err := io.ReadAll(conn)
	must(t, err)
	if s := string(all); !strings.HasPrefix(s, "HTTP/1.1 400") || !strings.Contains(s, `"accepted":3`) || !strings.Contains(s, `/v1/submissions/`) {
		t.Error(s)
	}
}

// stream is a body of many records.
type stream struct {
	line []byte
	left int64
	off  int
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		k := copy(p[n:], s.line[s.off:])
		n += k
		s.off = (s.off + k) % len(s.line)
	}
	s.left -= int64(n)
	return n, nil
}

// Memory does not grow with the body.
func TestLargeBodyFlatMemory(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	size := int64(60 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	var peak uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	})
	line := []byte(`{"id":"same","n":1,"name":"` + strings.Repeat("x", 1000) + `"}` + "\n")
	a := d.do(req{party: "org-sender", typ: "rec-thing.v1", contentType: "application/x-ndjson", body: &stream{line: line, left: size}})
	garbage := d.do(req{party: "org-sender", typ: "rec-thing.v1", contentType: "application/x-ndjson", body: &stream{line: bytes.Repeat([]byte{'x'}, 1<<16), left: size}})
	close(stop)
	wg.Wait()
	if a.status != 202 || strings.Count(a.body, "accepted") > 1 {
		t.Errorf("%d %.200s", a.status, a.body)
	}
	if garbage.status != 413 {
		t.Errorf("%d %.200s", garbage.status, garbage.body)
	}
	if peak > 250<<20 {
		t.Errorf("peak heap %d MB", peak>>20)
	}
	t.Logf("peak heap %d MB", peak>>20)
}

// Ten thousand random changes to real records: each gets a receipt, or the call
// says that nothing was kept.
func TestMutations(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	raw, err := os.ReadFile("../testdata/real/fhir/patients.ndjson")
	must(t, err)
	recs := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	rng := rand.New(rand.NewPCG(1, 2))
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	var all [][]byte
	for range n {
		all = append(all, mutate(rng, recs[rng.IntN(len(recs))]))
	}
	for _, typ := range []string{"rec-patient.v1", "rec-loose.v1"} {
		for from := 0; from < n; from += 2500 {
			part := all[from:min(n, from+2500)]
			a := d.send(typ, string(bytes.Join(part, []byte("\n"))))
			if a.status != 202 || len(a.receipts) != len(part) {
				t.Fatalf("%s: %d with %d receipts for %d records %.300s", typ, a.status, len(a.receipts), len(part), a.body)
			}
			for i, r := range a.receipts {
				if r.ID == "" || r.Status == "refused" != strings.HasPrefix(r.ID, "x") || (r.Status == "held" || r.Status == "refused") != (len(r.Problems) > 0) {
					t.Fatalf("record %d: %+v", i, r)
				}
			}
		}
	}
	// One at a time, as whatever they look like.
	for _, m := range all[:300] {
		a := d.do(req{party: "org-sender", typ: "rec-patient.v1", contentType: http.DetectContentType(m), body: bytes.NewReader(m)})
		switch a.status {
		case 202, 400, 409, 413:
		default:
			t.Fatalf("%d %s for %q", a.status, a.body, m)
		}
	}
}

// mutate changes a record in one to five places; it stays on one line.
func mutate(rng *rand.Rand, rec []byte) []byte {
	b := bytes.Clone(rec)
	for range 1 + rng.IntN(5) {
		i := rng.IntN(len(b))
		switch rng.IntN(6) {
		case 0:
			b[i] = byte(rng.IntN(256))
		case 1:
			b = append(b[:i], b[min(len(b), i+1+rng.IntN(40)):]...)
		case 2:
			b = append(b[:i:i], append([]byte(`{}[]",:\u0`)[:1+rng.IntN(9)], b[i:]...)...)
		case 3:
			b = b[:i+1]
		case 4:
			j := rng.IntN(len(b))
			b[i], b[j] = b[j], b[i]
		case 5:
			b = append(b, b[i:]...)
		}
		if len(b) == 0 {
			b = []byte("x")
		}
	}
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return []byte("x")
	}
	return b
}
