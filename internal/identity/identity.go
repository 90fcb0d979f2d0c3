// Package identity assembles the identity block: who people are, who works here,
// and which programs of partners may speak to us.
package identity

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/identity/blind"
	"github.com/reeve-civic/reeve/internal/identity/person"
	"github.com/reeve-civic/reeve/internal/identity/staff"
	"github.com/reeve-civic/reeve/internal/identity/token"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Config is what the block needs besides the kernel.
type Config struct {
	// OwnIdentifiers are the systems of numbers that this body gives to people. A
	// number of another system never says by itself who somebody is.
	OwnIdentifiers []string
	Zone           *time.Location // of the body, for pages
	// SourceName turns the id of an organisation or actor into a name for pages.
	SourceName func(id string) string
}

// Identity is what other blocks may ask of this one.
type Identity struct {
	People *person.Register
	Staff  *staff.Register
	Tokens *token.Register
	db     *store.DB
}

// Open builds the block on k and mounts its pages.
func Open(ctx context.Context, k *kernel.Kernel, c Config) (*Identity, error) {
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.SourceName == nil {
		c.SourceName = func(id string) string { return id }
	}
	x, err := blind.Open(ctx, k.DB, k.Keys)
	if err != nil {
		return nil, err
	}
	i := &Identity{db: k.DB}
	if i.People, err = person.Open(ctx, person.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Blind: x, Own: c.OwnIdentifiers}); err != nil {
		return nil, err
	}
	if i.Staff, err = staff.Open(ctx, staff.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Blind: x, Secure: k.Web.Secure()}); err != nil {
		return nil, err
	}
	if i.Tokens, err = token.Open(ctx, k.DB, k.Journal); err != nil {
		return nil, err
	}
	if k.Defs != nil {
		i.Tokens.Present = func(kind, id string) string { return k.Defs.Set().Present(kind, id) }
	}
	i.Tokens.Mount(k.Web, k.Web.Secure())
	i.Staff.Mount(k.Web)
	i.People.Mount(k.Web, c.Zone, c.SourceName)
	return i, nil
}

// ActorName is the name of an actor for the header of a page: of a member of
// staff their own, of others their id.
func (i *Identity) ActorName(ctx context.Context, a reeve.Actor) string {
	name := a.ID
	if a.Kind != reeve.Staff {
		return name
	}
	err := i.db.View(ctx, func(tx *store.Tx) (err error) {
		name, err = i.Staff.Name(tx, a.ID)
		return err
	})
	if err != nil {
		return a.ID
	}
	return name
}

// Rules are what the policy allows here.
func Rules() []policy.Rule {
	return []policy.Rule{
		{Name: "identity-sign-in", Actions: []string{"staff.sign-in"}, Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Staff, reeve.Partner, reeve.Resident},
			Doc: "Anybody can open the page to sign in; the link is what counts."},
		{Name: "identity-sign-out", Actions: []string{"staff.sign-out"}, Kinds: []reeve.ActorKind{reeve.Staff},
			Doc: "Staff can sign out."},
		{Name: "identity-partner-sign-in", Actions: []string{"session.partner"}, Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Staff, reeve.Partner, reeve.Resident},
			Doc: "Anybody can open the page where partners sign in and out; the token is what counts."},
		{Name: "identity-matches", Actions: []string{"match.read", "match.decide"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"caseworker", "governance", "admin"}, Max: reeve.Confidential,
			Doc: "Those who work with people decide whether two descriptions are of one person."},
	}
}
