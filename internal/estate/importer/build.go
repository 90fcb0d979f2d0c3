package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// builder gathers definitions row by row.
type builder struct {
	res     *Reading
	parent  string                    // id of the organisation that departments belong to, "" for none
	used    map[string]map[string]int // ids given out, by kind; the row that made them
	known   map[string]string         // "Organisation/adult social care" to id
	systems []made[system.Spec]
	beside  []Definition // organisations and capabilities, as they are named

	contracts   []*made[supplier.Spec]
	byReference map[string]*made[supplier.Spec]
}

// made is a definition in the making.
type made[T any] struct {
	id, name, reference string
	row                 int
	spec                T
}

func newBuilder(res *Reading, parent string) *builder {
	return &builder{
		res: res, parent: parent,
		used: map[string]map[string]int{}, known: map[string]string{}, byReference: map[string]*made[supplier.Spec]{},
	}
}

// row makes a system of a row, or says why not.
func (b *builder) row(l *sheet.Line) bool {
	r := cells{l}
	title := r.Get(fieldName)
	switch {
	case title == "":
		b.res.Fail(l.N, r.Heading(fieldName), "there is no name, so no system was made")
		return false
	case slices.Contains([]string{"total", "totals", "grand total", "sub total", "subtotal"}, sheet.Words(title)):
		b.res.Fail(l.N, r.Heading(fieldName), "the row looks like a total, so no system was made")
		return false
	case title == r.Heading(fieldName):
		b.res.Fail(l.N, "", "the row repeats the headings")
		return false
	}
	if runes := []rune(title); len(runes) > 200 {
		b.res.Problem(l.N, r.Heading(fieldName), "the name has %d characters; the first 200 were taken", len(runes))
		title = strings.TrimSpace(string(runes[:200]))
	}
	s := made[system.Spec]{id: b.systemID(l.N, title, r), name: title, row: l.N, reference: r.Get(fieldReference)}
	b.describe(r, &s.spec)
	b.contract(r, s.id, title)
	b.systems = append(b.systems, s)
	return true
}

// systemID gives the system of a row its id. Two
// systems of one name are told apart by whose they are.
func (b *builder) systemID(row int, title string, r cells) string {
	id := "sys-" + sheet.Slug(title)
	first, taken := b.used["System"][id]
	if !taken {
		return b.claim("System", id, row)
	}
	for _, f := range []string{fieldOrganisation, fieldSupplier} {
		if v := r.Get(f); v != "" {
			if other := id + "-" + sheet.Slug(v); b.used["System"][other] == 0 {
				b.res.Problem(row, r.Heading(fieldName), "row %d has a system of the same name; this one was taken as %s: join them if they are one", first, other)
				return b.claim("System", other, row)
			}
		}
	}
	other := b.claim("System", id, row)
	b.res.Problem(row, r.Heading(fieldName), "row %d has a system of the same name; this one was taken as %s: join them if they are one", first, other)
	return other
}

// claim gives out an id, with a number if it is taken.
func (b *builder) claim(kind, id string, row int) string {
	if b.used[kind] == nil {
		b.used[kind] = map[string]int{}
	}
	free := func(id string) bool {
		_, taken := b.used[kind][id]
		return !taken
	}
	try := id
	for n := 2; !free(try); n++ {
		try = fmt.Sprintf("%s-%d", id, n)
	}
	b.used[kind][try] = row
	return try
}

// describe reads what a row says of the system itself.
func (b *builder) describe(r cells, s *system.Spec) {
	if v := r.Get(fieldDescription); v != "" {
		if runes := []rune(v); len(runes) > 4000 {
			r.Say(fieldDescription, "the text has %d characters; the first 4,000 were taken", len(runes))
			v = string(runes[:4000])
		}
		s.Description = v
	}
	s.Product = r.Get(fieldProduct)
	if v := r.Get(fieldOrganisation); v != "" {
		s.Organisation = b.organisation(r.N, v, "department")
	}
	s.Owner, s.Deputy = r.Person(fieldOwner), r.Person(fieldDeputy)
	for _, name := range sheet.Split(r.Get(fieldCapabilities)) {
		if id := b.capability(r.N, name); !slices.Contains(s.Capabilities, id) {
			s.Capabilities = append(s.Capabilities, id)
		}
	}
	s.Hosting = r.choose(fieldHosting)
	lifecycle := system.Lifecycle{Phase: r.choose(fieldPhase), Since: r.Date(fieldSince, false), End: r.Date(fieldEnd, true)}
	if lifecycle.Since != nil && lifecycle.End != nil && lifecycle.End.Before(*lifecycle.Since) {
		r.Say(fieldEnd, "%s is before the start on %s; neither date was used", lifecycle.End, lifecycle.Since)
		lifecycle.Since, lifecycle.End = nil, nil
	}
	if lifecycle != (system.Lifecycle{}) {
		s.Lifecycle = &lifecycle
	}
	b.describeAccess(r, s)
	if v := r.Get(fieldUsers); v != "" {
		s.Users = r.Number(fieldUsers, sheet.Count)
	}
	continuity := system.Continuity{RestoreTested: r.Date(fieldRestore, false)}
	if v := r.Get(fieldRTO); v != "" {
		continuity.RTOHours = r.Number(fieldRTO, func(s string) (int, error) { return sheet.Span(s, "hour") })
	}
	if continuity != (system.Continuity{}) {
		s.Continuity = &continuity
	}
}

// describeAccess reads how people and programs reach the system, and what it holds.
func (b *builder) describeAccess(r cells, s *system.Spec) {
	if v := r.Get(fieldAPIDocs); v != "" {
		if _, err := sheet.Address(v); err == nil {
			s.API = "documented"
		} else if yes, e := sheet.Yes(v); e == nil && yes {
			s.API = "documented"
		} else if e != nil {
			r.Say(fieldAPIDocs, "%v", err)
		}
	}
	if v := r.choose(fieldAPI); v != "" && s.API == "" {
		s.API = v
	}
	auth := system.Auth{Methods: r.several(fieldAuth)}
	if len(auth.Methods) > 1 && slices.Contains(auth.Methods, "none") {
		r.Say(fieldAuth, "it says both that there is a sign-in and that there is none; it was not used")
		auth.Methods = nil
	}
	if v := r.Get(fieldMFA); v != "" {
		if two, err := sheet.Yes(v); err != nil {
			r.Say(fieldMFA, "%v", err)
		} else {
			level := 1
			if two {
				level = 2
			}
			auth.Authn = &level
		}
	}
	if auth.Methods != nil || auth.Authn != nil {
		s.Auth = &auth
	}
	s.Clients, s.Audience = r.several(fieldClients), r.several(fieldAudience)
	if v := r.Get(fieldOnline); v != "" {
		if url, err := sheet.Address(v); err != nil {
			r.Say(fieldOnline, "%v", err)
		} else {
			s.Channels = &system.Channels{Online: url}
		}
	}
	var data system.Data
	if v := r.choose(fieldClass); v != "" {
		if class, err := reeve.ParseClass(v); err == nil {
			data.Class = &class
		}
	}
	if v := r.Get(fieldPersonal); v != "" {
		if personal, err := sheet.Yes(v); err != nil {
			r.Say(fieldPersonal, "%v", err)
		} else {
			data.Personal = &personal
		}
	}
	if data != (system.Data{}) {
		s.Data = &data
	}
}

// contract reads what a row says of the contract behind the system. Rows that
// name the same contract share it.
func (b *builder) contract(r cells, id, title string) {
	k := supplier.Spec{Systems: []string{id}, Reference: r.Get(fieldContract)}
	who := r.Get(fieldSupplier)
	if who != "" {
		k.Supplier = b.organisation(r.N, who, "supplier")
	}
	term := supplier.Term{Starts: r.Date(fieldTermStarts, false), Ends: r.Date(fieldTermEnds, true)}
	if v := r.Get(fieldNotice); v != "" {
		term.NoticeDays = r.Number(fieldNotice, func(s string) (int, error) { return sheet.Span(s, "day") })
	}
	switch {
	case term.Starts != nil && term.Ends != nil && term.Ends.Before(*term.Starts):
		r.Say(fieldTermEnds, "%s is before the start on %s; neither date was used", term.Ends, term.Starts)
		term = supplier.Term{}
	case term.NoticeDays != nil && term.Ends == nil:
		r.Say(fieldNotice, "without the end of the contract the notice says nothing; it was not used")
		term.NoticeDays = nil
	case term.Starts != nil && term.NoticeDays != nil && *term.NoticeDays > term.Ends.Sub(*term.Starts)+1:
		r.Say(fieldNotice, "notice of %d days is longer than the contract; it was not used", *term.NoticeDays)
		term.NoticeDays = nil
	}
	if term != (supplier.Term{}) {
		k.Term = &term
	}
	for _, c := range []struct {
		field string
		times int64
	}{{fieldCost, 1}, {fieldCostK, 1000}} {
		if v := r.Get(c.field); v != "" {
			if minor, err := sheet.Money(v, c.times); err != nil {
				r.Say(c.field, "%v", err)
			} else {
				k.Cost = []supplier.Cost{{Annual: minor / 100, Minor: minor % 100}}
			}
		}
	}
	if v := r.Get(fieldSeats); v != "" {
		k.Seats = r.Number(fieldSeats, sheet.Count)
	}
	if k.Supplier == "" && k.Reference == "" && k.Term == nil && k.Cost == nil && k.Seats == nil {
		return
	}
	key := sheet.Words(k.Reference) + "/" + k.Supplier
	if old, ok := b.byReference[key]; ok && k.Reference != "" {
		b.join(r, old, k)
		return
	}
	name := title
	if who != "" {
		name = title + " from " + who
	}
	made := &made[supplier.Spec]{id: b.claim("SupplierContract", "con-"+strings.TrimPrefix(id, "sys-"), r.N), name: name, row: r.N, reference: k.Reference, spec: k}
	b.contracts, b.byReference[key] = append(b.contracts, made), made
}

// join adds what another row says of a contract. What it says otherwise is told.
func (b *builder) join(r cells, old *made[supplier.Spec], k supplier.Spec) {
	old.spec.Systems = append(old.spec.Systems, k.Systems...)
	if len(k.Cost) > 0 {
		old.spec.Cost = append(old.spec.Cost, k.Cost...)
		if len(old.spec.Cost) > 1 {
			f := fieldCost
			if r.Heading(f) == "" {
				f = fieldCostK
			}
			r.Say(f, "the contract %s stands in an earlier row too; the two costs were added up", k.Reference)
		}
	}
	if k.Term != nil {
		if old.spec.Term == nil {
			old.spec.Term = k.Term
		} else if !sameDay(old.spec.Term.Ends, k.Term.Ends) || !sameDay(old.spec.Term.Starts, k.Term.Starts) {
			r.Say(fieldTermEnds, "the contract %s has other dates in an earlier row; those were kept", k.Reference)
		}
	}
	if k.Seats != nil && (old.spec.Seats == nil || *old.spec.Seats != *k.Seats) {
		if old.spec.Seats == nil {
			old.spec.Seats = k.Seats
		} else {
			r.Say(fieldSeats, "the contract %s has another number in an earlier row; that was kept", k.Reference)
		}
	}
}

func sameDay(a, b *def.Date) bool { return b == nil || a != nil && *a == *b }

// organisation finds or makes the organisation of a name.
func (b *builder) organisation(row int, name, kind string) string {
	key := "Organisation/" + sheet.Words(name)
	if id, ok := b.known[key]; ok {
		return id
	}
	spec := organisation.Spec{Type: kind}
	if kind == "department" {
		spec.Parent = b.parent
	}
	id := b.claim("Organisation", "org-"+sheet.Slug(name), row)
	b.known[key] = id
	b.beside = append(b.beside, minor(Define("Organisation", id, name, row, spec)))
	return id
}

// capability finds or makes the capability of a name.
func (b *builder) capability(row int, name string) string {
	key := "Capability/" + sheet.Words(name)
	if id, ok := b.known[key]; ok {
		return id
	}
	id := b.claim("Capability", "cap-"+sheet.Slug(name), row)
	b.known[key] = id
	b.beside = append(b.beside, minor(Define("Capability", id, name, row, capability.Spec{})))
	return id
}

func minor(d Definition) Definition {
	d.Minor = true
	return d
}

// definitions are what was gathered: what is named before what names it.
func (b *builder) definitions() []Definition {
	out := b.beside
	for _, s := range b.systems {
		d := Define("System", s.id, s.name, s.row, s.spec)
		d.Label("reference", s.reference)
		out = append(out, d)
	}
	for _, k := range b.contracts {
		d := Define("SupplierContract", k.id, k.name, k.row, k.spec)
		if k.reference != "" {
			d.Keys = append(d.Keys, "spec:reference="+k.reference)
		}
		out = append(out, d)
	}
	return out
}
