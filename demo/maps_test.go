package demo

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reeve-civic/reeve/demo/data"
)

// Every map is run over all the records that it will see, and what comes out
// must keep to the receiver's schema.
func TestMaps(t *testing.T) {
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	var deaths, notices, awards []json.RawMessage
	ds, err := data.History(ps)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		deaths = append(deaths, d.JSON(), d.InError().JSON())
	}
	for _, p := range data.Dead(ps) {
		notices = append(notices, p.Resource)
	}
	for _, a := range data.Awards(ps) {
		awards = append(awards, a.JSON())
	}
	applications, err := data.Applications()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, schema string
		in           []json.RawMessage
	}{
		{"death-to-council-tax.blobl", "ct-exemption-review.json", deaths},
		{"death-to-electoral.blobl", "ero-information.json", deaths},
		{"death-to-libraries.blobl", "library-member-death.json", deaths},
		{"death-to-life-event.blobl", "life-event.json", deaths},
		{"patient-to-life-event.blobl", "life-event.json", notices},
		{"award.blobl", "benefit-award.json", awards},
		{"application-to-case.blobl", "planning-case.json", applications},
	} {
		t.Run(c.file, func(t *testing.T) {
			src, err := os.ReadFile("body/exchange/maps/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			exe, err := bloblang.Parse(string(src))
			if err != nil {
				t.Fatal(err)
			}
			sch := schema(t, c.schema)
			for i, in := range c.in {
				var doc any
				if err := json.Unmarshal(in, &doc); err != nil {
					t.Fatal(err)
				}
				got, err := exe.Query(doc)
				if err != nil {
					t.Fatalf("record %d: %v", i, err)
				}
				body, err := json.Marshal(got)
				if err != nil {
					t.Fatal(err)
				}
				v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if err := sch.Validate(v); err != nil {
					t.Fatalf("record %d: %v\n%s", i, err, body)
				}
				if i == 0 {
					t.Logf("%s", body)
				}
			}
		})
	}
}

func schema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile("body/exchange/schemas/" + file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///"+file, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///" + file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
