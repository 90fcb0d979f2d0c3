package crash

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/tools/rig"
)

// What is sent has no key, so that nothing but the ledger of files keeps a row from
// being taken twice.
const fileDefinitions = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-body, name: The body}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-sender, name: The sender}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-sender, name: Sender}
spec: {organisation: org-sender}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-reading.v1, name: Meter reading}
spec:
  schema: reading.json
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-readings, name: Readings}
spec:
  from: org-sender
  to: org-body
  records: [{type: rec-reading.v1, fields: [/], purposes: [test]}]
  starts: 2020-01-01
  ends: 2090-01-01
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-folder, name: Folder}
spec:
  system: sys-sender
  style: file
  address: "env:FOLDER"
  settings: {file: {settle: 10ms, after: move}}
  read: {record: rec-reading.v1, every: 1s}
`

const readingSchema = `{"type":"object","properties":{"n":{"type":"integer"},"meter":{"type":"string"},"value":{"type":"number"}},"required":["n","meter","value"]}`

func reading(n int) string {
	return fmt.Sprintf(`{"n":%d,"meter":"M-%06d","value":%d.%d}`+"\n", n, n%5000, n%977, n%10)
}

// filesSetup is the program on definitions of its own, at an address that stays.
func filesSetup(t *testing.T) (r *rig.Reeve, folder string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and kills the real program")
	}
	dir, err := os.MkdirTemp("", "rv") // short: the operator's socket lives in it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin, err := rig.Build(t.Context(), "./cmd/reeve", dir)
	must(t, err)
	defs, folder := filepath.Join(dir, "defs"), filepath.Join(dir, "in")
	must(t, os.Mkdir(defs, 0o700))
	must(t, os.Mkdir(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(defs, "all.yaml"), []byte(fileDefinitions), 0o600))
	must(t, os.WriteFile(filepath.Join(defs, "reading.json"), []byte(readingSchema), 0o600))
	r = &rig.Reeve{Bin: bin, Data: filepath.Join(dir, "data"), Definitions: defs, Args: []string{"--listen", connectortest.FreeAddress(t)},
		Env: map[string]string{"FOLDER": "file://" + folder, "REEVE_LOG_LEVEL": "warn"}}
	t.Cleanup(func() { r.Kill() })
	return r, folder
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rowsKept reads what the program kept: how often each row is there.
func rowsKept(t *testing.T, r *rig.Reeve) map[int]int {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(r.Data, "reeve.db"), ReadOnly: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer db.Close()
	b, err := os.ReadFile(filepath.Join(r.Data, "master.key"))
	must(t, err)
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	must(t, err)
	keys, err := seal.Open(ctx, db, master)
	must(t, err)
	log, err := reclog.Open(ctx, db, keys)
	must(t, err)
	seen := map[int]int{}
	must(t, log.Tail(ctx, 0, func(rec reclog.Record) error {
		var row struct{ N int }
		if err := json.Unmarshal(rec.Body, &row); err != nil {
			return err
		}
		seen[row.N]++
		return nil
	}))
	return seen
}

func everyRowOnce(t *testing.T, r *rig.Reeve, rows int) {
	t.Helper()
	seen := rowsKept(t, r)
	lost, twice := 0, 0
	for n := 1; n <= rows; n++ {
		switch {
		case seen[n] == 0:
			lost++
		case seen[n] > 1:
			twice++
		}
	}
	if lost > 0 || twice > 0 || len(seen) != rows {
		t.Errorf("of %d rows %d are lost and %d were taken more than once; %d different ones are there", rows, lost, twice, len(seen))
	}
}

// TestKilledWhileAFileIsSent streams 200,000 rows with `reeve send` while the server
// is killed at random moments, and once the sender, which is then started again.
func TestKilledWhileAFileIsSent(t *testing.T) {
	r, _ := filesSetup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	must(t, r.Start(ctx))
	token, err := r.Token(ctx, "org-sender")
	must(t, err)
	const rows = 200_000
	var b bytes.Buffer
	for n := 1; n <= rows; n++ {
		b.WriteString(reading(n))
	}
	file := filepath.Join(filepath.Dir(r.Data), "readings.ndjson")
	must(t, os.WriteFile(file, b.Bytes(), 0o600))
	send := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, r.Bin, "send", "--to", r.URL, "--token", token, "--type", "rec-reading.v1", "--json", file)
		cmd.Stderr = os.Stderr
		return cmd
	}
	rnd := rand.New(rand.NewPCG(7, 4))
	pause := func() { time.Sleep(time.Duration(100+rnd.IntN(700)) * time.Millisecond) }
	killed := send()
	must(t, killed.Start())
	pause()
	must(t, killed.Process.Kill())
	_ = killed.Wait() // it was killed
	type ended struct {
		out []byte
		err error
	}
	done := make(chan ended, 1)
	go func() {
		// It waits for a server that starts again, but not for long: then a person does.
		for tries := 1; ; tries++ {
			out, err := send().Output()
			if err == nil || tries == 30 || ctx.Err() != nil {
				done <- ended{out, err}
				return
			}
			t.Logf("reeve send, started %d times: %v", tries, err)
		}
	}()
	kills := 0
	var last ended
wait:
	for {
		select {
		case last = <-done:
			break wait
		default:
		}
		if kills < times(t, "REEVE_KILLS", 4) {
			pause()
			r.Kill()
			kills++
			must(t, r.Start(ctx))
			continue
		}
		last = <-done
		break
	}
	if last.err != nil {
		t.Fatalf("reeve send: %v\n%s\n%s", last.err, last.out, r.Logs())
	}
	var s struct {
		State                                            string
		Rows, Accepted, Held, Duplicate, Refused, Faults int64
		Reconciled                                       bool
	}
	must(t, json.Unmarshal(last.out, &s))
	if s.State != "complete" || !s.Reconciled || s.Rows != rows || s.Accepted != rows || s.Duplicate != 0 {
		t.Errorf("%+v", s)
	}
	r.Stop()
	everyRowOnce(t, r, rows)
	t.Logf("the server was killed %d times and the sender once", kills)
}

// fill puts files of so many rows each into a folder.
func fill(t *testing.T, folder string, files, each int) {
	t.Helper()
	for f := range files {
		var b bytes.Buffer
		for n := f*each + 1; n <= (f+1)*each; n++ {
			b.WriteString(reading(n))
		}
		must(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.ndjson", f)), b.Bytes(), 0o600))
	}
}

// moved are the files that were moved away because all of their rows were taken.
func moved(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "done", "*.ndjson"))
	must(t, err)
	return names
}

// TestKilledWhileAFolderIsRead kills the program at random moments while it reads
// files of a folder.
func TestKilledWhileAFolderIsRead(t *testing.T) {
	r, folder := filesSetup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	const files, each = 4, 50_000
	fill(t, folder, files, each)
	rnd := rand.New(rand.NewPCG(8, 5))
	kills := times(t, "REEVE_KILLS", 4)
	for range kills {
		must(t, r.Start(ctx))
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		r.Kill()
	}
	must(t, r.Start(ctx))
	for {
		taken := len(moved(t, folder))
		if taken == files {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d files were taken\n%s", taken, files, r.Logs())
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.Stop()
	everyRowOnce(t, r, files*each)
}
