package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func splitAll(body string, declared bool, sizes func(left int) int) (recs []string, broken string) {
	s := &splitter{declared: declared, emit: func(rec []byte, tooLarge bool) {
		if tooLarge {
			rec = []byte("(too large)")
		}
		recs = append(recs, string(rec))
	}}
	for b := []byte(body); len(b) > 0; {
		n := sizes(len(b))
		part := slices.Clone(b[:n])
		s.feed(part)
		for i := range part {
			part[i] = '!' // what it keeps must be its own
		}
		b = b[n:]
	}
	s.end(true)
	return recs, s.broken
}

// However a body comes in parts, the same records are found in it.
func TestSplitInParts(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		`{"a":1}`, `{`, `}`, "\n", "\r\n", " ", `[`, `]`, `,`, `"`, `\`, `{"a":"}\n{\"\\"}`, `{"é":[{}]}`, "\ufeff", "null", "17", `"x"`,
		`{"a":` + "\n  " + `{"b":2}` + "\n}", "x", "{\"a\":\n", `[{"a":1},{"b":[2]}]`,
	})
	rapid.Check(t, func(t *rapid.T) {
		body := strings.Join(rapid.SliceOfN(pieces, 0, 12).Draw(t, "body"), "")
		declared := rapid.Bool().Draw(t, "declared")
		want, wantBroken := splitAll(body, declared, func(left int) int { return left })
		got, broken := splitAll(body, declared, func(left int) int { return rapid.IntRange(1, min(left, 5)).Draw(t, "n") })
		if !slices.Equal(got, want) || broken != wantBroken {
			t.Fatalf("%q: %q %q, whole %q %q", body, got, broken, want, wantBroken)
		}
		for _, r := range got {
			if r != strings.TrimSpace(r) || r == "" {
				t.Fatalf("%q: record %q", body, r)
			}
		}
	})
}

// Good records are found whatever their shape and whatever stands between them.
func TestSplitFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		space := rapid.SampledFrom([]string{"", " ", "\n", "\r\n\r\n", "\t"})
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf(`{"n":%d,"s":%q,"l":[{},["]"]]}`, i, rapid.SampledFrom([]string{"", "}", `"`, `\`, "]", ",{"}).Draw(t, "s")))
		}
		sp := func() string { return space.Draw(t, "space") }
		var list, lines strings.Builder
		list.WriteString(sp() + "[" + sp())
		for i, w := range want {
			if i > 0 {
				list.WriteString(sp() + "," + sp())
			}
			list.WriteString(w)
			lines.WriteString(w + "\n" + sp())
		}
		list.WriteString(sp() + "]" + sp())
		for _, body := range []string{list.String(), lines.String()} {
			got, broken := splitAll(body, rapid.Bool().Draw(t, "declared"), func(left int) int { return rapid.IntRange(1, left).Draw(t, "n") })
			if broken != "" || !slices.Equal(got, want) {
				t.Fatalf("%q: %q %s", body, got, broken)
			}
		}
	})
}
