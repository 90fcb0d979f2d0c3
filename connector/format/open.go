package format

import (
	"bytes"
	"cmp"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/format/markup"
)

// NewReader reads records as spec says they stand. scratch is a folder for what must
// be kept on the disk for a while ("" for the system's own); Close removes it. r is
// not closed.
func NewReader(spec Spec, r io.Reader, scratch string) (Reader, error) {
	switch cmp.Or(spec.Name, "json") {
	case "json", "ndjson":
		return newJSON(spec, r)
	case "csv":
		return newCSV(spec, r)
	case "xml":
		return newXML(spec, r)
	case "fhir":
		return newFHIR(spec, r, scratch)
	case "xlsx":
		return newXLSX(spec, r, scratch)
	}
	return nil, unknownFormat(spec.Name)
}

// NewWriter writes records as spec says they stand. The same records make the same
// bytes.
func NewWriter(spec Spec, w io.Writer) (Writer, error) {
	switch cmp.Or(spec.Name, "json") {
	case "json", "ndjson":
		return &jsonWriter{w: w}, nil
	case "csv":
		return newCSVWriter(spec, w)
	case "xml":
		return markup.NewWriter(w, spec.Encoding, spec.Record)
	case "fhir":
		return &fhirWriter{jsonWriter: jsonWriter{w: w}}, nil
	case "xlsx":
		return newXLSXWriter(spec, w)
	}
	return nil, unknownFormat(spec.Name)
}

func unknownFormat(name string) error {
	return &Error{Message: "the format " + name + " is not known: it is json, ndjson, csv, xml, xlsx or fhir"}
}

// Extension is what the name of a file of this format ends with.
func Extension(spec Spec) string {
	switch spec.Name {
	case "csv", "xml", "xlsx":
		return "." + spec.Name
	case "fhir":
		return ".json"
	}
	return ".ndjson"
}

// Guess says how the records of a file most likely stand, from its name and its first
// bytes, 64 KiB or so of them. It guesses the encoding of a text too, which no reader
// does by itself.
func Guess(name string, head []byte) Spec {
	ext := strings.ToLower(path.Ext(name))
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	utf16 := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	switch {
	case bytes.HasPrefix(head, []byte("PK")), bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return Spec{Name: "xlsx"}
	case len(trimmed) == 0 && len(head) == 0:
		if slices.Contains([]string{".csv", ".xml", ".xlsx", ".ndjson"}, ext) {
			return Spec{Name: ext[1:]}
		}
		return Spec{Name: "json"}
	case bytes.HasPrefix(trimmed, []byte("<")) && ext != ".csv":
		return Spec{Name: "xml"}
	case bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("[")) && ext != ".csv":
		first := trimmed[:min(len(trimmed), 4096)]
		switch {
		case bytes.Contains(first, []byte(`"resourceType"`)) && bytes.Contains(first, []byte(`"Bundle"`)):
			return Spec{Name: "fhir"}
		case ext == ".ndjson" || ext == ".jsonl":
			return Spec{Name: "ndjson"}
		}
		return Spec{Name: "json"}
	}
	s := Spec{Name: "csv"}
	if utf16 {
		return s
	}
	whole := head
	if i := bytes.LastIndexByte(head, '\n'); i > 0 {
		whole = head[:i] // the last character may be cut in two
	}
	switch {
	case len(head) > 3 && bytes.Count(head, []byte{0})*3 > len(head):
		s.Encoding = "utf-16"
	case !utf8.Valid(whole):
		s.Encoding = "windows-1252"
	}
	switch comma, _ := delimiterOf(head); comma {
	case ',':
	case '\t':
		s.Delimiter = "tab"
	default:
		s.Delimiter = string(rune(comma))
	}
	return s
}
