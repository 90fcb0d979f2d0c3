// Package capability holds the kind Capability: what the body is able to do,
// as a tree, whichever system does it today.
package capability

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what is declared of a capability.
type Spec struct {
	Description string   `json:"description,omitempty" doc:"What the body can do with it, in plain words."`
	Parent      string   `json:"parent,omitempty" def:"ref=Capability" doc:"Id of the capability that this one is a part of."`
	Generic     bool     `json:"generic,omitempty" doc:"True for a shared building block (case management, payments): one platform is expected to serve all services."`
	Platform    string   `json:"platform,omitempty" def:"ref=System" doc:"Id of the system chosen to provide a generic capability to everyone."`
	MaxSystems  *int     `json:"maxSystems,omitempty" def:"min=1" doc:"How many systems in use may do this before it counts as duplication; 1 if not given."`
	Plural      bool     `json:"plural,omitempty" doc:"True where several systems are right (each school its own), so nothing counts as duplication."`
	Sources     *Sources `json:"sources,omitempty" doc:"Where the capability is found in published models."`
}

// Sources points at published models of what public bodies do.
type Sources struct {
	LGSL []int  `json:"lgsl,omitempty" doc:"Numbers of the English local government services list."`
	BIAN string `json:"bian,omitempty" doc:"Name of the BIAN service domain."`
}

// Max reports how many systems may have the capability before they count as
// duplicates; 0 means any number.
func (s *Spec) Max() int {
	switch {
	case s.Plural:
		return 0
	case s.MaxSystems != nil:
		return *s.MaxSystems
	}
	return 1
}

// Kind describes Capability to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "Capability",
		Doc:   "Something the body can do, in a tree from the general to the particular.",
		Spec:  new(Spec),
		Check: check,
	}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	if path := loop(c, o); path != "" {
		c.Problem("spec.parent", "the capability is a part of itself: %s", path)
	}
	if s.Platform != "" && !s.Generic {
		c.Problem("spec.platform", "only a generic capability has a platform: add \"generic: true\", or remove the platform")
	}
	if s.Plural && s.MaxSystems != nil {
		c.Problem("spec.maxSystems", "give either maxSystems or plural, not both")
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
		next, ok := c.Lookup("Capability", parent)
		if !ok || seen[parent] { // dangling, or a loop that o only leads into
			return ""
		}
		seen[parent], at = true, next
	}
}
