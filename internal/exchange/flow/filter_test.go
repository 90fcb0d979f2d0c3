package flow

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// A filter says of the fields that it reads what it says of the whole record.
func TestFilterSeesWhatItReads(t *testing.T) {
	env, err := filterEnv()
	if err != nil {
		t.Fatal(err)
	}
	terms := []string{`record.a == "x"`, `record.b.c > 1`, `has(record.a)`, `has(record.b.c)`, `record["a.b"] == "x"`, `record["a"] == "y"`, `size(record) > 2`, `record.list.exists(i, i.n == 1)`,
		`record.list.all(i, has(i.n))`, `record.list[0].n == 1`, `"a" in record`, `record.b == record.d`, `size(record.list) == 2`, `today > date("2026-01-01")`, `record.a.startsWith("x")`, `[record.a, record.d].exists(v, v == "x")`, `true`}
	names := []string{"a", "b", "c", "d", "list", "a.b", "ab", `\u0061`}
	values := []string{`"x"`, `"y"`, `1`, `2.5`, `null`, `true`, `{"c":2}`, `{"c":"z"}`, `{"c":{"d":1}}`, `[{"n":1},{"n":2}]`, `[{}]`, `[]`}
	today := def.Date{Year: 2026, Month: 11, Day: 22}
	rapid.Check(t, func(t *rapid.T) {
		src := strings.Join(rapid.SliceOfN(rapid.SampledFrom(terms), 1, 3).Draw(t, "terms"), rapid.SampledFrom([]string{" && ", " || "}).Draw(t, "with"))
		p, err := env.Compile(src, def.Pos{})
		if err != nil {
			return
		}
		f := &Flow{filter: p, reads: p.Inputs()}
		var fields []string
		for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 6, rapid.ID[string]).Draw(t, "names") {
			fields = append(fields, fmt.Sprintf(`"%s": %s`, n, rapid.SampledFrom(values).Draw(t, "value")))
		}
		doc := []byte("{" + strings.Join(fields, ",") + "}")
		whole, err := rawjson.Decode(doc)
		if err != nil {
			return // a field twice
		}
		seen, err := f.seen(doc)
		if err != nil {
			t.Fatal(err)
		}
		got := f.keep(t.Context(), map[string]any{"record": seen, "today": today})
		want := f.keep(t.Context(), map[string]any{"record": whole, "today": today})
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s on %s: %+v, want %+v", src, doc, got, want)
		}
	})
}
