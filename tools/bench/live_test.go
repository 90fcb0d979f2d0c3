package bench

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/reeve-civic/reeve/client"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// overHTTP is a second receiver, of the same mapped records, one request each.
const overHTTP = `
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-second, name: The second receiver}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-second, name: The second receiver's system}
spec: {organisation: org-second}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-second, name: Requests to the second receiver}
spec: {system: sys-second, style: api, address: env:BENCH_HTTP, repeat: key, records: [rec-move.v1]}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-second, name: What we may tell the second receiver}
spec:
  from: org-body
  to: org-second
  records:
  - {type: rec-change.v1, fields: [/id, /status, /person/name, /person/dateOfBirth, /old/lines, /new, /movedOn, /reason], purposes: [moves]}
  starts: 2020-01-01
  ends: 2099-12-31
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-second, name: Moves to the second receiver}
spec: {from: if-sender, to: if-second, record: rec-change.v1, target: rec-move.v1, agreement: agr-second, purpose: moves, start: beginning, map: move.blobl}
`

// rows is a record type of flat rows, for CSV.
const rowsType = `
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-row.v1, name: Row}
spec: {schema: row.json, key: /id, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-rows, name: What the sender may tell us in rows}
spec: {from: org-sender, to: org-body, records: [{type: rec-row.v1, fields: ["/"], purposes: [rows]}], starts: 2020-01-01, ends: 2099-12-31}
`

const rowSchema = `{"type":"object","required":["id","name"],"additionalProperties":false,"properties":{"id":{"type":"string","pattern":"^row-[0-9]{9}$"},"name":{"type":"string","minLength":1},` +
	`"street":{"type":"string"},"town":{"type":"string"},"postcode":{"type":"string","pattern":"^[A-Z0-9 ]{5,8}$"},"moved":{"type":"string","format":"date"},"reason":{"enum":["work","family","rent","other"]},"note":{"type":"string","maxLength":500}}}`

// definitions are those of body with more; strict makes keys wait for one another.
func definitions(t *testing.T, more string, strict bool) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"body.yaml", "change.json", "move.blobl", "move.json"} {
		b, err := os.ReadFile(filepath.Join("body", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "body.yaml" {
			b = append(b, more...)
			if strict {
				b = []byte(strings.Replace(string(b), "  key: /id\n", "  key: /id\n  order: strict\n", 1))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "row.json"), []byte(rowSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve starts the program on these definitions, and makes the sender's token.
func serve(t *testing.T, bin, defs, database string, env map[string]string) (*rig.Reeve, string) {
	t.Helper()
	r := &rig.Reeve{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Definitions: defs, Database: database, Env: map[string]string{"REEVE_LOG_LEVEL": "error", "BENCH_OUT": "file://" + t.TempDir()}}
	maps.Copy(r.Env, env)
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Kill)
	token, err := r.Token(t.Context(), "org-sender")
	if err != nil {
		t.Fatal(err)
	}
	return r, token
}

func change(id, from string) string {
	return fmt.Sprintf(`{"id":"chg-%s","status":"final","person":{"name":{"given":"Ada","family":"Okafor"},"dateOfBirth":"1950-03-04"},"old":{"lines":["%s"]},"new":{"lines":["2 Mill Close"]},"movedOn":"2026-03-04","note":"%s"}`+"\n",
		id, from, strings.Repeat("The keys were handed over. ", 24))
}

// receiver notes when each of the records that it is told first came, by the line
// from which they moved.
type receiver struct {
	*httptest.Server
	refuse func(from string) bool

	mu   sync.Mutex
	came map[string]time.Time
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{came: map[string]time.Time{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		at := time.Now()
		var move struct{ From string }
		if err := json.NewDecoder(req.Body).Decode(&move); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if r.refuse != nil && r.refuse(move.From) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		r.mu.Lock()
		if _, ok := r.came[move.From]; !ok {
			r.came[move.From] = at
		}
		r.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.came)
}

// lags are the times from sending to coming, sorted.
func (r *receiver) lags(sent map[string]time.Time) (out []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for from, at := range r.came {
		out = append(out, at.Sub(sent[from]))
	}
	slices.Sort(out)
	return out
}

func part(ds []time.Duration, p float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return ds[min(int(p*float64(len(ds))), len(ds)-1)].Round(100 * time.Microsecond)
}

// databases calls fn with SQLite and, where it is installed, PostgreSQL.
func databases(t *testing.T, fn func(name, url string)) {
	fn("SQLite", "")
	cluster, err := storetest.StartCluster(t.TempDir(), true)
	if err != nil {
		t.Logf("PostgreSQL is left out: %v", err)
		return
	}
	defer cluster.Kill()
	fn("PostgreSQL", cluster.URL("postgres"))
}

func wanted(t *testing.T) (bin string) {
	t.Helper()
	if os.Getenv("REEVE_BENCH") != "1" {
		t.Skip("make bench runs it")
	}
	bin, err := rig.Build(t.Context(), "./cmd/reeve", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func table(title, head string, lines ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n", title)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
	w.Flush()
	fmt.Println(b.String())
}

// TestSpeedOfOne sends records one at a time to a program that is otherwise idle,
// and measures from the sender's POST to the receiver's request.
func TestSpeedOfOne(t *testing.T) {
	bin := wanted(t)
	const n = 200
	var lines []string
	databases(t, func(name, url string) {
		to := newReceiver(t)
		r, token := serve(t, bin, definitions(t, overHTTP, false), url, map[string]string{"BENCH_HTTP": to.URL})
		sent := map[string]time.Time{}
		var answers []time.Duration
		for i := range n {
			from := fmt.Sprint("one-", i)
			sent[from] = time.Now()
			if got, err := send(t.Context(), r.URL, token, strings.NewReader(change(fmt.Sprintf("%09d", i), from))); err != nil || got != 1 {
				t.Fatalf("%d accepted: %v\n%s", got, err, r.Logs())
			}
			answers = append(answers, time.Since(sent[from]))
			for began := time.Now(); to.count() <= i && time.Since(began) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
		}
		slices.Sort(answers)
		lags := to.lags(sent)
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", name, part(answers, 0.5), part(lags, 0.5), part(lags, 0.99), lags[len(lags)-1].Round(time.Millisecond)))
		r.Kill()
	})
	table(fmt.Sprintf("From POST to the receiver's request, %d records one at a time, otherwise idle", n), "database\tPOST answered\tmedian\t99 of 100\tworst", lines...)
}

// send posts a body of lines and returns how many records were accepted.
func send(ctx context.Context, url, token string, body io.Reader) (accepted int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/records/rec-change.v1", body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s: %.500s", res.Status, b)
	}
	return strings.Count(string(b), `"accepted"`), err
}

// TestSpeedWithPoison streams records of 2,000 keys in strict order at a steady
// pace, once all good and once with 1% that the receiver refuses, and compares how
// long the records of the other keys take.
func TestSpeedWithPoison(t *testing.T) {
	bin := wanted(t)
	const n, keys, pace = 20_000, 2_000, 500 // records, and how many a second
	run := func(poison bool) []time.Duration {
		to := newReceiver(t)
		bad := func(i int) bool { return i%keys%100 == 50 }
		to.refuse = func(from string) bool {
			var i int
			_, _ = fmt.Sscanf(from, "n-%d", &i)
			return poison && bad(i)
		}
		r, token := serve(t, bin, definitions(t, overHTTP, true), "", map[string]string{"BENCH_HTTP": to.URL})
		defer r.Kill()
		sent, want := map[string]time.Time{}, 0
		in, out := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := send(t.Context(), r.URL, token, in)
			done <- err
		}()
		for start, i := time.Now(), 0; i < n; i++ {
			from := fmt.Sprint("n-", i)
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / pace)))
			sent[from] = time.Now()
			if _, err := io.WriteString(out, change(fmt.Sprintf("%09d", i%keys), from)); err != nil {
				t.Fatal(err)
			}
			if !poison || !bad(i) {
				want++
			}
		}
		out.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); to.count() < want; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 5*time.Minute {
				t.Fatalf("%d of %d came\n%s", to.count(), want, r.Logs())
			}
		}
		return to.lags(sent)
	}
	clean, dirty := run(false), run(true)
	table(fmt.Sprintf("%d records of %d keys in strict order at %d/s, time from sending to the receiver's request", n, keys, pace), "run\tmedian\t99 of 100\tratio",
		fmt.Sprintf("all good\t%s\t%s\t1.00", part(clean, 0.5), part(clean, 0.99)),
		fmt.Sprintf("1%% refused, the records of the other keys\t%s\t%s\t%.2f", part(dirty, 0.5), part(dirty, 0.99), float64(part(dirty, 0.99))/float64(part(clean, 0.99))))
}

// TestSpeedBesideASlowReceiver carries records into files while a second receiver
// of the same records reads one byte a second.
func TestSpeedBesideASlowReceiver(t *testing.T) {
	bin := wanted(t)
	const n = 50_000
	input := filepath.Join(t.TempDir(), "in.ndjson")
	generate(t, input, n)
	run := func(slow bool) (took time.Duration, peak int64) {
		out, env, more := t.TempDir(), map[string]string{}, ""
		if slow {
			env["BENCH_HTTP"], more = crawl(t), overHTTP
		}
		env["BENCH_OUT"] = "file://" + out
		r, token := serve(t, bin, definitions(t, more, false), "", env)
		defer r.Kill()
		start := time.Now()
		if got := post(t.Context(), t, r.URL+"/v1/records/rec-change.v1", token, input); got != n {
			t.Fatalf("%d accepted\n%s", got, r.Logs())
		}
		for written(t, out) < n-n/100 {
			if time.Since(start) > 10*time.Minute {
				t.Fatalf("%d rows written\n%s", written(t, out), r.Logs())
			}
			time.Sleep(20 * time.Millisecond)
		}
		took = time.Since(start)
		_, peak, err := r.Memory()
		if err != nil {
			t.Fatal(err)
		}
		return took, peak
	}
	alone, alonePeak := run(false)
	beside, besidePeak := run(true)
	table(fmt.Sprintf("%d records into files, and a second receiver that reads 1 byte a second", n), "run\trecords/s\tratio\tpeak memory",
		fmt.Sprintf("alone\t%.0f\t1.00\t%d MB", rate(n, alone), alonePeak>>20),
		fmt.Sprintf("beside the slow receiver\t%.0f\t%.2f\t%d MB", rate(n, beside), alone.Seconds()/beside.Seconds(), besidePeak>>20))
}

// crawl listens, and reads a byte a second of whatever connects.
func crawl(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for b := make([]byte, 1); ; time.Sleep(time.Second) {
					if _, err := c.Read(b); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestSpeedOfRows sends REEVE_BENCH_ROWS (1,000,000) rows of CSV as a file.
func TestSpeedOfRows(t *testing.T) {
	bin := wanted(t)
	n := 1_000_000
	if s := os.Getenv("REEVE_BENCH_ROWS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "rows.csv")
	size := writeRows(t, file, n)
	var lines []string
	databases(t, func(name, url string) {
		r, token := serve(t, bin, definitions(t, rowsType, false), url, nil)
		defer r.Kill()
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c := &client.Client{BaseURL: r.URL, Token: token}
		start, cpu := time.Now(), processor(t, r)
		s, err := c.SendFile(t.Context(), client.File{Type: "rec-row.v1", Name: "rows.csv", Format: client.Format{Name: "csv"}, Body: f})
		if err != nil || s.Accepted != int64(n) || !s.Reconciled {
			t.Fatalf("%+v %v\n%s", s, err, r.Logs())
		}
		took := time.Since(start)
		_, peak, err := r.Memory()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s\t%.0f\t%.1f\t%d MB", name, rate(n, took), (processor(t, r)-cpu).Seconds(), peak>>20))
	})
	table(fmt.Sprintf("%d rows of CSV, %d MB, sent as a file, accepted and reconciled", n, size>>20), "database\trows/s\tCPU s\tpeak memory", lines...)
}

func writeRows(t *testing.T, file string, n int) int64 {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := csv.NewWriter(f)
	row := []string{"id", "name", "street", "town", "postcode", "moved", "reason", "note"}
	for i := -1; i < n; i++ {
		if i >= 0 {
			row = []string{fmt.Sprintf("row-%09d", i), fmt.Sprintf("Person %d, Ms", i), fmt.Sprintf("%d High Street", i%300), "Ashcombe", fmt.Sprintf("AS%d %dAB", i%20, i%9), fmt.Sprintf("2026-%02d-%02d", 1+i%12, 1+i%28), "rent", "The keys were handed over."}
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
