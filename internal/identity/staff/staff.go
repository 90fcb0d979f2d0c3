// Package staff knows who works here, and signs them in by one-time links.
//
// A link is made by `reeve staff invite`, works once within a day, and is used
// up by pressing a button: programs that only look at links in mail do not use
// them up. A session ends after an hour without use, after twelve hours in any
// case, and everywhere at once when someone signs out everywhere or leaves.
// Names and addresses are sealed; links and sessions are kept as hashes.
package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/identity/blind"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// How long things last.
const (
	LinkLife        = 24 * time.Hour
	IdleLimit       = time.Hour
	AbsoluteLimit   = 12 * time.Hour
	touchEvery      = time.Minute // how exactly idleness is known
	forgetSessionIn = 30 * 24 * time.Hour
)

// Roles that a member of staff can have.
var roles = []string{"caseworker", "architect", "integration", "governance", "steward", "admin"}

// Member of staff.
type Member struct {
	ID    string // "staff/3"
	Name  string
	Email string
	Roles []string
	Left  bool
}

type details struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Register of staff.
type Register struct {
	db     *store.DB
	keys   *seal.Keys
	log    *journal.Journal
	blind  *blind.Index
	secure bool
}

// Options of a register. Secure says that people reach us by HTTPS only, so that
// cookies may be bound to it.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Blind   *blind.Index
	Secure  bool
}

// Open opens the register in o.DB.
func Open(ctx context.Context, o Options) (*Register, error) {
	r := &Register{o.DB, o.Keys, o.Journal, o.Blind, o.Secure}
	return r, o.DB.Migrate(ctx, "identity/staff", migrations)
}

// Invite adds someone with the roles, or gives them these roles if they are
// known, and returns the path of a one-time sign-in link ("/staff/sign-in/…").
// Links sent to them before stop working. By is who invites, for the journal.
func (r *Register) Invite(ctx context.Context, by, email, name string, as []string) (path string, m Member, err error) {
	const op = "identity.staff.Invite"
	email = strings.TrimSpace(email)
	if at := strings.LastIndex(email, "@"); at < 1 || at == len(email)-1 || strings.ContainsAny(email, " \t\r\n<>,") {
		return "", m, reeve.E(reeve.Invalid, op, "that is not an email address")
	}
	if len(as) == 0 {
		return "", m, reeve.E(reeve.Invalid, op, "give at least one role: %s", strings.Join(roles, ", "))
	}
	for _, role := range as {
		if !slices.Contains(roles, role) {
			return "", m, reeve.E(reeve.Invalid, op, "%q is not a role: use %s", role, strings.Join(roles, ", "))
		}
	}
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	secret := newSecret()
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		m, err = r.put(tx, details{name, email}, as)
		if err != nil {
			return err
		}
		id := number(m.ID)
		if err := dropLinks(tx, id); err != nil {
			return err
		}
		if err := insertLink(tx, digest(secret), id, tx.Now.Add(LinkLife)); err != nil {
			return err
		}
		_, err = r.log.Append(tx, journal.Entry{Actor: by, Verb: "invited staff", About: reeve.Ref(m.ID), Why: as})
		return err
	})
	return "/staff/sign-in/" + secret, m, err
}

func (r *Register) put(tx *store.Tx, d details, as []string) (m Member, err error) {
	hash := r.blind.Hash("staff-email", strings.ToLower(d.Email))
	known, found, err := byEmail(tx, hash)
	if err != nil {
		return m, err
	}
	id := known.id
	if !found {
		if id, err = nextID(tx); err != nil {
			return m, err
		}
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return m, err
	}
	sealed, err := r.keys.Seal(plain, aad(id))
	if err != nil {
		return m, err
	}
	m = Member{ID: actorID(id), Name: d.Name, Email: d.Email, Roles: as}
	if found {
		return m, update(tx, id, sealed, as)
	}
	return m, insert(tx, id, hash, sealed, as)
}

// Remove says that someone left: their sessions end and their links stop working.
func (r *Register) Remove(ctx context.Context, by, email string) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		s, found, err := byEmail(tx, r.blind.Hash("staff-email", strings.ToLower(strings.TrimSpace(email))))
		if err != nil {
			return err
		}
		if !found || s.left {
			return reeve.E(reeve.NotFound, "identity.staff.Remove", "nobody with that address works here")
		}
		for _, f := range []func(*store.Tx, int64) error{leave, dropLinks, endSessions} {
			if err := f(tx, s.id); err != nil {
				return err
			}
		}
		_, err = r.log.Append(tx, journal.Entry{Actor: by, Verb: "removed staff", About: reeve.Ref(actorID(s.id))})
		return err
	})
}

// List returns everybody, in order of arrival.
func (r *Register) List(ctx context.Context) (ms []Member, err error) {
	err = r.db.View(ctx, func(tx *store.Tx) error {
		rs, err := all(tx)
		if err != nil {
			return err
		}
		for _, s := range rs {
			m, err := r.open(s)
			if err != nil {
				return err
			}
			ms = append(ms, m)
		}
		return nil
	})
	return ms, err
}

// ByEmail returns the id ("staff/3") of whoever works here under that address,
// "" if nobody does.
func (r *Register) ByEmail(tx *store.Tx, email string) (id string, err error) {
	s, found, err := byEmail(tx, r.blind.Hash("staff-email", strings.ToLower(strings.TrimSpace(email))))
	if err != nil || !found || s.left {
		return "", err
	}
	return actorID(s.id), nil
}

// Name returns the name of a member of staff by id ("staff/3"), or the id itself
// when nobody has it.
func (r *Register) Name(tx *store.Tx, id string) (string, error) {
	m, err := r.Member(tx, id)
	if reeve.KindOf(err) == reeve.NotFound {
		return id, nil
	}
	return m.Name, err
}

// Member finds a member of staff by id ("staff/3"). The error is NotFound where
// nobody has it.
func (r *Register) Member(tx *store.Tx, id string) (Member, error) {
	s, found, err := byID(tx, number(id))
	switch {
	case err != nil:
		return Member{}, err
	case !found:
		return Member{}, reeve.E(reeve.NotFound, "identity/staff.Member", "there is no member of staff %q", id)
	}
	return r.open(s)
}

func (r *Register) open(s row) (m Member, err error) {
	plain, err := r.keys.Open(s.sealed, aad(s.id))
	if err != nil {
		return m, fmt.Errorf("identity/staff: opening %d: %w", s.id, err)
	}
	var d details
	err = json.Unmarshal(plain, &d)
	return Member{ID: actorID(s.id), Name: d.Name, Email: d.Email, Roles: s.roles, Left: s.left}, err
}

// look tells whether a link would work now, without using it up.
func (r *Register) look(ctx context.Context, secret string) error {
	return r.db.View(ctx, func(tx *store.Tx) error {
		_, err := checkLink(tx, secret)
		return err
	})
}

func checkLink(tx *store.Tx, secret string) (link, error) {
	const op = "identity.staff.Link"
	l, found, err := getLink(tx, digest(secret))
	switch {
	case err != nil:
		return l, err
	case !found:
		return l, reeve.E(reeve.NotFound, op, "this sign-in link is not known: it may be incomplete, or a newer one was sent")
	case l.used:
		return l, reeve.E(reeve.Conflict, op, "this sign-in link was already used")
	case !tx.Now.Before(l.expires):
		return l, reeve.E(reeve.Conflict, op, "this sign-in link is more than a day old")
	}
	return l, nil
}

// consume uses a link up and begins a session; cookie is its secret.
func (r *Register) consume(ctx context.Context, secret string) (cookie string, err error) {
	cookie = newSecret()
	err = r.db.Update(ctx, func(tx *store.Tx) error {
		l, err := checkLink(tx, secret)
		if err != nil {
			return err
		}
		if err := useLink(tx, digest(secret)); err != nil {
			return err
		}
		if err := insertSession(tx, digest(cookie), l.staff); err != nil {
			return err
		}
		if err := prune(tx, tx.Now.Add(-forgetSessionIn)); err != nil {
			return err
		}
		_, err = r.log.Append(tx, journal.Entry{Actor: actorID(l.staff), Verb: "signed in"})
		return err
	})
	return cookie, err
}

// session returns who a cookie belongs to; ok is false when it is not, or no
// longer, a session.
func (r *Register) session(ctx context.Context, cookie string) (a reeve.Actor, ok bool, err error) {
	var touch bool
	now := r.db.Now()
	err = r.db.View(ctx, func(tx *store.Tx) error {
		s, found, err := getSession(tx, digest(cookie))
		if err != nil || !found || s.ended || now.Sub(s.seen) > IdleLimit || now.Sub(s.created) > AbsoluteLimit {
			return err
		}
		who, found, err := byID(tx, s.staff)
		if err != nil || !found || who.left {
			return err
		}
		ok, touch = true, now.Sub(s.seen) >= touchEvery
		a = reeve.Actor{ID: actorID(who.id), Kind: reeve.Staff, Roles: who.roles, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}
		return nil
	})
	if err == nil && touch {
		err = r.db.Update(ctx, func(tx *store.Tx) error { return touchSession(tx, digest(cookie)) })
	}
	return a, ok && err == nil, err
}

// signOut ends the session, or all of that person's.
func (r *Register) signOut(ctx context.Context, cookie string, everywhere bool) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		s, found, err := getSession(tx, digest(cookie))
		if err != nil || !found {
			return err
		}
		verb := "signed out"
		if everywhere {
			verb, err = "signed out everywhere", endSessions(tx, s.staff)
		} else {
			err = endSession(tx, digest(cookie))
		}
		if err != nil {
			return err
		}
		_, err = r.log.Append(tx, journal.Entry{Actor: actorID(s.staff), Verb: verb})
		return err
	})
}

func actorID(id int64) string { return fmt.Sprintf("staff/%d", id) }

func number(actor string) (n int64) {
	if _, err := fmt.Sscanf(actor, "staff/%d", &n); err != nil {
		return 0
	}
	return n
}

func aad(id int64) []byte { return []byte(actorID(id)) }

func newSecret() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
