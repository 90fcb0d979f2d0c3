// Package token keeps the bearer tokens of partners' programs.
//
// A token is shown once, when it is made. Only its SHA-256 is kept: a token has
// 160 random bits, so that its hash cannot be guessed against. Every request
// looks it up again, so that a revoked token stops working with the next one.
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Prefix begins every token, so that scanners for leaked secrets find them.
const Prefix = "rv_"

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token is what is known of a token; never the secret itself.
type Token struct {
	ID      string // "token/k3j…"; the actor's id
	Party   string // id of the Organisation it acts for
	Label   string // for people: "hospital test system"
	Types   []string
	Created time.Time
	Expires time.Time
	Revoked time.Time // zero while it is not
}

// Live reports whether t works at now.
func (t Token) Live(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Expires) }

// Register keeps the tokens.
type Register struct {
	// Present is what a definition is called now, by its kind and any id that it has
	// or had; nil: none ever changed. Set it before use.
	Present func(kind, id string) string

	db  *store.DB
	log *journal.Journal
}

// Open opens the register in db.
func Open(ctx context.Context, db *store.DB, log *journal.Journal) (*Register, error) {
	return &Register{db: db, log: log}, db.Migrate(ctx, "identity/token", migrations)
}

// Create makes a token for an Organisation that works until expires, and returns
// its secret, which cannot be shown again. Types are the record types that it may
// send, all that the agreements of its Organisation allow when empty. By is who
// asked for it, for the journal.
func (r *Register) Create(ctx context.Context, by, party, label string, types []string, expires time.Time) (secret string, t Token, err error) {
	if party == "" {
		return "", t, reeve.E(reeve.Invalid, "identity.token.Create", "a token needs the id of the organisation that it is for")
	}
	if !expires.After(r.db.Now()) {
		return "", t, reeve.E(reeve.Invalid, "identity.token.Create", "the token would have expired already")
	}
	for _, s := range types {
		if s == "" || strings.ContainsAny(s, " \t\n") {
			return "", t, reeve.E(reeve.Invalid, "identity.token.Create", "%q is not the id of a record type", s)
		}
	}
	secret = newSecret()
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		t = Token{ID: "token/" + strings.ToLower(rand.Text()[:10]), Party: party, Label: label, Types: types, Created: tx.Now, Expires: expires}
		if err := insert(tx, t, digest(secret)); err != nil {
			return err
		}
		_, err := r.log.Append(tx, journal.Entry{Actor: by, Verb: "made a token for " + party, About: reeve.Ref(t.ID), Why: types})
		return err
	})
	return secret, t, err
}

// Revoke stops a token: the next request with it is refused.
func (r *Register) Revoke(ctx context.Context, by, id string) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		n, err := revoke(tx, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return reeve.E(reeve.NotFound, "identity.token.Revoke", "there is no token %q that still works", id)
		}
		_, err = r.log.Append(tx, journal.Entry{Actor: by, Verb: "revoked a token", About: reeve.Ref(id)})
		return err
	})
}

// List returns all tokens, oldest first.
func (r *Register) List(ctx context.Context) (ts []Token, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		ts, err = all(tx)
		return err
	})
	for i := range ts {
		r.rename(&ts[i])
	}
	return ts, err
}

// Check returns the token whose secret it is. An Unauthenticated error tells the
// partner what to do.
func (r *Register) Check(ctx context.Context, secret string) (t Token, err error) {
	const op = "identity.token.Check"
	if !wellFormed(secret) {
		return t, reeve.E(reeve.Unauthenticated, op, "this is not a whole token: it may have been cut off when it was copied")
	}
	found := false
	err = r.db.View(ctx, func(tx *store.Tx) error {
		t, found, err = byHash(tx, digest(secret))
		return err
	})
	switch {
	case err != nil:
		return t, err
	case !found:
		return t, reeve.E(reeve.Unauthenticated, op, "this token is not known here")
	case !t.Revoked.IsZero():
		return t, reeve.E(reeve.Unauthenticated, op, "this token was revoked: ask for a new one")
	case !t.Live(r.db.Now()):
		return t, reeve.E(reeve.Unauthenticated, op, "this token expired on %s: ask for a new one", t.Expires.Format("2 January 2006"))
	}
	r.rename(&t)
	return t, nil
}

// rename puts a token under the present ids: it works on when its organisation, or
// a type that it is for, gets another.
func (r *Register) rename(t *Token) {
	t.Party = r.present("Organisation", t.Party)
	for i, typ := range t.Types {
		t.Types[i] = r.present("RecordType", typ)
	}
}

func (r *Register) present(kind, id string) string {
	if r.Present == nil {
		return id
	}
	return r.Present(kind, id)
}

// May reports whether the token may send records of the type, by its present id.
func (t Token) May(typ reeve.RecordType) bool {
	return len(t.Types) == 0 || slices.Contains(t.Types, string(typ))
}

// actor is who acts with the token.
func (t Token) actor() reeve.Actor {
	return reeve.Actor{ID: t.ID, Kind: reeve.Partner, Party: t.Party, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}
}

// newSecret returns a new secret: the prefix, 160 random bits and a check sum that
// tells a token cut off while copying from one that is not known.
func newSecret() string {
	b := make([]byte, 20)
	rand.Read(b)
	body := encoding.EncodeToString(b)
	return Prefix + body + checksum(body)
}

func checksum(body string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], crc32.ChecksumIEEE([]byte(body)))
	return encoding.EncodeToString(b[:])
}

func wellFormed(secret string) bool {
	body, ok := strings.CutPrefix(secret, Prefix)
	return ok && len(body) == 39 && checksum(body[:32]) == body[32:]
}

// digest is looked up by index: what the time of the look-up could tell is about
// the hash of the guess, from which no secret can be told.
func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
