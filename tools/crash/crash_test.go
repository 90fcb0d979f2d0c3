package crash

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// perKill is how many records the load sends for each time that the program is
// killed, about: enough that it is always in the middle of something.
const perKill = 40

// TestKilled kills the program at random moments during a load: REEVE_KILLS
// times, three by default. Every acknowledged record is there, and each receiver
// has each effect once.
func TestKilled(t *testing.T) {
	r, systems := setup(t)
	killed(t, r, systems, times(t, "REEVE_KILLS", 3), func(context.Context) error { r.Kill(); return nil })
}

// TestKilledWithItsDatabase does the same on PostgreSQL, and kills the database's
// server at the same moment.
func TestKilledWithItsDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and kills the real program")
	}
	storetest.Postgres(t) // skips where there is none
	cluster, err := storetest.StartCluster(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Kill() })
	r, systems := setup(t)
	r.Database = cluster.URL("postgres")
	killed(t, r, systems, times(t, "REEVE_KILLS_POSTGRES", 2), func(context.Context) error {
		cluster.Kill()
		r.Kill()
		time.Sleep(200 * time.Millisecond) // until its processes are gone
		return cluster.Start()
	})
}

// killed runs the load and calls kill at random moments; what kill ends is
// started again.
func killed(t *testing.T, r *rig.Reeve, systems *rig.Systems, kills int, kill func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	token, err := r.Token(ctx, "org-register-office")
	if err != nil {
		t.Fatal(err)
	}
	const seed = 20261121
	l := newLoad(t, r, token, seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	var sender sync.WaitGroup
	for i := range kills {
		stop := make(chan struct{})
		sender.Go(func() { l.run(ctx, (i+1)*perKill, stop) })
		time.Sleep(time.Duration(rnd.IntN(120)) * time.Millisecond)
		if err := kill(ctx); err != nil {
			t.Fatal(err)
		}
		if err := restart(ctx, r); err != nil {
			t.Fatalf("after being killed %d times: %v", i+1, err)
		}
		close(stop)
		sender.Wait()
	}
	sender.Go(func() { l.run(ctx, (kills+1)*perKill, make(chan struct{})) })
	sender.Wait()
	l.check(ctx, systems)
	t.Logf("killed %d times, %d records, %d answers cut off", kills, l.sent, l.cut)
	if out, err := r.Command(ctx, "journal", "verify"); err != nil {
		t.Errorf("the journal does not verify: %v", err)
	} else {
		t.Log(strings.TrimSpace(out))
	}
}

// restart starts the program again; it has another address then.
func restart(ctx context.Context, r *rig.Reeve) error {
	urlMu.Lock()
	defer urlMu.Unlock()
	return r.Start(ctx)
}
