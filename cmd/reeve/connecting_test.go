package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/connectortest/sshd"
)

// TestConnecting runs the commands of docs/connecting.md as a reader would, corrects
// the record that it tells to, and holds each block to what it says is printed.
func TestConnecting(t *testing.T) {
	needs(t, "node", "sqlite3")
	text, _ := document(t, "connecting.md")
	dir, bin, addr, invoices := shortDir(t), program(t), address(t), address(t)
	_, port, _ := strings.Cut(invoices, ":")
	in := strings.NewReplacer("make build\n", "", "bin/reeve ", bin+" ", "127.0.0.1:8090", addr, "127.0.0.1:8091", invoices, " 8091 ", " "+port+" ", "/tmp/garden", dir)
	guest := &reader{t: t, addr: addr}
	walk(t, "connecting.md", in, func(step) {}, func(s step, out string) {
		if !s.looks {
			said := s.said
			if strings.Contains(s.script, "suggest-mapping") { // columns are as wide as they must be
				out, said = spaces(out), each(said, spaces)
			}
			prints(t, out, said...)
		}
		if strings.Contains(s.script, "staff invite") {
			guest.signIn(out)
			guest.sees("/staff/feeds", "orders.csv", "4 3 1 0", "Complete, with problems")
			guest.sees("/staff/flows", "From orders.csv", "Orders to invoices")
			guest.sees("/staff/held", "bins: must have the form ^[1-4]$", "r1-3")
			guest.correct("/staff/held/r1-3", url.Values{"f/Bins": {"2"}})
		}
	})
	for _, m := range page.FindAllStringSubmatch(text, -1) {
		guest.do(http.MethodGet, m[1])
	}
	for _, name := range []string{"rounds.db", "invoices.ndjson"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "4471") {
			t.Errorf("%s was told a gate code", name)
		}
	}
}

// TestConnectingOverSFTP takes the definitions that docs/connecting.md ends with, and
// reads the same file from a real SFTP server.
func TestConnectingOverSFTP(t *testing.T) {
	needs(t, "sqlite3")
	text, root := document(t, "connecting.md")
	server, dir, bin := sshd.Start(t), shortDir(t), program(t)
	in := strings.NewReplacer("make build\n", "", "bin/reeve ", bin+" ", "/tmp/garden", dir)
	for _, s := range steps(text) {
		if strings.Contains(s.script, "/defs") && !strings.Contains(s.script, "serve") && !strings.Contains(s.script, "replay") {
			cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", in.Replace(s.script))
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s\n%s", err, s.script, out)
			}
		}
	}
	inbox := server.Dir
	must(t, os.WriteFile(filepath.Join(inbox, "orders.csv"), []byte(read(t, root, "examples/connecting/orders.csv")), 0o600))
	db := filepath.Join(dir, "rounds.db")
	sqlite := func(sql string) string {
		// The running program writes to it meanwhile: wait for its lock.
		out, err := exec.CommandContext(t.Context(), "sqlite3", "-cmd", ".timeout 60000", db, sql).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	sqlite(read(t, root, "examples/connecting/rounds.sql"))
	// The server knows its user by another name than the example's, and nobody waits half a minute.
	source := filepath.Join(dir, "over-sftp", "source.yaml")
	must(t, os.WriteFile(source, []byte(strings.NewReplacer("user: reeve", "user: "+server.User, "settle: 30s", "settle: 100ms").Replace(read(t, source))), 0o600))
	serve(t, filepath.Join(dir, "over-sftp"), "", map[string]string{"ORDERS": "sftp://" + server.Addr + inbox, "ORDERS_KEY": server.Key, "ORDERS_HOST_KEY": server.HostKey,
		"ROUNDS": "sqlite://" + db, "INVOICES": "http://" + address(t)})
	must(t, eventually(func() error {
		if got := sqlite("select count(*) from subscription"); got != "3\n" {
			return fmt.Errorf("%s rows", got)
		}
		_, err := os.Stat(filepath.Join(inbox, "taken", "orders.csv"))
		return err
	}))
}

// TestHeldRecords runs the commands of docs/held-records.md, and corrects as it says.
func TestHeldRecords(t *testing.T) {
	text, _ := document(t, "held-records.md")
	source := ""
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		if m[1] == "blobl" {
			source = m[3]
		}
	}
	dir, addr := shortDir(t), address(t)
	guest := &reader{t: t, addr: addr}
	walk(t, "held-records.md", replaced(t, addr, "/tmp/held", dir), func(step) {}, func(s step, out string) {
		if !s.looks {
			prints(t, out, s.said...)
		}
		if !strings.Contains(s.script, "staff invite") {
			return
		}
		guest.signIn(out)
		guest.sees("/staff/held", "must be a date, written like 2026-01-31", "r1-4")
		mistake := regexp.MustCompile(`/staff/mistakes/[^"]+`).FindString(guest.do(http.MethodGet, "/staff/held"))
		if _, trial := guest.fill(http.MethodPost, mistake, url.Values{"source": {source}}); !strings.Contains(trial, "Apply it to the 3 that would be in order") {
			t.Errorf("the trial does not say that 3 would be in order:\n%s", trial)
		}
		if status, _ := guest.fill(http.MethodPost, mistake, url.Values{"source": {source}, "keep": {"yes"}, "do": {"apply"}}); status != http.StatusOK {
			t.Fatalf("the correction is not applied: %d", status)
		}
		guest.sees("/staff/corrections/1", "Undo", "Release now")
		if status, _ := guest.fill(http.MethodPost, "/staff/corrections/1", url.Values{"decision": {"release"}}); status != http.StatusOK {
			t.Fatalf("the correction is not released: %d", status)
		}
	})
	guest.sees("/staff/corrections", "rule 1")
}

// TestTestingFlows runs the commands of docs/testing-flows.md.
func TestTestingFlows(t *testing.T) {
	walk(t, "testing-flows.md", replaced(t, address(t), "/tmp/flows", shortDir(t)), func(step) {}, func(s step, out string) {
		prints(t, out, s.said...)
	})
}

// TestProcesses runs the commands of docs/processes.md, and holds what it shows of
// the demo to the demo.
func TestProcesses(t *testing.T) {
	text, root := document(t, "processes.md")
	demo := read(t, root, "demo/body/exchange/house-move.yaml") + read(t, root, "demo/body/exchange/maps/house-move-to-council-tax.blobl")
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		if (m[1] == "yaml" || m[1] == "blobl") && !strings.Contains(demo, m[3]) {
			t.Errorf("this is not in the demo:\n%s", m[3])
		}
	}
	walk(t, "processes.md", replaced(t, address(t), "/tmp/process", ""), func(step) {}, func(s step, out string) {
		prints(t, out, s.said...)
	})
}

// replaced puts the program, an address and a folder into the commands of a document.
func replaced(t *testing.T, addr, folder, dir string) *strings.Replacer {
	t.Helper()
	return strings.NewReplacer("make build\n", "", "bin/reeve ", program(t)+" ", "127.0.0.1:8090", addr, folder, dir)
}

// correct presses Correct and send on.
func (r *reader) correct(path string, form url.Values) {
	r.t.Helper()
	if status, _ := r.fill(http.MethodPost, path+"/correct", form); status != http.StatusOK {
		r.t.Fatalf("the correction of %s answers %d", path, status)
	}
}

// needs skips a test without programs, unless the environment asks for it.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("REEVE_REQUIRE_"+strings.ToUpper(p)) != "" {
				t.Fatalf("%s is not installed: run tools/needs test", p)
			}
			t.Skipf("%s is not installed", p)
		}
	}
}

// spaces makes one space of many.
func spaces(s string) string { return strings.Join(strings.Fields(s), " ") }

func each(list []string, f func(string) string) (out []string) {
	for _, s := range list {
		out = append(out, f(s))
	}
	return out
}
