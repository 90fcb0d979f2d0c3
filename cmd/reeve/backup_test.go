package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// A backup taken while records pour in is restored into another folder and into
// PostgreSQL. Both hold, row by row, what the backup holds; what had been
// acknowledged before it began is there; and ids are never given out again.
func TestBackupUnderLoad(t *testing.T) {
	b := besiege(t, "")
	var mu sync.Mutex
	var acked []string
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				var body strings.Builder
				for j := range 20 {
					fmt.Fprintf(&body, `{"id":"w%d-%d-%d","n":%d,"a":"text"}`+"\n", w, i, j, j-1)
				}
				d := b.post([]string{"rec-any.v1", "rec-keyed.v1", "rec-pupil.v1"}[w], b.token, "application/x-ndjson", strings.NewReader(body.String()))
				mu.Lock()
				for _, r := range d.receipts {
					acked = append(acked, r.ID)
				}
				mu.Unlock()
			}
		})
	}
	all := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(acked) }
	count := func() int { return len(all()) }
	for count() < 1500 && !t.Failed() {
		time.Sleep(10 * time.Millisecond)
	}
	before := all()
	file := filepath.Join(t.TempDir(), "backup")
	command(t, b.r, "backup", file)
	after := count()
	for count() < after+500 && !t.Failed() { // it did not stand still for it
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	b.r.Stop()

	master, err := os.ReadFile(filepath.Join(b.r.Data, "master.key"))
	must(t, err)
	for name, database := range map[string]string{"folder": "", "postgres": storetest.Postgres(t)} {
		r := &rig.Reeve{Bin: b.r.Bin, Data: filepath.Join(shortDir(t), "d"), Definitions: b.r.Definitions, Database: database, Env: b.r.Env}
		must(t, os.MkdirAll(r.Data, 0o700))
		must(t, os.WriteFile(filepath.Join(r.Data, "master.key"), master, 0o600))
		if out := command(t, r, "restore", file); !strings.Contains(out, "Ids given out from now on begin with r2-") {
			t.Error(name, out)
		}
		again := filepath.Join(t.TempDir(), name)
		command(t, r, "backup", again)
		if lines := differences(dump(t, file), dump(t, again)); len(lines) > 0 {
			t.Errorf("%s: %d rows are not as in the backup: %.2000s", name, len(lines), strings.Join(lines, "\n"))
		}
		must(t, r.Start(t.Context()))
		x := &besieged{t, r, b.token} // the token is as good as it was
		for i := 0; i < len(before); i += len(before) / 100 {
			if code, text := x.get("/v1/records/"+before[i], b.token); code != 200 {
				t.Fatalf("%s: %s was acknowledged before the backup, and then %d %s", name, before[i], code, text)
			}
		}
		d := x.post("rec-any.v1", b.token, "application/json", strings.NewReader(`{"id":"new"}`))
		if len(d.receipts) != 1 || !strings.HasPrefix(d.receipts[0].ID, "r2-") {
			t.Errorf("%s: %d %+v", name, d.status, d.receipts)
		}
		x.kept(d.receipts, 1)
		x.settled()
		x.well()
		r.Stop()

		// Without the master key nothing of it can be read, and that is said.
		must(t, os.Remove(filepath.Join(r.Data, "master.key")))
		if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "master.key is missing but there is a database") {
			t.Errorf("%s: without its master key: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(r.Data, "master.key")); err == nil {
			t.Error(name, ": a new key stands in the place of the missing one")
		}
	}
}

// dump is what a backup holds: the rows of each table, sorted.
func dump(t *testing.T, file string) map[string][]string {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	z, err := zstd.NewReader(f)
	must(t, err)
	defer z.Close()
	tables, table := map[string][]string{}, ""
	for in := bufio.NewReader(z); ; {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		must(t, err)
		var head struct {
			Table   string
			Columns []string
		}
		if strings.HasPrefix(line, "{") {
			must(t, json.Unmarshal([]byte(line), &head))
			table = head.Table
			continue
		}
		tables[table] = append(tables[table], line)
	}
	// What a restore and a start change: the epoch, and the signature at the new beginning.
	for _, own := range []string{"store_head", "store_epoch", "store_migration"} {
		delete(tables, own)
	}
	for _, rows := range tables {
		slices.Sort(rows)
	}
	return tables
}

func differences(want, got map[string][]string) (lines []string) {
	names := map[string]bool{}
	for _, m := range []map[string][]string{want, got} {
		for n := range m {
			names[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if !slices.Equal(want[n], got[n]) {
			lines = append(lines, fmt.Sprintf("%s: %d rows, not %d", n, len(got[n]), len(want[n])))
			for i := range min(len(want[n]), len(got[n])) {
				if want[n][i] != got[n][i] {
					lines = append(lines, fmt.Sprintf("  %.300s  for  %.300s", got[n][i], want[n][i]))
					break
				}
			}
		}
	}
	return lines
}
