package register

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
)

// exchangeFacts are the facts that follow from what the exchange declares and
// what was observed of it.
func (s *Snapshot) exchangeFacts() {
	s.flowFacts()
	ends := map[string]int64{}
	for _, f := range s.Flows {
		ends[f.FromInterface]++
		if f.ToInterface != f.FromInterface {
			ends[f.ToInterface]++
		}
	}
	t := s.Tables.Of("Interface")
	for _, x := range s.Interfaces {
		if i := t.Find(x.ID); i >= 0 {
			t.Set(i, "documented", x.Documented)
			t.Set(i, "flows", ends[x.ID])
		}
	}
	for i := range s.Tables.Of("ObservedFlow").IDs {
		s.Tables.Of("ObservedFlow").Set(i, "declared", false) // it is there because no flow declares it
	}
	t = s.Tables.Of("RecordType")
	for _, r := range s.RecordTypes {
		if i := t.Find(r.ID); i >= 0 {
			s.recordFacts(r, func(fact string, v any) { t.Set(i, fact, v) })
		}
	}
}

func (s *Snapshot) flowFacts() {
	t := s.Tables.Of("Flow")
	since, every := t.Column("sinceLastMessageDays"), t.Column("expectedEveryDays")
	crosses, active := t.Column("crossesOrganisation"), t.Column("agreementActive")
	for _, f := range s.Flows {
		i := t.Find(f.ID)
		if i < 0 {
			continue
		}
		if f.Seen != nil && !f.Seen.Last.IsZero() {
			since[i] = days(s.At.Sub(f.Seen.Last))
		}
		if f.Every > 0 {
			every[i] = days(f.Every)
		}
		if f.From == f.To || s.responsible(f.From) != "" && s.responsible(f.To) != "" {
			crosses[i] = f.Crosses
		}
		if !f.AgreementTo.IsZero() {
			active[i] = !s.Today.Before(f.AgreementStarts) && !s.Today.After(f.AgreementTo)
		}
	}
}

// days is a length of time in days, to the minute.
func days(d time.Duration) float64 { return max(0, d.Round(time.Minute).Minutes()) / (24 * 60) }

// flowCounts tells how many flows a system takes part in. None is known only of a
// system whose interfaces are described.
func (s *Snapshot) flowCounts(system string, put func(string, any)) {
	all := s.FlowsOf(system)
	if len(all) == 0 && len(s.interfacesOf[system]) == 0 {
		return
	}
	carried := 0
	for _, f := range all {
		if f.Via == "exchange" {
			carried++
		}
	}
	put("flowsTotal", int64(len(all)))
	put("flowsViaExchange", int64(carried))
}

// recordFacts reads how much of a record type is classified, by its schema.
func (s *Snapshot) recordFacts(r RecordType, put func(string, any)) {
	put("mastersDeclared", int64(r.Masters))
	if r.Object == nil {
		return
	}
	spec, _ := r.Object.Value()["spec"].(map[string]any)
	class, _ := spec["classification"].(map[string]any)
	_, level := class["level"]
	single, _ := class["fields"].(map[string]any)
	if level {
		put("publishable", r.Level == reeve.Public && !r.Personal)
	}
	name, _ := spec["schema"].(string)
	b, err := s.Set.File(name)
	if err != nil {
		return
	}
	pointers := schemaFields(b)
	if len(pointers) == 0 {
		return
	}
	put("totalFields", int64(len(pointers)))
	classified := 0
	for _, p := range pointers {
		if level || under(p, single) {
			classified++
		}
	}
	put("classifiedFields", int64(classified))
}

// under reports whether a pointer, or one above it, is a key of m.
func under(pointer string, m map[string]any) bool {
	for p := pointer; p != ""; p = p[:strings.LastIndexByte(p, '/')] {
		if _, ok := m[p]; ok {
			return true
		}
	}
	return false
}

// schemaFields are the JSON Pointers of the values that a schema knows of, without
// the indexes of lists.
func schemaFields(schema []byte) []string {
	var root map[string]any
	if json.Unmarshal(schema, &root) != nil {
		return nil
	}
	w := &schemaWalk{root: root, seen: map[string]bool{}}
	w.walk(root, "", 0)
	return w.fields
}

type schemaWalk struct {
	root   map[string]any
	fields []string
	seen   map[string]bool
}

// most bounds how deep and how much of a schema is read: schemas may go round.
const (
	mostDeep   = 12
	mostFields = 5000
)

func (w *schemaWalk) walk(at map[string]any, path string, deep int) {
	if deep > mostDeep || len(w.fields) > mostFields {
		return
	}
	leaf := true
	if ref, ok := at["$ref"].(string); ok {
		if to := w.find(ref); to != nil {
			leaf = false
			w.walk(to, path, deep+1)
		}
	}
	if properties, ok := at["properties"].(map[string]any); ok && len(properties) > 0 {
		leaf = false
		for name, v := range properties {
			if m, ok := v.(map[string]any); ok {
				w.walk(m, path+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), deep+1)
			} else {
				w.add(path + "/" + name)
			}
		}
	}
	if items, ok := at["items"].(map[string]any); ok {
		leaf = false
		w.walk(items, path, deep+1)
	}
	for _, word := range [...]string{"allOf", "anyOf", "oneOf"} {
		list, _ := at[word].([]any)
		for _, v := range list {
			if m, ok := v.(map[string]any); ok && (m["properties"] != nil || m["$ref"] != nil) {
				leaf = false
				w.walk(m, path, deep+1)
			}
		}
	}
	if leaf {
		w.add(path)
	}
}

func (w *schemaWalk) add(path string) {
	if path != "" && !w.seen[path] {
		w.seen[path] = true
		w.fields = append(w.fields, path)
	}
}

// find follows a reference within the schema.
func (w *schemaWalk) find(ref string) map[string]any {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	var v any = w.root
	for _, name := range strings.Split(rest, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	m, _ := v.(map[string]any)
	return m
}
