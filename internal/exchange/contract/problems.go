package contract

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/reeve-civic/reeve"
)

// validate runs the schema. A fault of the library on a strange schema or record
// becomes a problem of the record, which is then held, not lost.
func (t *Type) validate(v any) (ps []reeve.Problem) {
	defer func() {
		if r := recover(); r != nil {
			ps = []reeve.Problem{{Message: "could not be checked against its record type"}}
		}
	}()
	err := t.schema.Validate(v)
	if err == nil {
		return nil
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return []reeve.Problem{{Message: "could not be checked against its record type"}}
	}
	return problems(ve)
}

// problems flattens the library's tree of errors into sentences, by place.
func problems(ve *jsonschema.ValidationError) []reeve.Problem {
	var ps []reeve.Problem
	gather(ve, &ps)
	slices.SortStableFunc(ps, func(a, b reeve.Problem) int { return cmp.Compare(a.Path, b.Path) })
	ps = slices.Compact(ps)
	if len(ps) > maxProblems {
		ps = append(ps[:maxProblems], reeve.Problem{Message: "has more problems than are listed here"})
	}
	if len(ps) == 0 {
		ps = []reeve.Problem{{Message: "does not fit its record type"}}
	}
	return ps
}

func gather(ve *jsonschema.ValidationError, ps *[]reeve.Problem) {
	if ve == nil || len(*ps) > 10*maxProblems {
		return
	}
	switch k := ve.ErrorKind.(type) {
	case *kind.AnyOf:
		gatherBest(ve, ps)
		return
	case *kind.OneOf:
		if len(k.Subschemas) == 0 {
			gatherBest(ve, ps)
			return
		}
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference, *kind.ContentSchema:
		for _, c := range ve.Causes {
			gather(c, ps)
		}
		return
	}
	if ve.ErrorKind == nil {
		return
	}
	say(place(ve.InstanceLocation), ve, ps)
}

// gatherBest tells of the one alternative that the record comes nearest to: the
// one that fails deepest inside, then with the fewest problems. To list what is
// wrong with all of them would help nobody.
func gatherBest(ve *jsonschema.ValidationError, ps *[]reeve.Problem) {
	var best []reeve.Problem
	bestScore := -1 << 30
	for _, c := range ve.Causes {
		var sub []reeve.Problem
		gather(c, &sub)
		if score := score(c, len(ve.InstanceLocation)) - len(sub); len(sub) > 0 && score > bestScore {
			best, bestScore = sub, score
		}
	}
	if best == nil {
		*ps = append(*ps, reeve.Problem{Path: place(ve.InstanceLocation), Message: "fits none of the shapes that are allowed here"})
		return
	}
	*ps = append(*ps, best...)
}

// score is how near a failed alternative came: one that the record's own kind or
// tag (type, const, enum) rules out is far; one that fails only further inside is near.
func score(ve *jsonschema.ValidationError, depth int) int {
	switch ve.ErrorKind.(type) {
	case *kind.Type, *kind.Const, *kind.Enum, *kind.FalseSchema:
		return -1000 + 300*min(len(ve.InstanceLocation)-depth, 3)
	case *kind.Required, *kind.AdditionalProperties:
		return -20 + 10*min(len(ve.InstanceLocation)-depth, 2)
	}
	worst := 0
	for _, c := range ve.Causes {
		worst = min(worst, score(c, depth))
	}
	return worst
}

// maxPath is the longest place told, in bytes: a name in a hostile record may be
// as long as the record.
const maxPath = 1000

func place(tokens []string) string {
	p := join(tokens)
	for len(p) > maxPath {
		tokens = tokens[:len(tokens)-1]
		p = join(tokens)
	}
	return p
}

func say(at string, ve *jsonschema.ValidationError, ps *[]reeve.Problem) {
	add := func(path, format string, args ...any) {
		*ps = append(*ps, reeve.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	switch k := ve.ErrorKind.(type) {
	case *kind.Required:
		for _, m := range k.Missing {
			add(at+"/"+escape(m), "is missing; it is required")
		}
	case *kind.DependentRequired:
		for _, m := range k.Missing {
			add(at+"/"+escape(m), "is missing; it is required because another field is given")
		}
	case *kind.Dependency:
		for _, m := range k.Missing {
			add(at+"/"+escape(m), "is missing; it is required because another field is given")
		}
	case *kind.AdditionalProperties:
		for _, p := range k.Properties {
			if len(at)+len(p) > maxPath {
				add(at, "has a field that is not of this record type")
				continue
			}
			add(at+"/"+escape(p), "is not a field of this record type")
		}
	case *kind.FalseSchema:
		add(at, "is not a field of this record type")
	case *kind.PropertyNames:
		add(at, "has a field whose name is not allowed")
	default:
		add(at, "%s", sentence(ve.ErrorKind))
	}
}

// sentence says what is expected; of the record it tells no more than its kind.
func sentence(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + either(k.Want) + ", not " + kindName(k.Got)
	case *kind.Enum:
		return "must be one of: " + list(k.Want)
	case *kind.Const:
		return "must be " + literal(k.Want)
	case *kind.Format:
		return format(k.Want)
	case *kind.Pattern:
		return "must have the form " + k.Want
	case *kind.MinLength:
		if k.Want == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.Minimum:
		return "must be " + rat(k.Want) + " or more"
	case *kind.Maximum:
		return "must be " + rat(k.Want) + " or less"
	case *kind.ExclusiveMinimum:
		return "must be more than " + rat(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + rat(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + rat(k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %s", count(k.Want, "item"))
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %s", count(k.Want, "item"))
	case *kind.AdditionalItems:
		return "has more items than are allowed"
	case *kind.UniqueItems:
		return fmt.Sprintf("must not hold the same item twice: items %d and %d are the same", k.Duplicates[0]+1, k.Duplicates[1]+1)
	case *kind.Contains, *kind.MinContains:
		return "lacks an item of a kind that is required"
	case *kind.MaxContains:
		return "has too many items of one kind"
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %s", count(k.Want, "field"))
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %s", count(k.Want, "field"))
	case *kind.OneOf:
		return "fits more than one of the shapes that are allowed here; it must fit one"
	case *kind.Not:
		return "has a shape that is not allowed here"
	case *kind.ContentEncoding:
		return "must be text encoded as " + k.Want
	case *kind.ContentMediaType:
		return "must hold " + k.Want
	case *kind.RefCycle:
		return "cannot be checked: the schema refers to itself without end"
	}
	return "does not fit its record type"
}

func format(name string) string {
	switch name {
	case "date":
		return "must be a date, written like 2026-01-31"
	case "date-time":
		return "must be a date and time with a time zone, written like 2026-01-31T09:30:00Z"
	case "time":
		return "must be a time with a time zone, written like 09:30:00Z"
	case "duration":
		return "must be a length of time, written like P3D or PT1H"
	case "email", "idn-email":
		return "must be an email address, like name@example.com"
	case "uri", "iri":
		return "must be a web address or other URI, like https://example.com/"
	case "uri-reference", "iri-reference":
		return "must be a URI or part of one"
	case "uuid":
		return "must be a UUID: 32 hexadecimal digits in five groups"
	case "ipv4":
		return "must be an IPv4 address"
	case "ipv6":
		return "must be an IPv6 address"
	case "hostname", "idn-hostname":
		return "must be a host name"
	case "regex":
		return "must be a regular expression"
	}
	return "must be a valid " + name
}

func kindName(t string) string {
	switch t {
	case "string":
		return "text"
	case "number":
		return "a number"
	case "integer":
		return "a whole number"
	case "boolean":
		return "true or false"
	case "object":
		return "an object"
	case "array":
		return "a list"
	}
	return "null"
}

func either(types []string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = kindName(t)
	}
	return strings.Join(names, " or ")
}

const maxListed = 12 // values of an enum that a sentence lists

func list(vs []any) string {
	var names []string
	for i, v := range vs {
		if i == maxListed {
			names = append(names, fmt.Sprintf("… (%d in all)", len(vs)))
			break
		}
		names = append(names, literal(v))
	}
	return strings.Join(names, ", ")
}

// literal shows a value of the schema.
func literal(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	b, err := json.Marshal(v)
	if err != nil || len(b) > 100 {
		return "the value that the record type fixes"
	}
	return string(b)
}

func rat(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(6), "0")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
