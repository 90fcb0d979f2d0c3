package rehearsal

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Mask writes a body so that its shape can be seen and what it says cannot: letters
// become x, digits 9, and truth values a question mark. A value stays where clear
// says so of its JSON Pointer (without list indexes) and text.
func Mask(body []byte, clear func(pointer, value string) bool) string {
	v, err := rawjson.Decode(body)
	if err != nil {
		return ""
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(masked("", v, clear)); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func masked(at string, v any, clear func(pointer, value string) bool) any {
	shown := func(value string) bool { return clear != nil && clear(at, value) }
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			out[maskName(name)] = masked(at+"/"+escaped.Replace(name), x, clear)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = masked(at, v[i], clear)
		}
		return out
	case string:
		if shown(v) {
			return v
		}
		return maskText(v)
	case json.Number:
		if shown(v.String()) {
			return v
		}
		return maskText(v.String())
	case bool:
		if clear != nil && clear(at, "") {
			return v
		}
		return "?"
	}
	return v
}

var escaped = strings.NewReplacer("~", "~0", "/", "~1")

// Outline writes only what kinds of values a body holds, in fields whose names are
// known: of the result of a map that somebody is trying, which could put a value into
// a name, a text of its own, a mark, a length or a number of items.
func Outline(body []byte, known func(name string) bool) string {
	v, err := rawjson.Decode(body)
	if err != nil {
		return ""
	}
	b, err := json.MarshalIndent(outlined(v, known), "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}

func outlined(v any, known func(name string) bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			if known(name) {
				out[name] = outlined(x, known)
			} else {
				out["…"] = "other fields"
			}
		}
		return out
	case []any:
		if len(v) == 0 {
			return v
		}
		return []any{outlined(v[0], known)}
	case string:
		return "text"
	case json.Number:
		return "number"
	case bool:
		return "yes or no"
	}
	return v
}

const longest = 60 // characters of a masked text

func maskText(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longest {
			b.WriteString("…")
			break
		}
		switch {
		case unicode.IsDigit(r):
			b.WriteByte('9')
		case unicode.IsUpper(r):
			b.WriteByte('X')
		case unicode.IsLetter(r):
			b.WriteByte('x')
		case r < 128 && unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// maskName hides digits in the name of a field, which may be an identifier of
// somebody where a record keeps people by their numbers.
func maskName(name string) string {
	if strings.ContainsAny(name, "0123456789") && len(name) > 6 {
		return maskText(name)
	}
	return name
}

var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Literals are the texts that stand in a map itself: what it makes of them is no
// secret, whoever the record is about.
func Literals(source string) map[string]bool {
	out := map[string]bool{}
	for _, q := range quotedText.FindAllString(source, -1) {
		var s string
		if json.Unmarshal([]byte(q), &s) == nil && s != "" {
			out[s] = true
		}
	}
	return out
}

// MapOf is the text of a flow's map in a set, "" where it has none.
func MapOf(set *def.Set, id string) string {
	o, ok := def.Get[flow.Spec](set, id)
	if !ok || o.Spec.Map == "" {
		return ""
	}
	text, err := set.File(o.Spec.Map)
	if err != nil {
		return ""
	}
	return string(text)
}
