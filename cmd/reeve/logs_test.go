package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/tools/rig"
)

// The demo runs with every line of the log asked for; nobody it is about is in it,
// nor any token.
func TestLogsHoldNobody(t *testing.T) {
	r := &rig.Reeve{Bin: program(t), Data: filepath.Join(shortDir(t), "d"), Args: []string{"--every", "300ms"}, Env: map[string]string{"REEVE_LOG_LEVEL": "debug"}}
	must(t, r.Start(t.Context()))
	defer r.Stop()
	var file struct {
		StaffSignIn string `json:"staff_signin"`
		Second      string `json:"second_signin"`
		Partners    map[string]struct{ Token string }
		Systems     map[string]struct {
			ReceivedURL string `json:"received_url"`
		}
	}
	must(t, eventually(func() error {
		b, err := os.ReadFile(filepath.Join(r.Data, "demo.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &file)
	}))
	must(t, eventually(func() error {
		_, text, err := fetch(file.Systems["sys-council-tax"].ReceivedURL, "")
		var took []json.RawMessage
		if err == nil {
			err = json.Unmarshal([]byte(text), &took)
		}
		if err == nil && len(took) <= 116 { // history, and the first fresh ones
			err = fmt.Errorf("council tax has %d", len(took))
		}
		return err
	}))
	secrets := map[string]bool{}
	for _, p := range file.Partners {
		secrets[p.Token] = true
	}
	secrets[file.Second[strings.LastIndex(file.Second, "/")+1:]] = true
	secrets[file.StaffSignIn[strings.LastIndex(file.StaffSignIn, "/")+1:]] = true
	for w := range personalWords(t) {
		secrets[w] = true
	}
	log := r.Logs()
	if strings.Count(log, "\n") < 20 || !strings.Contains(log, "level=DEBUG") && !strings.Contains(log, "level=INFO") {
		t.Fatalf("a short log: %s", log)
	}
	words := regexp.MustCompile(`[\pL\pN_'-]+(?: [\pL\pN_'-]+)?`)
	for line := range strings.Lines(log) {
		for _, w := range words.FindAllString(line, -1) {
			for _, w := range append(strings.Fields(w), w) {
				if secrets[w] {
					t.Errorf("%q is in the log: %s", w, line)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d lines of log, %d words looked for", strings.Count(log, "\n"), len(secrets))
}

// personalWords are words of the demo's people that nothing else is made of.
func personalWords(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("../../demo/data/real/fhir/patients.ndjson.gz")
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	b, err := io.ReadAll(z)
	must(t, err)
	out := map[string]bool{}
	for line := range bytes.Lines(b) {
		var p struct {
			BirthDate string
			Name      []struct {
				Family string
				Given  []string
			}
			Address    []struct{ Line []string }
			Telecom    []struct{ Value string }
			Identifier []struct{ Value string }
		}
		must(t, json.Unmarshal(line, &p))
		digits := regexp.MustCompile(`[0-9]+$`)
		for _, n := range p.Name {
			for _, w := range append(n.Given, n.Family) {
				out[w], out[digits.ReplaceAllString(w, "")] = true, true
			}
		}
		for _, a := range p.Address {
			for _, l := range a.Line {
				f := strings.Fields(l)
				out[strings.Join(f[:min(2, len(f))], " ")] = true
			}
		}
		for _, x := range append(p.Telecom, p.Identifier...) {
			out[x.Value] = true
		}
		out[p.BirthDate] = true
	}
	delete(out, "")
	return out
}
