package format

import (
	"cmp"
	"io"
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
		return newXMLWriter(spec, w)
	case "fhir":
		return &fhirWriter{jsonWriter: jsonWriter{w: w}}, nil
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
