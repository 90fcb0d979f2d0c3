package connector

import (
	"fmt"
	"regexp"
	"time"

	"github.com/reeve-civic/reeve/connector/format"
)

// Connector is one way to reach systems: what the list of connectors, the checks of
// definitions, the documentation and the exchange know of it.
type Connector struct {
	Name    string   // as under settings of an Interface: "sftp"
	Schemes []string // of the addresses that it is for: "sftp"
	Doc     string   // what it is for, in a sentence or two
	Promise Promise
	// Settings is a pointer to a zero value of what an Interface says under
	// settings.NAME; nil if there is nothing to say.
	Settings any
	// Check looks for what is wrong with a config before anything runs, without a
	// connection and without looking up a secret. problem is told the path of a
	// setting ("pattern"), or "" for the whole, and what to do. nil: nothing to check.
	Check func(c Config, problem func(path, message string))
	// Once tells that an item has one effect however often it is sent, by the
	// connector's own doing; else the Interface says how with repeat.
	Once  bool
	Batch int // items of one call of its Sink; 0: 128
	// Source and Sink make what reads and what writes; nil where it does not.
	Source func(Config) (Source, error)
	Sink   func(Config) (Sink, error)
}

// Promise says in plain words what a connector promises.
type Promise struct {
	Order  string // in which order records are read and written
	Repeat string // what a repeat does
	Ack    string // when something counts as taken or delivered
}

// Config is what a source or a sink is made from.
type Config struct {
	ID      string // of the interface, or of what writes a file: for names of files
	Address string // resolved; it may hold what nobody should see: print it nowhere
	Auth    Auth
	Format  format.Spec // of files and bodies
	// Settings is a pointer to the connector's own settings, filled in; never nil
	// where the connector has some.
	Settings any

	// What an Interface says about its requests.
	Method, Path, Lookup string
	Repeat               string // key, put, lookup, none
	InFlight             int    // requests at once
	Ordered              bool   // items of one key one after the other
	Timeout              time.Duration

	Host Host
}

// Host is what a connector may use of the program that it runs in.
type Host struct {
	// Secret looks a reference up, anew at each use. Its errors name the reference.
	Secret func(Ref) (string, error)
	// Address is asked about every address, after DNS, before it is connected to;
	// nil allows all.
	Address func(network, address string) error
	Now     func() time.Time
	Scratch string // a folder for files of a moment; "" for the system's own
}

// Ref names a secret that stands elsewhere: env:NAME or file:/path.
type Ref string

var refPattern = regexp.MustCompile(`^(env:[A-Z_][A-Z0-9_]*|file:/[^\x00-\x1f]+)$`)

// Valid reports whether it is such a reference; the empty one is not.
func (r Ref) Valid() bool { return refPattern.MatchString(string(r)) }

// Auth says how we sign in. A secret is always a reference.
type Auth struct {
	Bearer      Ref    `json:"bearer,omitempty" doc:"Reference (env:NAME or file:/path) to a bearer token."`
	APIKey      APIKey `json:"apiKey,omitempty" doc:"A key in a header."`
	OAuth       OAuth  `json:"oauth,omitempty" doc:"OAuth 2.0 client credentials (RFC 6749, section 4.4)."`
	User        string `json:"user,omitempty" doc:"User name, or env:NAME of the variable that holds it."`
	Password    Ref    `json:"password,omitempty" doc:"Reference to the password of the user."`
	Key         Ref    `json:"key,omitempty" doc:"Reference to a private key (PEM): of the user for SFTP, of the certificate for TLS."`
	Certificate Ref    `json:"certificate,omitempty" doc:"Reference to our certificate (PEM), for mutual TLS."`
	Authority   Ref    `json:"authority,omitempty" doc:"Reference to the certificate (PEM) of the authority that the system's own must come from. Default: those of the machine."`
	HostKey     Ref    `json:"hostKey,omitempty" doc:"Reference to the SFTP server's public key, as a line of known_hosts or an authorized_keys file. Needed for SFTP."`
}

// APIKey is a key in a header.
type APIKey struct {
	Header string `json:"header,omitempty" doc:"Name of the header: X-API-Key."`
	Value  Ref    `json:"value,omitempty" doc:"Reference to the key."`
}

// OAuth is how a token is got from an authorization server.
type OAuth struct {
	TokenURL string `json:"tokenUrl,omitempty" doc:"Where tokens are given: an https address, or env:NAME."`
	Client   string `json:"client,omitempty" doc:"Client id, or env:NAME."`
	Secret   Ref    `json:"secret,omitempty" doc:"Reference to the client's secret."`
	Scope    string `json:"scope,omitempty" doc:"Scopes, with spaces between them."`
}

// Check reports what is wrong with it, by path under auth.
func (a Auth) Check(problem func(path, message string)) {
	for path, r := range map[string]Ref{"bearer": a.Bearer, "apiKey.value": a.APIKey.Value, "oauth.secret": a.OAuth.Secret, "password": a.Password,
		"key": a.Key, "certificate": a.Certificate, "authority": a.Authority, "hostKey": a.HostKey} {
		if r != "" && !r.Valid() {
			problem(path, "a secret must not stand in a definition: write env:NAME, or file:/path of a file that holds it")
		}
	}
}

// Duration is a length of time, written like 30s, 5m or 24h.
type Duration time.Duration

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time: write it like 30s, 5m or 24h", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
