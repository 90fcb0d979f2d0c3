// Package register is the estate as it stands at a moment: what is declared, what
// was imported and what was observed, brought together once and asked by every
// page, gate and report.
//
// A [Model] is a set of definitions with its indexes; a [Snapshot] is a model with
// the inventory and the observations of the same moment. Both are made whole,
// never change, and may be shared. What nobody declared, imported or observed is
// not known; nothing here turns that into zero.
package register

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The other definitions by type, for short.
type (
	Component = def.Of[component.Spec]
	Site      = def.Of[site.Spec]
)

// Interface is what the estate needs to know of an interface.
type Interface struct {
	ID, Name, System string
	Style            string // "api", "event", "file", "db", "ui-scrape", "manual", "internal"
	Documented       bool   // it has a published definition
	Records          []string
	Class            *reeve.Class // highest class of the records it carries; nil if not known
	Object           *def.Object
}

// Flow is a declared flow, with what was observed of it.
type Flow struct {
	ID, Name                     string
	From, To                     string // ids of systems
	FromInterface, ToInterface   string
	Record, Agreement, Purpose   string
	Via                          string // exchange, direct, manual
	Crosses                      bool   // from one organisation's responsibility into another's
	AgreementStarts, AgreementTo def.Date
	Every                        time.Duration // a record is expected at least this often; 0 if not said
	Object                       *def.Object
	Href                         string    // page of the flow, "" if there is none
	Seen                         *FlowSeen // nil: not observed (another time, or not carried by us)
}

// FlowSeen is what was observed of a flow.
type FlowSeen struct {
	Delivered, Waiting int64
	Held               int64     // of this very flow: parked, or uncertain whether they arrived
	Last               time.Time // zero: never
	Since              time.Time // since when it counts; zero: not known
	Quiet              bool      // silent for longer than expected
	Why                string    // why it does not run as it should, in plain words
}

// Words is what was seen of a flow: "12 delivered, 2 waiting, last 2 minutes ago".
func (f Flow) Words(now time.Time) string {
	switch {
	case f.Via == "manual":
		return "By hand"
	case f.Via == "direct":
		return "From system to system"
	case f.Seen == nil:
		return "Not known"
	}
	text := ui.Count(f.Seen.Delivered) + " delivered"
	if !f.Seen.Since.IsZero() {
		text += " since " + ui.DateText(f.Seen.Since)
	}
	for _, n := range []struct {
		n    int64
		word string
	}{{f.Seen.Waiting, " waiting"}, {f.Seen.Held, " held"}} {
		if n.n > 0 {
			text += ", " + ui.Count(n.n) + n.word
		}
	}
	switch {
	case f.Seen.Last.IsZero():
		text += ", never carried anything"
	case f.Seen.Quiet:
		text += ", silent since " + ui.Ago(now, f.Seen.Last)
	default:
		text += ", last " + ui.Ago(now, f.Seen.Last)
	}
	if f.Seen.Why != "" {
		text += "; " + f.Seen.Why
	}
	return text
}

// RecordType is what the estate needs to know of a record type.
type RecordType struct {
	ID, Name   string
	Level      reeve.Class
	Personal   bool
	Fields     int // fields of its schema; 0 if not known
	Classified int // of these, those whose class is given one by one or by the type's level
	Masters    int // systems declared as its master
	Object     *def.Object
}

// Sent is records that an organisation sent.
type Sent struct {
	Organisation, System string // System is "" where no interface says which
	Record               string
	Records              int64
	Since, Last          time.Time // Since is zero where it is not known
}

// Declared is what the exchange declares in a set of definitions.
type Declared struct {
	Interfaces  []Interface
	Flows       []Flow
	RecordTypes []RecordType
}

// Observed is what went through the exchange up to now.
type Observed struct {
	Flows      map[string]FlowSeen // by id of the flow
	Undeclared []Sent              // no flow carries these on
	Held       []Sent              // at the door, to be corrected: no flow had them yet
}

// Exchange answers for the exchange.
type Exchange interface {
	// Declared reads any set, also one that is not in force.
	Declared(set *def.Set) Declared
}

// Snapshot is the estate at a moment.
type Snapshot struct {
	*Model
	At        time.Time // in the body's time zone
	Today     def.Date
	Past      bool // a day that is over: nothing was observed, because observations are not kept by day
	Inventory *inventory.Inventory
	Directory *inventory.Directory // finds its people
	Declared
	Undeclared []Sent
	Held       []Sent
	Components []Component
	Sites      []Site
	Assets     []inventory.Asset // imported and declared, by id
	Entities   []Entity          // kept by rooms, beside what is declared

	Tables  standard.Tables   // every entity with its facts
	Outcome *standard.Outcome // how everything stands against the standards

	Yearly Cost       // of the contracts in force, each once
	NoCost []Contract // in force, and nobody has said what they cost
	yearly map[string]Cost

	interfacesOf map[string][]int
	flowsOf      map[string][]int
	componentsOf map[string][]int
}

// Entity is something of a kind that a room keeps in the database, as rules see
// it. It wins over a definition with the same id.
type Entity struct {
	Kind, ID, Name string
	Self           map[string]any // kind, metadata and spec, as a definition's Value
	Data           any            // for the room that keeps it
}

// Parts are what a snapshot is made of.
type Parts struct {
	Model     *Model
	Inventory *inventory.Inventory
	Declared  Declared
	Observed  *Observed // nil: not observed
	Entities  []Entity  // kept by rooms: live intake requests
	At        time.Time
	Past      bool
}

// Judge fills the facts, by the rooms that know them, and holds everything to
// the standards. It is called once, before the snapshot is shared.
func (s *Snapshot) Judge(ctx context.Context, fill ...func(*Snapshot)) (err error) {
	Fill(s)
	for _, f := range fill {
		f(s)
	}
	s.statedFacts()
	s.Outcome, err = s.Pack.Judge(ctx, s.Tables, s.At)
	return err
}
