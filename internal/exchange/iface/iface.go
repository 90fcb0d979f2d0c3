// Package iface holds the kind Interface: a way in or out of a system, how it is
// reached, and what it does when it is told the same thing twice.
//
// What is guaranteed. An address or token that is a reference (env:NAME) is
// looked up when it is used and never printed; an error names the reference, not
// the value.
package iface

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what an Interface declares.
type Spec struct {
	System      string   `json:"system" def:"required,ref=System" doc:"The system that it is a way in or out of."`
	Description string   `json:"description,omitempty" doc:"What it is for, in a sentence."`
	Style       string   `json:"style" def:"required,enum=api|event|file|db|ui-scrape|manual|internal" doc:"How it is reached. internal: a part of this program."`
	Definition  string   `json:"definition,omitempty" doc:"Where it is documented: an OpenAPI file of this folder, or a web address."`
	Address     string   `json:"address,omitempty" doc:"https://..., file:///folder, internal:NAME, or env:NAME for one of these that the environment holds."`
	Method      string   `json:"method,omitempty" def:"enum=POST|PUT|PATCH" doc:"HTTP method of a delivery. Default POST, or PUT where repeat is put."`
	Path        string   `json:"path,omitempty" doc:"Added to the address; {id} and {key} stand for the record's."`
	Lookup      string   `json:"lookup,omitempty" doc:"Path that answers 200 if the system has the record, 404 if not; for repeat: lookup."`
	Auth        Auth     `json:"auth,omitempty" doc:"How we sign in to it."`
	Repeat      string   `json:"repeat,omitempty" def:"enum=key|put|lookup|none" doc:"How a repeat has one effect: key (an Idempotency-Key header), put (the same address), lookup (it can be asked first), none (it cannot: a person decides when an answer is unclear). Default none."`
	Format      string   `json:"format,omitempty" def:"enum=json|csv" doc:"Of the bodies. Default json; in a file one object a line."`
	Columns     []string `json:"columns,omitempty" doc:"Columns of a CSV file: names of fields, or JSON Pointers."`
	Records     []string `json:"records,omitempty" def:"ref=RecordType" doc:"Record types that it takes or gives."`
	Cost        Cost     `json:"cost,omitempty" doc:"What using it costs."`
}

// Auth says how we sign in.
type Auth struct {
	Bearer string `json:"bearer,omitempty" doc:"env:NAME of the environment variable that holds the token. The token itself never stands in a definition."`
}

// Cost is what using an interface costs.
type Cost struct {
	SupplierFee bool `json:"supplierFee,omitempty" doc:"Whether the supplier asks a fee for it."`
}

// Kind describes Interface to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "Interface",
		Doc:   "A way in or out of a system: how it is reached, and what it does with a repeat.",
		Spec:  new(Spec),
		Check: check,
	}
}

var (
	envRef      = regexp.MustCompile(`^env:[A-Z_][A-Z0-9_]*$`)
	plainName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	placeholder = regexp.MustCompile(`\{[^}]*\}?`)
)

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	target, err := s.Target(func(string) string { return "" })
	switch {
	case s.Address == "" || envRef.MatchString(s.Address):
	case err != nil:
		c.Problem("spec.address", "%s", reeve.Message(err))
	case (target.Kind == Internal) != (s.Style == "internal"):
		c.Problem("spec.address", "an address internal:NAME and style: internal go together")
	}
	if s.Auth.Bearer != "" && !envRef.MatchString(s.Auth.Bearer) {
		c.Problem("spec.auth.bearer", "a token must not stand in a definition: write env:NAME and put the token in the environment")
	}
	for at, p := range map[string]string{"spec.path": s.Path, "spec.lookup": s.Lookup} {
		if p == "" {
			continue
		}
		if !strings.HasPrefix(p, "/") {
			c.Problem(at, "the path must begin with /")
		}
		for _, ph := range placeholder.FindAllString(p, -1) {
			if ph != "{id}" && ph != "{key}" {
				c.Problem(at, "%s is not known: a path may have {id} and {key}", ph)
			}
		}
	}
	named := strings.Contains(s.Path, "{id}") || strings.Contains(s.Path, "{key}")
	switch {
	case s.Repeat == "lookup" && s.Lookup == "":
		c.Problem("spec.repeat", "repeat: lookup needs spec.lookup, the path at which the system is asked whether it has a record")
	case s.Repeat == "put" && s.Path != "" && !named:
		c.Problem("spec.path", "repeat: put needs {id} or {key} in the path: each record must have an address of its own")
	case s.Repeat == "put" && s.Path == "" && (target.Kind == HTTP || envRef.MatchString(s.Address)) && s.Style == "api":
		c.Problem("spec.repeat", "repeat: put needs spec.path with {id} or {key}: each record must have an address of its own")
	case s.Repeat == "put" && s.Method == http.MethodPost:
		c.Problem("spec.method", "repeat: put does not go with the method POST")
	}
	if s.Format == "csv" && len(s.Columns) == 0 {
		c.Problem("spec.format", "csv needs spec.columns: the fields, in the order of the columns")
	}
	if len(s.Columns) > 0 && s.Format != "csv" {
		c.Problem("spec.columns", "columns are for format: csv")
	}
}

// TargetKind says how an address is reached.
type TargetKind uint8

// The kinds of address.
const (
	None TargetKind = iota
	HTTP
	Folder
	Internal
)

// Target is an address, resolved.
type Target struct {
	Kind TargetKind
	// Where is the base URL, the folder, or the name of a receiver in this program.
	// It may hold what nobody should see: print it nowhere.
	Where string
}

// Target resolves the address. getenv looks up env:NAME. Errors are for people.
func (s *Spec) Target(getenv func(string) string) (Target, error) {
	const op = "exchange.iface.Target"
	addr := s.Address
	if name, ok := strings.CutPrefix(addr, "env:"); ok {
		if !envRef.MatchString(addr) {
			return Target{}, reeve.E(reeve.Invalid, op, "%q is not a reference: write env: and a name in capitals", addr)
		}
		if addr = getenv(name); addr == "" {
			return Target{}, reeve.E(reeve.Invalid, op, "the address is not set: give %s in the environment", name)
		}
	}
	if name, ok := strings.CutPrefix(addr, "internal:"); ok {
		if !plainName.MatchString(name) {
			return Target{}, reeve.E(reeve.Invalid, op, "internal: needs the name of a receiver, in small letters")
		}
		return Target{Internal, name}, nil
	}
	u, err := url.Parse(addr)
	switch {
	case addr == "":
		return Target{}, reeve.E(reeve.Invalid, op, "the interface has no address")
	case err != nil:
		return Target{}, reeve.E(reeve.Invalid, op, "the address cannot be read: it looks like https://host/path, file:///folder or internal:name")
	case u.User != nil:
		return Target{}, reeve.E(reeve.Invalid, op, "a password must not stand in an address: use auth.bearer")
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "":
		return Target{HTTP, strings.TrimSuffix(addr, "/")}, nil
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		return Target{Folder, filepath.Clean(u.Path)}, nil
	}
	return Target{}, reeve.E(reeve.Invalid, op, "the address looks like https://host/path, file:///folder, internal:name or env:NAME")
}

// Token returns the bearer token, read anew at each call; nil if none is needed.
func (s *Spec) Token(getenv func(string) string) func() (string, error) {
	if s.Auth.Bearer == "" {
		return nil
	}
	name := strings.TrimPrefix(s.Auth.Bearer, "env:")
	return func() (string, error) {
		v := getenv(name)
		if v == "" || strings.ContainsAny(v, "\r\n") {
			return "", reeve.E(reeve.Invalid, "exchange.iface.Token", "the token is not set: give %s in the environment", name)
		}
		return v, nil
	}
}

// HTTPMethod is the method of a delivery.
func (s *Spec) HTTPMethod() string {
	switch {
	case s.Method != "":
		return s.Method
	case s.Repeat == "put":
		return http.MethodPut
	}
	return http.MethodPost
}

// Documented reports whether the interface says where it is documented.
func (s *Spec) Documented() bool { return s.Definition != "" }
