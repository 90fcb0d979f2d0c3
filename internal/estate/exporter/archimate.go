package exporter

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// ArchiMate elements and relationships that the estate's kinds become. Ids are
// those of the definitions, so that a model that is exported again updates the
// one before it.

// modeller writes an exchange file in the order that its schema asks for: name,
// elements, relationships, property definitions.
type modeller struct {
	w        io.Writer
	err      error
	has      map[string]bool   // identifiers of elements
	property map[string]string // identifiers of properties, by name
	pairs    map[string]bool   // relationships that are there
	n        int
}

func (m *modeller) writef(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, args...)
	}
}

// text is s as text of XML, without what XML cannot hold.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0xFFFE || r == 0xFFFF || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))) // a Builder never fails
	return b.String()
}

// ref is an id as the schema's xs:ID takes it.
func ref(id string) string { return "id-" + id }

// property is a name and a value; an empty value is left out.
type property struct{ Name, Value string }

func (m *modeller) element(id, kind, name, documentation string, properties ...property) {
	if m.has[id] {
		return // two kinds with the same id: the first stands
	}
	m.has[id] = true
	if name == "" {
		name = id
	}
	m.writef("    <element identifier=\"%s\" xsi:type=\"%s\">\n      <name xml:lang=\"en\">%s</name>\n", text(ref(id)), kind, text(name))
	if documentation != "" {
		m.writef("      <documentation xml:lang=\"en\">%s</documentation>\n", text(documentation))
	}
	properties = slices.DeleteFunc(append([]property{{"reeve id", id}}, properties...), func(p property) bool { return p.Value == "" })
	m.writef("      <properties>\n")
	for _, p := range properties {
		if m.property[p.Name] == "" {
			m.property[p.Name] = fmt.Sprintf("propid-%d", len(m.property)+1)
		}
		m.writef("        <property propertyDefinitionRef=\"%s\"><value xml:lang=\"en\">%s</value></property>\n", m.property[p.Name], text(p.Value))
	}
	m.writef("      </properties>\n    </element>\n")
}

func (m *modeller) relation(kind, from, to, name string) {
	key := kind + "\x1f" + from + "\x1f" + to + "\x1f" + name
	if from == to || !m.has[from] || !m.has[to] || m.pairs[key] {
		return
	}
	m.pairs[key] = true
	m.n++
	m.writef("    <relationship identifier=\"id-rel-%d\" source=\"%s\" target=\"%s\" xsi:type=\"%s\">", m.n, text(ref(from)), text(ref(to)), kind)
	if name != "" {
		m.writef("<name xml:lang=\"en\">%s</name>", text(name))
	}
	m.writef("</relationship>\n")
}

func writeArchiMate(w io.Writer, s *register.Snapshot, o Options) error {
	m := &modeller{w: w, has: map[string]bool{}, property: map[string]string{}, pairs: map[string]bool{}}
	body := o.Body
	if body == "" {
		body = "Estate"
	}
	m.writef("%s<model xmlns=\"http://www.opengroup.org/xsd/archimate/3.0/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://www.opengroup.org/xsd/archimate/3.0/ http://www.opengroup.org/xsd/archimate/3.1/archimate3_Model.xsd\" identifier=\"id-estate\">\n", xml.Header)
	m.writef("  <name xml:lang=\"en\">%s</name>\n  <documentation xml:lang=\"en\">The estate on %s.</documentation>\n  <elements>\n", text(body), s.Today)
	m.elements(s)
	m.writef("  </elements>\n  <relationships>\n")
	m.relations(s)
	m.writef("  </relationships>\n  <propertyDefinitions>\n")
	names := slices.SortedFunc(maps.Keys(m.property), func(a, b string) int { return strings.Compare(m.property[a], m.property[b]) })
	for _, name := range names {
		m.writef("    <propertyDefinition identifier=\"%s\" type=\"string\"><name xml:lang=\"en\">%s</name></propertyDefinition>\n", m.property[name], text(name))
	}
	m.writef("  </propertyDefinitions>\n</model>\n")
	return m.err
}

func (m *modeller) elements(s *register.Snapshot) {
	for _, id := range sortedKeys(s.Organisations) {
		x := s.Organisations[id]
		m.element(id, "BusinessActor", x.Name, "", property{"type", x.Spec.Type})
	}
	for _, x := range s.Capabilities {
		m.element(x.ID, "Capability", x.Name, x.Spec.Description)
	}
	for _, x := range s.Systems {
		p := x.Spec
		since := ""
		if p.Lifecycle != nil {
			since = date(p.Lifecycle.Since)
		}
		m.element(x.ID, "ApplicationComponent", x.Name, p.Description, property{"product", p.Product}, property{"hosting", p.Hosting}, property{"phase", p.Phase()}, property{"since", since}, property{"owner", p.Owner})
	}
	for _, x := range s.Interfaces {
		m.element(x.ID, "ApplicationInterface", x.Name, "", property{"style", x.Style})
	}
	for _, x := range s.RecordTypes {
		m.element(x.ID, "DataObject", x.Name, "", property{"class", x.Level.String()})
	}
	for _, x := range s.Components {
		m.element(x.ID, "SystemSoftware", x.Name, x.Spec.Description, property{"product", x.Spec.Product.Name}, property{"version", x.Spec.Product.Version})
	}
	for _, x := range s.Contracts {
		ends := ""
		if x.Spec.Term != nil {
			ends = date(x.Spec.Term.Ends)
		}
		m.element(x.ID, "Contract", x.Name, "", property{"reference", x.Spec.Reference}, property{"ends", ends})
	}
	for _, x := range s.Sites {
		m.element(x.ID, "Location", x.Name, x.Spec.Description)
	}
	for _, x := range def.All[catalogue.Spec](s.Set) {
		m.element(x.ID, "BusinessService", x.Name, x.Spec.Description)
	}
	for _, x := range def.All[roadmap.ObjectiveSpec](s.Set) {
		m.element(x.ID, "Goal", x.Name, x.Spec.Description)
	}
	for _, x := range def.All[roadmap.ItemSpec](s.Set) {
		m.element(x.ID, "WorkPackage", x.Name, x.Spec.Description, property{"starts", x.Spec.Starts.String()}, property{"ends", x.Spec.Ends.String()})
	}
}

func (m *modeller) relations(s *register.Snapshot) {
	now := s.Set.Present
	for _, id := range sortedKeys(s.Organisations) {
		m.relation("Composition", now("Organisation", s.Organisations[id].Spec.Parent), id, "")
	}
	for _, x := range s.Capabilities {
		m.relation("Composition", now("Capability", x.Spec.Parent), x.ID, "")
	}
	for _, x := range s.Systems {
		for _, c := range s.CapabilitiesOf(x.ID) {
			m.relation("Realization", x.ID, c.ID, "")
		}
		m.relation("Assignment", now("Organisation", x.Spec.Organisation), x.ID, "")
	}
	for _, x := range s.Interfaces {
		m.relation("Composition", x.System, x.ID, "")
		for _, r := range x.Records {
			m.relation("Access", x.ID, now("RecordType", r), "")
		}
	}
	for _, x := range s.Flows {
		m.relation("Flow", x.From, x.To, x.Name)
	}
	for _, x := range s.Components {
		m.relation("Serving", x.ID, now("System", x.Spec.System), "")
		for _, id := range x.Spec.UsedBy {
			m.relation("Serving", x.ID, now("System", id), "")
		}
	}
	for _, x := range s.Contracts {
		m.relation("Association", x.ID, now("Organisation", x.Spec.Supplier), "")
		for _, id := range s.Pays[x.ID] {
			m.relation("Association", x.ID, id, "")
		}
	}
	for _, x := range def.All[catalogue.Spec](s.Set) {
		for _, id := range x.Spec.Systems {
			m.relation("Serving", now("System", id), x.ID, "")
		}
	}
	for _, x := range def.All[roadmap.ObjectiveSpec](s.Set) {
		for _, id := range x.Spec.Systems {
			m.relation("Influence", now("System", id), x.ID, "")
		}
	}
}
