package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/connectortest/sshd"
)

// In over SFTP, through a flow, and out over SFTP.
const sftpDefinitions = `
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-receiver, name: The receiver}
spec: {type: department, parent: org-body}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-receiver, name: Receiver}
spec: {organisation: org-receiver}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-onward, name: Readings onward}
spec:
  from: org-body
  to: org-receiver
  records: [{type: rec-reading.v1, fields: [/], purposes: [test]}]
  starts: 2020-01-01
  ends: 2090-01-01
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-out, name: Files for the receiver}
spec:
  system: sys-receiver
  style: file
  address: "env:OUT"
  format: ndjson
  auth: {user: env:SFTP_USER, key: env:SFTP_KEY, hostKey: env:SFTP_HOST_KEY}
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-onward, name: Onward}
spec: {from: if-folder, to: if-out, record: rec-reading.v1, agreement: agr-onward, purpose: test, start: beginning, map: same.blobl}
`

// TestKilledOverSFTP kills the program at random moments, and breaks its connections,
// while it reads files of an SFTP server and writes others: every row arrives once, in
// files that are complete, and nothing half-written is left.
func TestKilledOverSFTP(t *testing.T) {
	server := sshd.Start(t)
	proxy := connectortest.NewProxy(t, server.Addr)
	r, _ := filesSetup(t)
	in, out := filepath.Join(server.Dir, "in"), filepath.Join(server.Dir, "out")
	must(t, os.Mkdir(in, 0o700))
	must(t, os.Mkdir(out, 0o700))
	defs := strings.Replace(fileDefinitions, "settings: {file: {settle: 10ms, after: move}}",
		"auth: {user: env:SFTP_USER, key: env:SFTP_KEY, hostKey: env:SFTP_HOST_KEY}\n  settings: {sftp: {settle: 10ms, after: delete}}", 1)
	must(t, os.WriteFile(filepath.Join(r.Definitions, "all.yaml"), []byte(defs+sftpDefinitions), 0o600))
	must(t, os.WriteFile(filepath.Join(r.Definitions, "same.blobl"), []byte("root = this\n"), 0o600))
	r.Env["FOLDER"], r.Env["OUT"] = "sftp://"+proxy.Addr+in, "sftp://"+proxy.Addr+out
	r.Env["SFTP_USER"], r.Env["SFTP_KEY"], r.Env["SFTP_HOST_KEY"] = server.User, server.Key, server.HostKey
	const files, each = 20, 1000
	for f := range files {
		var b bytes.Buffer
		for n := f*each + 1; n <= (f+1)*each; n++ {
			b.WriteString(reading(n))
		}
		connectortest.Put(t, in, fmt.Sprintf("%02d.ndjson", f), b.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	rnd := rand.New(rand.NewPCG(9, 6))
	for range times(t, "REEVE_KILLS", 4) {
		must(t, r.Start(ctx))
		proxy.CutAfter(rnd.Int64N(60_000))
		time.Sleep(time.Duration(rnd.IntN(1200)) * time.Millisecond)
		r.Kill()
	}
	proxy.CutAfter(-1)
	must(t, r.Start(ctx))
	arrived := func() (seen map[int]int) {
		seen = map[int]int{}
		_, contents := connectortest.Files(t, out)
		for line := range strings.Lines(strings.Join(contents, "")) {
			var row struct{ N int }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("a file that is not complete has its name: %v", err)
			}
			seen[row.N]++
		}
		return seen
	}
	left := func() int { // the last row may arrive before the file that it was in is deleted
		there, err := os.ReadDir(in)
		must(t, err)
		return len(there)
	}
	for len(arrived()) < files*each || left() > 0 {
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d rows arrived, and %d files are left\n%s", len(arrived()), files*each, left(), r.Logs())
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.Stop()
	for n, times := range arrived() {
		if times != 1 {
			t.Errorf("row %d arrived %d times", n, times)
		}
	}
	everyRowOnce(t, r, files*each)
	for _, dir := range []string{in, out} {
		left, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range left {
			if dir == in || e.Name()[0] == '.' {
				t.Errorf("left in %s: %s", filepath.Base(dir), e.Name())
			}
		}
	}
}
