package contract

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reeve-civic/reeve/internal/exchange/contract/quick"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// root is where the definitions folder appears to a schema; nothing is read from there.
const root = "reeve:///"

const maxSchema = 8 << 20 // bytes of one schema file

// Schemas compiles schemas, and keeps what it compiled as long as the files stay
// the same: a large schema takes longer to compile than all else in a set. The
// zero value is ready. It is safe for concurrent use.
type Schemas struct {
	mu   sync.Mutex
	kept map[string]keptSchema // by name of the file
}

type keptSchema struct {
	files map[string][sha256.Size]byte // it and what it refers to
	sch   *jsonschema.Schema
	quick *quick.Program // nil where the schema is the library's alone
}

// Type prepares one record type; file gives the files of its definitions folder.
func (s *Schemas) Type(o *def.Object, file func(string) ([]byte, error)) (*Type, error) {
	spec, ok := o.Spec.(*Spec)
	if !ok {
		return nil, fmt.Errorf("%s is not a RecordType", o.ID)
	}
	if spec.schema != nil {
		return newType(o, spec, spec.schema, spec.quick), nil
	}
	k, err := s.schema(path.Clean(spec.Schema), file)
	if err != nil {
		return nil, err
	}
	return newType(o, spec, k.sch, k.quick), nil
}

func (s *Schemas) schema(name string, file func(string) ([]byte, error)) (keptSchema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.kept[name]; ok && k.same(file) {
		return k, nil
	}
	k := keptSchema{files: make(map[string][sha256.Size]byte)}
	var err error
	k.sch, err = compile(name, func(name string) ([]byte, error) {
		b, err := file(name)
		k.files[name] = sha256.Sum256(b)
		return b, err
	})
	if err != nil {
		return k, err
	}
	k.quick = quick.Compile(k.sch)
	if s.kept == nil || len(s.kept) > 1000 {
		s.kept = make(map[string]keptSchema)
	}
	s.kept[name] = k
	return k, nil
}

func (k keptSchema) same(file func(string) ([]byte, error)) bool {
	for name, sum := range k.files {
		if b, err := file(name); err != nil || sha256.Sum256(b) != sum {
			return false
		}
	}
	return true
}

// compile reads the schema in a file, and the files it refers to, all by way of file.
func compile(name string, file func(string) ([]byte, error)) (sch *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			sch, err = nil, fmt.Errorf("the schema cannot be read: %v", r)
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(loader(file))
	sch, err = c.Compile(root + path.Clean(name))
	if err != nil {
		return nil, plain(err)
	}
	return sch, nil
}

type loader func(string) ([]byte, error)

// Load reads a file of the definitions folder, and refuses every other address.
func (l loader) Load(address string) (any, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme+"://"+u.Host+"/" != root {
		return nil, fmt.Errorf("a schema may refer to files of the definitions folder only, not to %s", address)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("a schema may refer to files of the definitions folder only, not to %s", name)
	}
	b, err := l(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", name)
	case err != nil:
		return nil, err
	case len(b) > maxSchema:
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxSchema>>20)
	}
	v, err := rawjson.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s is not well-formed JSON: %w", name, err)
	}
	return v, nil
}

// plain turns an error of the library into one line for whoever wrote the schema.
func plain(err error) error {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		var v *jsonschema.ValidationError
		if errors.As(invalid.Err, &v) {
			ps := problems(v)
			if len(ps) > 0 {
				return fmt.Errorf("the schema is not valid JSON Schema: at %q %s", ps[0].Path, ps[0].Message)
			}
		}
	}
	return fmt.Errorf("the schema does not compile: %s", strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n", " "), root, ""))
}

// Certainty is whether something is so, as far as a schema tells.
type Certainty int8

// How certain it is.
const (
	No Certainty = iota
	Maybe
	Yes
)

// Has reports whether a record of this type may have the field at a JSON Pointer
// without list indexes. Maybe means that the schema is open there.
func (t *Type) Has(pointer string) Certainty {
	return has(t.schema, Tokens(Pointer(pointer)), 0)
}

const maxWalk = 100 // schemas inside one another that has and Label follow

func has(s *jsonschema.Schema, toks []string, depth int) Certainty {
	if len(toks) == 0 {
		return Yes
	}
	if s == nil || depth > maxWalk {
		return Maybe
	}
	if s.Bool != nil {
		if *s.Bool {
			return Maybe
		}
		return No
	}
	if s.Types != nil && !s.Types.IsEmpty() && !hasType(s, "object") && !hasType(s, "array") {
		return No
	}
	// Everything that holds at once: one No is enough. Where only one of several
	// must hold, one Yes is.
	found := hasHere(s, toks, depth)
	for _, sub := range together(s) {
		r := has(sub, toks, depth+1)
		if r == No {
			return No
		}
		found = max(found, r)
	}
	for _, group := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		if len(group) == 0 {
			continue
		}
		best := No
		for _, sub := range group {
			best = max(best, has(sub, toks, depth+1))
		}
		if best == No {
			return No
		}
		found = max(found, best)
	}
	if found == Maybe && s.UnevaluatedProperties != nil && s.UnevaluatedProperties.Bool != nil && !*s.UnevaluatedProperties.Bool && s.If == nil {
		return No
	}
	return found
}

// hasHere looks at the properties and items of s alone.
func hasHere(s *jsonschema.Schema, toks []string, depth int) Certainty {
	r := No
	if hasType(s, "object") {
		r = Maybe
		matched := false
		if p, ok := s.Properties[toks[0]]; ok {
			matched = true
			r = has(p, toks[1:], depth+1)
		}
		for re, p := range s.PatternProperties {
			if re.MatchString(toks[0]) {
				matched = true
				r = max(r, has(p, toks[1:], depth+1))
			}
		}
		if !matched {
			switch a := s.AdditionalProperties.(type) {
			case bool:
				if !a {
					r = No
				}
			case *jsonschema.Schema:
				r = has(a, toks[1:], depth+1)
			}
		}
	}
	if hasType(s, "array") {
		in := items(s)
		if len(in) == 0 && s.Types != nil && !s.Types.IsEmpty() {
			r = max(r, Maybe) // a list of anything
		}
		for _, item := range in {
			r = max(r, has(item, toks, depth+1))
		}
	}
	return r
}

func together(s *jsonschema.Schema) []*jsonschema.Schema {
	subs := append([]*jsonschema.Schema(nil), s.AllOf...)
	if s.Ref != nil {
		subs = append(subs, s.Ref)
	}
	return subs
}

func items(s *jsonschema.Schema) (out []*jsonschema.Schema) {
	if s.Items2020 != nil {
		out = append(out, s.Items2020)
	}
	out = append(out, s.PrefixItems...)
	switch i := s.Items.(type) {
	case *jsonschema.Schema:
		out = append(out, i)
	case []*jsonschema.Schema:
		out = append(out, i...)
	}
	if a, ok := s.AdditionalItems.(*jsonschema.Schema); ok {
		out = append(out, a)
	}
	return out
}

func hasType(s *jsonschema.Schema, name string) bool {
	if s.Types == nil || s.Types.IsEmpty() {
		return true
	}
	for _, t := range s.Types.ToStrings() {
		if t == name {
			return true
		}
	}
	return false
}

// Label is what a page may call the field at a JSON Pointer, list indexes allowed:
// the schema's title, or the field's name in words.
func (t *Type) Label(pointer string) string {
	toks := Tokens(pointer)
	title := ""
	at(t.schema, toks, 0, func(s *jsonschema.Schema) bool {
		title = s.Title
		return title == ""
	})
	if title != "" {
		return title
	}
	name, n := "", ""
	for i := len(toks) - 1; i >= 0; i-- {
		if !isIndex(toks[i]) {
			name = toks[i]
			break
		}
		if i, err := strconv.Atoi(toks[i]); err == nil && n == "" {
			n = " " + strconv.Itoa(i+1)
		}
	}
	return words(name) + n
}

// Takes are the JSON types that the field at a JSON Pointer may have, as far as the
// schema tells; none means any.
func (t *Type) Takes(pointer string) (types []string) {
	at(t.schema, Tokens(pointer), 0, func(s *jsonschema.Schema) bool {
		if s.Types != nil {
			types = append(types, s.Types.ToStrings()...)
		}
		return true
	})
	return types
}

// Choices are the texts that the field at a JSON Pointer must be one of; none means
// that it is free.
func (t *Type) Choices(pointer string) (choices []string) {
	at(t.schema, Tokens(pointer), 0, func(s *jsonschema.Schema) bool {
		if s.Enum == nil {
			return true
		}
		choices = nil
		for _, v := range s.Enum.Values {
			text, ok := v.(string)
			if !ok {
				choices = nil
				return false
			}
			choices = append(choices, text)
		}
		return false
	})
	return choices
}

// at calls yield with each schema that applies to the field at some tokens, until
// it returns false; at returns false then.
func at(s *jsonschema.Schema, toks []string, depth int, yield func(*jsonschema.Schema) bool) bool {
	if s == nil || depth > maxWalk {
		return true
	}
	if len(toks) == 0 {
		if !yield(s) {
			return false
		}
	} else {
		if p, ok := s.Properties[toks[0]]; ok && !at(p, toks[1:], depth+1, yield) {
			return false
		}
		if isIndex(toks[0]) {
			for _, item := range items(s) {
				if !at(item, toks[1:], depth+1, yield) {
					return false
				}
			}
		}
	}
	for _, group := range [][]*jsonschema.Schema{together(s), s.AnyOf, s.OneOf} {
		for _, sub := range group {
			if !at(sub, toks, depth+1, yield) {
				return false
			}
		}
	}
	return true
}

// words makes "Date of birth" of "dateOfBirth".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_' || r == '-':
			b.WriteByte(' ')
		case i == 0:
			b.WriteString(strings.ToUpper(string(r)))
		case r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z':
			b.WriteByte(' ')
			b.WriteString(strings.ToLower(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func pathIndex(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }
