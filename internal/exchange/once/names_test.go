package once

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// The key of a record stays the same whatever its type is called, and two types
// never share one.
func TestRenamed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x, err := Open(t.Context(), db, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		type spec struct{}
		reg := def.NewRegistry(def.Kind{Name: typesKind, Spec: new(spec)})
		// use puts types in force, each with the ids that it had: "b<a".
		use := func(types ...string) {
			t.Helper()
			text := ""
			for _, typ := range types {
				id, formerly, _ := strings.Cut(typ, "<")
				text += fmt.Sprintf("---\napiVersion: reeve/v1\nkind: RecordType\nmetadata: {id: %s, name: A type, formerly: [%s]}\nspec: {}\n", id, formerly)
			}
			set, problems := def.Load(fstest.MapFS{"types.yaml": {Data: []byte(text)}}, reg)
			if set == nil {
				t.Fatal(problems)
			}
			if err := x.Rename(t.Context(), set); err != nil {
				t.Fatal(err)
			}
			if x, err = Open(t.Context(), db, [32]byte{1}); err != nil { // and again after a restart
				t.Fatal(err)
			}
		}
		use("a", "z")
		first, other := x.Key("org", "a", "1"), x.Key("org", "z", "1")
		for _, step := range []struct{ types, present string }{
			{"b<a", "b"}, {"c<b,a", "c"}, {"d<c", "d"}, {"a<d", "a"}, {"a", "a"}, {"e<a,b", "e"},
		} {
			use(step.types, "z")
			if x.Key("org", reeve.RecordType(step.present), "1") != first {
				t.Errorf("%s: what was told before is not known", step.types)
			}
			if x.Key("org", "z", "1") != other {
				t.Errorf("%s: another type's keys changed", step.types)
			}
		}
		// An id that is given up and taken by another type begins anew.
		if use("e", "a", "z"); x.Key("org", "e", "1") == x.Key("org", "a", "1") {
			t.Error("two types share their keys")
		}
	})
}
