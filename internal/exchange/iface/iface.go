// Package iface holds the kind Interface: a way in or out of a system, how it is
// reached, and what it does when it is told the same thing twice.
//
// What is guaranteed. An address or token that is a reference (env:NAME) is
// looked up when it is used and never printed; an error names the reference, not
// the value.
package iface

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/all"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what an Interface declares.
type Spec struct {
	System      string         `json:"system" def:"required,ref=System" doc:"The system that it is a way in or out of."`
	Description string         `json:"description,omitempty" doc:"What it is for, in a sentence."`
	Style       string         `json:"style" def:"required,enum=api|event|file|db|ui-scrape|manual|internal" doc:"How it is reached. internal: a part of this program."`
	Definition  string         `json:"definition,omitempty" doc:"Where it is documented: an OpenAPI file of this folder, or a web address."`
	Address     string         `json:"address,omitempty" doc:"https://..., file:///folder, sftp://host/folder, postgres://host/database and what else reeve connectors lists, internal:NAME, or env:NAME for one of these that the environment holds."`
	Method      string         `json:"method,omitempty" def:"enum=POST|PUT|PATCH" doc:"HTTP method of a delivery. Default POST, or PUT where repeat is put."`
	Path        string         `json:"path,omitempty" doc:"Added to the address; {id} and {key} stand for the record's."`
	Lookup      string         `json:"lookup,omitempty" doc:"Path that answers 200 if the system has the record, 404 if not; for repeat: lookup."`
	Auth        connector.Auth `json:"auth,omitempty" doc:"How we sign in to it."`
	Repeat      string         `json:"repeat,omitempty" def:"enum=key|put|lookup|none" doc:"How a repeat has one effect: key (an Idempotency-Key header), put (the same address), lookup (it can be asked first), none (it cannot: a person decides when an answer is unclear). Default none."`
	format.Spec
	Settings all.Settings `json:"settings,omitempty" doc:"What the connector needs to know besides, under its name: reeve connectors lists them."`
	Read     *Read        `json:"read,omitempty" doc:"That Reeve fetches records from it by itself."`
	Records  []string     `json:"records,omitempty" def:"ref=RecordType" doc:"Record types that it takes or gives."`
	Cost     Cost         `json:"cost,omitempty" doc:"What using it costs."`
}

// Read says that Reeve fetches records from an interface, and when.
type Read struct {
	Record   string       `json:"record" def:"required,ref=RecordType" doc:"The record type that every row becomes."`
	Every    def.Duration `json:"every,omitempty" doc:"How long to wait between looks: 30s, 5m, 1h. Default 1m where there is no schedule."`
	Schedule string       `json:"schedule,omitempty" doc:"Or when to look (cron: minute hour day month weekday), in the body's own time: \"0 6 * * 1-5\"."`
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
	case target.Internal() != (s.Style == "internal"):
		c.Problem("spec.address", "an address internal:NAME and style: internal go together")
	}
	if s.Read != nil && s.Read.Schedule != "" {
		if _, err := ParseSchedule(s.Read.Schedule, time.UTC); err != nil {
			c.Problem("spec.read.schedule", "%s", err)
		}
	}
	s.Auth.Check(func(path, message string) { c.Problem("spec.auth."+path, "%s", message) })
	checkConnector(c, s, target)
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
	case s.Repeat == "put" && s.Path == "" && (target.Connector != nil && target.Connector.Name == "http" || envRef.MatchString(s.Address)) && s.Style == "api":
		c.Problem("spec.repeat", "repeat: put needs spec.path with {id} or {key}: each record must have an address of its own")
	case s.Repeat == "put" && s.Method == http.MethodPost:
		c.Problem("spec.method", "repeat: put does not go with the method POST")
	}
	switch {
	case s.Read == nil && s.Format() == "csv" && len(s.Columns) == 0:
		c.Problem("spec.format", "csv needs spec.columns: the fields, in the order of the columns")
	case len(s.Columns) > 0 && s.Format() != "csv" && s.Format() != "xlsx":
		c.Problem("spec.columns", "columns are for format: csv")
	}
}

// checkConnector asks the connector of an address what is wrong with the rest.
func checkConnector(c *def.Checker, s *Spec, target Target) {
	given := s.Settings.Given()
	conn := target.Connector
	if conn == nil && (s.Address == "" || envRef.MatchString(s.Address)) && len(given) == 1 { // a webhook alone needs no address
		conn, _ = all.Named(given[0])
	}
	for _, name := range given {
		if conn == nil || conn.Name != name {
			c.Problem("spec.settings."+name, "these settings are for another connector than the one that the address is for")
		}
	}
	if conn == nil {
		return
	}
	if s.Read != nil && conn.Source == nil {
		c.Problem("spec.read", "the connector %s cannot read: see reeve connectors", conn.Name)
	}
	if conn.Check != nil {
		conn.Check(s.config(conn, "", target.Where), func(path, message string) {
			if path = strings.TrimSuffix("spec.settings."+conn.Name+"."+path, "."); s.Settings.Of(conn.Name) == nil {
				path = "spec.address"
			}
			c.Problem(path, "%s", message)
		})
	}
}

// Format is how records stand in its bodies or files.
func (s *Spec) Format() string { return cmp.Or(s.Spec.Name, "json") }

// Target is an address, resolved.
type Target struct {
	Connector *connector.Connector // nil for a part of this program
	// Where is the address, or the name of a receiver in this program. It may hold
	// what nobody should see: print it nowhere.
	Where string
}

// Internal reports whether it is a part of this program.
func (t Target) Internal() bool { return t.Connector == nil && t.Where != "" }

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
		return Target{nil, name}, nil
	}
	u, err := url.Parse(addr)
	switch {
	case addr == "":
		return Target{}, reeve.E(reeve.Invalid, op, "the interface has no address")
	case err != nil:
		return Target{}, reeve.E(reeve.Invalid, op, "the address cannot be read: it looks like https://host/path, file:///folder or internal:name")
	case u.User != nil:
		return Target{}, reeve.E(reeve.Invalid, op, "a user or password must not stand in an address: use auth")
	case u.RawQuery != "" || u.Fragment != "":
		return Target{}, reeve.E(reeve.Invalid, op, "the address must not have a query: use path or settings")
	}
	conn, ok := all.For(u.Scheme)
	local := u.Scheme == "file" || u.Scheme == "sqlite"
	switch {
	case !ok:
		return Target{}, reeve.E(reeve.Invalid, op, "the address looks like https://host/path, file:///folder, internal:name or env:NAME; no connector is for %s: see reeve connectors", quoted(u.Scheme))
	case local && (u.Host != "" || !filepath.IsAbs(u.Path)):
		return Target{}, reeve.E(reeve.Invalid, op, "an address of this machine has three strokes: %s:///folder", u.Scheme)
	case !local && u.Host == "":
		return Target{}, reeve.E(reeve.Invalid, op, "the address names no host: it looks like %s://host", u.Scheme)
	}
	return Target{conn, strings.TrimSuffix(addr, "/")}, nil
}

// quoted is a scheme for a message; an address without one may be a secret that
// stands in the wrong place.
func quoted(scheme string) string {
	if scheme == "" {
		return "an address without a scheme"
	}
	return scheme + "://"
}

// Config is what the connector of a target is made from. id begins the names of
// files that are written.
func (s *Spec) Config(id string, t Target, host connector.Host) connector.Config {
	c := s.config(t.Connector, id, t.Where)
	c.Host = host
	return c
}

func (s *Spec) config(conn *connector.Connector, id, where string) connector.Config {
	return connector.Config{ID: id, Address: where, Auth: s.Auth, Format: s.Spec, Settings: s.Settings.Of(conn.Name),
		Method: s.HTTPMethod(), Path: s.Path, Lookup: s.Lookup, Repeat: cmp.Or(s.Repeat, "none")}
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

// Secret looks a reference up in the environment or in a file, of 64 KiB at most.
func Secret(getenv func(string) string) func(connector.Ref) (string, error) {
	const op = "exchange.iface.Secret"
	return func(r connector.Ref) (string, error) {
		if !r.Valid() {
			return "", reeve.E(reeve.Invalid, op, "a secret is not given as a reference: write env:NAME or file:/path")
		}
		v := ""
		if name, ok := strings.CutPrefix(string(r), "env:"); ok {
			v = getenv(name)
		} else {
			f, err := os.Open(strings.TrimPrefix(string(r), "file:"))
			if err != nil {
				return "", reeve.E(reeve.Invalid, op, "the secret %s cannot be read", r)
			}
			defer f.Close()
			b, err := io.ReadAll(io.LimitReader(f, 64<<10))
			if err != nil {
				return "", reeve.E(reeve.Invalid, op, "the secret %s cannot be read", r)
			}
			v = string(b)
		}
		if v = strings.TrimRight(v, "\r\n"); v == "" {
			return "", reeve.E(reeve.Invalid, op, "a secret is not set: give %s", r)
		}
		return v, nil
	}
}
