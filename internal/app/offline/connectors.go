package offline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/connector/all"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/describe"
)

// Connector is a connector for people and programs: what it is for, what it promises
// and what an Interface says to it.
type Connector struct {
	Name     string           `json:"name"`
	Schemes  []string         `json:"schemes"`
	Doc      string           `json:"doc"`
	Reads    bool             `json:"reads"`
	Writes   bool             `json:"writes"`
	Order    string           `json:"order,omitempty"`
	Repeat   string           `json:"repeat,omitempty"`
	Ack      string           `json:"acknowledgement,omitempty"`
	Settings []describe.Field `json:"settings"`
}

// Connectors lists the connectors of this program. What it tells of settings comes
// from where they are decoded.
func Connectors() (list []Connector) {
	settings := property(Registry().Properties("Interface"), "settings").Properties()
	for _, c := range all.Connectors() {
		out := Connector{Name: c.Name, Schemes: c.Schemes, Doc: c.Doc, Reads: c.Source != nil, Writes: c.Sink != nil,
			Order: c.Promise.Order, Repeat: c.Promise.Repeat, Ack: c.Promise.Ack, Settings: []describe.Field{}}
		if p := property(settings, c.Name); p.Name != "" {
			out.Settings = describe.Fields("settings."+c.Name, p.Properties())
		}
		list = append(list, out)
	}
	return list
}

func property(of []def.Property, name string) def.Property {
	if i := slices.IndexFunc(of, func(p def.Property) bool { return p.Name == name }); i >= 0 {
		return of[i]
	}
	return def.Property{}
}

// does says in words what a connector does.
func (c *Connector) does() string {
	switch {
	case c.Reads && c.Writes:
		return "reads and writes"
	case c.Reads:
		return "reads"
	}
	return "writes"
}

// String is a connector as a person reads it on a terminal.
func (c Connector) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) %s\n  %s\n", c.Name, addresses(c.Schemes), c.does(), c.Doc)
	for _, f := range c.Settings {
		fmt.Fprintf(&b, "  %-36s %s\n", f.Path, f.Doc)
	}
	return b.String()
}

func addresses(schemes []string) string {
	out := make([]string, len(schemes))
	for i, s := range schemes {
		out[i] = s + "://"
	}
	return strings.Join(out, ", ")
}

// ConnectorReference describes the connectors in Markdown.
func ConnectorReference() string {
	var b strings.Builder
	fields := Registry().Properties("Interface")
	b.WriteString("An Interface names its connector by the scheme of its `address`, signs in by `auth`, and says the rest under `settings` and the connector's name. A secret is always a reference: `env:NAME`, or `file:/path` of a file that holds it.\n\n")
	auth := property(fields, "auth")
	b.WriteString(describe.Table(describe.Fields("auth", auth.Properties())))
	b.WriteString("\n## Reading\n\nAn Interface with `read` is read from: each row becomes a record of one type, under the agreement by which the system's organisation gives it.\n\n")
	read := property(fields, "read")
	b.WriteString(describe.Table(describe.Fields("read", read.Properties())))
	for _, c := range Connectors() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nFor addresses that begin with `%s`; it %s.\n\n", c.Name, c.Doc, strings.Join(strings.Split(addresses(c.Schemes), ", "), "`, `"), c.does())
		for _, p := range [][2]string{{"Order", c.Order}, {"Repeats", c.Repeat}, {"Acknowledgement", c.Ack}} {
			if p[1] != "" {
				fmt.Fprintf(&b, "- **%s.** %s\n", p[0], p[1])
			}
		}
		if len(c.Settings) > 0 {
			b.WriteString("\n" + describe.Table(c.Settings))
		}
	}
	return b.String()
}
