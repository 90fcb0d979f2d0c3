// Package all names every connector of this program. A new one is a folder beside it,
// a field of Settings and a line in connectors: the list that `reeve connectors`
// prints, the checks, the schema and the documentation follow from these.
package all

import (
	"reflect"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/file"
	"github.com/reeve-civic/reeve/connector/httpjson"
	"github.com/reeve-civic/reeve/connector/mail"
	"github.com/reeve-civic/reeve/connector/sftp"
	"github.com/reeve-civic/reeve/connector/sqldb"
)

// Settings is what an Interface says about the connector that it uses, under the
// connector's name.
type Settings struct {
	File *file.Settings     `json:"file,omitempty" doc:"Of folders of this machine: which files are read, when, and what becomes of them."`
	HTTP *httpjson.Settings `json:"http,omitempty" doc:"Of web addresses: batches, questions, reading page by page, webhooks."`
	Mail *mail.Settings     `json:"mail,omitempty" doc:"Of mail servers: what a mail says and whom it goes to."`
	SFTP *sftp.Settings     `json:"sftp,omitempty" doc:"Of folders of SFTP servers: which files are read, when, and what becomes of them."`
	SQL  *sqldb.Settings    `json:"sql,omitempty" doc:"Of databases: which table is read or written, and by which columns."`
	Objects
}

var connectors = append([]*connector.Connector{
	&file.Connector,
	&httpjson.Connector,
	&mail.Connector,
	&sftp.Connector,
	&sqldb.Connector,
}, more()...)

// Connectors are all of them.
func Connectors() []*connector.Connector { return slices.Clone(connectors) }

// For finds the connector for a scheme of addresses.
func For(scheme string) (*connector.Connector, bool) {
	return find(func(c *connector.Connector) bool { return slices.Contains(c.Schemes, scheme) })
}

// Named finds a connector by its name.
func Named(name string) (*connector.Connector, bool) {
	return find(func(c *connector.Connector) bool { return c.Name == name })
}

func find(is func(*connector.Connector) bool) (*connector.Connector, bool) {
	if i := slices.IndexFunc(connectors, is); i >= 0 {
		return connectors[i], true
	}
	return nil, false
}

// Given are the names of the connectors that something is said about.
func (s *Settings) Given() (names []string) {
	for name, v := range s.each() {
		if !v.IsNil() {
			names = append(names, name)
		}
	}
	return names
}

// Of is a pointer to the settings of a connector, with nothing set where nothing was
// said; nil for a connector without settings.
func (s *Settings) Of(name string) any {
	for n, v := range s.each() {
		if n != name {
			continue
		}
		if v.IsNil() {
			return reflect.New(v.Type().Elem()).Interface()
		}
		return v.Interface()
	}
	return nil
}

func (s *Settings) each() func(yield func(name string, v reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) {
		v := reflect.ValueOf(s).Elem()
		for _, f := range reflect.VisibleFields(v.Type()) { // also those that a tag of the build adds
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.Anonymous && !yield(name, v.FieldByIndex(f.Index)) {
				return
			}
		}
	}
}
