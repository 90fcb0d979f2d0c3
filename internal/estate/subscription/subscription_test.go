package subscription_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/subscription"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// TestAddress makes an address, makes another, revokes it, and has its person leave.
func TestAddress(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		log, err := journal.Open(t.Context(), db, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		left := false
		k, err := subscription.Open(t.Context(), subscription.Options{DB: db, Journal: log, Works: func(context.Context, string) bool { return !left }})
		if err != nil {
			t.Fatal(err)
		}
		make := func(who string) string {
			t.Helper()
			secret, err := k.Make(t.Context(), who)
			if err != nil || len(secret) != 32 {
				t.Fatal(secret, err)
			}
			return secret
		}
		works := func(what, secret string, want bool) {
			t.Helper()
			_, err := k.Check(t.Context(), secret)
			if (err == nil) != want || err != nil && reeve.KindOf(err) != reeve.NotFound {
				t.Errorf("%s: %v", what, err)
			}
		}
		works("no secret", "", false)
		works("a guess", strings.Repeat("a", 32), false)
		first, other := make("staff/1"), make("staff/2")
		works("the first", first, true)
		works("the first, again on that day", first, true)
		second := make("staff/1")
		works("the first after another was made", first, false)
		works("the second", second, true)
		if a, ok, err := k.Of(t.Context(), "staff/1"); !ok || err != nil || a.Used != "2026-11-02" {
			t.Errorf("%+v %v %v", a, ok, err)
		}
		if err := k.Revoke(t.Context(), "staff/1"); err != nil {
			t.Fatal(err)
		}
		works("the second after it was revoked", second, false)
		works("somebody else's", other, true)
		left = true
		works("that of somebody who left", other, false)

		var did []string
		es, err := log.Read(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			did = append(did, e.Actor+" "+e.Verb)
			if strings.Contains(string(e.About), first) || strings.Contains(string(e.About), second) {
				t.Error("the journal has a secret")
			}
		}
		want := "staff/1 made a calendar address;staff/2 made a calendar address;staff/1 read a calendar by its address;staff/1 revoked a calendar address;staff/1 made a calendar address;" +
			"staff/1 read a calendar by its address;staff/1 revoked a calendar address;staff/2 read a calendar by its address"
		if got := strings.Join(did, ";"); got != want {
			t.Errorf("the journal has\n%s", got)
		}
		for _, secret := range []string{first, second, other} {
			var n int
			if err := db.View(t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow(`select count(*) from estate_subscription where hash = ? or id = ?`, secret, secret).Scan(&n)
			}); err != nil || n > 0 {
				t.Errorf("a secret is kept as it is: %d %v", n, err)
			}
		}
	})
}
