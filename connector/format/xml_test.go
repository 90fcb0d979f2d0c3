package format_test

import (
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/format"
)

func TestXML(t *testing.T) {
	x := format.Spec{Name: "xml"}
	types := func(p string) []string {
		return map[string][]string{"/n": {"integer"}, "/child": {"array"}, "/@id": {"integer"}}[p]
	}
	for _, c := range []struct {
		spec     format.Spec
		in, want string
	}{
		{x, `<deaths><death id="1"><name>A &amp; B</name><child>x</child><child>y</child><none/></death><death/><death>z</death></deaths>`,
			"1 item 1, line 1: {\"@id\":\"1\",\"name\":\"A & B\",\"child\":[\"x\",\"y\"]}\n2 item 2, line 1: {}\n3 item 3, line 1: {\"#text\":\"z\"}\n"},
		{x, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<a xmlns=\"urn:x\">\n<n>caf\xe9</n>\n<m><k>1</k> t <k>2</k></m></a>", "1 item 1, line 2: {\"n\":\"café\",\"m\":{\"k\":[\"1\",\"2\"],\"#text\":\"t\"}}\n"},
		{format.Spec{Name: "xml", Types: types}, `<r><n> 7 </n><child>x</child></r>`, "1 item 1, line 1: {\"n\":7,\"child\":[\"x\"]}\n"},
		{format.Spec{Name: "xml", Record: "p", Types: types}, `<r><head><v>1</v></head><list><p id="5"/><p><p>in</p></p></list></r>`, "1 item 1, line 1: {\"@id\":5}\n2 item 2, line 1: {\"p\":\"in\"}\n"},
		{format.Spec{Name: "xml", Record: "q"}, `<r><p/></r>`, "error: no element is called q, as recordAt says\n"},
		{format.Spec{Name: "xml", Record: "q"}, `<r/>`, ""},
		{x, `<r/>`, ""},
		{x, ` `, "error: this is not XML: there is no element in it\n"},
		{x, "<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>", "error: line 1: it has a document type (<!...>): entities and document types are not read; take it out\n"},
		{x, "<r>\n<s>&secret;</s></r>", "error: line 2: this is not good XML: an entity that is not known: only &amp; &lt; &gt; &quot; &apos; and numbers are read\n"},
		{x, "<r><s a='1'><t>1</t></s>\n<s><t>2</x></s></r>", "1 item 1, line 1: {\"@a\":\"1\",\"t\":\"1\"}\nerror: line 2: this is not good XML: an element is closed by the end of another\n"},
		{x, "<r><s><t>1</t></s>", "1 item 1, line 1: {\"t\":\"1\"}\nerror: line 1: this is not good XML: it stops half-way\n"},
		{x, strings.Repeat("<a>", 100), "error: line 1: elements are nested more than 64 deep\n"},
	} {
		check(t, c.spec, c.in, c.want)
	}
	long := strings.Repeat("x", format.MaxRecord+1)
	got := show(t, x, strings.NewReader("<r><s><t>1</t></s><s><t>"+long+"</t></s><s><t>2</t></s></r>"))
	if want := "1 item 1, line 1: {\"t\":\"1\"}\n2 item 2, line 1: the record is larger than 1 MiB\n3 item 3, line 1: {\"t\":\"2\"}\n"; got != want {
		t.Errorf("got %.300s", got)
	}
	got = show(t, x, strings.NewReader("<r><s><t>"+long+long+long+"</t></s></r>"))
	if want := "error: line 1: a mark or a text of more than 2 MB stands in it: this is not XML that can be read\n"; got != want {
		t.Errorf("got %.300s", got)
	}
}
