// Package lists reads the lists that an inventory is made of: devices, people,
// seats, the general ledger, what is exploited and when products end, software
// and its bills of materials, measures and evidence.
//
// What is guaranteed: every row becomes an item or is told with the reason; ids
// are stable, so the same list gives the same items again; a file that is too
// large, too deep or made to do harm is refused. What not to assume: that what a
// list says is true, or that a list is whole.
package lists

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Settings of the lists.
const (
	Keeper    = "source" // who keeps the list
	Partial   = "partial"
	Component = "component"
	Product   = "product"
)

var (
	keeper  = importer.Setting{Name: Keeper, Label: "Who keeps the list?", Hint: "The name of the program or the team. The next list of the same name takes this one's place."}
	partial = importer.Setting{Name: Partial, Label: "Does the file name everything that the list holds?", Hint: "What a whole list no longer names is taken to be gone. What a part leaves out is kept.", YesNo: true}
)

// Sources are the lists that can be read, in the order in which a file is tried.
func Sources() []importer.Source {
	return []importer.Source{
		{
			Name: "kev", Title: "Known exploited vulnerabilities", Becomes: "vulnerabilities", Unit: "vulnerability", Files: []string{".json", ".csv"},
			Doc:    "The catalogue that CISA publishes (known_exploited_vulnerabilities), as JSON or CSV. Fetch it from cisa.gov; nothing here fetches it by itself.",
			Detect: detectKEV, Read: readKEV, Vocabulary: kevColumns(),
		},
		{
			Name: "endoflife", Title: "End of life of products", Becomes: "release cycles", Unit: "release", Files: []string{".json"},
			Doc:      "A product of endoflife.date, as its API gives it: /api/{product}.json, /api/v1/products/{product} or /api/v1/products/full.",
			Settings: []importer.Setting{{Name: Product, Label: "Which product is it?", Hint: "Only where the file does not say it, and is not named after it: mssqlserver."}},
			Detect:   detectEOL, Read: readEOL,
		},
		{
			Name: "cyclonedx", Title: "Software bill of materials", Becomes: "software", Unit: "component", Files: []string{".json", ".xml"},
			Doc:      "A CycloneDX file, as JSON or XML: what a component is made of.",
			Settings: []importer.Setting{{Name: Component, Label: "Which component is it of?", Hint: "Id of the component, or of the asset that it is installed on: cmp-finance-database. If empty, the name in the file is taken."}},
			Detect:   detectBOM, Read: readBOM,
		},
		{
			Name: "graph-devices", Title: "Devices of Microsoft Intune, JSON", Becomes: "devices", Unit: "device", Files: []string{".json"},
			Doc:      "The answer of Microsoft Graph to /deviceManagement/managedDevices.",
			Settings: []importer.Setting{keeper, partial}, Detect: detectGraph, Read: readGraph,
		},
		{
			Name: "fleet-hosts", Title: "Devices of Fleet, JSON", Becomes: "devices, and the software on them", Unit: "host", Files: []string{".json"},
			Doc:      "The answer of Fleet to /api/v1/fleet/hosts, with or without its software.",
			Settings: []importer.Setting{keeper, partial}, Detect: detectFleet, Read: readFleet,
		},
		table("devices", "Devices and other assets", "devices", "Any list of assets: what Microsoft Intune or Fleet export as CSV, or a register of any headings.", assetColumns(), []string{"serial"}, takeAssets),
		table("people", "People and posts", "people", "The directory: an id or mail address, the name, and whether the account is active.", peopleColumns(), []string{"active", "name"}, takePeople),
		table("ledger", "General ledger", "ledger lines", "Payments as the ledger prints them: dates as 31/03/2026 or 2026-03-31, amounts as £1,234.50, (12.00), 12.00 CR.", ledgerColumns(), []string{"amount", "on", "supplier"}, takeLedger),
		table("seats", "Seats and sign-ins", "seats", "Who may use a system, when they last did, and how they signed in.", seatColumns(), []string{"system", "person"}, takeSeats),
		table("measures", "Measures", "points of measures", "Numbers by series and day: tickets, changes, procurement, intake.", pointColumns(), []string{"series", "value"}, takePoints),
		table("evidence", "Evidence", "evidence", "What somebody outside observed about an entity, for standards that nothing here can compute.", evidenceColumns(), []string{"fact", "value"}, takeEvidence),
		table("software", "Installed software", "software", "Products and versions by device or component.", softwareColumns(), []string{"on", "name", "version"}, takeSoftware),
	}
}

// table is a list of rows with headings. It is recognised by headings that mean
// the fields in sure.
func table(name, title, becomes, doc string, v *sheet.Vocabulary, sure []string, take func(*reading) func(*sheet.Line) bool) importer.Source {
	return importer.Source{
		Name: name, Title: title, Becomes: becomes, Doc: doc, Unit: "row", Files: []string{".csv", ".xlsx"}, Vocabulary: v, Settings: []importer.Setting{keeper, partial},
		Detect: func(head []byte, _ string) bool { return detectTable(head, v, sure) },
		Read: func(_ context.Context, in importer.Input) (*importer.Reading, error) {
			r, lines, err := importer.Open(v, in)
			if err != nil {
				return nil, err
			}
			r.Source, r.Unit = name, "row"
			x := &reading{Reading: r, lines: lines, in: in, name: title}
			x.list(x.keeper(name, title), name != "ledger" && name != "measures" && name != "evidence")
			r.Each(lines, in.Progress, take(x))
			if x.after != nil {
				x.after()
			}
			x.careful()
			return r, nil
		},
	}
}

// reading is a list being read.
type reading struct {
	*importer.Reading
	lines *sheet.Lines
	in    importer.Input
	name  string
	after func()
}

// list says whose list it is. whole is whether such a list names everything.
func (r *reading) list(keeper string, whole bool) {
	r.List = inventory.Import{Source: keeper, File: r.in.Name, Whole: whole}
	if s := strings.TrimSpace(r.in.Settings[Keeper]); s != "" {
		r.List.Source = s
	}
	if yes, err := sheet.Yes(r.in.Settings[Partial]); err == nil && yes {
		r.List.Whole = false
	}
}

// careful takes nothing back where something could not be read: what could not be
// may be just what seems to be missing.
func (r *reading) careful() {
	if r.Failed > 0 && r.List.Whole {
		r.List.Whole = false
		r.Note("As not all of it could be read, nothing is taken back that it does not name. Correct what is told above and import it again.")
	}
}

// keeper guesses who keeps a list. Several may keep lists of devices, software and
// seats: those are told apart by the names of their files, without the day in them.
func (r *reading) keeper(name, title string) string {
	if name != "devices" && name != "software" && name != "seats" {
		return title
	}
	for _, h := range r.lines.Names {
		if w := sheet.Words(h); w == "primary user upn" || w == "azure ad device id" || w == "azure a d device id" {
			return "Intune"
		}
	}
	if s := strings.Trim(undated.ReplaceAllString(bare(r.in.Name), " "), " _-."); s != "" {
		return sheet.Clean(s)
	}
	return title
}

// undated matches what says the day of a list in the name of its file.
var undated = regexp.MustCompile(`[\d_.\-()]*\d[\d_.\-()]*`)

func (r *reading) add(items ...inventory.Item) { r.Items = append(r.Items, items...) }

// detectTable looks for headings in the first lines of a text.
func detectTable(head []byte, v *sheet.Vocabulary, sure []string) bool {
	if len(head) == 0 || bytes.HasPrefix(head, []byte("PK")) || head[0] == '{' || head[0] == '[' || head[0] == '<' {
		return false
	}
	list, err := v.Open(&sheet.File{Reader: bytes.NewReader(whole(head)), Name: "the file"}, nil)
	if err != nil {
		return false
	}
	has := map[string]bool{}
	for _, c := range list.Mapping.Columns {
		has[c.Field] = true
	}
	for _, f := range sure {
		if !has[f] {
			return false
		}
	}
	return true
}

// whole cuts a text after its last whole line.
func whole(head []byte) []byte {
	if i := bytes.LastIndexByte(head, '\n'); i > 0 {
		return head[:i]
	}
	return head
}

// bare is the name of a file without folder and ending.
func bare(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	return strings.TrimSuffix(name, path.Ext(name))
}

// email is a mail address as it is compared, "" for what is none.
func email(s string) string {
	if strings.Count(s, "@") != 1 || strings.ContainsAny(s, " <>,;") {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(s))
}

// personKey is how lists name people: by mail address, else as they stand.
func personKey(s string) string {
	if e := email(s); e != "" {
		return e
	}
	return sheet.Clean(s)
}

// dayOf is the day in a time as programs write it, "2026-01-31T10:22:00Z"; zero
// for none, and for the year 1 that some write for never.
func dayOf(s string) (d def.Date, ok bool) {
	if len(s) < 10 {
		return d, s == ""
	}
	d, err := def.ParseDate(s[:10])
	if err != nil || d.Year < 1990 {
		return def.Date{}, err == nil
	}
	return d, true
}
