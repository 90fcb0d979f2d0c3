package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Broken is a copy of an application with one thing wrong with it, what that is,
// and how a person puts it right: Fix makes the copy whole again.
type Broken struct {
	ID    string // of the copy: /metadata/id
	Wrong string // in plain words
	Path  string // JSON Pointer to what is wrong
	Body  json.RawMessage
	Fixed json.RawMessage
}

// BrokenApplications makes five copies of applications, broken in five ways that
// integrators meet: something missing, a word where true or false belongs, a code that
// is not in the list, a field that nobody knows, and a wrong shape altogether.
// Each has an id of its own, so that it is another application and not a new
// version of the one it was copied from.
func BrokenApplications(whole []json.RawMessage) ([]Broken, error) {
	ways := []struct {
		wrong, path string
		from        int
		spoil       func(doc map[string]any)
	}{
		{"the address to send answers to is missing", "/data/applicant/email", 4,
			func(d map[string]any) { delete(at(d, "data", "applicant"), "email") }},
		{"the declaration says yes in words", "/data/application/declaration/accurate", 12,
			func(d map[string]any) { at(d, "data", "application", "declaration")["accurate"] = "yes" }},
		{"the role of who fills in the form is not one of the list", "/data/user/role", 7,
			func(d map[string]any) { at(d, "data", "user")["role"] = "neighbour" }},
		{"there is a field that the standard does not have", "/data/property/squirrels", 2,
			func(d map[string]any) { at(d, "data", "property")["squirrels"] = true }},
		{"the documents are one text instead of a list", "/files", 6,
			func(d map[string]any) { d["files"] = "plans.zip" }},
	}
	var out []Broken
	for i, w := range ways {
		var doc map[string]any
		dec := json.NewDecoder(bytes.NewReader(whole[w.from%len(whole)]))
		dec.UseNumber()
		if err := dec.Decode(&doc); err != nil {
			return nil, fmt.Errorf("data.BrokenApplications: %w", err)
		}
		id := fmt.Sprintf("b40c0000-0000-4000-8000-%012d", i+1)
		at(doc, "metadata")["id"] = id
		fixed, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("data.BrokenApplications: %w", err)
		}
		w.spoil(doc)
		body, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("data.BrokenApplications: %w", err)
		}
		out = append(out, Broken{ID: id, Wrong: w.wrong, Path: w.path, Body: body, Fixed: fixed})
	}
	return out, nil
}

// at walks down the members of doc; the examples are known to have them.
func at(doc map[string]any, path ...string) map[string]any {
	for i, name := range path {
		next, ok := doc[name].(map[string]any)
		if !ok {
			panic("data: the examples have no object at /" + strings.Join(path[:i+1], "/"))
		}
		doc = next
	}
	return doc
}
