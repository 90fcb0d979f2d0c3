package format

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The cells of a plain body are those that decoding gives.
func TestPlainCells(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "é", "/a", "/b/c", "a"}), 1, 4).Draw(t, "columns")
		r, err := newRow(columns)
		if err != nil {
			t.Fatal(err)
		}
		var fields []string
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			fields = append(fields, fmt.Sprintf(`"%s"%s:%s`, rapid.SampledFrom([]string{"a", "b", "c", "é", `\u0061`}).Draw(t, "name"), rapid.SampledFrom([]string{"", " "}).Draw(t, "space"),
				rapid.SampledFrom([]string{`"x"`, `"é \u00e9"`, `"ü"`, `""`, `0`, `-0.50`, `12`, `01`, `1.`, `-`, `.5`, `1e5`, `1-1`, `true`, `false`, `null`, `nul`, `[1]`, `{"c":2}`, "\"\x01\"", "\"\xff\""}).Draw(t, "value")))
		}
		body := []byte("{" + strings.Join(fields, ", ") + rapid.SampledFrom([]string{"}", "}", "}\n", "} x", "", ",}"}).Draw(t, "end"))
		got, ok := r.plain(body)
		if !ok {
			return
		}
		found++
		want, err := r.decoded(body)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v, want %v %v", body, got, want, err)
		}
	})
	if found == 0 {
		t.Error("no body was plain")
	}
}
