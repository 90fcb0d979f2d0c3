package bench

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// rowsFlow carries the rows on, into files.
const rowsFlow = `
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-rows, name: Rows for the receiver}
spec: {system: sys-receiver, style: file, address: env:BENCH_OUT, format: csv, columns: [id, name, street, town, postcode, moved, reason], repeat: key, records: [rec-row.v1]}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-rows-in, name: Rows of the sender}
spec: {system: sys-sender, style: api, records: [rec-row.v1]}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-rows-out, name: What we may tell the receiver of rows}
spec:
  from: org-body
  to: org-receiver
  records:
  - {type: rec-row.v1, fields: [/id, /name, /street, /town, /postcode, /moved, /reason], purposes: [rows]}
  starts: 2020-01-01
  ends: 2099-12-31
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-rows, name: Rows to the receiver}
spec: {from: if-rows-in, to: if-rows, record: rec-row.v1, agreement: agr-rows-out, purpose: rows, start: beginning}
`

// TestManyRows has `reeve send` send a file of REEVE_BENCH_MANY rows of CSV, all of which a
// flow carries on into files, and prints the rows a second and the memory of the
// server after every million that has arrived (of less than ten: every tenth). With REEVE_BENCH_DATABASE=postgres the
// server is on PostgreSQL.
func TestManyRows(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("REEVE_BENCH_MANY"))
	if err != nil {
		t.Skip("REEVE_BENCH_MANY says how many rows: 10000000 takes minutes and some GB of disk")
	}
	bin, err := rig.Build(t.Context(), "./cmd/reeve", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.csv")
	size := writeRows(t, file, n)
	r, token := serve(t, bin, definitions(t, rowsType+rowsFlow, false), postgres(t), nil)
	idle, _, err := r.Memory()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\n%d rows of CSV, %d MB, sent by reeve send; %d MB in use before\n\nrows arrived  rows/s  memory  highest\n", n, size>>20, idle>>20)
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		cmd := exec.CommandContext(t.Context(), bin, "send", "--to", r.URL, "--token", token, "--type", "rec-row.v1", "--format", "csv", file)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("reeve send: %w\n%s", err, out)
		}
		sent <- err
	}()
	step := min(1_000_000, max(n/10, 1))
	last, lastAt, told := 0, start, min(step, n)
	for sending := true; sending || last < n; {
		select {
		case err := <-sent:
			if err != nil {
				t.Fatalf("%v\n%s", err, r.Logs())
			}
			fmt.Printf("all taken after %s: %.0f rows/s\n", time.Since(start).Round(time.Second), rate(n, time.Since(start)))
			sending = false
		case <-time.After(time.Second):
		}
		if have := delivered(t, r); have >= told {
			now, peak, err := r.Memory()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%12d  %6.0f  %3d MB  %4d MB\n", have, rate(have-last, time.Since(lastAt)), now>>20, peak>>20)
			last, lastAt, told = have, time.Now(), min(have/step*step+step, n)
		}
	}
	fmt.Printf("all arrived after %s: %.0f rows/s, %.0f s of the processor\n", time.Since(start).Round(time.Second), rate(n, time.Since(start)), processor(t, r).Seconds())
}

// delivered is how many rows the program says it has delivered.
func delivered(t *testing.T, r *rig.Reeve) (n int) {
	t.Helper()
	res, err := http.Get(r.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sc := bufio.NewScanner(res.Body)
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), "} ")
		if strings.HasPrefix(name, "reeve_deliveries_total{") && strings.Contains(name, `"flow-rows"`) && strings.Contains(name, `"delivered"`) {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			n += int(v)
		}
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return n
}

// postgres is the URL of a server of its own where it is asked for, or "".
func postgres(t *testing.T) string {
	t.Helper()
	if os.Getenv("REEVE_BENCH_DATABASE") != "postgres" {
		return ""
	}
	cluster, err := storetest.StartCluster(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Kill)
	return cluster.URL("postgres")
}
