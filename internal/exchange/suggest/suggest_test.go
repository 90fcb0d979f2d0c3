package suggest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
	"github.com/reeve-civic/reeve/internal/exchange/suggest"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

const schemas = "../../../demo/body/exchange/schemas/"

// typeOf is a record type with a schema.
func typeOf(t testing.TB, schema []byte) (*def.Set, *contract.Type) {
	t.Helper()
	yaml := "apiVersion: reeve/v1\nkind: RecordType\nmetadata: {id: rec-target.v1, name: Target}\nspec:\n  schema: s.json\n  classification: {level: internal, fields: {/deceased: confidential}}\n"
	set, problems := def.Load(fstest.MapFS{"r.yaml": {Data: []byte(yaml)}, "s.json": {Data: schema}}, def.NewRegistry(contract.Kind(new(contract.Schemas)), iface.Kind(), def.Kind{Name: "System", Spec: new(struct{})}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	types, problems := contract.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	typ, ok := types.Type("rec-target.v1")
	if !ok {
		t.Fatal("no type")
	}
	return set, typ
}

func demo(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(schemas + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func propose(t testing.TB, name string, content, schema []byte) *suggest.Suggestion {
	t.Helper()
	set, typ := typeOf(t, schema)
	spec := format.Guess(name, content[:min(len(content), 64<<10)])
	rd, err := format.NewReader(spec, bytes.NewReader(content), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	s, err := suggest.Suggest(context.Background(), suggest.Options{Name: name, Spec: spec, Rows: rd, Set: set, Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// text is a proposal in short.
func text(s *suggest.Suggestion) string {
	var b strings.Builder
	for _, f := range s.Fields {
		from := strings.Join(f.Columns, " + ")
		if f.Constant != nil {
			from = fmt.Sprintf("%#v", f.Constant)
		}
		fmt.Fprintf(&b, "%s <- %s (%s) %s\n", f.Path, from, suggest.Sure(f.Confidence), f.How)
	}
	fmt.Fprintf(&b, "missing %q unused %q good %d of %d, unreadable %d\n", s.Missing, s.Unused, s.Good, s.Rows, s.Broken)
	return b.String()
}

// TestTry shows what is proposed for any file: REEVE_SUGGEST="file schema".
func TestTry(t *testing.T) {
	file, schema, ok := strings.Cut(os.Getenv("REEVE_SUGGEST"), " ")
	if !ok {
		t.Skip("REEVE_SUGGEST names no file and schema")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := propose(t, filepath.Base(file), b, demo(t, schema))
	fmt.Println(text(s))
	for _, w := range s.Why {
		fmt.Printf("  %d rows, %s: %s %s\n", w.Rows, w.First, w.Path, w.Message)
	}
	for _, f := range s.First[:min(1, len(s.First))] {
		fmt.Printf("%.600s\n-> %s\n", f.Row, f.Record)
	}
	if os.Getenv("REEVE_SUGGEST_FILES") != "" {
		for _, f := range s.Files {
			fmt.Printf("-- %s\n%s", f.Path, f.Text)
		}
	}
}

func TestSuggest(t *testing.T) {
	for _, c := range []struct{ name, schema, content, want string }{
		{"register.csv", "death.json", `Reg No;Status;Date registered;District;Date of death;Surname;Forenames;DoB;Sex;Address 1;Address 2;Town;Postcode;Informant surname;Informant forename;Informant email;Relationship;Clerk
ABC-2024-0001;Registered;03/01/2024;Ashcombe;01/01/2024;Smith;Jane Ann;12/02/1940;F;1 High Street;;Ashcombe;AB1 2CD;Smith;Peter;peter@example.org;Son;pk
ABC-2024-0002;Registered;04/01/2024;Ashcombe;02/01/2024;O'Neill;Bridget;25/12/1931;F;Flat 2;7 Mill Lane;Ashcombe;AB2 3EF;O'Neill;Mary;;Daughter;pk
ABC-2024-0003;Reported in error;05/01/2024;Ashcombe;03/01/2024;Jones;Tom;30/06/1950;M;9 Hill;;Westbury;AB3 4GH;;;;;jj
XX1;Registered;05/01/2024;Ashcombe;03/01/2024;Jones;Tom;30/06/1950;M;9 Hill;;Westbury;AB3 4GH;Jones;Ann;;;jj
ABC-2024-0005;Registered;05/01/2024;Ashcombe
`, `/dateOfDeath <- Date of death (sure) a date written day/month/year
/deceased/address/lines <- Address 1 + Address 2 (likely) as a list
/deceased/address/postcode <- Postcode (sure) 
/deceased/address/town <- Town (sure) 
/deceased/dateOfBirth <- DoB (sure) a date written day/month/year
/deceased/name/family <- Surname (sure) 
/deceased/name/given <- Forenames (sure) 
/deceased/sex <- Sex (sure) words of the file as those of the record type
/district <- District (sure) 
/informant/email <- Informant email (sure) 
/informant/name/family <- Informant surname (sure) 
/informant/name/given <- Informant forename (sure) 
/informant/relationship <- Relationship (sure) 
/registeredOn <- Date registered (sure) a date written day/month/year
/registration <- Reg No (sure) 
/status <- Status (sure) words of the file as those of the record type
missing [] unused ["Clerk"] good 3 of 5, unreadable 1
`},
		{"payments.csv", "elsewhere/payment.json", "Payment Reference,Amount (£),Date Paid,Fund Code,Payer\nP1,12.50,01/04/2024,CT,Smith\nP2,\"1,200.00\",02/04/2024,HB,Jones\nP3,7,30/04/2024,CT,O'Neill\n",
			`/fund <- Fund Code (likely) 
/on <- Date Paid (likely) a date written day/month/year
/pence <- Amount (£) (perhaps) pounds as pence
/reference <- Payment Reference (likely) 
missing [] unused ["Payer"] good 3 of 3, unreadable 0
`},
		{"awards.csv", "benefit-award.json", "Award Ref,Benefit Type,Start Date,End Date,Claimant Name,Claimant DoB,Household Income,Address Line 1,Address Line 2,Town,Post Code\n" +
			"AW-10001,Universal Credit,01/04/2024,,Jane Smith,01/02/1980,\"£7,412.00\",1 High St,,Ashcombe,AB1 2CD\nAW-10002,Income support,2024-05-01,31/03/2025,Tom Van Dyke,30/06/1975,\"£12,000.50\",Flat 1,Mill Lane,Ashcombe,AB2 2CD\n",
			`/award <- Award Ref (likely) 
/benefit <- Benefit Type (sure) words of the file as those of the record type
/claimant/dateOfBirth <- Claimant DoB (sure) a date written day/month/year
/claimant/name/family <- Claimant Name (perhaps) the last word of a name
/claimant/name/given <- Claimant Name (perhaps) all but the last word of a name
/ends <- End Date (sure) a date written day/month/year
/household/address/lines <- Address Line 1 + Address Line 2 (likely) as a list
/household/address/postcode <- Post Code (sure) 
/household/address/town <- Town (sure) 
/household/income <- Household Income (sure) pounds as pence
/starts <- Start Date (sure) a date written day/month/year or year-month-day
missing [] unused [] good 0 of 2, unreadable 0
`},
		{"patients.ndjson", "life-event.json", `{"resourceType":"Patient","name":[{"family":"Koepp","given":["Abdul","B"]}],"birthDate":"1956-08-03","deceasedDateTime":"2001-02-03T10:00:00Z","address":[{"line":["1 Row"],"city":"Peabody","postalCode":"01940"}]}
{"resourceType":"Patient","name":[{"family":"Roe","given":["Ann"]}],"birthDate":"1950-01-03","deceasedDateTime":"2003-02-03T10:00:00Z","address":[{"line":["2 Row","x"],"city":"Salem","postalCode":"01941"}]}
`, `/event <- "death" (sure) the only value that it may have
/occurredOn <- deceasedDateTime (perhaps) the day of it
/person/address/lines <- /address/line (sure) 
/person/address/postcode <- /address/postalCode (sure) 
/person/address/town <- /address/city (sure) 
/person/dateOfBirth <- birthDate (sure) 
/person/name/family <- /name/family (sure) 
/person/name/given <- /name/given (sure) 
missing ["/standing"] unused ["resourceType"] good 0 of 2, unreadable 0
`},
		{"deaths.xml", "life-event.json", `<r><d><died>2024-01-01</died><p><surname>A</surname><born>1940-02-12</born><line>1 High St</line><line>Flat 2</line><town>T</town></p></d>
<d><died>2024-01-02</died><p><surname>B</surname><born>1941-02-12</born><line>2 High St</line><town>T</town></p></d></r>`, `/event <- "death" (sure) the only value that it may have
/occurredOn <- died (perhaps) 
/person/address/lines <- /p/line (sure) 
/person/address/town <- /p/town (likely) 
/person/dateOfBirth <- /p/born (likely) 
/person/name/family <- /p/surname (likely) 
missing ["/person/name/given" "/standing"] unused [] good 0 of 2, unreadable 0
`},
		{"deaths.ndjson", "elsewhere/payment.json", `{"reference":"a","pence":1,"on":"2024-01-02","other":true}`, ` <-  (sure) the rows are such records as they are
missing [] unused [] good 1 of 1, unreadable 0
`},
		{"odd.csv", "elsewhere/payment.json", "colour,size\nred,1\nblue,2\n", `missing ["/on" "/pence" "/reference"] unused ["colour" "size"] good 0 of 2, unreadable 0
`},
	} {
		s := propose(t, c.name, []byte(c.content), demo(t, c.schema))
		if got := text(s); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
		held(t, s)
	}
}

// held holds a proposal to what it promises: the map compiles, and the record type of
// the rows takes every row that could be read.
func held(t *testing.T, s *suggest.Suggestion) {
	t.Helper()
	files := map[string]string{}
	for _, f := range s.Files {
		files[filepath.Ext(f.Path)] = f.Text
	}
	if source := files[".blobl"]; len(s.Fields) > 0 && source != "" {
		if _, err := mapping.NewEnvironment().Compile(source); err != nil {
			t.Errorf("%s: %v\n%s", s.File, err, source)
		}
	}
	record, flow, two := strings.Cut(files[".yaml"], "---\n")
	if !two {
		return
	}
	if !strings.Contains(flow, "kind: Flow") {
		t.Errorf("%s: no flow:\n%s", s.File, flow)
	}
	fsys := fstest.MapFS{"r.yaml": {Data: []byte(record)}}
	for _, f := range s.Files[1:] {
		fsys[f.Path] = &fstest.MapFile{Data: []byte(f.Text)}
	}
	set, problems := def.Load(fsys, def.NewRegistry(contract.Kind(new(contract.Schemas)), iface.Kind(), def.Kind{Name: "System", Spec: new(struct{})}))
	if len(problems) > 0 {
		t.Fatalf("%s: %v\n%s", s.File, problems, record)
	}
	types, problems := contract.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, o := range set.Objects() {
		typ, ok := types.Type(reeve.RecordType(o.ID))
		if !ok {
			t.Fatal("no type", o.ID)
		}
		for _, e := range s.First {
			if _, problems := typ.Check(e.Row); len(problems) > 0 {
				t.Errorf("%s: %v", s.File, problems)
			}
		}
	}
}

// TestClasses sees the classes of fields come back to the columns.
func TestClasses(t *testing.T) {
	s := propose(t, "d.csv", []byte("District,Surname,Forenames\nA,Smith,Ann\n"), demo(t, "death.json"))
	if record := s.Files[0].Text; !strings.Contains(record, "level: internal\n    fields:\n      \"/Forenames\": confidential\n      \"/Surname\": confidential\n") {
		t.Error(record)
	}
}

// TestHostileNames puts names and values into a proposal that would be something else
// in YAML or in a map.
func TestHostileNames(t *testing.T) {
	s := propose(t, "a: {b}\n---.csv", []byte("\"on\n---\nx: y\",\"pence\"\"#\",reference]\n2024-01-02,5,\"a\"\"\nroot = deleted()\"\n2024-01-03,6,b\n"), demo(t, "elsewhere/payment.json"))
	if s.Good != 2 {
		t.Error(text(s))
	}
	held(t, s)
	s = propose(t, "deep.ndjson", []byte(`{"a":{"b.c":{"on \" }":"2024-01-02"}},"0":{"pence":5},"reference":{"":"x"}}`), demo(t, "elsewhere/payment.json"))
	held(t, s)
}

func TestNothingToRead(t *testing.T) {
	set, typ := typeOf(t, demo(t, "elsewhere/payment.json"))
	rd, err := format.NewReader(format.Spec{Name: "csv"}, strings.NewReader("a,b\n1,2,3\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = suggest.Suggest(context.Background(), suggest.Options{Name: "x.csv", Rows: rd, Set: set, Type: typ})
	if err == nil || reeve.Message(err) != "the file holds no row that can be read: line 2: the row has 3 cells where there are 2 columns" {
		t.Error(err)
	}
}
