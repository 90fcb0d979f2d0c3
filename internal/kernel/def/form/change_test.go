package form_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/def/form"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// parsed gives the documents of a file that are definitions, with their values.
func parsed(text []byte) (docs []yamldoc.Doc, values []map[string]any) {
	s, bad := yamldoc.Readable(text)
	if bad != nil {
		return nil, nil
	}
	lines := strings.Split(s, "\n")
	for _, d := range yamldoc.Split(s) {
		n := yamldoc.Parse(d.Text(), d.Before, lines, func(yamldoc.Problem) {})
		if n != nil && n.Kind == yamldoc.Map && n.Get("kind") != nil && !yamldoc.Shares(d.Text()) {
			docs, values = append(docs, d), append(values, n.Plain().(map[string]any))
		}
	}
	return docs, values
}

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = copied(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copied(v[i])
		}
		return out
	}
	return v
}

var hostile = []any{"plain", "", " lead", "trail ", "a: b", "a #b", "#", "- x", "null", "true", "007", "1e3", "12:30", "'", `"`, `\`, "it's \"x\"", "{", "]", "&a", "*a", "!t", "%", "@", "`", "|", ">-",
	"x\n---\nkind: System", "a\nb", "a\nb\n", "a\n\n  b\n", "\n", "\t", "a\tb", "\r", "\x00", "\u0085", "\u2028", "\ufeff", "é€😀", "<<", "=", "~", "yes", "2026-01-31", "...", "---", "a\n...\n", "? x", "x ", strings.Repeat("long words ", 40) + "end",
	int64(5), int64(-1), 1.5, 2.0, 1e30, true, false, []any{}, map[string]any{}, []any{"a", "b, c"}, []any{map[string]any{"x": "y: z", "n": int64(1)}, map[string]any{"x": "\n"}}, map[string]any{"k: y": "v", "": "e", "a": []any{"1"}}}

// shake changes a value at random.
func shake(rnd *rand.Rand, v any, depth int) any {
	if depth > 0 && rnd.IntN(5) == 0 {
		return hostile[rnd.IntN(len(hostile))]
	}
	switch v := v.(type) {
	case map[string]any:
		keys := []string{}
		for k := range v {
			if depth > 0 || k == "spec" || k == "metadata" {
				keys = append(keys, k)
			}
		}
		if len(keys) == 0 || depth > 0 && rnd.IntN(4) == 0 {
			v["new"+fmt.Sprint(rnd.IntN(3))] = copied(hostile[rnd.IntN(len(hostile))])
			return v
		}
		k := keys[rnd.IntN(len(keys))]
		if depth > 0 && rnd.IntN(5) == 0 {
			delete(v, k)
			return v
		}
		v[k] = shake(rnd, v[k], depth+1)
		return v
	case []any:
		switch {
		case len(v) == 0 || rnd.IntN(3) == 0:
			return append(v, copied(hostile[rnd.IntN(len(hostile))]))
		case rnd.IntN(3) == 0:
			i := rnd.IntN(len(v))
			return append(v[:i:i], v[i+1:]...)
		}
		i := rnd.IntN(len(v))
		v[i] = shake(rnd, v[i], depth+1)
		return v
	}
	return hostile[rnd.IntN(len(hostile))]
}

func TestChangesMeanWhatWasAskedAndLeaveTheRest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 9))
	var docs []yamldoc.Doc
	var values []map[string]any
	for _, text := range yamls(t) {
		d, v := parsed(text)
		docs, values = append(docs, d...), append(values, v...)
	}
	n, refused := 4000, 0
	if testing.Short() {
		n = 500
	}
	for i := range n {
		x := rnd.IntN(len(docs))
		want := copied(values[x]).(map[string]any)
		for range 1 + rnd.IntN(2) {
			shake(rnd, want, 0)
		}
		out, err := form.Change(docs[x], want, nil)
		if err != nil {
			if refused++; refused < 6 {
				t.Logf("refused %d: %v\n%s\nwant %v", i, err, docs[x].Source(), want)
			}
			continue
		}
		_, got := parsed([]byte(out))
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Fatalf("%d\n%s\nbecame\n%s\nwant %#v\ngot  %#v", i, docs[x].Source(), out, want, got)
		}
		if out2, err := form.Change(docs[x], copied(values[x]).(map[string]any), nil); err != nil || out2 != docs[x].Source() {
			t.Fatalf("a change of nothing: %v\n%s", err, out2)
		}
	}
	if refused*50 > n {
		t.Errorf("%d of %d changes were refused", refused, n)
	}
}

func TestNewDocumentsQuoteWhatNeedsIt(t *testing.T) {
	for _, v := range hostile {
		value := map[string]any{"apiVersion": "reeve/v1", "kind": "System", "metadata": map[string]any{"id": "a", "name": v}, "spec": map[string]any{"a": v, "l": []any{v, v}, "m": map[string]any{"x": map[string]any{"y": v}}}}
		text, err := form.New(copied(value).(map[string]any), nil)
		if err != nil {
			t.Errorf("%q: %v", v, err)
			continue
		}
		_, got := parsed([]byte(text))
		if len(got) != 1 || !reflect.DeepEqual(got[0], value) {
			t.Errorf("%q\n%s\n%#v", v, text, got)
		}
	}
}

func TestAChangeTouchesOnlyItsBytes(t *testing.T) {
	const text = `---
# Keep me.
apiVersion: reeve/v1
kind:   System   # odd spaces
metadata: {id: sys-a,   name: 'A' }   # the name
spec:
  # why finance
  organisation: org-finance   # since 2020
  clients:
  - browser    # everybody
  # only staff
  - app
  lifecycle:   {phase: live, since: 2020-01-01}

  # the end
  description: >-
    folded
    text
`
	d := yamldoc.Split(text)[0]
	_, values := parsed([]byte(text))
	value := func() map[string]any { return copied(values[0]).(map[string]any) }
	spec := func(m map[string]any) map[string]any { return m["spec"].(map[string]any) }
	for name, c := range map[string]struct {
		change func(m map[string]any)
		old    string
		new    string
	}{
		"scalar":  {func(m map[string]any) { spec(m)["organisation"] = "org-it" }, "organisation: org-finance   # since", "organisation: org-it   # since"},
		"in flow": {func(m map[string]any) { spec(m)["lifecycle"].(map[string]any)["phase"] = "retiring" }, "{phase: live,", "{phase: retiring,"},
		"name":    {func(m map[string]any) { m["metadata"].(map[string]any)["name"] = "B: the best" }, "name: 'A' }", `name: "B: the best" }`},
		"added":   {func(m map[string]any) { spec(m)["clients"] = []any{"browser", "app", "phone"} }, "  - app\n", "  - app\n  - phone\n"},
		"removed": {func(m map[string]any) { spec(m)["clients"] = []any{"browser"} }, "  # only staff\n  - app\n", ""},
		"flow":    {func(m map[string]any) { spec(m)["lifecycle"].(map[string]any)["end"] = "2027-01-01" }, "lifecycle:   {phase: live, since: 2020-01-01}", "lifecycle: {phase: live, since: 2020-01-01, end: 2027-01-01}"},
		"folded":  {func(m map[string]any) { spec(m)["description"] = "short" }, "description: >-\n    folded\n    text\n", "description: short\n"},
		"field":   {func(m map[string]any) { spec(m)["hosting"] = "saas" }, "    text\n", "    text\n  hosting: saas\n"},
		"without": {func(m map[string]any) { delete(spec(m), "organisation") }, "  organisation: org-finance   # since 2020\n", ""},
	} {
		want := value()
		c.change(want)
		out, err := form.Change(d, want, nil)
		if expect := strings.Replace(text, c.old, c.new, 1); err != nil || out != expect {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out, expect)
		}
	}
}
