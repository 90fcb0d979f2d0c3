package offline

import (
	"os"
	"testing"
	"time"
)

// The examples of the sample body and of the first example are as expected, today
// and on another day.
func TestExamplesOfTheSampleBody(t *testing.T) {
	for _, dir := range []string{"demo/body", "examples/first"} {
		for _, now := range []time.Time{time.Now(), time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)} {
			r, problems, err := Test(t.Context(), os.DirFS("../../../"+dir), nil, now)
			if err != nil || len(problems) > 0 {
				t.Fatal(problems, err)
			}
			if !r.OK || r.Examples == 0 {
				t.Errorf("%s:\n%s", dir, r.Text())
			}
		}
	}
	r, _, err := Test(t.Context(), os.DirFS("../../../demo/body"), []string{"flow-deaths-council-tax"}, time.Now())
	if err != nil || r.Examples != 6 {
		t.Errorf("%d %v", r.Examples, err)
	}
}
