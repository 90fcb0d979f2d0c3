package workbench

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// family is a record type whose children have a number that few may see.
func family(t testing.TB) *contract.Type {
	spec := &contract.Spec{Schema: "f.json", Classification: contract.Classification{Level: reeve.Internal,
		Fields: map[string]reeve.Class{"/children/ssn": reeve.Restricted, "/children/pets/chip": reeve.Restricted, "/secret": reeve.Restricted}}}
	o := &def.Object{ID: "rec-family.v1", Kind: "RecordType", Spec: spec}
	typ, err := new(contract.Schemas).Type(o, func(string) ([]byte, error) { return []byte(`{"type":"object"}`), nil })
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// What a map may not see goes back to the item that it was taken from. A map that
// moves, drops, adds or copies items, or makes them anew, is told that it may not.
func TestVeilOfLists(t *testing.T) {
	const record = `{"secret":"s","children":[{"name":"Ann","ssn":"1","pets":[{"kind":"cat","chip":"c1"},{"kind":"dog"}]},{"name":"Bob","ssn":"2"},{"name":"Cy"}]}`
	const moved = "moves, copies or makes anew"
	for source, want := range map[string]string{
		`root = this.assign({"x": 1})`: `{"children":[{"name":"Ann","pets":[{"chip":"c1","kind":"cat"},{"kind":"dog"}],"ssn":"1"},{"name":"Bob","ssn":"2"},{"name":"Cy"}],"secret":"s","x":1}`,
		`root = this
root.children = this.children.map_each(c -> c.assign({"name": c.name.uppercase()}))`: `{"children":[{"name":"ANN","pets":[{"chip":"c1","kind":"cat"},{"kind":"dog"}],"ssn":"1"},{"name":"BOB","ssn":"2"},{"name":"CY"}],"secret":"s"}`,
		"root = this\nroot.children = this.children.sort_by(c -> c.name.hash(\"sha1\").string())":                              moved,
		"root = this\nroot.children = this.children.sort(c -> c.left.name > c.right.name)":                                     moved,
		"root = this\nroot.children = this.children.filter(c -> c.name != \"Ann\")":                                            moved,
		"root = this\nroot.children = this.children.map_each(c -> {\"name\": c.name})":                                         moved,
		"root = this\nroot.children = [this.children.index(1), this.children.index(0), this.children.index(2)]":                moved,
		"root = this\nroot.first = this.children.index(0)":                                                                     moved,
		"root = this\nroot.children = this.children.append(this.children.index(0))":                                            moved,
		"root = this\nroot.note = this.children.format_json().string()":                                                        moved,
		"root = this\nroot.children = this.children.index(0)":                                                                  moved,
		"root = this\nroot.children = {\"0\": this.children.index(0), \"1\": this.children.index(1)}":                          "changes the shape",
		"root = this\nroot.children = this.children.map_each(c -> c.assign({\"ssn\": \"9\"}))":                                 "you may not see",
		"root = this\nroot.children = [{\"name\": \"New\"}].merge(this.children)":                                              moved,
		"root = this\nroot.secret = \"mine\"":                                                                                  "you may not see",
		"root = this\nroot.children = this.children.map_each(c -> c.map_each_key(k -> if k == \"name\" { \"n\" } else { k }))": `{"children":[{"n":"Ann","pets":[{"chip":"c1","kind":"cat"},{"kind":"dog"}],"ssn":"1"},{"n":"Bob","ssn":"2"},{"n":"Cy"}],"secret":"s"}`,
	} {
		v := veil{t: family(t), sees: reeve.Confidential}
		covered, err := v.cover([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		made, err := new(sandbox.Box).Run(t.Context(), source, []json.RawMessage{covered})
		if err != nil || made[0].Error != "" {
			t.Errorf("%s: %v %s", source, err, made[0].Error)
			continue
		}
		after, why := v.uncover(made[0].Body)
		if why != "" {
			if !strings.Contains(why, want) {
				t.Errorf("%s: %s, want %s", source, why, want)
			}
			continue
		}
		if got, err := json.Marshal(after); err != nil || string(got) != want {
			t.Errorf("%s made %s %v, want %s", source, got, err, want)
		}
	}
}

// A record that has a field of the name of the mark is not taken for marked.
func TestVeilKeepsItsMark(t *testing.T) {
	v := veil{t: family(t), sees: reeve.Confidential}
	covered, err := v.cover([]byte(`{"children":[{"reeve:item":"0","ssn":"1"},{"reeve:item+":"1","ssn":"2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	after, why := v.uncover(covered)
	if got, _ := json.Marshal(after); why != "" || string(got) != `{"children":[{"reeve:item":"0","ssn":"1"},{"reeve:item+":"1","ssn":"2"}]}` {
		t.Errorf("%s %s", got, why)
	}
}
