package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
)

// A list that says that it is whole takes away what it no longer names. More than
// goneFew items that are more than one in goneShare of what its source said are only
// taken away when whoever imports says how many: a list that broke off looks just so.
const (
	goneFew   = 5
	goneShare = 5
)

// Loss is what a whole list would take away of a type.
type Loss struct {
	Type Type
	Gone int
	Had  int // that the source said before
}

// Losses are what a list would take away that nobody takes away by mistake, by type.
func (c Changes) Losses() (out []Loss) {
	for _, t := range slices.Sorted(maps.Keys(c.ByType)) {
		n := c.ByType[t]
		if had := n.Same + n.Changed + n.Gone; n.Gone > goneFew && n.Gone*goneShare > had {
			out = append(out, Loss{t, n.Gone, had})
		}
	}
	return out
}

// Losing is how many items go that somebody has to agree to; 0 for none.
func (c Changes) Losing() (n int) {
	for _, l := range c.Losses() {
		n += l.Gone
	}
	return n
}

var plurals = map[Type]string{
	TypeAsset: "devices", TypePerson: "people", TypeLedger: "ledger lines", TypeSeat: "seats", TypeVulnerability: "vulnerabilities", TypeCycle: "product versions",
	TypeSoftware: "installed products", TypeIdentity: "product identities", TypeAttestation: "attestations", TypePoint: "figures", TypeEvidence: "pieces of evidence",
}

// Warning says what a list would take away: "200 of 201 people".
func (c Changes) Warning() string {
	var parts []string
	for _, l := range c.Losses() {
		parts = append(parts, fmt.Sprintf("%d of %d %s", l.Gone, l.Had, plurals[l.Type]))
	}
	return strings.Join(parts, ", ")
}

// guard refuses a list that would take away so much, unless that was agreed.
func guard(imp Import, c Changes) error {
	n := c.Losing()
	if !imp.Whole || imp.Source == Hand || n <= imp.MayGo {
		return nil
	}
	return reeve.E(reeve.Conflict, opImport, "the list says that it is whole, and would take away %s: nothing was imported. If it is only a part, say so; if they are really gone, look at them and say that %d may go", c.Warning(), n)
}
