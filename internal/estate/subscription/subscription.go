// Package subscription lets a person's calendar program read the renewals and
// notice dates of supplier contracts without signing in: it gives each person one
// secret address.
//
// What is guaranteed: an address is shown once and only its SHA-256 is kept; it
// reads that one calendar and nothing else; it stops with the next request when it
// is revoked, when its person makes another, or leaves. Making and revoking one are
// in the journal, and so is the first reading of each day.
package subscription

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Address is what is known of an address; never the secret itself.
type Address struct {
	ID    string // "calendar/k3j…"
	Staff string // whose it is: "staff/3"
	Made  time.Time
	Used  string // day on which it was last read, "" for never
}

// Options of a keeper.
type Options struct {
	DB      *store.DB
	Journal *journal.Journal
	Zone    *time.Location
	Works   func(ctx context.Context, staff string) bool // still a member of staff; nil: everybody is
}

// Keeper keeps the addresses.
type Keeper struct{ o Options }

// Open opens the keeper.
func Open(ctx context.Context, o Options) (*Keeper, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Keeper{o}, o.DB.Migrate(ctx, "estate/subscription", migrations)
}

// Of is the address of a person that works, if there is one.
func (k *Keeper) Of(ctx context.Context, staff string) (a Address, ok bool, err error) {
	err = k.o.DB.View(ctx, func(tx *store.Tx) error {
		a, ok, err = live(tx, staff)
		return err
	})
	return a, ok, err
}

// Make makes an address for a person and returns its secret, which cannot be shown
// again. One that the person had stops working.
func (k *Keeper) Make(ctx context.Context, staff string) (secret string, err error) {
	secret = newSecret()
	return secret, k.o.DB.Update(ctx, func(tx *store.Tx) error {
		if err := k.end(tx, staff); err != nil {
			return err
		}
		a := Address{ID: "calendar/" + strings.ToLower(rand.Text()[:10]), Staff: staff}
		if err := insert(tx, a, digest(secret)); err != nil {
			return err
		}
		return k.note(tx, staff, "made a calendar address", a)
	})
}

// Revoke ends a person's address.
func (k *Keeper) Revoke(ctx context.Context, staff string) error {
	return k.o.DB.Update(ctx, func(tx *store.Tx) error { return k.end(tx, staff) })
}

func (k *Keeper) end(tx *store.Tx, staff string) error {
	a, ok, err := live(tx, staff)
	if err != nil || !ok {
		return err
	}
	if err := revoke(tx, a.ID); err != nil {
		return err
	}
	return k.note(tx, staff, "revoked a calendar address", a)
}

// Check finds whose address a secret is. One that does not work is not found,
// whatever the reason: a stranger learns nothing.
func (k *Keeper) Check(ctx context.Context, secret string) (a Address, err error) {
	missing := reeve.E(reeve.NotFound, "subscription.Check", "there is no calendar at this address. If it was one, it was revoked: make another under renewals and notice dates")
	found := false
	err = k.o.DB.View(ctx, func(tx *store.Tx) error {
		a, found, err = byHash(tx, digest(secret))
		return err
	})
	switch {
	case err != nil:
		return a, err
	case !found || k.o.Works != nil && !k.o.Works(ctx, a.Staff):
		return a, missing
	}
	today := k.o.DB.Now().In(k.o.Zone).Format(time.DateOnly)
	if a.Used == today {
		return a, nil
	}
	return a, k.o.DB.Update(ctx, func(tx *store.Tx) error {
		if first, err := use(tx, a.ID, today); err != nil || !first {
			return err
		}
		return k.note(tx, a.Staff, "read a calendar by its address", a)
	})
}

func (k *Keeper) note(tx *store.Tx, by, verb string, a Address) error {
	_, err := k.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, About: reeve.Ref(a.ID)})
	return err
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret is 160 random bits, which nobody guesses against the hash.
func newSecret() string {
	b := make([]byte, 20)
	rand.Read(b)
	return encoding.EncodeToString(b)
}

func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
