package feed_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// Whoever asks for a look while one is under way gets another: what is new may have
// come after the first had passed it.
func TestAskedDuringALook(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := start(t, db, newClock(), t.TempDir())
		var looks atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if looks.Add(1) == 1 {
				h.clock.move(time.Second)
				if err := h.x.Feeds.Ask(r.Context(), "if-poll"); err != nil {
					t.Error(err)
				}
			}
			_, _ = w.Write([]byte("[]"))
		}))
		defer srv.Close()
		h.env["POLL"] = srv.URL
		for end := time.Now().Add(5 * time.Minute); looks.Load() < 2 && time.Now().Before(end); {
			h.settle() // until nothing is found to do at once
		}
		h.settle()
		if n := looks.Load(); n != 2 {
			t.Errorf("%d looks", n)
		}
	})
}

// Definitions may change while what is remembered of new feeds is read: the race
// detector says so.
func TestDefinitionsChangeWhileFeedsBegin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := start(t, db, newClock(), t.TempDir())
		same := func() *feed.Set {
			set, problems := feed.Compile(h.k.Defs.Set(), time.UTC)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			return set
		}
		for range 20 {
			h.x.Feeds.Use(&feed.Set{})
			h.x.Feeds.Use(same())
			next := same()
			var wg sync.WaitGroup
			wg.Go(func() { h.x.Feeds.Use(next) })
			_, err := h.x.Feeds.Step(t.Context())
			must(t, err)
			wg.Wait()
		}
	})
}
