package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// builder gathers definitions row by row.
type builder struct {
	res   *Result
	o     Options
	t     *table
	seen  map[string]int            // rows by their whole text
	names map[string]int            // rows by the name of their system
	used  map[string]map[string]int // ids given out, by kind; the row that made them
	known map[string]string         // "Organisation/adult social care" to id

	organisations []made[organisation.Spec]
	capabilities  []made[capability.Spec]
	systems       []made[system.Spec]
	contracts     []*made[supplier.Spec]
	byReference   map[string]*made[supplier.Spec]
	formulas      map[string]int // cells with a formula, by column
	blanks        int            // cells that say that nobody knows
}

// made is a definition to be written.
type made[T any] struct {
	id, name string
	labels   map[string]string
	spec     T
}

func newBuilder(res *Result, o Options, t *table) *builder {
	b := &builder{
		res: res, o: o, t: t,
		seen: map[string]int{}, names: map[string]int{}, formulas: map[string]int{},
		used: map[string]map[string]int{}, known: map[string]string{}, byReference: map[string]*made[supplier.Spec]{},
	}
	if o.Existing != nil {
		for _, x := range o.Existing.Objects() {
			b.known[x.Kind+"/"+words(x.Name)] = x.ID
		}
	}
	return b
}

func (b *builder) problem(row int, column, format string, args ...any) {
	b.res.Problems = append(b.res.Problems, RowProblem{row, column, fmt.Sprintf(format, args...)})
}

// row makes a system of a row, or says why not.
func (b *builder) row(l line, names []string) {
	b.res.Rows++
	whole := strings.Join(l.cells, "\x1f")
	if first, again := b.seen[whole]; again {
		b.res.Repeated++
		b.problem(l.n, "", "the row is the same as row %d; it was taken once", first)
		return
	}
	b.seen[whole] = l.n
	r := b.cells(l, names)
	title := r.take(fieldName)
	switch {
	case title == "":
		b.res.Failed++
		b.problem(l.n, r.heading(fieldName), "there is no name, so no system was made")
		return
	case slices.Contains([]string{"total", "totals", "grand total", "sub total", "subtotal"}, words(title)):
		b.res.Failed++
		b.problem(l.n, r.heading(fieldName), "the row looks like a total, so no system was made")
		return
	case title == r.heading(fieldName):
		b.res.Failed++
		b.problem(l.n, "", "the row repeats the headings")
		return
	}
	if runes := []rune(title); len(runes) > 200 {
		b.problem(l.n, r.heading(fieldName), "the name has %d characters; the first 200 were taken", len(runes))
		title = strings.TrimSpace(string(runes[:200]))
	}
	id := b.systemID(l.n, title, r)
	if id == "" {
		b.res.Existing++
		return
	}
	s := made[system.Spec]{id: id, name: title}
	if ref := r.take(fieldReference); ref != "" {
		s.labels = map[string]string{"reference": ref}
	}
	b.describe(r, &s.spec)
	b.contract(r, id, title)
	b.systems = append(b.systems, s)
	b.res.Systems++
}

// systemID gives the system of a row its id, "" if it is defined already. Two
// systems of one name are told apart by whose they are.
func (b *builder) systemID(row int, title string, r *cells) string {
	id := "sys-" + slug(title)
	if b.o.Existing != nil {
		old, ok := def.Get[system.Spec](b.o.Existing, id)
		if !ok {
			var same string
			if same, ok = b.known["System/"+words(title)]; ok {
				old, ok = def.Get[system.Spec](b.o.Existing, same)
			}
		}
		if ok {
			b.problem(row, r.heading(fieldName), "%s is defined already (%s:%d); it was left as it is", old.ID, old.File, old.Line)
			return ""
		}
	}
	first, taken := b.used["System"][id]
	if !taken {
		return b.claim("System", id, row)
	}
	for _, f := range []field{fieldOrganisation, fieldSupplier} {
		if v := r.peek(f); v != "" {
			if other := id + "-" + slug(v); b.used["System"][other] == 0 {
				b.problem(row, r.heading(fieldName), "row %d has a system of the same name; this one was taken as %s: join them if they are one", first, other)
				return b.claim("System", other, row)
			}
		}
	}
	other := b.claim("System", id, row)
	b.problem(row, r.heading(fieldName), "row %d has a system of the same name; this one was taken as %s: join them if they are one", first, other)
	return other
}

// claim gives out an id, with a number if it is taken.
func (b *builder) claim(kind, id string, row int) string {
	if b.used[kind] == nil {
		b.used[kind] = map[string]int{}
	}
	free := func(id string) bool {
		if _, taken := b.used[kind][id]; taken {
			return false
		}
		if b.o.Existing == nil {
			return true
		}
		_, taken := b.o.Existing.Lookup(kind, id)
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
func (b *builder) describe(r *cells, s *system.Spec) {
	if v := r.take(fieldDescription); v != "" {
		if runes := []rune(v); len(runes) > 4000 {
			r.tell(fieldDescription, "the text has %d characters; the first 4,000 were taken", len(runes))
			v = string(runes[:4000])
		}
		s.Description = v
	}
	s.Product = r.take(fieldProduct)
	if v := r.take(fieldOrganisation); v != "" {
		s.Organisation = b.organisation(r.n, v, "department")
	}
	s.Owner, s.Deputy = r.person(fieldOwner), r.person(fieldDeputy)
	for _, name := range list(r.take(fieldCapabilities)) {
		if id := b.capability(r.n, name); !slices.Contains(s.Capabilities, id) {
			s.Capabilities = append(s.Capabilities, id)
		}
	}
	s.Hosting = r.choose(fieldHosting)
	lifecycle := system.Lifecycle{Phase: r.choose(fieldPhase), Since: r.date(fieldSince, false), End: r.date(fieldEnd, true)}
	if lifecycle.Since != nil && lifecycle.End != nil && lifecycle.End.Before(*lifecycle.Since) {
		r.tell(fieldEnd, "%s is before the start on %s; neither date was used", lifecycle.End, lifecycle.Since)
		lifecycle.Since, lifecycle.End = nil, nil
	}
	if lifecycle != (system.Lifecycle{}) {
		s.Lifecycle = &lifecycle
	}
	b.describeAccess(r, s)
	if v := r.take(fieldUsers); v != "" {
		s.Users = number(r, fieldUsers, v, count)
	}
	continuity := system.Continuity{RestoreTested: r.date(fieldRestore, false)}
	if v := r.take(fieldRTO); v != "" {
		continuity.RTOHours = number(r, fieldRTO, v, func(s string) (int, error) { return span(s, "hour") })
	}
	if continuity != (system.Continuity{}) {
		s.Continuity = &continuity
	}
}

// describeAccess reads how people and programs reach the system, and what it holds.
func (b *builder) describeAccess(r *cells, s *system.Spec) {
	if v := r.take(fieldAPIDocs); v != "" {
		if _, err := address(v); err == nil {
			s.API = "documented"
		} else if yes, e := yes(v); e == nil && yes {
			s.API = "documented"
		} else if e != nil {
			r.tell(fieldAPIDocs, "%v", err)
		}
	}
	if v := r.choose(fieldAPI); v != "" && s.API == "" {
		s.API = v
	}
	auth := system.Auth{Methods: r.several(fieldAuth)}
	if len(auth.Methods) > 1 && slices.Contains(auth.Methods, "none") {
		r.tell(fieldAuth, "it says both that there is a sign-in and that there is none; it was not used")
		auth.Methods = nil
	}
	if v := r.take(fieldMFA); v != "" {
		if two, err := yes(v); err != nil {
			r.tell(fieldMFA, "%v", err)
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
	if v := r.take(fieldOnline); v != "" {
		if url, err := address(v); err != nil {
			r.tell(fieldOnline, "%v", err)
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
	if v := r.take(fieldPersonal); v != "" {
		if personal, err := yes(v); err != nil {
			r.tell(fieldPersonal, "%v", err)
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
func (b *builder) contract(r *cells, id, title string) {
	k := supplier.Spec{Systems: []string{id}, Reference: r.take(fieldContract)}
	who := r.take(fieldSupplier)
	if who != "" {
		k.Supplier = b.organisation(r.n, who, "supplier")
	}
	term := supplier.Term{Starts: r.date(fieldTermStarts, false), Ends: r.date(fieldTermEnds, true)}
	if v := r.take(fieldNotice); v != "" {
		term.NoticeDays = number(r, fieldNotice, v, func(s string) (int, error) { return span(s, "day") })
	}
	switch {
	case term.Starts != nil && term.Ends != nil && term.Ends.Before(*term.Starts):
		r.tell(fieldTermEnds, "%s is before the start on %s; neither date was used", term.Ends, term.Starts)
		term = supplier.Term{}
	case term.NoticeDays != nil && term.Ends == nil:
		r.tell(fieldNotice, "without the end of the contract the notice says nothing; it was not used")
		term.NoticeDays = nil
	case term.Starts != nil && term.NoticeDays != nil && *term.NoticeDays > term.Ends.Sub(*term.Starts)+1:
		r.tell(fieldNotice, "notice of %d days is longer than the contract; it was not used", *term.NoticeDays)
		term.NoticeDays = nil
	}
	if term != (supplier.Term{}) {
		k.Term = &term
	}
	for _, c := range []struct {
		field field
		times int64
	}{{fieldCost, 1}, {fieldCostK, 1000}} {
		if v := r.take(c.field); v != "" {
			if minor, err := money(v, c.times); err != nil {
				r.tell(c.field, "%v", err)
			} else {
				k.Cost = []supplier.Cost{{Annual: minor / 100, Minor: minor % 100}}
			}
		}
	}
	if v := r.take(fieldSeats); v != "" {
		k.Seats = number(r, fieldSeats, v, count)
	}
	if k.Supplier == "" && k.Reference == "" && k.Term == nil && k.Cost == nil && k.Seats == nil {
		return
	}
	key := words(k.Reference) + "/" + k.Supplier
	if old, ok := b.byReference[key]; ok && k.Reference != "" {
		b.join(r, old, k)
		return
	}
	name := title
	if who != "" {
		name = title + " from " + who
	}
	made := &made[supplier.Spec]{id: b.claim("SupplierContract", "con-"+strings.TrimPrefix(id, "sys-"), r.n), name: name, spec: k}
	b.contracts, b.byReference[key] = append(b.contracts, made), made
}

// join adds what another row says of a contract. What it says otherwise is told.
func (b *builder) join(r *cells, old *made[supplier.Spec], k supplier.Spec) {
	old.spec.Systems = append(old.spec.Systems, k.Systems...)
	if len(k.Cost) > 0 {
		old.spec.Cost = append(old.spec.Cost, k.Cost...)
		if len(old.spec.Cost) > 1 {
			f := fieldCost
			if r.heading(f) == "" {
				f = fieldCostK
			}
			r.tell(f, "the contract %s stands in an earlier row too; the two costs were added up", k.Reference)
		}
	}
	if k.Term != nil {
		if old.spec.Term == nil {
			old.spec.Term = k.Term
		} else if !sameDay(old.spec.Term.Ends, k.Term.Ends) || !sameDay(old.spec.Term.Starts, k.Term.Starts) {
			r.tell(fieldTermEnds, "the contract %s has other dates in an earlier row; those were kept", k.Reference)
		}
	}
	if k.Seats != nil && (old.spec.Seats == nil || *old.spec.Seats != *k.Seats) {
		if old.spec.Seats == nil {
			old.spec.Seats = k.Seats
		} else {
			r.tell(fieldSeats, "the contract %s has another number in an earlier row; that was kept", k.Reference)
		}
	}
}

func sameDay(a, b *def.Date) bool { return b == nil || a != nil && *a == *b }

// organisation finds or makes the organisation of a name.
func (b *builder) organisation(row int, name, kind string) string {
	key := "Organisation/" + words(name)
	if id, ok := b.known[key]; ok {
		return id
	}
	spec := organisation.Spec{Type: kind}
	if kind == "department" {
		spec.Parent = b.o.Organisation
	}
	id := b.claim("Organisation", "org-"+slug(name), row)
	b.known[key] = id
	b.organisations = append(b.organisations, made[organisation.Spec]{id: id, name: name, spec: spec})
	return id
}

// capability finds or makes the capability of a name.
func (b *builder) capability(row int, name string) string {
	key := "Capability/" + words(name)
	if id, ok := b.known[key]; ok {
		return id
	}
	id := b.claim("Capability", "cap-"+slug(name), row)
	b.known[key] = id
	b.capabilities = append(b.capabilities, made[capability.Spec]{id: id, name: name})
	return id
}

// slug makes the part of an id that comes from a name: its letters and digits,
// without accents, with dashes between. A long one is cut, and one that would be
// empty replaced, by a part that depends on the whole name.
func slug(name string) string {
	var out strings.Builder
	dash := false
	for _, c := range strings.ToLower(norm.NFKD.String(strings.ReplaceAll(name, "&", " and "))) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if dash && out.Len() > 0 {
				out.WriteByte('-')
			}
			dash = false
			out.WriteRune(c)
		case unicode.Is(unicode.Mn, c) || c == '\'' || c == '’':
		default:
			dash = true
		}
	}
	s := out.String()
	if len(s) >= 1 && len(s) <= 50 {
		return s
	}
	sum := sha256.Sum256([]byte(name))
	mark := hex.EncodeToString(sum[:4])
	if s == "" {
		return mark
	}
	return strings.Trim(s[:50], "-") + "-" + mark
}
