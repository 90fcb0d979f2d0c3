// Package example reads and runs the examples of flows: what a flow is given, and
// what it must make of it. They stand beside the definitions, one a file, as
// examples/FLOW/NAME.json in any folder, so that whoever changes a map changes them
// in the same commit, and sees at once what else would be different.
//
// What is guaranteed. An example runs as a record does: it is checked as at the
// door, cut down to the agreement, filtered, mapped and checked for its receiver, by
// the same code. Nothing is sent, stored or asked of anybody; the same folder and
// day give the same result.
//
// What not to assume. An agreement that is not in force on the day stops a flow, and
// no example: they are about shape. An example never holds a real person's data,
// for it is kept in git.
package example

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Folder is the folder within which each flow has one with its examples.
const Folder = "examples"

// Example is what a flow must make of one record.
type Example struct {
	Flow string // id
	Name string // of its file, without .json
	File string
	Body
}

// Body is an example as its file holds it. Exactly one of Expect, Problems and
// Skipped is given.
type Body struct {
	About    string            `json:"about,omitempty"`    // in a sentence, what it shows
	Sender   string            `json:"sender,omitempty"`   // id of the Organisation that told it; "" for the one at the flow's beginning
	At       string            `json:"at,omitempty"`       // when it came in: 2026-01-31, or with a time of day; "" for the day of the test
	Given    json.RawMessage   `json:"given"`              // the record
	Answers  map[string]Answer `json:"answers,omitempty"`  // of earlier steps, where the flow is a step of a process
	Expect   json.RawMessage   `json:"expect,omitempty"`   // what the receiver gets
	Problems []Problem         `json:"problems,omitempty"` // what is wrong with it, at the door or in the flow
	Skipped  string            `json:"skipped,omitempty"`  // filtered, outside, elsewhere or earlier: it is not for the receiver
}

// Answer is what a system answered in an earlier step.
type Answer struct {
	Type string          `json:"type"` // record type
	Body json.RawMessage `json:"body"`
}

// Problem is one thing that must be told. Without a message any will do.
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message,omitempty"`
}

const (
	maxExamples = 5000
	maxFile     = 1 << 20
)

// goodName is what an example may be called.
var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Name reports why a name cannot be that of an example; "" where it can.
func Name(name string) string {
	if goodName.MatchString(name) {
		return ""
	}
	return "may only hold letters, digits, dots, dashes and low lines, and begins with a letter or digit"
}

// Place is the file of an example of a flow that has no other examples yet, or in
// the folder where the others are.
func Place(set *def.Set, flow, name string) string {
	for _, f := range set.Files() {
		if id, _, ok := placed(f); ok && set.Present("Flow", id) == flow {
			return path.Join(path.Dir(f), name+".json")
		}
	}
	dir := "."
	if o, ok := set.Lookup("Flow", flow); ok {
		dir = path.Dir(o.File)
	}
	return path.Join(dir, Folder, flow, name+".json")
}

// placed tells the flow and name of an example's file; ok is false for others.
func placed(file string) (flow, name string, ok bool) {
	dir, base := path.Split(file)
	name, ok = strings.CutSuffix(base, ".json")
	dir = path.Clean(dir)
	if !ok || path.Base(path.Dir(dir)) != Folder {
		return "", "", false
	}
	return path.Base(dir), name, true
}

// Read reads the examples of a set, by flow and name, and tells what is wrong with
// those that cannot be read.
func Read(set *def.Set) (found []Example, problems []def.Problem) {
	for _, file := range set.Files() {
		id, name, ok := placed(file)
		if !ok {
			continue
		}
		if len(found) == maxExamples {
			return found, append(problems, def.Problem{File: file, Line: 1, Col: 1, Message: fmt.Sprintf("there are more than %d examples: no more are read", maxExamples)})
		}
		o, ok := set.Lookup("Flow", id)
		if !ok {
			problems = append(problems, def.Problem{File: file, Line: 1, Col: 1, Message: fmt.Sprintf("there is no Flow %q: examples stand in %s/FLOW", id, Folder)})
			continue
		}
		text, err := set.File(file)
		if err != nil {
			problems = append(problems, def.Problem{File: file, Line: 1, Col: 1, Message: err.Error()})
			continue
		}
		b, p := Parse(text)
		if p != nil {
			p.File = file
			problems = append(problems, *p)
			continue
		}
		found = append(found, Example{Flow: o.ID, Name: name, File: file, Body: b})
	}
	slices.SortStableFunc(found, func(a, b Example) int {
		return cmp.Or(strings.Compare(a.Flow, b.Flow), strings.Compare(a.Name, b.Name))
	})
	return found, problems
}

// Parse reads the file of an example.
func Parse(text []byte) (b Body, bad *def.Problem) {
	if len(text) > maxFile {
		return b, &def.Problem{Line: 1, Col: 1, Message: "an example has at most 1 MiB"}
	}
	if _, err := rawjson.Decode(text); err != nil {
		var where *rawjson.Error
		if errors.As(err, &where) {
			return b, at(text, where.Offset, where.Message)
		}
		return b, &def.Problem{Line: 1, Col: 1, Message: err.Error()}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil && !errors.Is(err, io.EOF) {
		where := int(d.InputOffset())
		if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
			where = bytes.Index(text, []byte(m[1]))
		}
		return b, at(text, where, explained(err))
	}
	if b.Skipped != "" && !slices.Contains(skips, b.Skipped) {
		return b, &def.Problem{Line: 1, Col: 1, Message: fmt.Sprintf("skipped is %q: write one of %s", b.Skipped, strings.Join(skips, ", "))}
	}
	if b.At != "" {
		if _, err := moment(b.At, time.UTC); err != nil {
			return b, &def.Problem{Line: 1, Col: 1, Message: err.Error()}
		}
	}
	ways := 0
	for _, there := range []bool{b.Expect != nil, b.Problems != nil, b.Skipped != ""} {
		if there {
			ways++
		}
	}
	switch {
	case b.Given == nil:
		return b, &def.Problem{Line: 1, Col: 1, Message: "given is missing: the record that the flow is given"}
	case ways != 1:
		return b, &def.Problem{Line: 1, Col: 1, Message: "write one of expect (what the receiver gets), problems (what is wrong with it) or skipped (why it is not for the receiver)"}
	}
	return b, nil
}

var skips = []string{flow.Filtered.String(), flow.Outside.String(), flow.Earlier.String(), flow.Elsewhere.String()}

var unknownField = regexp.MustCompile(`unknown field ("[^"]*")`)

func explained(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s cannot be a %s", cmp.Or(wrong.Field, "an example"), wrong.Value)
	}
	if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		return "an example has no " + m[1] + ": it has about, sender, at, given, answers, and one of expect, problems and skipped"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// at is a problem at a byte of a text.
func at(text []byte, offset int, message string) *def.Problem {
	before := string(text[:min(max(offset, 0), len(text))])
	line := strings.Count(before, "\n") + 1
	return &def.Problem{Line: line, Col: len(before) - strings.LastIndexByte(before, '\n'), Message: message}
}

// moment reads when an example came in. A day alone means noon.
func moment(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, zone)
	if err != nil {
		return t, fmt.Errorf("at is %q: write a day like 2026-01-31, or a time like 2026-01-31T09:30:00Z", s)
	}
	return t.Add(12 * time.Hour), nil
}

// File is an example as it is written to its file.
func (b Body) File() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b); err != nil {
		return nil, reeve.E(reeve.Invalid, "example.File", "the example cannot be written: %w", err)
	}
	return out.Bytes(), nil
}
