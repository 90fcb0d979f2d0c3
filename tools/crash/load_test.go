// Package crash holds the tests that kill the real program, with the simulated
// systems in a process of their own that counts what reaches them.
package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/demo/data"
	"github.com/reeve-civic/reeve/tools/rig"
)

// receipt is what intake says of a record.
type receipt struct {
	ID     string `json:"id"`
	Seq    int64  `json:"seq"`
	Status string `json:"status"`
}

// load sends registrations of deaths without pause, in batches of a random size.
// A batch whose answer was cut off is sent again, the same, until it is answered:
// as a sender that heeds the rules does.
type load struct {
	t        *testing.T
	r        *rig.Reeve
	token    string
	patients []data.Patient
	rnd      *rand.Rand

	mu    sync.Mutex
	acked map[string]receipt // by registration: the first receipt that arrived
	sent  int                // registrations made so far
	cut   int                // answers that were cut off
}

func newLoad(t *testing.T, r *rig.Reeve, token string, seed uint64) *load {
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	var adults []data.Patient
	for _, p := range data.Living(ps) {
		if data.Age(p.Born, "2026-01-01") >= 18 {
			adults = append(adults, p)
		}
	}
	return &load{t: t, r: r, token: token, patients: adults, rnd: rand.New(rand.NewPCG(seed, 1)), acked: map[string]receipt{}}
}

// run sends until most registrations are made or stop is closed, then sends again
// what was not answered until it is.
func (l *load) run(ctx context.Context, most int, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		l.mu.Lock()
		left := most - l.sent
		l.mu.Unlock()
		if left <= 0 {
			return
		}
		batch := l.make(min(left, 1+l.rnd.IntN(6)))
		for tries := 1; ctx.Err() == nil; tries++ {
			err := l.post(ctx, batch)
			if err == nil {
				break
			}
			if tries == 30_000 { // ten minutes
				l.t.Errorf("a batch of %d is not answered: %v", len(batch), err)
				return
			}
			l.mu.Lock()
			l.cut++
			l.mu.Unlock()
			pause(ctx, 20*time.Millisecond)
		}
		pause(ctx, time.Duration(l.rnd.IntN(4))*time.Millisecond)
	}
}

// make makes n registrations that were never sent before.
func (l *load) make(n int) []data.Death {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]data.Death, n)
	for i := range out {
		d := data.Fresh(l.patients[l.sent%len(l.patients)], time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 1)
		d.Registration = fmt.Sprintf("KIL-%04d-%04d", 1+l.sent/10000, l.sent%10000)
		out[i], l.sent = d, l.sent+1
	}
	return out
}

// post sends a batch and notes every receipt that arrives, whether or not the
// answer comes to its end.
func (l *load) post(ctx context.Context, batch []data.Death) error {
	var body bytes.Buffer
	for _, d := range batch {
		body.Write(d.JSON())
		body.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url()+"/v1/records/rec-death.v1", &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		if res.StatusCode < 500 {
			l.t.Errorf("a good batch was answered with %s: %s", res.Status, b)
		}
		return errors.New(res.Status)
	}
	sc := bufio.NewScanner(res.Body)
	sc.Buffer(nil, 1<<20)
	i := 0
	for ; sc.Scan(); i++ {
		var r receipt
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			return err // a receipt that was cut in the middle
		}
		if i >= len(batch) {
			return errors.New("more receipts than records")
		}
		l.note(batch[i].Registration, r)
	}
	if err := sc.Err(); err != nil {
		return err
	}
	if i != len(batch) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (l *load) note(registration string, r receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Status != "accepted" && r.Status != "duplicate" {
		l.t.Errorf("%s: %+v", registration, r)
	}
	if first, ok := l.acked[registration]; !ok {
		l.acked[registration] = r
	} else if first.ID != r.ID || first.Seq != r.Seq {
		l.t.Errorf("%s was acknowledged as %+v and then as %+v", registration, first, r)
	}
}

func (l *load) url() string {
	urlMu.Lock()
	defer urlMu.Unlock()
	return l.r.URL
}

// urlMu guards Reeve.URL, which changes when the program is started again.
var urlMu sync.Mutex

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// check asserts, when everything is delivered, that every acknowledged record is
// there and that each receiver has each record's effect once.
func (l *load) check(ctx context.Context, systems *rig.Systems) {
	t := l.t
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.acked) != l.sent {
		t.Errorf("%d of %d registrations were acknowledged", len(l.acked), l.sent)
	}
	ids := map[string]string{}
	for registration, r := range l.acked {
		if other, ok := ids[r.ID]; ok {
			t.Errorf("%s and %s have the same id %s", registration, other, r.ID)
		}
		ids[r.ID] = registration
		if status := l.get(ctx, "/v1/records/"+r.ID); status != http.StatusOK {
			t.Errorf("%s was acknowledged as %s, and now: %d", registration, r.ID, status)
		}
	}
	for system, name := range map[string]string{"sys-council-tax": "reference", "sys-electoral-register": "source", "sys-libraries": "registration"} {
		have := map[string]int{}
		items := l.wait(ctx, systems, system)
		for _, item := range items {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(item, &fields); err != nil {
				t.Fatal(err)
			}
			var number string
			if name == "source" {
				var s struct{ Number string }
				_ = json.Unmarshal(fields[name], &s)
				number = s.Number
			} else {
				_ = json.Unmarshal(fields[name], &number)
			}
			have[number]++
		}
		missing, twice := 0, 0
		for registration := range l.acked {
			switch have[registration] {
			case 0:
				missing++
			case 1:
			default:
				twice++
			}
		}
		c, err := systems.Counts(system)
		if err != nil {
			t.Fatal(err)
		}
		if missing > 0 || twice > 0 || c.Changed > 0 || len(have) != len(l.acked) {
			t.Errorf("%s: %d missing, %d more than once, %d others, %+v", system, missing, twice, len(have)-len(l.acked)+missing, c)
		}
		t.Logf("%s: %+v", system, c)
	}
}

// registrations are what a system has of the load's records. The house moves that the
// demo's own database tells as well go in several steps; each is there once, too.
func (l *load) registrations(systems *rig.Systems, system string) []json.RawMessage {
	items, err := systems.Received(system)
	if err != nil {
		l.t.Fatal(err)
	}
	moves := map[string]bool{}
	return slices.DeleteFunc(items, func(item json.RawMessage) bool {
		var m struct{ What, Move string }
		if json.Unmarshal(item, &m) != nil || m.Move == "" {
			return false
		}
		if moves[m.What+m.Move] {
			l.t.Errorf("%s: %s of %s more than once", system, m.What, m.Move)
		}
		moves[m.What+m.Move] = true
		return true
	})
}

// wait waits until a system has as many effects as there are records.
func (l *load) wait(ctx context.Context, systems *rig.Systems, system string) []json.RawMessage {
	last, since := -1, time.Now()
	for {
		items := l.registrations(systems, system)
		if len(items) >= l.sent || ctx.Err() != nil {
			return items
		}
		if len(items) != last {
			last, since = len(items), time.Now()
		} else if time.Since(since) > 5*time.Minute {
			l.t.Errorf("%s: stuck at %d of %d\n%s", system, len(items), l.sent, l.r.Logs())
			return items
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (l *load) get(ctx context.Context, path string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url()+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Error(err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// times is how often to kill: the environment variable's value, or few.
func times(t *testing.T, name string, few int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return few
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// setup builds what a crash test runs.
func setup(t *testing.T) (*rig.Reeve, *rig.Systems) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and kills the real program")
	}
	dir := t.TempDir()
	bin, err := rig.Build(t.Context(), "./cmd/reeve", dir)
	if err != nil {
		t.Fatal(err)
	}
	sysBin, err := rig.Build(t.Context(), "./demo/cmd/systems", dir)
	if err != nil {
		t.Fatal(err)
	}
	systems, err := rig.StartSystems(sysBin, filepath.Join(dir, "systems-data"), 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(systems.Close)
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	env := systems.Env()
	env["REEVE_LOG_LEVEL"] = "warn"
	// At an address that stays: while the program is killed, nobody else is to answer there.
	return &rig.Reeve{Bin: bin, Data: filepath.Join(dir, "data"), Definitions: filepath.Join(root, "demo", "body"), Env: env, Args: []string{"--listen", connectortest.FreeAddress(t)}}, systems
}
