package format_test

import (
	"io"
	"runtime"
	"testing"

	"github.com/reeve-civic/reeve/connector/format"
)

// BenchmarkTenMillion reads ten million rows, in each text format, and tells how much
// of the heap was in use at most: go test -bench TenMillion -benchtime 1x ./connector/format
func BenchmarkTenMillion(b *testing.B) {
	const rows = 10_000_000
	for name, c := range map[string]struct {
		spec       format.Spec
		head, part string
	}{
		"csv":    {csv(), "id,surname,forename,dob,street,town,postcode,band,amount,note\n", "1234567,Smith,Jane,1970-01-02,12 High Street,Ashcombe,AB1 2CD,D,12.50,\"left, and came back\"\n"},
		"ndjson": {format.Spec{Name: "ndjson"}, "", `{"id":"1234567","surname":"Smith","forename":"Jane","dob":"1970-01-02","street":"12 High Street","town":"Ashcombe"}` + "\n"},
		"list":   {format.Spec{}, "[{}", `,{"id":"1234567","surname":"Smith","forename":"Jane","dob":"1970-01-02","street":"12 High Street","town":"Ashcombe"}` + "\n"},
	} {
		b.Run(name, func(b *testing.B) {
			var peak, read uint64
			for b.Loop() {
				in := &endless{head: c.head, part: c.part, left: len(c.head) + rows*len(c.part)}
				rd, err := format.NewReader(c.spec, in, b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				var m runtime.MemStats
				for n := 0; ; n++ {
					if n%1_000_000 == 0 {
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapInuse)
					}
					if _, err := rd.Next(); err != nil {
						if c.spec.Name != "" && err != io.EOF {
							b.Fatal(err)
						}
						break
					}
					read++
				}
			}
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(peak)/(1<<20), "MB-in-use")
		})
	}
}
