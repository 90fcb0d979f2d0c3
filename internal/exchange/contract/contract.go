// Package contract says what a record of each type must look like: the kind
// RecordType and the JSON Schema that it names.
//
// What is guaranteed. Check never panics and is bounded whatever it is given; it
// returns every problem at once, each with the place and a sentence that says what
// is expected there. A sentence never repeats a value of the record. Schemas come
// from the definitions folder alone: a $ref to anywhere else does not compile.
//
// What not to assume. The schema's own $schema decides its dialect (2020-12 if it
// says nothing), but formats (date, email, uri and the like) are asserted in all of
// them. Patterns are RE2: no look-ahead, no back-references.
package contract

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract/quick"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Bounds of one record.
const (
	MaxBytes    = 1 << 20 // of one record as sent
	maxProblems = 100     // told about one record
	maxKey      = 200     // bytes of the value of the type's key
)

// Spec is what a RecordType declares.
type Spec struct {
	Schema         string         `json:"schema" def:"required,file" doc:"The JSON Schema of a record: a file of the definitions folder."`
	Key            string         `json:"key" doc:"JSON Pointer to the value that names the record to its sender: the same key again is a new version."`
	Order          string         `json:"order" def:"enum=strict|none" doc:"strict: a record waits for a held or failing one with the same key. Default none."`
	Approval       string         `json:"approval,omitempty" def:"enum=internal|confidential|restricted|never" doc:"From which class of field on a correction of a held record must be approved by a second person. Default restricted."`
	About          []string       `json:"about" doc:"JSON Pointers to what names the person, for pages."`
	Classification Classification `json:"classification" doc:"How sensitive a record is, and which fields are more so."`
	LawfulBasis    LawfulBasis    `json:"lawfulBasis" doc:"UK GDPR lawful basis, for personal data."`
	Retention      Retention      `json:"retention" doc:"How long it is kept, and who says so."`
	Master         string         `json:"master" def:"ref=System" doc:"The system that is right when two differ."`

	schema *jsonschema.Schema // as Check compiled it, so that nobody need do it again
	quick  *quick.Program
}

// Classification is the sensitivity of a record type.
type Classification struct {
	Level    def.Class            `json:"level" doc:"Class of a field that is not listed: public, internal, confidential or restricted."`
	Personal bool                 `json:"personal" doc:"Whether it is about a person."`
	Fields   map[string]def.Class `json:"fields" doc:"Class of single fields, by JSON Pointer; what is below it has at least that class."`
}

// LawfulBasis names the articles that allow the processing.
type LawfulBasis struct {
	Article6 string `json:"article6" def:"enum=a|b|c|d|e|f" doc:"Letter of article 6(1)."`
	Article9 string `json:"article9" def:"enum=a|b|c|d|e|f|g|h|i|j" doc:"Letter of article 9(2), for special categories."`
}

// Retention is how long records are kept.
type Retention struct {
	Rule      string `json:"rule" doc:"In words: 8y after case closed."`
	Authority string `json:"authority" doc:"The schedule or law that says so."`
}

// Kind is the kind RecordType.
func Kind(schemas *Schemas) def.Kind {
	return def.Kind{
		Name: "RecordType",
		Doc:  "What a record of one type looks like, how sensitive it is and what allows it.",
		Spec: new(Spec),
		Check: func(c *def.Checker, o *def.Object) {
			check(schemas, c, o)
		},
	}
}

func check(schemas *Schemas, c *def.Checker, o *def.Object) {
	spec := o.Spec.(*Spec)
	if spec.LawfulBasis.Article6 == "a" {
		c.Problem("spec.lawfulBasis.article6", "consent (a) must be asked for at each disclosure, which is not supported yet: no flow may rely on it")
	}
	if spec.Order == "strict" && spec.Key == "" {
		c.Problem("spec.order", "strict order needs a key: say which field names the record")
	}
	for f := range spec.Classification.Fields {
		if !goodPointer(f) {
			c.Problem("spec.classification.fields", "%q is not a JSON Pointer: they look like /person/dateOfBirth", f)
		}
	}
	t, err := schemas.Type(o, c.File)
	if err != nil {
		c.Problem("spec.schema", "%s", err)
		return
	}
	spec.schema, spec.quick = t.schema, t.quick
	pointers := map[string]string{"spec.key": spec.Key}
	for i, p := range spec.About {
		pointers[pathIndex("spec.about", i)] = p
	}
	for at, p := range pointers {
		switch {
		case p == "":
		case !goodPointer(p):
			c.Problem(at, "%q is not a JSON Pointer: they look like /person/dateOfBirth", p)
		case t.Has(p) == No:
			c.Problem(at, "the schema allows no field %s", p)
		}
	}
}

func goodPointer(p string) bool {
	if p == "" {
		return true
	}
	for i := 0; i < len(p); i++ {
		if p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1') {
			return false
		}
	}
	return true
}

// Compile prepares the record types of a set.
func Compile(s *def.Set) (*Set, []def.Problem) { return new(Schemas).Compile(s) }

// Set is every record type in force.
type Set struct{ types map[reeve.RecordType]*Type }

// Compile prepares the record types of a set. A schema that does not compile is a
// problem at its RecordType.
func (schemas *Schemas) Compile(s *def.Set) (*Set, []def.Problem) {
	set := &Set{types: make(map[reeve.RecordType]*Type)}
	var problems []def.Problem
	for _, o := range def.All[Spec](s) {
		t, err := schemas.Type(o.Object, s.File)
		if err != nil {
			problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: err.Error()})
			continue
		}
		set.types[t.ID] = t
		for _, old := range t.Formerly {
			set.types[old] = t
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

// Type finds a record type by its id or an id it had before.
func (s *Set) Type(id reeve.RecordType) (*Type, bool) {
	t, ok := s.types[id]
	return t, ok
}

// Type is one record type, ready to check records. It is safe for concurrent use.
type Type struct {
	ID       reeve.RecordType
	Formerly []reeve.RecordType // ids it had before, under which records may be kept
	Name     string
	Key      string   // JSON Pointer, "" for none
	Strict   bool     // a record waits for its predecessor of the same key
	About    []string // JSON Pointers
	Level    reeve.Class
	Personal bool

	approval reeve.Class // from which on a correction is approved by a second person

	key     []string // tokens of Key
	classes map[string]reeve.Class
	schema  *jsonschema.Schema
	quick   *quick.Program // nil: the schema is the library's alone
}

func newType(o *def.Object, spec *Spec, sch *jsonschema.Schema, q *quick.Program) *Type {
	t := &Type{
		ID: reeve.RecordType(o.ID), Name: o.Name, Key: Pointer(spec.Key), Strict: spec.Order == "strict",
		Level: spec.Classification.Level, Personal: spec.Classification.Personal,
		classes: make(map[string]reeve.Class), schema: sch, quick: q, approval: approvalFrom(spec.Approval),
	}
	for _, old := range o.Formerly {
		t.Formerly = append(t.Formerly, reeve.RecordType(old))
	}
	t.key = Tokens(t.Key)
	for _, p := range spec.About {
		t.About = append(t.About, Pointer(p))
	}
	for p, class := range spec.Classification.Fields {
		t.classes[Pointer(p)] = class
	}
	return t
}

func approvalFrom(s string) reeve.Class {
	switch s {
	case "":
		return reeve.Restricted
	case "never":
		return reeve.Restricted + 1
	}
	c, err := reeve.ParseClass(s)
	if err != nil { // the loader takes no other
		return reeve.Public
	}
	return c
}

// Approved reports whether a correction of a field of this class must be approved
// by a second person.
func (t *Type) Approved(c reeve.Class) bool { return c >= t.approval }

// IDs are the type's id and those it had before: its records may be kept under any.
func (t *Type) IDs() []reeve.RecordType { return append([]reeve.RecordType{t.ID}, t.Formerly...) }

// Good finds out fast, and without decoding it, that a record is good: it returns
// the value of the type's key, and whether there is no space between the record's
// tokens. Where ok is false nothing is known: ask Check.
func (t *Type) Good(body []byte) (key string, compact, ok bool) {
	if t.quick == nil || len(body) > MaxBytes {
		return "", false, false
	}
	if ok, compact = t.quick.Good(body); !ok || body[rawjson.Space(body, 0)] != '{' {
		return "", false, false
	}
	if t.Key == "" {
		return "", compact, true
	}
	value := rawjson.Find(body, t.key)
	if n := len(value); n < 3 || n > maxKey || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return "", false, false // missing, a number, empty, or with escapes
	}
	return string(value[1 : len(value)-1]), compact, true
}

// Check reads a record and returns the value of the type's key ("" if it has none)
// and everything that is wrong with it, by place; nothing for a good record.
func (t *Type) Check(body []byte) (key string, problems []reeve.Problem) {
	if key, _, ok := t.Good(body); ok {
		return key, nil
	}
	if len(body) > MaxBytes {
		return "", []reeve.Problem{{Message: "is larger than 1 MiB, the limit for one record"}}
	}
	v, err := rawjson.Decode(body)
	if err != nil {
		return "", []reeve.Problem{{Message: "is not well-formed JSON: " + err.Error()}}
	}
	return t.CheckValue(v)
}

const missing = "is missing; "

// CheckValue is Check for a record that rawjson.Decode has read.
func (t *Type) CheckValue(v any) (key string, problems []reeve.Problem) {
	if _, ok := v.(map[string]any); !ok {
		return "", []reeve.Problem{{Message: "must be an object: { ... }"}}
	}
	key, problems = t.KeyOf(v)
	told := len(problems) > 0 && strings.HasPrefix(problems[0].Message, missing)
	for _, p := range t.validate(v) {
		if told && p.Path == t.Key && strings.HasPrefix(p.Message, missing) {
			continue // a key that is missing is told once
		}
		problems = append(problems, p)
	}
	return key, problems
}

// KeyOf returns the value of the type's key in a decoded record, and what is
// wrong with it.
func (t *Type) KeyOf(v any) (string, []reeve.Problem) {
	if t.Key == "" {
		return "", nil
	}
	for _, tok := range t.key {
		m, _ := v.(map[string]any)
		v = m[tok]
	}
	var key string
	switch v := v.(type) {
	case string:
		key = v
	case json.Number:
		key = v.String()
	case nil:
		return "", []reeve.Problem{{Path: t.Key, Message: missing + "it is the key that names the record"}}
	default:
		return "", []reeve.Problem{{Path: t.Key, Message: "must be text or a number: it is the key that names the record"}}
	}
	switch {
	case key == "":
		return "", []reeve.Problem{{Path: t.Key, Message: "must not be empty; it is the key that names the record"}}
	case len(key) > maxKey:
		return "", []reeve.Problem{{Path: t.Key, Message: "is too long for the key that names the record"}}
	}
	return key, nil
}

// ClassOf is the class of the field at a JSON Pointer, list indexes allowed: the
// type's level, or what its classification says of the field or anything around it.
// What stands below a listed field does not raise the field's own class; see Classes.
// A number in the pointer may be the index of a list or the name of a field: it is
// taken for both, and the higher class counts.
func (t *Type) ClassOf(pointer string) reeve.Class {
	class, at := max(t.Level, t.classes[""]), ""
	places := []string{""} // of the classification, where the pointer may be by now
	raised := reeve.Public
	for _, tok := range Tokens(pointer) {
		tok, index := "/"+escape(tok), isIndex(tok)
		at += tok
		if c, ok := t.classes[at]; ok && (c > class || at == pointer) {
			class = c
		}
		places = t.step(places, tok, index)
		for _, p := range places {
			if c, ok := t.classes[p]; ok && p != at {
				raised = max(raised, c)
			}
		}
	}
	return max(class, raised)
}

// step goes one name further from places of the classification. Where an index may be
// meant, it may also stay where it is. Places that lead to nothing are left out.
func (t *Type) step(places []string, tok string, index bool) (next []string) {
	for _, p := range places {
		if index {
			next = append(next, p)
		}
		if p += tok; t.within(p) && !slices.Contains(next, p) {
			next = append(next, p)
		}
	}
	return next
}

// within reports whether a class is given for a place or below it.
func (t *Type) within(place string) bool {
	for p := range t.classes {
		if strings.HasPrefix(p, place) && (len(p) == len(place) || p[len(place)] == '/') {
			return true
		}
	}
	return false
}

// Classes are the classes that whoever sees the given fields sees, lowest first;
// no fields stands for the whole record.
func (t *Type) Classes(fields ...string) []reeve.Class {
	seen := map[reeve.Class]bool{}
	if len(fields) == 0 {
		fields = []string{""}
	}
	for _, f := range fields {
		f = Pointer(f)
		seen[t.ClassOf(f)] = true
		places := []string{""}
		for _, tok := range Tokens(f) {
			places = t.step(places, "/"+escape(tok), isIndex(tok))
		}
		for p, class := range t.classes {
			if slices.ContainsFunc(places, func(place string) bool { return strings.HasPrefix(p, place+"/") }) {
				seen[class] = true
			}
		}
	}
	var out []reeve.Class
	for c := reeve.Public; c <= reeve.Restricted; c++ {
		if seen[c] {
			out = append(out, c)
		}
	}
	return out
}

// Pointer makes a JSON Pointer of what a definition says: "/a/b" is one already, a
// bare name stands for a field of the record itself, and "/" for all of it.
func Pointer(p string) string {
	switch {
	case p == "" || p == "/":
		return ""
	case p[0] == '/':
		return p
	}
	return "/" + escape(p)
}

// Tokens splits a JSON Pointer and resolves its escapes.
func Tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	toks := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range toks {
		if strings.Contains(t, "~") {
			toks[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
		}
	}
	return toks
}

func escape(tok string) string {
	if !strings.ContainsAny(tok, "~/") {
		return tok
	}
	return strings.ReplaceAll(strings.ReplaceAll(tok, "~", "~0"), "/", "~1")
}

func join(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(escape(t))
	}
	return b.String()
}

func isIndex(tok string) bool {
	if tok == "" || len(tok) > 7 {
		return false
	}
	return !slices.ContainsFunc([]byte(tok), func(c byte) bool { return c < '0' || c > '9' })
}
