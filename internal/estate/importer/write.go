package importer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
)

// yamlWriter writes definitions, one a document, in one form.
type yamlWriter struct{ bytes.Buffer }

func (w *yamlWriter) head(kind, id, name string, labels map[string]string) {
	fmt.Fprintf(w, "---\napiVersion: reeve/v1\nkind: %s\nmetadata:\n  id: %s\n  name: %s\n", kind, id, sheet.Quote(name))
	if len(labels) > 0 {
		w.WriteString("  labels:\n")
		for _, k := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(w, "    %s: %s\n", k, sheet.Quote(labels[k]))
		}
	}
}

// text writes "key: value" unless the value is empty.
func (w *yamlWriter) text(indent int, key, value string) {
	if value != "" {
		fmt.Fprintf(w, "%*s%s: %s\n", indent, "", key, sheet.Quote(value))
	}
}

// word is text for a value that needs no quotes: an id, a word of a vocabulary.
func (w *yamlWriter) word(indent int, key, value string) {
	if value != "" {
		fmt.Fprintf(w, "%*s%s: %s\n", indent, "", key, value)
	}
}

func (w *yamlWriter) words(indent int, key string, values []string) {
	if len(values) > 0 {
		fmt.Fprintf(w, "%*s%s: [%s]\n", indent, "", key, strings.Join(values, ", "))
	}
}

func (w *yamlWriter) number(indent int, key string, n *int) {
	if n != nil {
		fmt.Fprintf(w, "%*s%s: %d\n", indent, "", key, *n)
	}
}

// spec starts the spec; one that stays empty is written as {}.
func (w *yamlWriter) spec(fill func()) {
	w.WriteString("spec:")
	at := w.Len()
	w.WriteString("\n")
	fill()
	if w.Len() == at+1 {
		w.Truncate(at)
		w.WriteString(" {}\n")
	}
}

// finish writes everything, and the notes that are about the file as a whole.
func (b *builder) finish(name string) {
	w := new(yamlWriter)
	fmt.Fprintf(w, "# Imported from %s: %s, %s, %s.\n", sheet.Clean(name),
		sheet.Plural(len(b.systems), "system"), sheet.Plural(len(b.organisations), "organisation"), sheet.Plural(len(b.contracts), "supplier contract"))
	for _, o := range b.organisations {
		w.organisation(o)
	}
	for _, c := range b.capabilities {
		w.capability(c)
	}
	for _, s := range b.systems {
		w.system(s)
	}
	for _, k := range b.contracts {
		w.contract(*k)
	}
	b.res.Definitions = w.Bytes()
	b.res.Organisations, b.res.Capabilities, b.res.Contracts = len(b.organisations), len(b.capabilities), len(b.contracts)
	b.res.Notes = append(b.res.Notes, b.lines.Closing()...)
}

func (w *yamlWriter) organisation(o made[organisation.Spec]) {
	w.head("Organisation", o.id, o.name, o.labels)
	w.spec(func() {
		w.word(2, "type", o.spec.Type)
		w.word(2, "parent", o.spec.Parent)
	})
}

func (w *yamlWriter) capability(c made[capability.Spec]) {
	w.head("Capability", c.id, c.name, c.labels)
	w.spec(func() {})
}

func (w *yamlWriter) system(x made[system.Spec]) {
	w.head("System", x.id, x.name, x.labels)
	s := x.spec
	w.spec(func() {
		w.text(2, "description", s.Description)
		w.word(2, "organisation", s.Organisation)
		w.word(2, "owner", s.Owner)
		w.word(2, "deputy", s.Deputy)
		w.text(2, "product", s.Product)
		w.words(2, "capabilities", s.Capabilities)
		w.word(2, "hosting", s.Hosting)
		w.word(2, "api", s.API)
		if l := s.Lifecycle; l != nil {
			w.WriteString("  lifecycle:\n")
			w.word(4, "phase", l.Phase)
			if l.Since != nil {
				w.word(4, "since", l.Since.String())
			}
			if l.End != nil {
				w.word(4, "end", l.End.String())
			}
		}
		if a := s.Auth; a != nil {
			w.WriteString("  auth:\n")
			w.words(4, "methods", a.Methods)
			w.number(4, "authn", a.Authn)
		}
		w.words(2, "clients", s.Clients)
		w.words(2, "audience", s.Audience)
		if s.Channels != nil {
			w.WriteString("  channels:\n")
			w.text(4, "online", s.Channels.Online)
		}
		if d := s.Data; d != nil {
			w.WriteString("  data:\n")
			if d.Class != nil {
				w.word(4, "class", d.Class.String())
			}
			if d.Personal != nil {
				fmt.Fprintf(w, "    personal: %t\n", *d.Personal)
			}
		}
		if c := s.Continuity; c != nil {
			w.WriteString("  continuity:\n")
			w.number(4, "rtoHours", c.RTOHours)
			if c.RestoreTested != nil {
				w.word(4, "restoreTested", c.RestoreTested.String())
			}
		}
		w.number(2, "users", s.Users)
	})
}

func (w *yamlWriter) contract(k made[supplier.Spec]) {
	w.head("SupplierContract", k.id, k.name, k.labels)
	s := k.spec
	w.spec(func() {
		w.word(2, "supplier", s.Supplier)
		w.words(2, "systems", s.Systems)
		w.text(2, "reference", s.Reference)
		if t := s.Term; t != nil {
			w.WriteString("  term:\n")
			if t.Starts != nil {
				w.word(4, "starts", t.Starts.String())
			}
			if t.Ends != nil {
				w.word(4, "ends", t.Ends.String())
			}
			w.number(4, "noticeDays", t.NoticeDays)
		}
		w.number(2, "seats", s.Seats)
		if len(s.Cost) > 0 {
			w.WriteString("  cost:\n")
		}
		for _, c := range s.Cost {
			fmt.Fprintf(w, "  - annual: %d\n", c.Annual)
			if c.Minor != 0 {
				fmt.Fprintf(w, "    minor: %d\n", c.Minor)
			}
		}
	})
}
