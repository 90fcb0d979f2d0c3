// Package data holds the input of the demo: public records that nobody on this
// project wrote, and what the demo's simulated systems make of them.
//
// real is copied unchanged, each folder with its licence. What is made up here
// (registration numbers, informants, awards) is deterministic: the same input
// gives the same records on every machine, so sending them again is a repeat.
package data

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

//go:embed all:real
var files embed.FS

// Name is a person's name as Ashcombe's own shapes write it.
type Name struct {
	Given  string `json:"given"`
	Family string `json:"family"`
}

// Address is where a person lives or lived.
type Address struct {
	Lines    []string `json:"lines"`
	Town     string   `json:"town"`
	Postcode string   `json:"postcode,omitempty"`
}

// Patient is a FHIR R4 Patient: what the demo needs of it, and the whole as the
// hospital sends it.
type Patient struct {
	ID       string
	Name     Name
	Sex      string
	Born     string // "1936-08-18"
	Died     string // the day, "" while alive
	Address  Address
	Resource json.RawMessage // the whole resource, one line
}

// Patients reads the 615 patients, in the order of the file.
func Patients() ([]Patient, error) {
	raw, err := files.ReadFile("real/fhir/patients.ndjson.gz")
	if err != nil {
		return nil, fmt.Errorf("data.Patients: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("data.Patients: %w", err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("data.Patients: %w", err)
	}
	var out []Patient
	for line := range bytes.Lines(all) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		p, err := readPatient(line)
		if err != nil {
			return nil, fmt.Errorf("data.Patients: line %d: %w", len(out)+1, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func readPatient(line []byte) (Patient, error) {
	var r struct {
		ID   string
		Name []struct {
			Use, Family string
			Given       []string
		}
		Gender           string
		BirthDate        string
		DeceasedDateTime string
		Address          []struct {
			Line             []string
			City, PostalCode string
		}
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Patient{}, err
	}
	if len(r.Name) == 0 || len(r.Address) == 0 {
		return Patient{}, fmt.Errorf("a patient without a name or an address")
	}
	n := r.Name[0]
	if i := slices.IndexFunc(r.Name, func(n struct {
		Use, Family string
		Given       []string
	}) bool {
		return n.Use == "official"
	}); i >= 0 {
		n = r.Name[i]
	}
	a := r.Address[0]
	p := Patient{
		ID:       r.ID,
		Name:     Name{Given: strings.Join(n.Given, " "), Family: n.Family},
		Sex:      r.Gender,
		Born:     r.BirthDate,
		Address:  Address{Lines: a.Line, Town: a.City, Postcode: a.PostalCode},
		Resource: slices.Clone(line),
	}
	if r.DeceasedDateTime != "" {
		p.Died = r.DeceasedDateTime[:10]
	}
	return p, nil
}

// Living and Dead tell the patients apart.
func Living(ps []Patient) []Patient { return where(ps, func(p Patient) bool { return p.Died == "" }) }

// Dead are the patients of whom the hospital knows that they have died.
func Dead(ps []Patient) []Patient { return where(ps, func(p Patient) bool { return p.Died != "" }) }

func where(ps []Patient, keep func(Patient) bool) []Patient {
	var out []Patient
	for _, p := range ps {
		if keep(p) {
			out = append(out, p)
		}
	}
	return out
}

// Applications reads the 13 planning applications, one compact JSON object each,
// in the order of their file names.
func Applications() ([]json.RawMessage, error) {
	names, err := fs.Glob(files, "real/planning/*.json")
	if err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("data.Applications: %w", err)
		}
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, fmt.Errorf("data.Applications: %s: %w", name, err)
		}
		out = append(out, b.Bytes())
	}
	return out, nil
}
