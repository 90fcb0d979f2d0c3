// Package sarif writes findings in the Static Analysis Results Interchange Format
// (SARIF 2.1.0, an OASIS standard), which code hosts and editors show at the lines
// that they are about.
//
// A standard is a rule. What is not met is a result of kind "fail", at the level
// that its severity gives; what is not known is of kind "open", which by the
// standard has the level "none"; what is waived is a result that is suppressed,
// with the reason and the end of the waiver. What is met is not written.
package sarif

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// Options say how to write.
type Options struct {
	Version string // of the program
	Prefix  string // put before the names of files: the folder, as seen from where the log is used
}

// Write writes what is not met, not known or waived.
func Write(w io.Writer, o *standard.Outcome, opts Options) error {
	run := run{Tool: tool{driver{Name: "Reeve", InformationURI: "https://github.com/reeve-civic/reeve", Version: opts.Version, Rules: []rule{}}}, ColumnKind: "unicodeCodePoints", Results: []result{}}
	for i := range o.Standings {
		s := &o.Standings[i]
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(s.Standard))
		for _, at := range s.Places(0, 0, standard.Fail, standard.Unknown, standard.Waived) {
			f, _ := s.Finding(at)
			r := resultOf(f, i)
			if place := s.Table().Place; place != nil {
				if file, line := place(at); file != "" {
					r.Locations[0].Physical = &physical{artifact{URI: uri(path.Join(opts.Prefix, file))}, region{max(line, 1)}}
				}
			}
			run.Results = append(run.Results, r)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(log{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []any{run}})
}

func ruleOf(s *standard.Standard) rule {
	r := rule{ID: s.ID, Name: s.Name, Short: text{s.Name}, Full: text{s.Spec.Principle}, Configuration: configuration{level(s.Spec.Severity)},
		Help:       text{fmt.Sprintf("%s What to do: %s", s.Spec.Failing, s.Spec.Fix)},
		Properties: properties{Tags: append([]string{"reeve", s.Spec.Severity}, s.Spec.Source...), About: s.Spec.Applies.Kind, Rule: s.Spec.Rule, Code: s.Code()}}
	if s.Spec.MaxWaiver != nil {
		r.Properties.MaxWaiver = s.Spec.MaxWaiver.String()
	}
	return r
}

func resultOf(f standard.Finding, index int) result {
	name := f.Name
	if name == "" {
		name = f.ID
	}
	r := result{RuleID: f.Standard.ID, RuleIndex: index, Kind: "fail", Level: level(f.Standard.Spec.Severity), Message: text{name + ": " + f.Reason},
		Locations:    []location{{Logical: []logical{{Name: name, Full: f.Kind + "/" + f.ID, Kind: "resource"}}}},
		Fingerprints: map[string]string{"standardAndEntity/v1": f.Standard.ID + "/" + f.Kind + "/" + f.ID}}
	switch f.Result {
	case standard.Unknown:
		r.Kind, r.Level = "open", "none"
		for _, m := range f.Missing {
			r.Message.Text += " To know it: " + m.Ask + "."
		}
	case standard.Waived:
		r.Suppressions = []suppression{{Kind: "external", Status: "accepted",
			Justification: fmt.Sprintf("%s Agreed by %s, until %s (%s).", f.Waiver.Spec.Reason, f.Waiver.Spec.ApprovedBy, f.Waiver.Spec.Expires, f.Waiver.ID)}}
	}
	return r
}

func level(severity string) string {
	switch severity {
	case "must":
		return "error"
	case "should":
		return "warning"
	}
	return "note"
}

// uri is a relative reference to a file.
func uri(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c > ' ' && c < 0x7f && !strings.ContainsRune("\"%<>\\^`{|}?#[]:", rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

type log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []any  `json:"runs"`
}

type run struct {
	Tool       tool     `json:"tool"`
	ColumnKind string   `json:"columnKind"`
	Results    []result `json:"results"`
}

type tool struct {
	Driver driver `json:"driver"`
}

type driver struct {
	Name           string `json:"name"`
	InformationURI string `json:"informationUri"`
	Version        string `json:"version,omitempty"`
	Rules          []rule `json:"rules"`
}

type text struct {
	Text string `json:"text"`
}

type configuration struct {
	Level string `json:"level"`
}

type rule struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Short         text          `json:"shortDescription"`
	Full          text          `json:"fullDescription"`
	Help          text          `json:"help"`
	Configuration configuration `json:"defaultConfiguration"`
	Properties    properties    `json:"properties"`
}

type properties struct {
	Tags      []string `json:"tags"`
	Code      string   `json:"code,omitempty"`
	About     string   `json:"about"`
	Rule      string   `json:"rule"`
	MaxWaiver string   `json:"maxWaiver,omitempty"`
}

type result struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Message      text              `json:"message"`
	Locations    []location        `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Suppressions []suppression     `json:"suppressions,omitempty"`
}

type location struct {
	Physical *physical `json:"physicalLocation,omitempty"`
	Logical  []logical `json:"logicalLocations"`
}

type physical struct {
	Artifact artifact `json:"artifactLocation"`
	Region   region   `json:"region"`
}

type artifact struct {
	URI string `json:"uri"`
}

type region struct {
	StartLine int `json:"startLine"`
}

type logical struct {
	Name string `json:"name"`
	Full string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type suppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}
