// Package mapping runs the maps that turn a record into the shape of its
// receiver. Maps are written in Bloblang.
//
// It is a thin wall around the benthos libraries: no other package of the
// exchange imports them. A map is a pure function of the document it is given
// and of the few facts in [Meta]: everything else in the language (environment
// variables, files, random numbers, the clock, the network, nested
// interpreters, decompression) is not on the list of what a map may call, so a
// map that tries does not compile. The size of a map, of its result and the
// depth of its recursion are bounded. Time is not: a map comes from the body's
// own definitions, and what is left of the language always ends.
package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure" // most methods of the language are there
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/mapping/plan"
)

// Bounds of a map and of what it makes.
const (
	MaxSource = 64 << 10 // bytes of a map's text
	MaxResult = 1 << 20  // bytes of a result, as JSON
	maxDepth  = 32       // calls of a named map within another
)

// functions a map may call. Left out on purpose: what reads the machine (env,
// file, hostname, now), what differs from run to run (uuid, random, counter),
// what is unbounded (range), and what reaches past the document (content).
var functions = set(`deleted nothing throw var meta metadata json`)

// methods a map may call. Left out on purpose: bloblang and json_schema (an
// interpreter inside), compress, decompress, encrypt_aes, decrypt_aes, repeat
// (unbounded), from and from_all (other documents), parse_yaml (expansion).
var methods = set(`
abs all any append apply array assign bool bytes capitalize catch ceil collapse concat contains decode
encode enumerated escape_html escape_url_path escape_url_query exists explode filter find find_all
find_by find_all_by flatten float32 float64 floor fold format format_json format_timestamp
format_timestamp_strftime get has_prefix has_suffix hash index index_of int16 int32 int64 int8 join
key_values keys length lowercase map map_each map_each_key max merge min not not_empty not_null number
or parse_csv parse_duration parse_duration_iso8601 parse_json parse_timestamp parse_timestamp_strptime
parse_url pow quote re_find_all re_find_all_object re_find_all_submatch re_find_object re_match
re_replace re_replace_all replace replace_all replace_all_many replace_many reverse round slice sort
sort_by split squash string sum timestamp trim trim_prefix trim_suffix ts_add_iso8601 ts_format
ts_parse ts_round ts_strftime ts_strptime ts_sub ts_sub_iso8601 ts_tz ts_unix ts_unix_milli type
uint16 uint32 uint64 uint8 unescape_html unescape_url_path unescape_url_query unique unquote uppercase
values with without zip`)

func set(s string) map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(s) {
		m[n] = true
	}
	return m
}

// Environment compiles maps. It is safe for use by many at once.
type Environment struct{ env *bloblang.Environment }

// NewEnvironment returns the environment of the allowed functions and methods.
func NewEnvironment() *Environment {
	env := bloblang.NewEnvironment()
	var noFunctions, noMethods []string
	env.WalkFunctions(func(name string, _ *bloblang.FunctionView) {
		if !functions[name] {
			noFunctions = append(noFunctions, name)
		}
	})
	env.WalkMethods(func(name string, _ *bloblang.MethodView) {
		if !methods[name] {
			noMethods = append(noMethods, name)
		}
	})
	return &Environment{env.WithoutFunctions(noFunctions...).WithoutMethods(noMethods...).
		WithDisabledImports().OnlyPure().WithMaxMapRecursion(maxDepth)}
}

// Error is a map that does not compile: where, from 1, and why.
type Error struct {
	Line, Col int
	Message   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Col, e.Message)
}

// Compile reads a map. The error is a [*Error].
func (e *Environment) Compile(src string) (*Map, error) {
	if len(src) > MaxSource {
		return nil, &Error{1, 1, fmt.Sprintf("the map has %d bytes; at most %d are read", len(src), MaxSource)}
	}
	if strings.TrimSpace(src) == "" {
		return nil, &Error{1, 1, "the map is empty: it would send nothing; write root = this to pass everything on"}
	}
	x, err := e.env.Parse(src)
	if err != nil {
		var pe *bloblang.ParseError
		if errors.As(err, &pe) {
			return nil, &Error{max(pe.Line, 1), max(pe.Column, 1), parseMessage(pe.Error())}
		}
		return nil, &Error{1, 1, err.Error()}
	}
	return &Map{x, plan.Compile(src), src}, nil
}

var linePrefix = regexp.MustCompile(`^line \d+ char \d+: `)

func parseMessage(s string) string {
	s = strings.TrimRight(strings.Join(strings.Fields(linePrefix.ReplaceAllString(s, "")), " "), " :")
	if strings.Contains(s, "unrecognised function") || strings.Contains(s, "unrecognised method") {
		s += " (a map may not call it: only functions of the record alone are allowed)"
	}
	return s
}

// Meta is what a map may know besides the document: meta("id"), meta("type"),
// meta("at") (RFC 3339, UTC), meta("sender") and meta("n").
type Meta struct {
	ID     reeve.RecordID
	Type   reeve.RecordType
	Sender string // id of the Organisation that told us
	At     time.Time
	N      int64
	// Answers of the earlier steps of a process, decoded, by their names: @answers.
	Answers map[string]any
}

// Map is a compiled map, safe for use by many at once.
type Map struct {
	x      *bloblang.Executor
	plan   *plan.Plan // nil where the map is not a simple one
	source string
}

// ErrDeleted is the result of a map that set root = deleted(): the record is
// not for this receiver.
var ErrDeleted = errors.New("the map deleted the record")

// Decode reads a JSON body the way maps and filters want it: numbers stay as
// they were written ([json.Number]), so that none loses its last digits.
func Decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}

// AppendRun is Run for a document that rawjson.Decode accepts, and that is not
// decoded: what it appends, Run would give. Where ok is false, ask Run.
func (m *Map) AppendRun(dst, doc []byte, meta Meta) (out []byte, ok bool) {
	if m.plan == nil {
		return dst, false
	}
	var facts *plan.Meta
	if m.plan.Asks() {
		facts = &plan.Meta{string(meta.ID), string(meta.Type), meta.At.UTC().Format(time.RFC3339), meta.Sender}
	}
	out, ok = m.plan.Run(dst, doc, facts)
	return out, ok && len(out)-len(dst) <= MaxResult
}

// Run applies the map to a decoded document, which it may change: the caller
// gives it away. The result is compact JSON without a final newline, keys
// sorted, so that the same input always gives the same bytes. An error that is
// not [ErrDeleted] names the line of the map, a field that stands in it and kinds of
// values. It holds no value of the record, whatever the map throws.
func (m *Map) Run(doc any, meta Meta) ([]byte, error) {
	msg := service.NewMessage(nil)
	msg.SetStructuredMut(doc)
	msg.MetaSetMut("id", string(meta.ID))
	msg.MetaSetMut("type", string(meta.Type))
	msg.MetaSetMut("at", meta.At.UTC().Format(time.RFC3339))
	msg.MetaSetMut("sender", meta.Sender)
	msg.MetaSetMut("n", meta.N)
	if meta.Answers != nil {
		msg.MetaSetMut("answers", meta.Answers)
	}
	out, err := msg.BloblangQuery(m.x) // BloblangQueryValue leaves `this` undefined
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "exchange.mapping.Run", "%s", told(err, m.source))
	}
	if out == nil {
		return nil, ErrDeleted
	}
	v, err := out.AsStructured()
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "exchange.mapping.Run", "the map made text, where an object is needed")
	}
	if v == nil {
		return nil, reeve.E(reeve.Invalid, "exchange.mapping.Run", "the map made nothing of this record")
	}
	return Encode(v)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Encode writes v as compact JSON, keys sorted, at most [MaxResult] bytes.
func Encode(v any) ([]byte, error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, reeve.E(reeve.Invalid, "exchange.mapping.Encode", "the map's result cannot be written as JSON")
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(b) > MaxResult {
		return nil, reeve.E(reeve.TooLarge, "exchange.mapping.Encode", "the map's result has %d bytes; at most %d are sent", len(b), MaxResult)
	}
	return bytes.Clone(b), nil
}
