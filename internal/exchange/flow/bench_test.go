package flow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func padded(n int) string {
	return strings.TrimSuffix(death(n), "}") + fmt.Sprintf(`,"notes":%q}`, strings.Repeat("lorem ipsum ", 65))
}

// BenchmarkFlow carries records of about 1 kB from the log to a receiver: cut,
// filter, map, target's check, journal, delivery, all durable.
func BenchmarkFlow(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }))
	defer srv.Close()
	for _, to := range []struct{ name, spec, addr string }{
		{"file", "style: file\naddress: env:TAX", ""},
		{"http", byHTTP, srv.URL},
	} {
		b.Run(to.name, func(b *testing.B) {
			r := newRig(b, "")
			if r.env["TAX"] = to.addr; to.addr == "" {
				r.env["TAX"] = "file://" + b.TempDir()
			}
			r.use("none", toTax(to.spec, "filter: 'record.name != \"Person 2\"'\nmap: m.blobl\ntarget: rec-exemption.v1"),
				map[string]string{"m.blobl": "root.who = this.name.uppercase()\nroot.id = meta(\"id\")\nroot.pc = this.address.postcode\nroot.ref = this.registration"})
			const chunk = 1000
			total := 0
			for range 20 {
				var bodies []string
				for range chunk {
					total++
					bodies = append(bodies, padded(total))
				}
				r.accept(bodies...)
			}
			b.ResetTimer()
			start := time.Now()
			r.settle()
			b.ReportMetric(float64(total)/time.Since(start).Seconds(), "records/s")
			if s := r.stat(); s.Delivered != int64(total)-1 {
				b.Fatalf("%+v\n%s", s, r.logged.String())
			}
		})
	}
}
