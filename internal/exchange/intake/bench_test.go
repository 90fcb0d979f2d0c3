package intake_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkIntake sends records of about 1 kB over HTTP, 20,000 a call; the door
// checks, cuts, remembers, journals and keeps each.
func BenchmarkIntake(b *testing.B) {
	const perCall = 20_000
	d := open(b, b.TempDir(), nil)
	srv := httptest.NewServer(d.mux)
	defer srv.Close()
	id := 0
	b.ResetTimer()
	records := 0
	for b.Loop() {
		b.StopTimer()
		var body strings.Builder
		for range perCall {
			id++
			fmt.Fprintf(&body, `{"id":"id-%d","n":%d,"name":"%s %d","more":{"a":[1,2,3],"b":"%s"}}`+"\n", id, id, strings.Repeat("Some text that is not the same ", 15), id*7919, strings.Repeat("and what is cut off ", 20))
		}
		b.StartTimer()
		req, err := http.NewRequest("POST", srv.URL+"/v1/records/rec-thing.v1", strings.NewReader(body.String()))
		must(b, err)
		req.Header.Set("Authorization", "Bearer org-sender")
		req.Header.Set("Content-Type", "application/x-ndjson")
		res, err := http.DefaultClient.Do(req)
		must(b, err)
		n, err := countLines(res)
		must(b, err)
		if res.StatusCode != 202 || n != perCall {
			b.Fatal(res.StatusCode, n)
		}
		records += n
		for {
			did, err := d.index.Step(b.Context())
			must(b, err)
			if did == 0 {
				break
			}
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

func countLines(res *http.Response) (n int, err error) {
	defer res.Body.Close()
	buf := make([]byte, 64<<10)
	for {
		k, err := res.Body.Read(buf)
		n += strings.Count(string(buf[:k]), "\n")
		if err != nil {
			if err.Error() == "EOF" {
				return n, nil
			}
			return n, err
		}
	}
}

// BenchmarkSingle sends one record a call, from many callers at once.
func BenchmarkSingle(b *testing.B) {
	d := open(b, b.TempDir(), nil)
	var id atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := id.Add(1)
			a := d.send("rec-thing.v1", fmt.Sprintf(`{"id":"id-%d","n":%d,"name":"%s"}`, n, n, strings.Repeat("text ", 180)))
			if a.status != 202 {
				b.Error(a.body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
