package workshop

import (
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
)

func field(path string, takes ...string) contract.Field {
	return contract.Field{Path: path, Takes: takes, Required: true}
}

// What is picked is a line that reads back as the same pair, and does in the language
// what the page says.
func TestWritten(t *testing.T) {
	optional := field("/a/b-c", "string")
	optional.Required = false
	stamp, day := field("/at", "string"), field("/on", "string")
	stamp.Format, day.Format = "date-time", "date"
	listed := contract.Field{Path: "/name/family", Takes: []string{"string"}, Listed: true, Lists: []int{1}}
	record := map[string]any{"a": map[string]any{"b-c": "x"}, "n": "12", "at": "2026-01-31T10:00:00Z", "name": []any{map[string]any{"family": "F"}}, "i": 3, "q\"uote": "y"}
	for _, x := range []struct {
		from, to   contract.Field
		line, want string
	}{
		{optional, field("/x", "string"), `root.x = this.a."b-c" | deleted()`, `{"x":"x"}`},
		{field("/n", "string"), field("/x", "integer"), `root.x = this.n.number()`, `{"x":12}`},
		{field("/i", "integer"), field("/x/y", "string"), `root.x.y = this.i.string()`, `{"x":{"y":"3"}}`},
		{stamp, day, `root.on = this.at.slice(0, 10)`, `{"on":"2026-01-31"}`},
		{listed, field("/x", "string"), `root.x = this.name.0.family | deleted()`, `{"x":"F"}`},
		{field("/q\"uote", "string"), field("/x", "string"), `root.x = this."q\"uote"`, `{"x":"y"}`},
		{field("/gone", "string"), field("/x y", "string"), `root."x y" = this.gone`, `{"x y":null}`},
	} {
		got := written(x.from, x.to)
		if got != x.line {
			t.Errorf("%s, want %s", got, x.line)
		}
		if ls := read(got); len(ls) != 1 || ls[0].Target != x.to.Path || ls[0].Source != x.from.Path {
			t.Errorf("%s reads back as %+v", got, ls)
		}
		m, err := mapping.NewEnvironment().Compile(got)
		if err != nil {
			t.Fatal(got, err)
		}
		doc := map[string]any{}
		for k, v := range record {
			doc[k] = v
		}
		if out, err := m.Run(doc, mapping.Meta{}); err != nil || string(out) != x.want {
			t.Errorf("%s makes %s %v, want %s", got, out, err, x.want)
		}
	}
}

// What is written by hand is neither a pair nor touched, whatever is picked and taken
// away: every other line stays, byte for byte.
func TestPairsLeaveTheRest(t *testing.T) {
	const hand = `# A map.
let a = this.address

root.kept = this.one  # a pair
root.made = this.one.uppercase()
root.long = this.two
  .uppercase()
root.part.inner = if this.x == null { deleted() } else {
  root.not_one
}
map later {
  root.inside = this.three
}
`
	for _, l := range read(hand) {
		if (l.Target == "/kept") != (l.Source != "") {
			t.Errorf("%+v", l)
		}
	}
	rnd := rand.New(rand.NewSource(1))
	fields := []contract.Field{field("/kept", "string"), field("/made", "string"), field("/long", "string"), field("/part", "object"), field("/part/inner", "string"), field("/new/one", "string"), field("/new/two", "string"), field("/new", "object"), field("/other", "string")}
	own := func(text string) (out []string) {
		picked := map[int]bool{}
		for _, l := range read(text) {
			picked[l.N-1] = l.Source != ""
		}
		for i, s := range strings.Split(text, "\n") {
			if !picked[i] {
				out = append(out, s)
			}
		}
		return out
	}
	for range 200 {
		text := hand
		for range 20 {
			f := fields[rnd.Intn(len(fields))]
			before := text
			var err error
			if rnd.Intn(2) == 0 {
				text, err = put(text, field("/src", "string"), f)
				if err == nil && !slices.ContainsFunc(read(text), func(l line) bool { return l.Target == f.Path && l.Source == "/src" }) {
					t.Fatalf("%s was not put:\n%s", f.Path, text)
				}
			} else {
				text, err = drop(text, f.Path)
			}
			if err != nil && text != before {
				t.Fatal("changed, and an error:", err)
			}
			if !slices.Equal(own(text), own(hand)) {
				t.Fatalf("lines written by hand changed:\n%s", text)
			}
		}
	}
}

func TestSame(t *testing.T) {
	from := []contract.Field{field("/a", "string"), field("/deep/b", "string"), field("/x/c", "string"), field("/y/c", "string")}
	to := []contract.Field{field("/a", "string"), field("/b", "string"), field("/c", "string"), field("/z", "string")}
	text, n := same("", from, to)
	if n != 2 || strings.TrimSpace(text) != "root.a = this.a\nroot.b = this.deep.b" {
		t.Errorf("%d %q", n, text)
	}
}
