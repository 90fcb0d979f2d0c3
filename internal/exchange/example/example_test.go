package example

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{"given": {}, "expect": {}}`:                                  "",
		`{"given": {}, "problems": []}`:                                "",
		`{"given": {}, "skipped": "filtered", "at": "2026-01-31"}`:     "",
		`{"expect": {}}`:                                               "given is missing",
		`{"given": {}}`:                                                "write one of expect",
		`{"given": {}, "expect": {}, "skipped": "filtered"}`:           "write one of expect",
		`{"given": {}, "skipped": "sent"}`:                             "write one of filtered, outside, earlier, elsewhere",
		`{"given": {}, "expect": {}, "at": "31 January"}`:              "write a day like 2026-01-31",
		"{\n \"given\": {},\n \"expects\": {}}":                        `an example has no "expects"`,
		`{"given": {}, "given": {}, "expect": {}}`:                     "twice",
		`{"given": {}, "expect": {}} more`:                             "after the end",
		`[]`:                                                           "cannot be a",
		strings.Repeat("[", 1000):                                      "deep",
		`{"given": "` + strings.Repeat("x", 2<<20) + `","expect": {}}`: "at most 1 MiB",
	} {
		_, bad := Parse([]byte(text))
		switch {
		case want == "" && bad != nil:
			t.Errorf("%.60s: %v", text, bad)
		case want != "" && (bad == nil || !strings.Contains(bad.Message, want)):
			t.Errorf("%.60s: %v, want %q", text, bad, want)
		}
	}
	if _, bad := Parse([]byte("{\n \"given\": {},\n \"expects\": {}}")); bad == nil || bad.Line != 3 {
		t.Errorf("%+v", bad)
	}
}

func TestCompare(t *testing.T) {
	for _, x := range []struct{ want, got, diff string }{
		{`{"a":1.0,"b":"x"}`, `{"b":"x","a":1}`, ""},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, "/a\n  - 12345678901234567890\n  + 12345678901234567891"},
		{`{"a":{"b~/c":1}}`, `{"a":{}}`, "/a/b~0~1c\n  - 1"},
		{`{"a":[1,2]}`, `{"a":[1,3,{"x":null}]}`, "/a/1\n  - 2\n  + 3 /a/2\n  + {\"x\":null}"},
		{`{"a":null}`, `{}`, "/a\n  - null"},
		{`{"a":"1"}`, `{"a":1}`, "/a\n  - \"1\"\n  + 1"},
		{`{}`, `[]`, "/\n  - {}\n  + []"},
	} {
		var out []string
		for _, d := range Compare([]byte(x.want), []byte(x.got)) {
			out = append(out, d.String())
		}
		if got := strings.Join(out, " "); got != x.diff {
			t.Errorf("%s and %s: %q, want %q", x.want, x.got, got, x.diff)
		}
	}
}

// What is written reads back as the same.
func TestFile(t *testing.T) {
	b := Body{About: "x", Given: json.RawMessage(`{"a":"<b>"}`), Problems: []Problem{{Path: "/a"}}}
	text, err := b.File()
	if err != nil || !strings.Contains(string(text), "<b>") {
		t.Fatal(err, string(text))
	}
	back, bad := Parse(text)
	if bad != nil || back.About != "x" || len(back.Problems) != 1 {
		t.Fatal(bad, back)
	}
}
