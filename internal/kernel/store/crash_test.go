package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// The child of the crash tests is this test binary with the database in the
// environment.
const crashPath, crashURL, crashDir = "REEVE_TEST_CRASH_PATH", "REEVE_TEST_CRASH_URL", "REEVE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if os.Getenv(crashDir) != "" {
		if err := load(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// kit is the kernel as far as records go.
type kit struct {
	db  *store.DB
	log *log.Log
	jrn *journal.Journal
}

func openKit(ctx context.Context, o store.Options, dir string) (k kit, err error) {
	o.Now = time.Now
	if k.db, err = store.Open(ctx, o); err != nil {
		return k, err
	}
	keys, err := seal.Open(ctx, k.db, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		return k, err
	}
	if k.log, err = log.Open(ctx, k.db, keys); err != nil {
		return k, err
	}
	k.jrn, err = journal.Open(ctx, k.db, journal.Options{Dir: dir, Key: keys.Derive("journal")})
	return k, err
}

// load writes from several goroutines, prints what was acknowledged, and only ends
// when it is killed.
func load() error {
	ctx := context.Background()
	k, err := openKit(ctx, store.Options{Path: os.Getenv(crashPath), URL: os.Getenv(crashURL)}, os.Getenv(crashDir))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for range 6 {
		wg.Go(func() {
			for i := 0; ; i++ {
				recs := make([]log.Record, 1+rand.N(20))
				for n := range recs {
					recs[n] = log.Record{Type: "rec-a", Key: strconv.Itoa(rand.Int()), Body: fmt.Appendf(nil, `{"n":%d}`, rand.Int())}
				}
				err := k.db.Update(ctx, func(tx *store.Tx) error {
					if err := k.log.Append(tx, recs); err != nil {
						return err
					}
					for _, r := range recs {
						if _, err := k.jrn.Append(tx, journal.Entry{Actor: "test", Verb: "accepted", About: reeve.Ref("record/" + r.ID), Digest: r.Digest}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					failed <- err
					return
				}
				var b strings.Builder
				for _, r := range recs {
					fmt.Fprintf(&b, "%d %s\n", r.N, r.Digest)
				}
				os.Stdout.WriteString(b.String()) // one write: the parent sees whole acknowledgements
			}
		})
	}
	wg.Go(func() {
		for range time.Tick(20 * time.Millisecond) {
			if _, err := k.jrn.Checkpoint(ctx); err != nil {
				failed <- err
				return
			}
		}
	})
	return <-failed
}

// crash runs the load, calls kill at a random moment and returns what had been
// acknowledged by then.
func crash(t *testing.T, o store.Options, dir string, kill func(child *os.Process)) map[int64]string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashPath+"="+o.Path, crashURL+"="+o.URL, crashDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[int64]string{}
	sc := bufio.NewScanner(out)
	if !sc.Scan() || sc.Text() != "ready" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("the child did not start: %s", &stderr)
	}
	killed := make(chan struct{})
	time.AfterFunc(time.Duration(20+rand.N(250))*time.Millisecond, func() { kill(cmd.Process); close(killed) })
	for sc.Scan() {
		num, digest, ok := strings.Cut(sc.Text(), " ")
		n, err := strconv.ParseInt(num, 10, 64)
		if ok && err == nil && len(digest) == 43 { // not cut short by the kill
			acked[n] = digest
		}
	}
	<-killed
	cmd.Wait()
	return acked
}

// check looks for everything that was acknowledged, and verifies the journal.
func check(t *testing.T, o store.Options, dir string, acked map[int64]string) {
	t.Helper()
	k, err := openKit(t.Context(), o, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer k.db.Close()
	missing := len(acked)
	there := int64(0)
	err = k.log.Tail(t.Context(), 0, func(r log.Record) error {
		there++
		if digest, ok := acked[r.N]; ok {
			if digest != r.Digest {
				t.Errorf("record %d is another one", r.N)
			}
			missing--
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged records are missing", missing, len(acked))
	}
	r, err := journal.Verify(t.Context(), k.db, journal.VerifyOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Entries != there {
		t.Errorf("%d records, and the journal: %+v", there, r)
	}
}

func TestNothingAcknowledgedIsLostWhenKilled(t *testing.T) {
	dir := t.TempDir()
	o := store.Options{Path: filepath.Join(dir, "reeve.db")}
	all := map[int64]string{}
	for range 10 {
		for n, d := range crash(t, o, dir, func(p *os.Process) { p.Kill() }) {
			if _, twice := all[n]; twice {
				t.Errorf("number %d was given out twice", n)
			}
			all[n] = d
		}
		check(t, o, dir, all)
	}
	t.Logf("%d records acknowledged in 10 runs", len(all))
}

func TestNothingAcknowledgedIsLostWhenPostgresIsKilledToo(t *testing.T) {
	c := storetest.Private(t, true)
	dir := t.TempDir()
	o := store.Options{URL: c.URL("postgres")}
	all := map[int64]string{}
	for range 4 {
		for n, d := range crash(t, o, dir, func(p *os.Process) { c.Kill(); p.Kill() }) {
			if _, twice := all[n]; twice {
				t.Errorf("number %d was given out twice", n)
			}
			all[n] = d
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		check(t, o, dir, all)
	}
	t.Logf("%d records acknowledged in 4 runs", len(all))
}

// BenchmarkAppend is the path of a record without the rest of the exchange: log
// and journal, in groups of 1,000.
func BenchmarkAppend(b *testing.B) {
	dbs := map[string]func() store.Options{
		"sqlite":   func() store.Options { return store.Options{Path: filepath.Join(b.TempDir(), "reeve.db")} },
		"postgres": func() store.Options { return store.Options{URL: storetest.Private(b, true).URL("postgres")} },
	}
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			k, err := openKit(b.Context(), dbs[name](), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer k.db.Close()
			recs := make([]log.Record, 1000)
			for i := range recs {
				recs[i] = log.Record{Type: "rec-a", Sender: "org-a", Key: strconv.Itoa(i), Body: fmt.Appendf(nil, `{"n":%d,"x":"%x","rest":"%s"}`, i, rand.Int64(), strings.Repeat("lorem ipsum ", 75))}
			}
			es := make([]journal.Entry, len(recs))
			b.ResetTimer()
			for n := 0; n < b.N; n += len(recs) {
				err := k.db.Update(b.Context(), func(tx *store.Tx) error {
					if err := k.log.Append(tx, recs); err != nil {
						return err
					}
					for i, r := range recs {
						es[i] = journal.Entry{Actor: "partner/org-a", Verb: "accepted", About: reeve.Ref("record/" + r.ID), Purpose: "direct-care", Set: "abcdef", Digest: r.Digest}
					}
					_, err := k.jrn.Append(tx, es...)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(k.db.Stats().Fsyncs), "fsyncs")
		})
	}
}
