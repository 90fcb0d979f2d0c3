package published

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// Services is the list of links to the services of councils.
var Services = importer.Source{
	Name: "service-links", Title: "Links to council services", Becomes: "services of one council, with their numbers and web addresses", Unit: "row",
	Doc:   "Links of the local government services list, as local-links-manager publishes them: council, service, interaction, address and, without headings, the two numbers. Rows of other councils are left out and counted.",
	Files: []string{".csv"}, Detect: headed("la", "lgsl", "lgil", "link"), Read: readServices,
	Settings: []importer.Setting{
		{Name: "council", Label: "Which council?", Hint: "As the list writes it: stockport", Required: true},
		{Name: "organisation", Label: "Id of the organisation that provides the services", Hint: "For example org-ashcombe. Leave it empty if you do not know."},
	},
}

// interactions are what a link is for, in the order in which it is the way in.
var interactions = map[string]int{
	"applications-for-service": 1, "paying-for-goods-and-services": 2, "booking": 3, "reporting": 4, "providing-information": 5,
}

// link is a row of the list.
type link struct {
	row              int
	service, purpose string
	address          string
	lgsl             int
}

func readServices(_ context.Context, in importer.Input) (*importer.Reading, error) {
	council := strings.TrimSpace(in.Settings["council"])
	if in.Reader == nil {
		return nil, reeve.E(reeve.Invalid, "import", "%s is a folder; this takes a file", in.Name)
	}
	t, err := sheet.Read(in.Reader, in.Name, "")
	if err != nil {
		return nil, err
	}
	if len(t.Rows) < 2 {
		return nil, reeve.E(reeve.Invalid, "import", "%s has no rows below its headings", in.Name)
	}
	r := &importer.Reading{File: in.Name, Notes: t.Notes}
	r.Note("The first line names 4 columns and the rows have 6 cells: the fifth was taken as the number of the service, the sixth as that of the interaction.")
	s := &services{r: r, council: council, councils: map[string]int{}, first: map[string]int{}}
	for i, row := range t.Rows[1:] {
		r.Rows++
		s.row(row)
		if in.Progress != nil && i%1000 == 999 {
			in.Progress(i + 1)
		}
	}
	if council == "" {
		return nil, reeve.E(reeve.Invalid, "import", "say which council the services are of (council=NAME); the list has %s", s.known())
	}
	if s.councils[council] == 0 {
		return nil, reeve.E(reeve.Invalid, "import", "the list has no council %q; it has %s", council, s.known())
	}
	s.define(strings.TrimSpace(in.Settings["organisation"]))
	r.Sort()
	return r, nil
}

type services struct {
	r        *importer.Reading
	council  string
	councils map[string]int
	first    map[string]int // rows by their whole text
	links    []link
}

// known names the councils of the list.
func (s *services) known() string {
	var names []string
	for c := range s.councils {
		names = append(names, c)
	}
	slices.Sort(names)
	if more := len(names) - 12; more > 0 {
		return strings.Join(names[:12], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// row reads a row. An address that holds commas and stands without quotation marks
// spreads over several cells: what is between the first three and the last two is
// the address.
func (s *services) row(row sheet.Row) {
	cells := slices.Clone(row.Cells)
	for len(cells) > 6 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) < 6 {
		s.r.Fail(row.N, "", "the row has %d cells where 6 are needed: council, service, interaction, address and two numbers", len(cells))
		return
	}
	n := len(cells)
	council := strings.TrimSpace(cells[0])
	s.councils[council]++
	if council != s.council {
		s.r.Skipped++
		return
	}
	whole := strings.Join(cells, "\x1f")
	if first, again := s.first[whole]; again {
		s.r.Repeated++
		s.r.Problem(row.N, "", "the row is the same as row %d; it was taken once", first)
		return
	}
	s.first[whole] = row.N
	lgsl, err := strconv.Atoi(strings.TrimSpace(cells[n-2]))
	if err != nil || lgsl <= 0 {
		s.r.Fail(row.N, "fifth cell", "%q is not the number of a service", sheet.Clean(cells[n-2]))
		return
	}
	address, err := sheet.Address(strings.Join(cells[3:n-2], ","))
	if err != nil {
		s.r.Fail(row.N, "link", "%v", err)
		return
	}
	interaction := strings.TrimSpace(cells[2])
	if interactions[interaction] == 0 {
		s.r.Problem(row.N, "lgil", "the interaction %q is not known; it was taken as giving information", sheet.Clean(interaction))
	}
	s.links = append(s.links, link{row.N, strings.TrimSpace(cells[1]), interaction, address, lgsl})
	s.r.Taken++
}

// define makes one service of the links of a number. The way in is the link to
// apply, else to pay, to report, to read about it.
func (s *services) define(organisation string) {
	by := map[int][]link{}
	var numbers []int
	for _, l := range s.links {
		if by[l.lgsl] == nil {
			numbers = append(numbers, l.lgsl)
		}
		by[l.lgsl] = append(by[l.lgsl], l)
	}
	slices.Sort(numbers)
	several := 0
	for _, n := range numbers {
		links := by[n]
		slices.SortStableFunc(links, func(a, b link) int { return cmp.Compare(rank(a), rank(b)) })
		first := links[0]
		spec := catalogue.Spec{Audience: "public", LGSL: []int{n}, Organisation: organisation, Channels: catalogue.Channels{Online: first.address}}
		if r := rank(first); r < 5 {
			spec.Request = first.address
		}
		d := importer.Define("Service", fmt.Sprintf("svc-%s-lgsl-%d", sheet.Slug(s.council), n), sentence(first.service), first.row, spec)
		d.Label("import/service-links", fmt.Sprintf("%s/%d", s.council, n))
		d.Default = []string{"spec.audience", "metadata.name"}
		s.r.Definitions = append(s.r.Definitions, d)
		for _, l := range links[1:] {
			several++
			if l.purpose == first.purpose && l.address != first.address {
				s.r.Problem(l.row, "link", "row %d has another address for the same service and interaction, which was taken", first.row)
			}
		}
	}
	if several > 0 {
		s.r.Note("%s more for a service that has one already: the one to apply was taken, else to pay, to report, to read about it.", quantity(several, "row is one link", "rows are links"))
	}
}

func rank(l link) int {
	if r := interactions[l.purpose]; r > 0 {
		return r
	}
	return 9
}

// sentence makes a name of a word of an address: "school-clothing-grants".
func sentence(slug string) string {
	s := strings.ReplaceAll(slug, "-", " ")
	if s == "" {
		return "Service without a name"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
