package contract

import (
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
)

// The fields of a type are those that a person would pick: by their paths, with
// what they hold, whether they are always there and how sensitive they are.
func TestFields(t *testing.T) {
	typ := testType(t, &Spec{Schema: "s.json", Classification: Classification{Level: reeve.Internal, Fields: map[string]reeve.Class{"/who/born": reeve.Restricted}}}, map[string]string{"s.json": `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["id", "who"],
		"properties": {
			"id": {"type": "string", "title": "Reference"},
			"who": {"$ref": "#/$defs/person"},
			"children": {"type": "array", "items": {"$ref": "#/$defs/person"}},
			"tags": {"type": "array", "items": {"type": "string"}},
			"more": {"type": "object"},
			"paid": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
		"$defs": {"person": {"type": "object", "required": ["name"], "properties": {
			"name": {"type": "string"}, "born": {"type": "string", "format": "date"}, "sex": {"enum": ["f", "m"]},
			"partner": {"$ref": "#/$defs/person"}}}}}`})
	fields, _ := typ.Fields(500)
	by := map[string]Field{}
	for _, f := range fields {
		by[f.Path] = f
	}
	if f := by["/id"]; !f.Required || f.Label != "Reference" || f.Listed {
		t.Errorf("%+v", f)
	}
	if f := by["/who/born"]; f.Required || f.Format != "date" || f.Class != reeve.Restricted {
		t.Errorf("%+v", f)
	}
	if f := by["/who/name"]; !f.Required || f.Class != reeve.Internal {
		t.Errorf("%+v", f)
	}
	if f := by["/children/name"]; f.Required || !f.Listed {
		t.Errorf("%+v", f)
	}
	for _, p := range []string{"/tags", "/more", "/paid", "/who/sex"} {
		if _, ok := by[p]; !ok {
			t.Errorf("%s is missing: %v", p, by)
		}
	}
	if few, more := typ.Fields(3); len(few) != 3 || !more {
		t.Errorf("%d %v", len(few), more)
	}
	if f := by["/tags"]; f.Listed || f.Takes[0] != "array" {
		t.Errorf("%+v", f)
	}
	if some, more := typ.Fields(500, "/who/born", "/tags"); len(some) != 2 || more || some[0].Path != "/tags" || some[1].Path != "/who/born" {
		t.Errorf("%v %v", some, more)
	}
	for p := range by {
		if strings.Count(p, "/partner") > 12 {
			t.Errorf("%s", p)
		}
	}
}
