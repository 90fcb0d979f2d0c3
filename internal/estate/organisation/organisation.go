// Package organisation holds the kind Organisation: the body itself, its
// departments and teams, the partners it shares data with, and its suppliers.
package organisation

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what is declared of an organisation.
type Spec struct {
	Type        string            `json:"type" def:"required,enum=council|department|team|partner|supplier" doc:"What the organisation is to this body: the body itself (council), a part of it, a partner in its own right, or a supplier."`
	Parent      string            `json:"parent,omitempty" def:"ref=Organisation" doc:"Id of the organisation that this one is a part of."`
	Controller  bool              `json:"controller,omitempty" doc:"True where the organisation decides for itself how personal data is used, even if it sits inside this body (an electoral registration officer does)."`
	SharedWith  []string          `json:"sharedWith,omitempty" def:"ref=Organisation" doc:"Ids of the organisations that this one also serves."`
	TradesAs    []string          `json:"tradesAs,omitempty" doc:"Other names that it goes by, on invoices and in the ledger."`
	Identifiers map[string]string `json:"identifiers,omitempty" doc:"Numbers that others know it by, by scheme: gss, companies-house, ods."`
	Contact     string            `json:"contact,omitempty" doc:"Shared mailbox or page to reach it; never a named person's address."`
	Website     string            `json:"website,omitempty" doc:"Its public website."`
}

// Kind describes Organisation to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:    "Organisation",
		Aliases: []string{"Organization"},
		Doc:     "An organisation, or a part of one, that owns systems, supplies them, or shares data.",
		Spec:    new(Spec),
		Check:   check,
	}
}

func check(c *def.Checker, o *def.Object) {
	if path := loop(c, o); path != "" {
		c.Problem("spec.parent", "the organisation is a part of itself: %s", path)
	}
}

// loop follows the parents of o and returns "a > b > a" if they come back to o.
func loop(c *def.Checker, o *def.Object) string {
	path := []string{o.ID}
	seen := map[string]bool{o.ID: true}
	for at := o; ; {
		parent := at.Spec.(*Spec).Parent
		if parent == "" {
			return ""
		}
		path = append(path, parent)
		if parent == o.ID {
			return strings.Join(path, " > ")
		}
		next, ok := c.Lookup("Organisation", parent)
		if !ok || seen[parent] { // dangling, or a loop that o only leads into
			return ""
		}
		seen[parent], at = true, next
	}
}
