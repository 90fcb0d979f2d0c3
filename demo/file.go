package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reeve-civic/reeve/demo/sim"
)

// Partner is an organisation that sends records to Ashcombe with a token.
type Partner struct {
	ID          string
	RecordTypes []string
}

// Partners are the senders of the demo.
func Partners() []Partner {
	return []Partner{
		{"org-register-office", []string{typeDeath}},
		{"org-hospital-trust", []string{typePatient}},
		{"org-benefits", []string{typeAward, typeMove}},
		{"org-planning-portal", []string{typeApplication}},
	}
}

// File is demo.json: what a program needs to look at a running demo.
type File struct {
	BaseURL     string                `json:"base_url"`
	StaffSignIn string                `json:"staff_signin"`
	Second      string                `json:"second_signin"` // of a colleague, who approves what the first corrected
	Partners    map[string]FileParty  `json:"partners"`      // by id of the Organisation
	Systems     map[string]FileSystem `json:"systems"`       // by id of the System
}

// FileParty is a partner in demo.json. Its token is a secret of the demo only.
type FileParty struct {
	Token       string   `json:"token"`
	RecordTypes []string `json:"record_types"`
}

// FileSystem is a simulated system in demo.json.
type FileSystem struct {
	ReceivedURL string `json:"received_url"`
}

// NewFile puts a file together from the links for two members of staff, and the
// tokens, by id of the Organisation.
func NewFile(baseURL, staffSignIn, second string, tokens map[string]string, systems []sim.System) File {
	f := File{BaseURL: baseURL, StaffSignIn: staffSignIn, Second: second, Partners: map[string]FileParty{}, Systems: map[string]FileSystem{}}
	for _, p := range Partners() {
		f.Partners[p.ID] = FileParty{Token: tokens[p.ID], RecordTypes: p.RecordTypes}
	}
	for _, s := range systems {
		if s.Received != "" {
			f.Systems[s.ID] = FileSystem{ReceivedURL: s.Received}
		}
	}
	return f
}

// Write puts f at DIR/demo.json, readable by its owner only.
func (f File) Write(dir string) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("demo.File.Write: %w", err)
	}
	return replaceFile(filepath.Join(dir, "demo.json"), append(b, '\n'))
}

// ReadFile reads DIR/demo.json of an earlier run, for its tokens: Reeve itself
// keeps only their hashes. ok is false where there was none.
func ReadFile(dir string) (f File, ok bool, err error) {
	ok, err = readJSON(filepath.Join(dir, "demo.json"), &f)
	return f, ok, err
}

func readJSON(path string, v any) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return false, fmt.Errorf("demo: %s: %w", path, err)
	}
	return true, nil
}

// replaceFile writes a file so that it is never seen half.
func replaceFile(path string, b []byte) error {
	if err := os.WriteFile(path+".part", b, 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
