package rehearsal

import (
	"encoding/json"
	"math/rand"
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	got := Mask([]byte(`{"name":"Zoë O'Neill","n":-12.5,"ok":true,"none":null,"list":["AB1 2CD",{"x":"review"}],"9434765919":"y","public":"shown"}`),
		func(at, value string) bool { return at == "/public" || value == "review" })
	var v map[string]any
	if err := json.Unmarshal([]byte(got), &v); err != nil {
		t.Fatal(err, got)
	}
	for k, want := range map[string]any{"name": "Xxx X'Xxxxx", "n": "-99.9", "ok": "?", "none": nil, "9999999999": "x", "public": "shown"} {
		if v[k] != want {
			t.Errorf("%s is %v, want %v", k, v[k], want)
		}
	}
	if !strings.Contains(got, `"XX9 9XX"`) || !strings.Contains(got, `"review"`) {
		t.Error(got)
	}
	if Mask([]byte("{"), nil) != "" {
		t.Error("what is no JSON is shown")
	}
}

// No letter or digit of a value is ever in its mask, but x, X and 9.
func TestMaskLeavesNothing(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	alphabet := []rune("abcYZ012345678éßЖ中١٢ .-/\n\u202e\"\\")
	for range 2000 {
		var b strings.Builder
		for range rnd.Intn(100) {
			b.WriteRune(alphabet[rnd.Intn(len(alphabet))])
		}
		got := maskText(b.String())
		for _, r := range got {
			if strings.ContainsRune("abcYZ01234567 8éßЖ中١٢\n\u202e", r) && r != ' ' {
				t.Fatalf("%q is in %q", r, got)
			}
		}
	}
}

func TestLiterals(t *testing.T) {
	l := Literals("root.a = \"one\" # \"two\"\nroot.b = this.c | \"\"\n")
	if !l["one"] || !l["two"] || l[""] || len(l) != 2 {
		t.Error(l)
	}
}
