package quarantine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// maxFields is how many fields a form shows; a longer record is edited as JSON.
const maxFields = 400

// field is one leaf of a record, as an input.
type field struct {
	Path     string // JSON Pointer
	ID       string // of the input
	Label    string
	Group    string // where it stands: "Applicant, address"
	Value    string
	Choices  []string
	Messages []string // what is wrong with it
	Masked   bool     // its class asks for more than the actor has
	Absent   bool     // the record lacks it
	JSON     bool     // it should be a list or an object
	Removal  bool     // it may be what has to go
}

// form is a record as inputs: those with problems first.
type form struct {
	Wrong  []field
	Right  []field
	Others []reeve.Problem // about no single field
	Long   bool            // not all fields are shown
	Alike  int             // how many others have the same problems
	Newer  reeve.RecordID  // a record with the same key that came in later
	Whole  string          // the record as indented JSON; "" where something is masked
}

// makeForm lays out a record. sees tells which classes the actor may see.
func makeForm(t *contract.Type, body []byte, problems []reeve.Problem, sees func(reeve.Class) bool) (form, error) {
	v, err := rawjson.Decode(body)
	if err != nil {
		return form{}, err
	}
	wrong := map[string][]string{}
	for _, p := range problems {
		wrong[p.Path] = append(wrong[p.Path], p.Message)
	}
	var f form
	masked := false
	add := func(path, value string, absent bool) {
		fd := field{Path: path, ID: "f" + path, Label: t.Label(path), Group: group(path), Value: value, Absent: absent,
			Choices: t.Choices(path), Messages: wrong[path], Masked: !sees(t.ClassOf(path))}
		fd.JSON = len(fd.Messages) > 0 && !plainType(t.Takes(path))
		if fd.Masked {
			masked = true
			fd.Value = ""
		}
		fd.Removal = !absent && len(fd.Messages) > 0
		delete(wrong, path)
		switch {
		case len(fd.Messages) > 0:
			f.Wrong = append(f.Wrong, fd)
		case len(f.Right) < maxFields:
			f.Right = append(f.Right, fd)
		default:
			f.Long = true
		}
	}
	leaves("", v, func(path, value string) { add(path, value, false) })
	for _, p := range problems {
		if _, left := wrong[p.Path]; !left {
			continue
		}
		if _, there := Lookup(v, contract.Tokens(p.Path)); !there && fits(v, p.Path) && plainType(t.Takes(p.Path)) {
			add(p.Path, "", true)
			continue
		}
		f.Others = append(f.Others, reeve.Problem{Path: p.Path, Message: p.Message})
	}
	for _, c := range t.Classes() {
		masked = masked || !sees(c)
	}
	slices.SortStableFunc(f.Wrong, func(a, b field) int { return strings.Compare(a.Path, b.Path) })
	if !masked {
		var buf bytes.Buffer
		if err := json.Indent(&buf, body, "", "  "); err == nil {
			f.Whole = buf.String()
		}
	}
	return f, nil
}

// plainType reports whether a value of these types can be typed into an input.
func plainType(types []string) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return t != "object" && t != "array" })
}

// fits reports whether there is an object at the place that path would stand in.
func fits(v any, path string) bool {
	toks := contract.Tokens(path)
	if len(toks) == 0 {
		return false
	}
	in, ok := Lookup(v, toks[:len(toks)-1])
	_, object := in.(map[string]any)
	return ok && object
}

// Lookup is what stands at the tokens of a JSON Pointer.
func Lookup(v any, toks []string) (any, bool) {
	for _, tok := range toks {
		switch in := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = in[tok]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(tok)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// leaves calls fn for every value that is no object or list, and for empty ones.
func leaves(at string, v any, fn func(path, value string)) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for k := range v {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			leaves(at+"/"+Escape(k), v[k], fn)
		}
	case []any:
		for i := range v {
			leaves(at+"/"+strconv.Itoa(i), v[i], fn)
		}
	case string:
		fn(at, v)
	case json.Number:
		fn(at, v.String())
	case bool:
		fn(at, strconv.FormatBool(v))
	case nil:
		fn(at, "")
	}
}

// Escape writes a name as a token of a JSON Pointer.
func Escape(tok string) string {
	return strings.ReplaceAll(strings.ReplaceAll(tok, "~", "~0"), "/", "~1")
}

// group says in words where a field stands.
func group(path string) string {
	toks := contract.Tokens(path)
	if len(toks) < 2 {
		return ""
	}
	return ui.Capital(strings.Join(toks[:len(toks)-1], ", "))
}

// apply makes the record that a form asks for: inputs are named f and their JSON
// Pointer, a tick to remove is named x. Only fields that the actor sees change.
func apply(t *contract.Type, body []byte, in url.Values, sees func(reeve.Class) bool) ([]byte, error) {
	v, err := rawjson.Decode(body)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(in))
	for name := range in {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path, ok := strings.CutPrefix(name, "f/")
		if path = "/" + path; !ok || !sees(t.ClassOf(path)) {
			continue
		}
		setLeaf(t, v, path, strings.ReplaceAll(in.Get(name), "\r\n", "\n"))
	}
	for _, path := range removals(names) {
		if !slices.ContainsFunc(t.Classes(path), func(c reeve.Class) bool { return !sees(c) }) { // nor what stands below
			v = remove(v, contract.Tokens(path))
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err = enc.Encode(v)
	return bytes.TrimSpace(buf.Bytes()), err
}

// removals are the places that inputs named x and a JSON Pointer take out, of each
// list the last first, so that the others stay where they are until then.
func removals(names []string) (paths []string) {
	for _, name := range names {
		if path, ok := strings.CutPrefix(name, "x/"); ok {
			paths = append(paths, "/"+path)
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int {
		return slices.CompareFunc(contract.Tokens(b), contract.Tokens(a), func(x, y string) int {
			return cmp.Or(len(x)-len(y), strings.Compare(x, y)) // of numbers: by their size
		})
	})
	return paths
}

// setLeaf puts the text of an input where it belongs, as the type that the schema
// takes there.
func setLeaf(t *contract.Type, v any, path, text string) {
	toks := contract.Tokens(path)
	in, ok := Lookup(v, toks[:len(toks)-1])
	if !ok {
		return
	}
	last := toks[len(toks)-1]
	old, there := Lookup(in, []string{last})
	switch old.(type) {
	case map[string]any, []any:
		return
	}
	if was := shown(old); there && was == text {
		if _, isText := old.(string); isText && plainTextOnly(t.Takes(path)) || !isText {
			return // as it was
		}
	}
	value, keep := typed(t.Takes(path), old, there, text)
	switch in := in.(type) {
	case map[string]any:
		if keep {
			in[last] = value
		} else {
			delete(in, last)
		}
	case []any:
		if i, err := strconv.Atoi(last); err == nil && i >= 0 && i < len(in) && keep {
			in[i] = value
		}
	}
}

func shown(v any) string {
	s := ""
	leaves("", v, func(_, value string) { s = value })
	return s
}

func plainTextOnly(types []string) bool {
	return len(types) == 0 || slices.Contains(types, "string")
}

// typed reads text as one of the types, or as what was there before.
func typed(types []string, old any, there bool, text string) (v any, keep bool) {
	takes := func(name string) bool { return slices.Contains(types, name) }
	if len(types) == 0 {
		switch old.(type) {
		case json.Number:
			types = []string{"number"}
		case bool:
			types = []string{"boolean"}
		}
	}
	trimmed := strings.TrimSpace(text)
	if takes("number") || takes("integer") {
		if n, err := rawjson.Decode([]byte(trimmed)); err == nil {
			if n, ok := n.(json.Number); ok {
				return n, true
			}
		}
	}
	if takes("boolean") && (trimmed == "true" || trimmed == "false") {
		return trimmed == "true", true
	}
	if (takes("array") || takes("object")) && !takes("string") {
		if v, err := rawjson.Decode([]byte(trimmed)); err == nil {
			return v, true
		}
	}
	if trimmed == "" && (!there || old == nil || !plainTextOnly(types)) {
		return nil, there && old == nil
	}
	return text, true
}

// remove takes out what stands at some tokens.
func remove(v any, toks []string) any {
	if len(toks) == 0 {
		return v
	}
	switch in := v.(type) {
	case map[string]any:
		if len(toks) == 1 {
			delete(in, toks[0])
		} else if sub, ok := in[toks[0]]; ok {
			in[toks[0]] = remove(sub, toks[1:])
		}
		return in
	case []any:
		i, err := strconv.Atoi(toks[0])
		if err != nil || i < 0 || i >= len(in) {
			return in
		}
		if len(toks) == 1 {
			return slices.Delete(in, i, i+1)
		}
		in[i] = remove(in[i], toks[1:])
		return in
	}
	return v
}

// errors are the form's problems for the summary at the top of the page.
func (f form) errors() ui.Errors {
	var es ui.Errors
	for _, fd := range f.Wrong {
		for _, m := range fd.Messages {
			if fd.Group != "" {
				es.Add(fd.ID, "%s (%s) %s", fd.Label, fd.Group, m)
			} else {
				es.Add(fd.ID, "%s %s", fd.Label, m)
			}
		}
	}
	for _, p := range f.Others {
		if p.Path == "" {
			es.Add("others", "The record %s", p.Message)
		} else {
			es.Add("others", "%s %s", p.Path, p.Message)
		}
	}
	return es
}
