// Package system holds the kind System: an application that the body runs, buys
// or depends on.
//
// What is not declared is not known: the optional parts are pointers, so that
// "no" and "nobody has said" are told apart.
package system

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what is declared of a system.
type Spec struct {
	Description   string      `json:"description,omitempty" doc:"What the system is for, in a sentence that its users would agree with."`
	Organisation  string      `json:"organisation,omitempty" def:"ref=Organisation" doc:"Id of the organisation, or the part of it, that the system belongs to."`
	Owner         string      `json:"owner,omitempty" def:"person" doc:"Directory id of the person or post that answers for the system."`
	Deputy        string      `json:"deputy,omitempty" def:"person" doc:"Directory id of who answers when the owner cannot."`
	Product       string      `json:"product,omitempty" doc:"Name of the product and its edition, as the supplier sells it."`
	Capabilities  []string    `json:"capabilities,omitempty" def:"ref=Capability" doc:"Ids of the capabilities that the system provides."`
	Hosting       string      `json:"hosting,omitempty" def:"enum=saas|paas|public-cloud|private-cloud|on-premise" doc:"Where it runs: software as a service, platform as a service, public cloud, private cloud, or on our own premises."`
	HostingReason string      `json:"hostingReason,omitempty" doc:"Why an earlier choice would not do, in the order software as a service, platform as a service, public cloud, anything else."`
	API           string      `json:"api,omitempty" def:"enum=documented|undocumented|none" doc:"What is known of an API until its interfaces are described one by one."`
	Lifecycle     *Lifecycle  `json:"lifecycle,omitempty" doc:"Where the system is in its life."`
	Auth          *Auth       `json:"auth,omitempty" doc:"How people sign in, and how strongly."`
	Clients       []string    `json:"clients,omitempty" def:"enum=browser|app|desktop|remote-desktop|terminal" doc:"What people use it with."`
	Audience      []string    `json:"audience,omitempty" def:"enum=public|staff|partner" doc:"Whom it serves."`
	Channels      *Channels   `json:"channels,omitempty" doc:"How the people it serves can reach what it does."`
	Data          *Data       `json:"data,omitempty" doc:"What kind of data it holds."`
	Continuity    *Continuity `json:"continuity,omitempty" doc:"How soon it would be back, and whether that was ever tried."`
	Users         *int        `json:"users,omitempty" def:"min=0" doc:"How many people use it, by the last count."`
}

// Lifecycle says where a system is in its life.
type Lifecycle struct {
	Phase     string    `json:"phase,omitempty" def:"enum=planned|pilot|live|retiring|retired" doc:"Where it is in its life."`
	Since     *def.Date `json:"since,omitempty" doc:"Date on which it went live."`
	End       *def.Date `json:"end,omitempty" doc:"Date on which it is to be switched off, or was."`
	Successor string    `json:"successor,omitempty" def:"ref=System" doc:"Id of the system that takes its place."`
}

// Auth says how people sign in. Identity and Authn are the levels of the
// vocabulary's Assurance, 0 to 3.
type Auth struct {
	Methods  []string `json:"methods,omitempty" def:"enum=oidc|saml|ldap|password|certificate|none" doc:"Ways to sign in: single sign-on (oidc, saml), the directory (ldap), its own passwords, certificates, none."`
	Identity *int     `json:"identity,omitempty" def:"min=0,max=3" doc:"How well a person is proved to be who they say, 0 to 3."`
	Authn    *int     `json:"authn,omitempty" def:"min=0,max=3" doc:"How strongly a person signs in: 1 a password, 2 two factors, 3 a phishing-resistant one."`
}

// Channels are the ways in for those whom the system serves.
type Channels struct {
	Online  string `json:"online,omitempty" doc:"Address where people can do it for themselves."`
	None    bool   `json:"none,omitempty" doc:"True where there is known to be no way for people to do it for themselves."`
	Phone   *bool  `json:"phone,omitempty" doc:"Whether it can be done by phone."`
	Paper   *bool  `json:"paper,omitempty" doc:"Whether it still needs paper."`
	Counter *bool  `json:"counter,omitempty" doc:"Whether it can be done at a counter."`
}

// Data says what a system holds. It is declared only until its interfaces and
// record types say it better; the higher of the two counts.
type Data struct {
	Class    *def.Class `json:"class,omitempty" doc:"Class of the most sensitive data that it holds."`
	Personal *bool      `json:"personal,omitempty" doc:"Whether it holds data about people."`
}

// Continuity says how a system survives trouble.
type Continuity struct {
	RTOHours      *int      `json:"rtoHours,omitempty" def:"min=0" doc:"Hours within which it must be back."`
	RestoreTested *def.Date `json:"restoreTested,omitempty" doc:"Date on which a restore was last tried and worked."`
}

// InUse reports whether people rely on the system today: it is being piloted,
// live, or retiring. A system whose phase nobody has declared counts as in use.
func (s *Spec) InUse() bool {
	switch s.Phase() {
	case "planned", "retired":
		return false
	}
	return true
}

// Phase is the phase of the system's life, "" if it is not known.
func (s *Spec) Phase() string {
	if s.Lifecycle == nil {
		return ""
	}
	return s.Lifecycle.Phase
}

// Kind describes System to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "System",
		Doc:   "An application that the body runs, buys or depends on.",
		Spec:  new(Spec),
		Check: check,
	}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	if l := s.Lifecycle; l != nil {
		if l.Since != nil && l.End != nil && l.End.Before(*l.Since) {
			c.Problem("spec.lifecycle.end", "the system ends on %s, before it starts on %s", l.End, l.Since)
		}
		if l.Successor == o.ID {
			c.Problem("spec.lifecycle.successor", "the system is its own successor")
		} else if path := loop(c, o); path != "" {
			c.Problem("spec.lifecycle.successor", "the successors go round in a ring: %s", path)
		}
	}
	seen := map[string]bool{}
	for _, id := range s.Capabilities {
		if seen[id] {
			c.Problem("spec.capabilities", "the capability %q is given twice", id)
		}
		seen[id] = true
	}
	if s.Channels != nil && s.Channels.None && s.Channels.Online != "" {
		c.Problem("spec.channels.none", "there is a channel online, so none cannot be true")
	}
	if s.Auth != nil && len(s.Auth.Methods) > 1 {
		for _, m := range s.Auth.Methods {
			if m == "none" {
				c.Problem("spec.auth.methods", "none cannot stand beside other ways to sign in")
			}
		}
	}
}

// loop follows the successors of o and returns "a > b > a" if they come back.
func loop(c *def.Checker, o *def.Object) string {
	path := []string{o.ID}
	seen := map[string]bool{o.ID: true}
	for at := o; ; {
		s := at.Spec.(*Spec)
		if s.Lifecycle == nil || s.Lifecycle.Successor == "" {
			return ""
		}
		id := s.Lifecycle.Successor
		path = append(path, id)
		if id == o.ID {
			return strings.Join(path, " > ")
		}
		next, ok := c.Lookup("System", id)
		if !ok || seen[id] {
			return ""
		}
		seen[id], at = true, next
	}
}
