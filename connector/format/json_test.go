package format_test

import (
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/format"
)

func TestJSON(t *testing.T) {
	ndjson, at := format.Spec{Name: "ndjson"}, format.Spec{Record: "/data/items"}
	for _, c := range []struct {
		spec     format.Spec
		in, want string
	}{
		{format.Spec{}, "", ""},
		{format.Spec{}, " \n", ""},
		{format.Spec{}, `{"a":1}`, "1 line 1: {\"a\":1}\n"},
		{format.Spec{}, "\xef\xbb\xbf{\"a\":1}\n\n{\"b\":2}\r\n", "1 line 1: {\"a\":1}\n2 line 3: {\"b\":2}\n"},
		{format.Spec{}, "{\"a\":1}\n{\"b\":\n{\"c\":3}\n7\n", "1 line 1: {\"a\":1}\n2 line 2: {\"b\":\n3 line 3: {\"c\":3}\n4 line 4: the record is not a JSON object\n"},
		{format.Spec{}, "{\n \"a\": \"}\"\n}\n{\"b\":\n2}", "1 line 1: {\n \"a\": \"}\"\n}\n2 line 4: {\"b\":\n2}\n"},
		{format.Spec{}, "{\n \"a\": 1\n}\n7", "1 line 1: {\n \"a\": 1\n}\nerror: line 4: something that is not an object stands between the records\n"},
		{format.Spec{}, "{\n \"a\": 1\n", "error: line 1: the last record has no end: a closing brace or bracket is missing\n"},
		{format.Spec{}, "[]", ""},
		{format.Spec{}, "[{\"a\":\"\\\"]\"} ,\n{\"b\":[1]}, 7]", "1 item 1, line 1: {\"a\":\"\\\"]\"}\n2 item 2, line 2: {\"b\":[1]}\n3 item 3, line 2: the record is not a JSON object\n"},
		{format.Spec{}, "[{}", "1 item 1, line 1: {}\nerror: line 1: the list has no end: a closing bracket is missing\n"},
		{format.Spec{}, "[{},]", "1 item 1, line 1: {}\nerror: line 1: a record was expected in the list, not a comma or its end\n"},
		{format.Spec{}, "[{} {}]", "1 item 1, line 1: {}\nerror: line 1: a comma or a closing bracket was expected between the records of the list\n"},
		{format.Spec{}, "[{}]]", "1 item 1, line 1: {}\nerror: line 1: there is something after the end of the list\n"},
		{format.Spec{}, "a,b", "error: line 1: this is not JSON: it must begin with { or [\n"},
		{ndjson, "a,b\n{}\n", "1 line 1: the record is not a JSON object\n2 line 2: {}\n"},
		{at, `{"n":[1,{"items":[]}],"data":{"x":"]","items":[{"a":1},{"a":2}],"z":[{}]},"y":2}`, "1 item 1, line 1: {\"a\":1}\n2 item 2, line 1: {\"a\":2}\n"},
		{at, `{"data":{"items":[{"a":1}]`, "1 item 1, line 1: {\"a\":1}\nerror: line 1: the document stops half-way\n"},
		{at, `{"data":{"items":{"a":1}}}`, "1 line 1: {\"a\":1}\n"},
		{at, `{"data":{"item":[]}}`, "error: line 1: there is no list at recordAt: \"items\" is not there\n"},
		{at, `{"data":[]}`, "error: line 1: there is no list at recordAt: what should hold it is not an object\n"},
		{format.Spec{Record: "items"}, `{}`, "error: recordAt of JSON is a JSON Pointer: it begins with /\n"},
	} {
		check(t, c.spec, c.in, c.want)
	}
	long := `"` + strings.Repeat("x", format.MaxRecord) + `"`
	for _, in := range []string{"{}\n{\"a\":" + long + "}\n{}\n", "[{},{\"a\":" + long + "},{}]", "{\n}{\"a\":\n" + long + "}\n{}\n", "{\"a\":" + long + "}{}{}"} {
		got := show(t, format.Spec{}, strings.NewReader(in))
		if strings.Count(got, "{") != 2 || strings.Count(got, "the record is larger than 1 MiB") != 1 || strings.Contains(got, "error") {
			t.Errorf("%.10s…: %.500s", in, got)
		}
	}
}
