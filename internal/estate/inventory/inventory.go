// Package inventory keeps what the body imports about its estate: what is many,
// changes every day or names people, and so does not belong into definitions.
//
// Every item has a stable key. Importing the same list again changes nothing;
// importing a newer one adds a version to what changed, so the inventory of any
// day can be read back. Bodies of items are sealed in the database.
package inventory

import (
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Type is a type of item: what a list is a list of.
type Type string

// The types of item, as [Inventory.Imports] names them.
const (
	TypeAsset         Type = "asset"
	TypePerson        Type = "person"
	TypeLedger        Type = "ledger"
	TypeSeat          Type = "seat"
	TypeVulnerability Type = "vulnerability"
	TypeCycle         Type = "cycle"
	TypeSoftware      Type = "software"
	TypeIdentity      Type = "identity"
	TypeAttestation   Type = "attestation"
	TypePoint         Type = "point"
	TypeEvidence      Type = "evidence"
)

// Item is anything that is imported: it has a key that stays the same from one
// import to the next, unique among items of its type.
type Item interface{ Key() string }

// Asset is a thing that the body bought and somebody has. A zero date, state or
// text is not known.
type Asset struct {
	ID        string   `json:"id"`            // stable: the device id or asset tag of the source
	Tag       string   `json:"tag,omitempty"` // the label on it, where the id is another
	Name      string   `json:"name,omitempty"`
	Type      string   `json:"type,omitempty"` // laptop, phone, ... as in the kind Asset
	Maker     string   `json:"maker,omitempty"`
	Model     string   `json:"model,omitempty"`
	Serial    string   `json:"serial,omitempty"`
	State     string   `json:"state,omitempty"`  // ordered, stock, in-use, repair, lost, stolen, disposed
	Holder    string   `json:"holder,omitempty"` // key of a Person, personal
	Site      string   `json:"site,omitempty"`
	Contract  string   `json:"contract,omitempty"`
	Systems   []string `json:"systems,omitempty"`
	OS        string   `json:"os,omitempty"`
	OSVersion string   `json:"osVersion,omitempty"`
	Bought    def.Date `json:"bought,omitzero"`
	Warranty  def.Date `json:"warranty,omitzero"`
	LastSeen  def.Date `json:"lastSeen,omitzero"`
	Cost      int64    `json:"cost,omitempty"` // minor units
	Encrypted *bool    `json:"encrypted,omitempty"`
	Compliant *bool    `json:"compliant,omitempty"` // with the device policy, as its manager says
	CarbonRef string   `json:"carbonRef,omitempty"`
}

// Person is somebody of the body's directory, or a post.
type Person struct {
	ID           string `json:"id"` // directory id: person-jo, post-cio, jo@example.gov.uk
	Name         string `json:"name,omitempty"`
	Email        string `json:"email,omitempty"` // lists of devices and seats name people by it
	Post         string `json:"post,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	Active       bool   `json:"active"`
}

// Line is a line of the general ledger. Amount is in minor units; a credit is
// negative.
type Line struct {
	ID          string   `json:"id"`
	On          def.Date `json:"on"`
	Supplier    string   `json:"supplier,omitempty"` // as the ledger writes it
	Reference   string   `json:"reference,omitempty"`
	Description string   `json:"description,omitempty"`
	Code        string   `json:"code,omitempty"`
	Type        string   `json:"type,omitempty"` // operating, capital
	Amount      int64    `json:"amount"`
	Contract    string   `json:"contract,omitempty"` // id of the contract that a person matched it with
}

// Seat is leave for a person to use a system, and when it was used last.
type Seat struct {
	Person   string   `json:"person"`
	System   string   `json:"system"`             // id of the system
	Contract string   `json:"contract,omitempty"` // of the supplier contract, where the source says
	LastUsed def.Date `json:"lastUsed,omitzero"`
	Offsite  *bool    `json:"offsite,omitempty"` // the last sign-in came from outside the body's network
	Method   string   `json:"method,omitempty"`  // oidc, saml, password as observed
}

// Vulnerability is an entry of a list of vulnerabilities that are exploited, as
// CISA's KEV catalogue publishes it.
type Vulnerability struct {
	CVE        string   `json:"cve"`
	Vendor     string   `json:"vendor"`
	Product    string   `json:"product"`
	Name       string   `json:"name,omitempty"`
	Added      def.Date `json:"added"`
	Due        def.Date `json:"due,omitzero"`
	Ransomware bool     `json:"ransomware,omitempty"`
}

// Cycle is a release cycle of a product, as endoflife.date publishes it.
type Cycle struct {
	Product string   `json:"product"`
	Cycle   string   `json:"cycle"`
	Release def.Date `json:"release,omitzero"`
	End     def.Date `json:"end,omitzero"`    // last day of security support
	Ended   *bool    `json:"ended,omitempty"` // where the list gives no day: whether it has ended
	Latest  string   `json:"latest,omitempty"`
}

// Software is something installed on an asset, or in the SBOM of a component.
type Software struct {
	On      string `json:"on"` // key of the Asset, or id of the Component
	Name    string `json:"name"`
	Vendor  string `json:"vendor,omitempty"`
	Version string `json:"version,omitempty"`
	CPE     string `json:"cpe,omitempty"`
	PURL    string `json:"purl,omitempty"`
}

// Identity says which product a name means: the curated join between what lists
// call things.
type Identity struct {
	Vendor string `json:"vendor,omitempty"` // as the source writes it, lower case
	Name   string `json:"name"`             // as the source writes it, lower case
	CPE    string `json:"cpe,omitempty"`    // "vendor:product" of the CPE
	EOL    string `json:"eol,omitempty"`    // product of endoflife.date
	None   bool   `json:"none,omitempty"`   // a person said that no list knows it
	By     string `json:"by,omitempty"`     // the person who said so, "" for a rule
}

// Attestation says that an owner went through an entity and it is right.
type Attestation struct {
	Kind string   `json:"kind"` // System, Asset
	ID   string   `json:"id"`
	By   string   `json:"by"`
	On   def.Date `json:"on"`
	Note string   `json:"note,omitempty"`
}

// Point is one number of a measured series.
type Point struct {
	Series string   `json:"series"` // tickets/median-days
	On     def.Date `json:"on"`     // last day of the period that it is for
	Value  float64  `json:"value"`
}

// Evidence is a value that somebody outside observed about an entity, for the
// facts of standards that nothing in the program can compute.
type Evidence struct {
	Kind   string   `json:"kind"` // System, RecordType
	ID     string   `json:"id"`
	Fact   string   `json:"fact"`  // certificatesExpired
	Value  string   `json:"value"` // yes, no, a number or a date
	On     def.Date `json:"on"`
	Source string   `json:"source"`
}

func (a Asset) Key() string         { return a.ID }
func (p Person) Key() string        { return p.ID }
func (l Line) Key() string          { return l.ID }
func (s Seat) Key() string          { return s.System + "\x1f" + s.Person }
func (v Vulnerability) Key() string { return v.CVE }
func (c Cycle) Key() string         { return c.Product + "\x1f" + c.Cycle }
func (s Software) Key() string      { return s.On + "\x1f" + s.Name + "\x1f" + s.Version }
func (i Identity) Key() string      { return i.Vendor + "\x1f" + i.Name }
func (a Attestation) Key() string   { return a.Kind + "\x1f" + a.ID }
func (p Point) Key() string         { return p.Series + "\x1f" + p.On.String() }
func (e Evidence) Key() string      { return e.Kind + "\x1f" + e.ID + "\x1f" + e.Fact }

// Inventory is everything imported, as it was at a moment. It does not change
// and may be shared. Lists are in the order of their keys.
type Inventory struct {
	At              time.Time // zero for now
	Version         int64     // changes with every import
	Assets          []Asset
	People          []Person
	Ledger          []Line
	Seats           []Seat
	Vulnerabilities []Vulnerability
	Cycles          []Cycle
	Software        []Software
	Identities      []Identity
	Attestations    []Attestation
	Points          []Point
	Evidence        []Evidence
	Imports         map[string]time.Time // when a list of each type was last imported; absent: never, so nothing is known
}
