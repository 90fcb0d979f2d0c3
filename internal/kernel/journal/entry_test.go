package journal

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
)

// What is read the fast way is what would have been read as JSON.
func TestEntriesAreReadAsJSON(t *testing.T) {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", `"`, `\`, `,"about":"x"`, "é\n", "]", "}"}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		e := Entry{N: rapid.Int64Min(0).Draw(t, "n"), At: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC(),
			Actor: text.Draw(t, "actor"), Verb: text.Draw(t, "verb"), Subject: text.Draw(t, "subject"), About: reeve.Ref(text.Draw(t, "about")),
			Purpose: reeve.Purpose(text.Draw(t, "purpose")), Set: text.Draw(t, "set"), Why: rapid.SliceOfN(text, 0, 3).Draw(t, "why"), Digest: text.Draw(t, "digest")}
		b := appendEntry(nil, &e)
		want, err := parseJSON(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseEntry(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\ngot  %+v %v\nwant %+v", b, got, err, want)
		}
		if about := aboutOf(b); about != want.About {
			t.Fatalf("%s is about %q", b, about)
		}
		minute, verb, ok := verbOf(b)
		if ok && (string(minute) != want.At.Format(minuteLayout) || string(verb) != want.Verb) {
			t.Fatalf("%s: %s %s", b, minute, verb)
		}
		if at := appendTime(nil, e.At); string(at) != e.At.Format(timeLayout) {
			t.Fatalf("%s was written for %s", at, e.At)
		}
	})
	for _, b := range []string{``, `{`, `{"n":1`, `{"n":1,"at":"x"}`, `{"n":1,"at":"2026-01-01T00:00:00.000Z","actor":"a","verb":"v","why":[}`} {
		if _, err := parseEntry([]byte(b)); err == nil {
			t.Errorf("%s was read", b)
		}
	}
}

func BenchmarkParseEntry(b *testing.B) {
	e := Entry{N: 12345, At: time.UnixMilli(1e12), Actor: "token/abc", Verb: "accepted", About: "record/r1-12345", Purpose: "moves", Set: "0123456789abcdef", Why: []string{"agreement agr-in"}, Digest: "abc"}
	raw := appendEntry(nil, &e)
	for b.Loop() {
		if _, err := parseEntry(raw); err != nil {
			b.Fatal(err)
		}
	}
}
