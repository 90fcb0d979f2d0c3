package def_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// TestAFieldIsWhatTheDocumentSays writes values in many ways and reads every path
// both from the spec and from the document: they must not differ.
func TestAFieldIsWhatTheDocumentSays(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 8))
	pick := func(xs ...string) string { return xs[r.IntN(len(xs))] }
	fields := map[string]func() string{
		"owner":   func() string { return pick("org-a", "org-a-old", "'org-a'", `"org-a-old"`, "org-b") },
		"hosting": func() string { return pick("saas", "'paas'", `"on-premise"`, `"\x73aas"`) },
		"lifecycle": func() string {
			return pick("{phase: live}", "{phase: live, since: 2026-01-31}", "{phase: retiring, end: '2026-02-28'}", "{phase: live, since: 2026-01-31, end: ~}")
		},
		"clients":   func() string { return pick("[]", "[browser]", "[app, browser]", "~") },
		"users":     func() string { return pick("0", "12", "0x10", "1_000", "~") },
		"share":     func() string { return pick("{}", "{org-a: 0.5}", "{org-a-old: 1, org-b: 0.25}") },
		"successor": func() string { return pick("sys-new", "sys-old", "~") },
		"class":     func() string { return pick("public", "internal", "PUBLIC", "OFFICIAL") },
		"every":     func() string { return pick("15m", "1h", "14d", "0s") },
		"public":    func() string { return pick("true", "false", "True", "no") },
		"extra":     func() string { return pick("1", "{a: [1, 2]}", "text", "~") },
		"uses":      func() string { return pick("[]", "[{system: sys-old}]") },
	}
	paths := []string{"metadata.id", "metadata.name", "metadata.labels", "metadata.labels.a", "kind", "spec", "spec.nothing", "spec.lifecycle.phase", "spec.lifecycle.since", "spec.lifecycle.end", "spec.lifecycle.phase.more", "spec.share.org-a", "spec.owner.more"}
	for name := range fields {
		paths = append(paths, "spec."+name)
	}
	tried := 0
	for n := range 1200 {
		var b strings.Builder
		b.WriteString("apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-a, formerly: [org-a-old]}\nspec: {type: council}\n---\napiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-b}\nspec: {type: partner}\n---\n")
		b.WriteString("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-new, formerly: [sys-old]}\nspec: {owner: org-b, lifecycle: {phase: live}}\n---\n")
		b.WriteString("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-x" + pick("", ", name: Something", ", labels: {a: b}", ", name: ''") + "}\n" + pick("", "# users public clients org-a sys-new 2026-01-31T\n") + "spec:\n")
		for name, value := range fields {
			if name == "owner" || name == "lifecycle" || r.IntN(3) > 0 {
				fmt.Fprintf(&b, "  %s: %s%s\n", name, value(), pick("", "", " # share users false"))
			}
		}
		set, problems := one(b.String())
		if len(problems) > 0 {
			continue
		}
		tried++
		o, _ := set.Lookup("System", "sys-x")
		for _, p := range paths {
			f := set.Field("System", p)
			want, depth := any(o.Value()), 0
			for _, part := range strings.Split(p, ".") {
				m, ok := want.(map[string]any)
				if want = nil; !ok || m[part] == nil {
					break
				}
				want, depth = m[part], depth+1
			}
			if depth < strings.Count(p, ".")+1 {
				want = nil
			}
			got, at := f.Of(o)
			if !reflect.DeepEqual(got, want) || at != depth || f.Given(o) != depth {
				t.Fatalf("%d: %s is %#v, %d deep (given %d); the document says %#v, %d deep:\n%s", n, p, got, at, f.Given(o), want, depth, o.Source())
			}
		}
	}
	if tried < 200 {
		t.Fatalf("only %d of the texts loaded", tried)
	}
}
