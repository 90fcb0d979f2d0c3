// Package estatetest makes estates of any size for tests and benchmarks: the same
// every time, and shaped like real ones, where a few capabilities, departments
// and suppliers have most of everything.
package estatetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Size is how much there is of everything.
type Size struct{ Systems, Interfaces, Flows, Assets int }

// Large is the estate for which the program's speed is promised.
var Large = Size{Systems: 10_000, Interfaces: 25_000, Flows: 25_000, Assets: 200_000}

// Over is a size n times smaller.
func (s Size) Over(n int) Size {
	return Size{s.Systems / n, s.Interfaces / n, s.Flows / n, s.Assets / n}
}

// Today is the day on which the estate is looked at.
var Today = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

var (
	services = []string{"Adult social care", "Benefits", "Bereavement", "Building control", "Bulky waste", "Cemeteries", "Children's services", "Council tax", "Democratic services", "Elections", "Environmental health", "Fleet", "Grants", "Highways", "Homelessness", "Housing", "Land charges", "Leisure", "Libraries", "Licensing", "Museums", "Parking", "Payroll", "Planning", "Procurement", "Public health", "Recycling", "Registrars", "School admissions", "School transport", "Street lighting", "Trading standards", "Trees", "Waste", "Youth services"}
	things   = []string{"case management", "register", "portal", "back office", "bookings", "payments", "mapping", "reporting", "documents", "scheduling", "inspections", "contact centre"}
	hosting  = []string{"saas", "saas", "saas", "paas", "public-cloud", "private-cloud", "on-premise", "on-premise"}
	phases   = []string{"live", "live", "live", "live", "live", "live", "pilot", "retiring", "planned", "retired"}
	styles   = []string{"api", "api", "file", "event", "db"}
	records  = []string{"person", "address", "payment", "case", "invoice", "application", "death", "employee", "asset", "inspection"}
	types    = []string{"laptop", "laptop", "laptop", "phone", "phone", "tablet", "server", "printer", "screen"}
	makers   = [][2]string{{"Dell", "Latitude 5440"}, {"Lenovo", "ThinkPad T14"}, {"Apple", "iPhone 14"}, {"HP", "EliteBook 840"}, {"Samsung", "Galaxy A54"}}
)

type draw struct {
	*rand.Rand
}

func newDraw(seed uint64) draw { return draw{rand.New(rand.NewPCG(seed, 3))} }

// few is a number below n, where low ones come far more often.
func (d draw) few(n int) int {
	if n < 2 {
		return 0
	}
	return int(rand.NewZipf(d.Rand, 1.2, 4, uint64(n-1)).Uint64())
}

func (d draw) one(of []string) string { return of[d.IntN(len(of))] }

// capabilities is how many capabilities stand at the top, and how many below them.
func capabilities(n int) (roots, leaves int) { return min(12, 3+n/100), min(240, 20+n/40) }

// Definitions is the folder of an estate.
func (s Size) Definitions() fstest.MapFS {
	fsys, d := fstest.MapFS{}, newDraw(1)
	var b bytes.Buffer
	file := func(name string) {
		fsys[name] = &fstest.MapFile{Data: bytes.Clone(b.Bytes())}
		b.Reset()
	}
	doc := func(kind, id, name, format string, args ...any) {
		fmt.Fprintf(&b, "---\napiVersion: reeve/v1\nkind: %s\nmetadata: {id: %s, name: %q}\nspec:\n  "+format+"\n", append([]any{kind, id, name}, args...)...)
	}
	roots, leaves := capabilities(s.Systems)
	departments, suppliers := min(60, 4+s.Systems/50), min(400, 5+s.Systems/20)
	doc("Organisation", "org-body", "The Borough", "type: council")
	for i := range departments {
		doc("Organisation", fmt.Sprintf("org-d%d", i), "Department of "+services[i%len(services)]+mark(i/len(services)), "type: department\n  parent: org-body")
	}
	for i := range suppliers {
		doc("Organisation", fmt.Sprintf("org-s%d", i), fmt.Sprintf("Supplier %d Ltd", i), "type: supplier")
	}
	for i := range roots {
		doc("Capability", fmt.Sprintf("cap-r%d", i), services[i]+" and the like", "description: A part of what the Borough does.")
	}
	for i := range leaves {
		doc("Capability", fmt.Sprintf("cap-%d", i), services[i%len(services)]+": "+things[i/len(services)%len(things)]+mark(i/len(services)/len(things)), "parent: cap-r%d", i%roots)
	}
	for i := range max(1, s.Systems/20) {
		doc("Site", fmt.Sprintf("site-%d", i), fmt.Sprintf("Building %d", i), "description: An office.")
	}
	file("body.yaml")
	for i := range s.Systems {
		leaf := d.few(leaves)
		doc("System", fmt.Sprintf("sys-%d", i), fmt.Sprintf("%s %s %d", services[leaf%len(services)], d.one(things), i),
			"organisation: org-d%d\n  owner: post-%d\n  capabilities: [cap-%d]\n  hosting: %s\n  lifecycle: {phase: %s, since: 20%02d-01-01}\n  auth: {methods: [oidc], identity: 2, authn: %d}\n  data: {class: %s}",
			d.few(departments), d.few(300), leaf, d.one(hosting), d.one(phases), 10+d.IntN(15), d.IntN(3)+1, d.one([]string{"public", "internal", "confidential", "restricted"}))
		if i%3 == 0 {
			doc("SupplierContract", fmt.Sprintf("con-%d", i), fmt.Sprintf("Contract %d", i), "supplier: org-s%d\n  systems: [sys-%d]\n  term: {starts: 2020-01-01, ends: 2028-01-01, noticeDays: 90}\n  cost: [{annual: %d}]", d.few(suppliers), i, 1000+i)
		}
		if i%4 == 0 {
			doc("Component", fmt.Sprintf("com-%d", i), fmt.Sprintf("Database of system %d", i), "system: sys-%d\n  product: {name: PostgreSQL, version: \"%d\"}", i, 11+d.IntN(6))
		}
		if i%500 == 499 || i == s.Systems-1 {
			file(fmt.Sprintf("systems/%d.yaml", i/500))
		}
	}
	return fsys
}

func mark(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d", n+1)
}

// Declared implements [register.Exchange]: the interfaces and flows.
func (s Size) Declared(*def.Set) (out register.Declared) {
	d := newDraw(2)
	for i, r := range records {
		out.RecordTypes = append(out.RecordTypes, register.RecordType{ID: "rec-" + r + ".v1", Name: r, Level: reeve.Class(i % 4)})
	}
	of := make([][]int, s.Systems)
	for i := range s.Interfaces {
		system := i
		if i >= s.Systems {
			system = d.few(s.Systems)
		}
		class := reeve.Class(d.IntN(4))
		of[system] = append(of[system], i)
		out.Interfaces = append(out.Interfaces, register.Interface{ID: fmt.Sprintf("if-%d", i), Name: fmt.Sprintf("Interface %d of system %d", i, system), System: fmt.Sprintf("sys-%d", system),
			Style: d.one(styles), Documented: i%3 > 0, Class: &class, Records: []string{"rec-" + d.one(records) + ".v1"}})
	}
	for i := range s.Flows {
		a := d.IntN(s.Systems)
		b := (a + 1 + d.few(s.Systems-1)) % s.Systems
		f := register.Flow{ID: fmt.Sprintf("flow-%d", i), Name: fmt.Sprintf("Flow %d", i), From: fmt.Sprintf("sys-%d", a), To: fmt.Sprintf("sys-%d", b), Record: "rec-" + d.one(records) + ".v1",
			Agreement: fmt.Sprintf("agr-%d", i%50), Purpose: "administration", Via: []string{"exchange", "exchange", "exchange", "direct", "manual"}[d.IntN(5)], Href: fmt.Sprintf("/staff/flows/flow-%d", i)}
		if len(of[a]) > 0 && len(of[b]) > 0 {
			f.FromInterface, f.ToInterface = fmt.Sprintf("if-%d", of[a][0]), fmt.Sprintf("if-%d", of[b][0])
		}
		out.Flows = append(out.Flows, f)
	}
	return out
}

// Observed is what went through the exchange.
func (s Size) Observed() *register.Observed {
	o := &register.Observed{Flows: map[string]register.FlowSeen{}}
	for i, f := range s.Declared(nil).Flows {
		if f.Via == "exchange" {
			seen := register.FlowSeen{Delivered: int64(i%977) * 13}
			if seen.Quiet = i%7 == 0; seen.Delivered > 0 {
				seen.Last = Today.Add(-time.Duration(i%400) * time.Hour)
			}
			o.Flows[f.ID] = seen
		}
	}
	for i := range min(5, s.Systems) {
		o.Undeclared = append(o.Undeclared, register.Sent{Organisation: "org-d0", System: fmt.Sprintf("sys-%d", i), Record: "rec-person.v1", Records: int64(7 * (i + 1)), Last: Today})
	}
	return o
}

// Inventory is what was imported.
func (s Size) Inventory() *inventory.Inventory {
	d := newDraw(3)
	inv := &inventory.Inventory{Version: 1, Imports: map[string]time.Time{}}
	for i := range s.Assets {
		m := makers[d.IntN(len(makers))]
		inv.Assets = append(inv.Assets, inventory.Asset{ID: fmt.Sprintf("ASH-%06d", i), Name: fmt.Sprintf("%s-%06d", m[0], i), Type: d.one(types), Maker: m[0], Model: m[1], Serial: fmt.Sprintf("SN%08X", d.Uint32()),
			State: "in-use", Holder: fmt.Sprintf("person-%d", d.IntN(5000)), Site: fmt.Sprintf("site-%d", d.few(max(1, s.Systems/20)))})
	}
	return inv
}

// Kinds are the kinds of definition that an estate is made of here.
func Kinds() []def.Kind {
	return append(standard.Kinds(), organisation.Kind(), site.Kind(), capability.Kind(), system.Kind(), component.Kind(), supplier.Kind(), catalogue.Kind())
}

// Snapshot loads, compiles and joins an estate.
func (s Size) Snapshot(t testing.TB) *register.Snapshot {
	t.Helper()
	set, problems := def.Load(s.Definitions(), def.NewRegistry(Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	snap := register.New(register.Parts{Model: m, Inventory: s.Inventory(), Declared: s.Declared(set), Observed: s.Observed(), At: Today})
	if err := snap.Judge(context.Background()); err != nil {
		t.Fatal(err)
	}
	return snap
}
