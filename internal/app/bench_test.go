package app_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/app"
)

// BenchmarkMainJob is the main job in one process, for profiles: 10,000 records a
// round through the door, the contract, the journal and one flow, into a file.
// What it costs beside others is measured by make bench.
func BenchmarkMainJob(b *testing.B) {
	dir, out := b.TempDir(), b.TempDir()
	a, err := app.Open(b.Context(), app.Config{
		Data: dir, Defs: os.DirFS("../../tools/bench/body"), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Getenv: func(name string) string { return map[string]string{"BENCH_OUT": "file://" + out}[name] },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	var token app.NewToken
	if err := a.Operator().Call(b.Context(), "token/create", app.CreateToken{Party: "org-sender", Seconds: 86400}, &token); err != nil {
		b.Fatal(err)
	}
	const round = 10_000
	note, n := strings.Repeat("The tenancy was checked with the landlord and the keys were handed over. ", 5), 0
	for b.Loop() {
		var body bytes.Buffer
		for range round {
			n++
			fmt.Fprintf(&body, `{"id":"chg-%09d","status":"final","person":{"name":{"given":"Ada","family":"Okafor"},"dateOfBirth":"1950-03-04","email":"person-%d@example.org","phone":"020 7946 0001"},`+
				`"old":{"lines":["%d High Street","Ashcombe"],"postcode":"AS1 1AB","uprn":"100000000001"},"new":{"lines":["Flat 1","2 Mill Close","Ashcombe"],"postcode":"AS1 2CD","uprn":"200000000002"},`+
				`"movedOn":"2026-03-04","reason":"rent","household":[{"name":"Bola Smith","relation":"child","age":9}],"note":"%s%d"}`+"\n", n, n, n, note, n)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/records/rec-change.v1", &body)
		r.Header.Set("Authorization", "Bearer "+token.Token)
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		if got := strings.Count(w.Body.String(), `"accepted"`); got != round {
			b.Fatalf("%d accepted: %.300s", got, w.Body)
		}
		if err := a.Settle(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	files, err := filepath.Glob(filepath.Join(out, "*", "*.csv"))
	if more, _ := filepath.Glob(filepath.Join(out, "*.csv")); err != nil || len(files)+len(more) == 0 {
		b.Fatal("no files were written", err)
	}
}
