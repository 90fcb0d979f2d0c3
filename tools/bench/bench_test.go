// Package bench measures the main job on this machine, beside two baselines, and
// prints a table: make bench.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "modernc.org/sqlite"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// row is one line of the table.
type row struct {
	what     string
	records  int
	took     time.Duration // until everything is at its end
	accepted time.Duration // until the last receipt, 0 if there are none
	cpu      time.Duration // of the process, 0 if not known
	peak     int64         // bytes of memory
	fsyncs   string
}

// TestSpeed sends REEVE_BENCH_N records (100,000) of about 1 kB as one NDJSON
// request through contract, journal, cut-down, filter and mapping into files.
func TestSpeed(t *testing.T) {
	if os.Getenv("REEVE_BENCH") != "1" {
		t.Skip("make bench runs it")
	}
	n := 100_000
	if s := os.Getenv("REEVE_BENCH_N"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	input := filepath.Join(t.TempDir(), "in.ndjson")
	size := generate(t, input, n)
	bin, err := rig.Build(t.Context(), "./cmd/reeve", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rows := []row{
		bareStream(t, input, n),
		plainInserts(t, input, n),
	}
	base := rows[0]
	if red, err := nodeRed(t, input, n); err != nil {
		t.Logf("Node-RED is left out: %v", err)
	} else {
		rows = append(rows, red)
	}
	sqlite := whole(t, bin, input, n, "")
	rows = append(rows, sqlite.row)
	cluster, err := storetest.StartCluster(t.TempDir(), true)
	if err == nil {
		pg := whole(t, bin, input, n, cluster.URL("postgres"))
		pg.what = "Reeve, PostgreSQL, all durable"
		rows = append(rows, pg.row)
		cluster.Kill()
	} else {
		t.Logf("PostgreSQL is left out: %v", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n%d records of %d bytes on %d cores, %s\n\n", n, size/int64(n), runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\trecords/s\tratio\treceipts/s\tCPU s\tratio\tpeak memory\tfsyncs")
	for _, r := range rows {
		receipts := "-"
		if r.accepted > 0 {
			receipts = fmt.Sprintf("%.0f", rate(r.records, r.accepted))
		}
		peak := "-"
		if r.peak > 0 {
			peak = fmt.Sprintf("%d MB", r.peak>>20)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\t%.1f\t%.2f\t%s\t%s\n", r.what, rate(r.records, r.took), rate(r.records, r.took)/rate(base.records, base.took),
			receipts, r.cpu.Seconds(), rate(r.records, r.cpu)/rate(base.records, base.cpu), peak, r.fsyncs)
	}
	w.Flush()
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "\nstart to listening %s, idle memory %d MB, program %d MB\n", sqlite.began.Round(time.Millisecond), sqlite.idle>>20, info.Size()>>20)
	fmt.Println(b.String())
}

// TestCold times a first `make run` on this machine: a fresh clone, nothing built
// before, the downloads of Go modules and npm packages already in their caches.
func TestCold(t *testing.T) {
	if os.Getenv("REEVE_BENCH") != "1" {
		t.Skip("make bench runs it")
	}
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clone := filepath.Join(dir, "reeve")
	if out, err := exec.Command("git", "clone", "-q", root, clone).CombinedOutput(); err != nil {
		t.Skipf("it cannot be cloned: %s", out)
	}
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), "make", "build")
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(dir, "cache"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := &rig.Reeve{Bin: filepath.Join(clone, "bin", "reeve"), Data: filepath.Join(dir, "data")}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	fmt.Printf("cold make run: %s until the demo says that it is ready\n", time.Since(start).Round(time.Second))
}

func rate(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// generate writes n records that differ and returns their size in all.
func generate(t *testing.T, file string, n int) int64 {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	given := []string{"Ada", "Bola", "Chidi", "Dilys", "Éowyn", "Farah", "Gwen", "Hamza"}
	family := []string{"Okafor", "Smith", "Patel", "Nguyễn", "O'Neill", "Kowalska", "Jones", "García"}
	street := []string{"High Street", "Station Road", "Church Lane", "Victoria Terrace", "Mill Close"}
	note := strings.Repeat("The tenancy was checked with the landlord and the keys were handed over. ", 5)
	for i := range n {
		status := "final"
		if i%100 == 99 {
			status = "draft"
		}
		fmt.Fprintf(w, `{"id":"chg-%09d","status":%q,"person":{"name":{"given":%q,"family":%q},"dateOfBirth":"19%02d-%02d-%02d","email":"person-%d@example.org","phone":"020 7946 %04d"},`+
			`"old":{"lines":["%d %s","Ashcombe"],"postcode":"AS%d %dAB","uprn":"1000%08d"},"new":{"lines":["Flat %d","%d %s","Ashcombe"],"postcode":"AS%d %dCD","uprn":"2000%08d"},`+
			`"movedOn":"2026-%02d-%02d","reason":"rent","household":[{"name":"%s %s","relation":"child","age":%d},{"name":"%s %s","relation":"partner","age":%d}],"note":"%s%d"}`+"\n",
			i, status, given[i%8], family[i/8%8], 30+i%70, 1+i%12, 1+i%28, i, i%10000,
			1+i%200, street[i%5], 1+i%20, 1+i%9, i, 1+i%30, 1+i%90, street[i/5%5], 1+i/20%20, 1+i/9%9, i+7,
			1+i%12, 1+i%28, given[i/3%8], family[i/8%8], i%18, given[i/5%8], family[i/8%8], 20+i%60, note, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

type result struct {
	row
	began time.Duration
	idle  int64
}

// whole runs the program as its users do.
func whole(t *testing.T, bin, input string, n int, database string) result {
	t.Helper()
	ctx := t.Context()
	out := t.TempDir()
	r := &rig.Reeve{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Definitions: "body", Database: database, Env: map[string]string{"BENCH_OUT": "file://" + out, "REEVE_LOG_LEVEL": "warn"}}
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	token, err := r.Token(ctx, "org-sender")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	idle, _, err := r.Memory()
	if err != nil {
		t.Fatal(err)
	}
	before, cpu := fsyncs(r), processor(t, r)
	start := time.Now()
	accepted := post(ctx, t, r.URL+"/v1/records/rec-change.v1", token, input)
	receipts := time.Since(start)
	if accepted != n {
		t.Fatalf("%d of %d records accepted\n%s", accepted, n, r.Logs())
	}
	want := n - n/100 // drafts are filtered out
	for written(t, out) < want {
		if time.Since(start) > 10*time.Minute {
			t.Fatalf("%d of %d rows written\n%s", written(t, out), want, r.Logs())
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(start)
	cpu = processor(t, r) - cpu
	_, peak, err := r.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, out); got != want {
		t.Fatalf("%d rows written, want %d", got, want)
	}
	syncs := "-"
	if after := fsyncs(r); after >= 0 {
		syncs = fmt.Sprint(after - before)
	}
	return result{row{"Reeve, SQLite, all durable", n, took, receipts, cpu, peak, syncs}, r.Began, idle}
}

func post(ctx context.Context, t *testing.T, url, token, input string) (accepted int) {
	t.Helper()
	f, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, f)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		t.Fatalf("%s: %s", res.Status, b)
	}
	sc := bufio.NewScanner(res.Body)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if bytes.Contains(sc.Bytes(), []byte(`"accepted"`)) {
			accepted++
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return accepted
}

// counted remembers files that were counted: names and contents are fixed.
var counted = map[string]int{}

func written(t *testing.T, dir string) (rows int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := counted[f]; !ok {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			counted[f] = bytes.Count(b, []byte("\n")) - 1 // the heading
		}
		rows += counted[f]
	}
	return rows
}

// processor is the processor's time that the program has used.
func processor(t *testing.T, r *rig.Reeve) time.Duration {
	t.Helper()
	d, err := r.CPU()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// own is the processor's time that this process has used.
func own(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fsyncs is what the program counts of them, -1 if it does not say.
func fsyncs(r *rig.Reeve) int64 {
	res, err := http.Get(r.URL + "/metrics")
	if err != nil {
		return -1
	}
	defer res.Body.Close()
	sc := bufio.NewScanner(res.Body)
	for sc.Scan() {
		if f := strings.Fields(sc.Text()); len(f) == 2 && strings.Contains(f[0], "fsync") && !strings.HasPrefix(f[0], "#") {
			v, err := strconv.ParseFloat(f[1], 64)
			if err == nil {
				return int64(v)
			}
		}
	}
	return -1
}

// bareStream is the same schema and mapping in a benthos stream: nothing is
// durable, nothing is journalled, nobody is asked who they are.
func bareStream(t *testing.T, input string, n int) row {
	t.Helper()
	dir := t.TempDir()
	schema, err := filepath.Abs("body/change.json")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := os.ReadFile("body/move.blobl")
	if err != nil {
		t.Fatal(err)
	}
	sb := service.NewStreamBuilder()
	sb.SetThreads(runtime.NumCPU())
	if err := sb.SetLoggerYAML("level: ERROR"); err != nil {
		t.Fatal(err)
	}
	for _, processor := range []map[string]any{
		{"json_schema": map[string]any{"schema_path": "file://" + schema}},
		{"mapping": string(mapping)},
	} {
		b, err := json.Marshal(processor)
		if err != nil {
			t.Fatal(err)
		}
		if err := sb.AddProcessorYAML(string(b)); err != nil {
			t.Fatal(err)
		}
	}
	produce, err := sb.AddBatchProducerFunc()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 1<<20)
	var mu sync.Mutex
	got := 0
	err = sb.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			b, err := m.AsBytes()
			if err != nil {
				return err
			}
			got++
			w.Write(b)
			w.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := sb.Build()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	start, cpu := time.Now(), own(t)
	go func() {
		defer stream.Stop(context.Background())
		var senders sync.WaitGroup
		batches := make(chan service.MessageBatch)
		for range runtime.NumCPU() { // a producer waits until its batch has arrived
			senders.Go(func() {
				for b := range batches {
					if err := produce(t.Context(), b); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var batch service.MessageBatch
		for line := range bytes.Lines(in) {
			if batch = append(batch, service.NewMessage(bytes.TrimSpace(line))); len(batch) == 100 {
				batches <- batch
				batch = nil
			}
		}
		batches <- batch
		close(batches)
		senders.Wait()
	}()
	if err := stream.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if got != n {
		t.Fatalf("the bare stream wrote %d of %d", got, n)
	}
	return row{what: "benthos stream, schema and mapping, not durable", records: n, took: took, cpu: own(t) - cpu, fsyncs: "0"}
}

// plainInserts puts the same bytes into one SQLite table, 100 to a transaction.
func plainInserts(t *testing.T, input string, n int) row {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "plain.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("create table records (n integer primary key, body blob not null)"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	commits := 0
	start, cpu := time.Now(), own(t)
	for i := 0; i < n; {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		stmt, err := tx.Prepare("insert into records (body) values (?)")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if i == n || !sc.Scan() {
				break
			}
			if _, err := stmt.Exec(sc.Bytes()); err != nil {
				t.Fatal(err)
			}
			i++
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		commits++
	}
	took := time.Since(start)
	return row{what: "SQLite inserts, 100 a transaction", records: n, took: took, cpu: own(t) - cpu, fsyncs: fmt.Sprint(commits)}
}
