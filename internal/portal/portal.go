// Package portal holds the pages that span blocks: the front pages of
// residents, staff and partners, and the journal. It knows no block; what
// it shows it asks for, and app wires the answers.
package portal

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Asks is what the portal asks of the blocks.
type Asks struct {
	// Name is what people call a definition, by its id; the id where there is none.
	Name func(id string) string
	// Today is today's numbers, a group a block, in order.
	Today []func(ctx context.Context) (Group, error)
	// Offers is what residents can do and be given.
	Offers func(ctx context.Context) ([]Offer, error)
	// Partner is what one organisation sent, received, and has held.
	Partner func(ctx context.Context, party string) (PartnerView, error)
}

// Group is some figures under a heading.
type Group struct {
	Title string
	Stats []ui.Stat
	Empty string // said in place of no figures
}

// Offer is a service or benefit, for residents.
type Offer struct{ Name, Text, Href string }

// PartnerView is what an organisation sees of its own exchange with this body.
type PartnerView struct {
	Name       string
	Types      []PartnerType // what it may send
	Received   []PartnerFlow // what it is told
	Held       []PartnerHeld
	Agreements []PartnerAgreement
	Latest     []PartnerRecord // newest first
}

// PartnerRecord is a record that the partner sent.
type PartnerRecord struct {
	ID, Type string
	At       time.Time
}

// PartnerType is a record type that the partner may send, and what came.
type PartnerType struct {
	ID, Name                string
	Accepted, Held, Refused int64
	LastSeen                time.Time
}

// PartnerFlow is a flow that tells the partner something.
type PartnerFlow struct {
	Name, System, Type, Agreement string
	Delivered, Waiting            int64
	LastSeen                      time.Time
}

// PartnerHeld is a record of the partner that waits for correction.
type PartnerHeld struct {
	ID, Type string
	At       time.Time
	Problems []string
}

// PartnerAgreement is an agreement that the partner is a party to.
type PartnerAgreement struct{ ID, Name, Ends, What string }

// Portal serves the pages.
type Portal struct {
	k    *kernel.Kernel
	asks Asks
}

// Open mounts the portal's pages.
func Open(k *kernel.Kernel, asks Asks) *Portal {
	p := &Portal{k: k, asks: asks}
	p.mount()
	return p
}
