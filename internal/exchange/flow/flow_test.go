package flow_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

const byHTTP = "style: api\naddress: env:TAX\nrepeat: key"

// A death reaches council tax once, cut down and in its own shape, journalled
// before it is sent and after it arrived; what the trail says is true.
func TestARecordReachesItsReceiver(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, `
target: rec-exemption.v1
filter: 'record.name != "Person 2"'
map: tax.blobl`), map[string]string{"tax.blobl": `root = {"who": this.name.uppercase(), "id": meta("id"), "ref": this.registration, "pc": this.address.postcode}`})
		recs := r.accept(deaths(3)...)
		if l := r.leg(recs[0]); l.State != "waiting" || l.Why == "" {
			t.Errorf("before: %+v", l)
		}
		r.settle()
		got := recv.Effects()
		slices.SortFunc(got, func(a, b connectortest.Effect) int { return strings.Compare(a.ID, b.ID) })
		want := []connectortest.Effect{
			{ID: string(recs[0].ID), Body: fmt.Sprintf(`{"id":"%s","pc":"AB1 2CD","ref":"R1","who":"PERSON 1"}`, recs[0].ID)},
			{ID: string(recs[2].ID), Body: fmt.Sprintf(`{"id":"%s","pc":"AB3 2CD","ref":"R3","who":"PERSON 3"}`, recs[2].ID)},
		}
		if !slices.Equal(got, want) {
			t.Errorf("effects %q, want %q", got, want)
		}
		if l := r.leg(recs[0]); l.State != "delivered" || l.At == nil || l.Agreement != "agr-tax" || l.Purpose != "exemption" ||
			!slices.Equal(l.Fields, []string{"/id", "/registration", "/name", "/address/postcode"}) || l.System != "sys-tax" || l.Organisation != "org-body" {
			t.Errorf("delivered: %+v", l)
		}
		if l := r.leg(recs[1]); l.State != "filtered" {
			t.Errorf("filtered: %+v", l)
		}
		for _, rec := range recs {
			n := 1
			if rec.N == recs[1].N {
				n = 0
			}
			if d, a := r.count("disclosing", rec.ID), r.count("delivered", rec.ID); d != n || a != n {
				t.Errorf("%s: %d disclosing, %d delivered entries, want %d", rec.ID, d, a, n)
			}
		}
		if s := r.stat(); s.Delivered != 2 || s.Filtered != 1 || s.Waiting != 0 || s.Lag != 0 || s.State != "running" {
			t.Errorf("volumes: %+v", s)
		}
		r.kill()
		r.settle()
		if n := recv.Requests(); n != 2 {
			t.Errorf("%d requests after a restart, want 2", n)
		}
	})
}

// No field outside the agreement reaches a map, a target or a message, whatever
// the map tries.
func TestNoMapSmuggles(t *testing.T) {
	for name, m := range map[string]string{
		"everything":  `root = this`,
		"by name":     `root.who = this.ssn | "none"` + "\nroot.x = this.cause\nroot.y = this.address",
		"content":     `root = this.string()`,
		"an object":   `root.who = this.format_json().string()`,
		"metadata":    `root.who = metadata().string()`,
		"an error":    `root.who = throw("%s" + this.format_json().string() + this.cause.string())`,
		"a type":      `root.who = this.cause.number()`,
		"keys":        `root.who = this.key_values().string()`,
		"a wildcard":  `root.all = this.map_each(item -> item.value.string())`,
		"the target":  `root = {"who": "", "ssn": this.ssn}`,
		"json":        `root.who = json("ssn").string() + json().string()`,
		"recursion":   "map w { root = this.map_each(i -> i.value) }\nroot.who = this.apply(\"w\")",
		"assign":      `root = this.merge(this.without("name"))`,
		"explode":     `root = this.explode("address")`,
		"collapse":    `root = this.collapse()`,
		"condition":   `root.who = if this.ssn == "SECRET-1" { "SECRET-1" } else { "no" }`,
		"match":       `root.who = match this { this.cause == "SECRETCAUSE" => "SECRETCAUSE", _ => "no" }`,
		"a variable":  "let x = this\nroot.who = $x.string()",
		"deep":        `root.who = this.address.line.or("no")`,
		"exists":      `root.who = if this.exists("cause") { "SECRETCAUSE is there" } else { "no" }`,
		"no map":      "",
		"error catch": `root.who = (this.ssn + 5).catch(err -> err)`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"", "target: rec-exemption.v1"} {
				r := newRig(t, "")
				recv := connectortest.NewReceiver(t)
				r.env["TAX"] = recv.Server.URL
				spec, files := "expect: {every: 1h}\n"+target, map[string]string{"m.blobl": m}
				if m != "" {
					spec += "\nmap: m.blobl"
				}
				r.use("none", toTax(byHTTP, spec), files)
				rec := r.accept(death(1))[0]
				r.settle()
				seen := fmt.Sprint(recv.Effects(), r.parked, r.logged.String(), r.leg(rec), r.entries())
				if strings.Contains(seen, "SECRET") {
					t.Errorf("something outside the agreement came through: %s", seen)
				}
				if len(recv.Effects())+len(r.parked) != 1 {
					t.Errorf("the record went nowhere: %s", seen)
				}
			}
		})
	}
}

// What a flow cannot filter, map or check is parked with its problems; the others
// go on, and it is tried again when a person says so.
func TestStuckRecordsAreParked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		dir := t.TempDir()
		r.env["TAX"] = "file://" + dir
		use := func(m string) {
			r.use("none", toTax("style: file\naddress: env:TAX", "target: rec-exemption.v1\nfilter: 'record.address.postcode != \"AB5 2CD\"'\nmap: m.blobl"),
				map[string]string{"m.blobl": m})
		}
		use(`root.who = this.name.slice(1)`)
		recs := r.accept(death(1), `{"registration":"R2","name":"No postcode","cause":"x"}`, `{"registration":"R3","address":{"postcode":"X"}}`,
			`{"registration":"R4","name":"Y","address":{"postcode":"X"}}`, death(5), death(6))
		r.settle()
		if got := lines(t, dir); !slices.Equal(got, []string{`{"who":"erson 1"}`, `{"who":"erson 6"}`}) {
			t.Errorf("file: %q", got)
		}
		if len(r.parked) != 3 {
			t.Fatalf("parked: %+v", r.parked)
		}
		for i, want := range []string{"/address/postcode", "map: ", `"/who"`} {
			if p := r.parked[i]; p.record != recs[i+1].ID || p.flow != "flow-tax" || !strings.Contains(p.problems, want) {
				t.Errorf("parked %d: %+v, want %s", i, p, want)
			}
			if l := r.leg(recs[i+1]); l.State != "parked" {
				t.Errorf("trail of parked: %+v", l)
			}
		}
		if r.leg(recs[4]).State != "filtered" {
			t.Errorf("%+v", r.leg(recs[4]))
		}
		use(`root.who = this.name | "nobody"`)
		for _, i := range []int{2, 3} {
			r.check(r.db.Update(t.Context(), func(tx *storeTx) error { return r.runner.Retry(tx, "flow-tax", recs[i].N) }))
		}
		if l := r.leg(recs[2]); l.State != "waiting" {
			t.Errorf("retried: %+v", l)
		}
		r.settle()
		if got := lines(t, dir); len(got) != 4 || !slices.Contains(got, `{"who":"nobody"}`) || !slices.Contains(got, `{"who":"Y"}`) {
			t.Errorf("file after a retry: %q", got)
		}
		if l := r.leg(recs[2]); l.State != "delivered" {
			t.Errorf("retried and delivered: %+v", l)
		}
	})
}

// An agreement that has ended stops its flow at once, before anything is
// disclosed and at every attempt; the flow goes on when it is in force again.
func TestAgreementEnds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		recv.Behave(connectortest.Busy)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, ""), nil)
		first := r.accept(death(1))[0]
		r.settle()
		if recv.Requests() != 1 || r.leg(first).State != "waiting" || !strings.Contains(r.leg(first).Why, "503") {
			t.Fatalf("%d requests, %+v", recv.Requests(), r.leg(first))
		}
		r.now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		recv.Behave(connectortest.Healthy)
		second := r.accept(death(2))[0]
		r.settleOver()
		if recv.Requests() != 1 {
			t.Errorf("%d requests after the agreement ended", recv.Requests())
		}
		for _, rec := range []int64{first.N, second.N} {
			legs, err := r.runner.Trail(t.Context(), rec, "rec-death.v1")
			r.check(err)
			if legs[0].State != "waiting" || !strings.Contains(legs[0].Why, "ended on 2026-12-31") {
				t.Errorf("%+v", legs[0])
			}
		}
		if r.count("disclosing", second.ID) != 0 {
			t.Error("journalled as disclosed without an agreement")
		}
		if s := r.stat(); s.State != "stopped" || s.Lag != 1 || s.Waiting != 1 || !strings.Contains(s.Why, "2026-12-31") {
			t.Errorf("%+v", s)
		}
		b := r.src["body.yaml"]
		b.Data = []byte(strings.Replace(string(b.Data), "ends: 2026-12-31", "ends: 2028-12-31", 1))
		r.load()
		r.settleOver()
		if len(recv.Effects()) != 2 || r.leg(second).State != "delivered" {
			t.Errorf("after renewal: %d effects, %+v", len(recv.Effects()), r.leg(second))
		}
		// An agreement that has become narrower holds back what was frozen under the wider one.
		recv.Behave(connectortest.Busy)
		third := r.accept(death(3))[0]
		r.settle()
		b.Data = []byte(strings.Replace(string(b.Data), "/name, ", "", 1))
		r.load()
		recv.Behave(connectortest.Healthy)
		r.settleOver()
		if len(recv.Effects()) != 2 || !strings.Contains(r.leg(third).Why, "/name") {
			t.Errorf("narrower: %d effects, %+v", len(recv.Effects()), r.leg(third))
		}
	})
}

// A flow keeps its place under a new id, begins where it says, and what a removed
// flow owed is held until it is back.
func TestFlowsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, ""), nil)
		r.accept(deaths(2)...)
		r.settle()
		yaml := toTax(byHTTP, "")
		renamed := strings.Replace(yaml, "{id: flow-tax, ", "{id: flow-exempt, formerly: [flow-tax], ", 1)
		r.use("none", renamed, nil)
		three := r.accept(death(3))[0]
		r.settle()
		if n := len(recv.Effects()); n != 3 || recv.Requests() != 3 || r.leg(three).Flow != "flow-exempt" {
			t.Fatalf("after a new name: %d effects, %d requests", n, recv.Requests())
		}
		recv.Behave(connectortest.Busy)
		four := r.accept(death(4))[0]
		r.settle()
		r.use("none", "", nil)
		recv.Behave(connectortest.Healthy)
		r.settleOver()
		if l := r.leg(four); len(recv.Effects()) != 3 || l.State != "held" || r.count("holding", "") != 1 {
			t.Errorf("removed: %d effects, %+v, %d entries", len(recv.Effects()), l, r.count("holding", ""))
		}
		if s := r.stat(); s.State != "held" || s.Waiting != 1 {
			t.Errorf("%+v", s)
		}
		r.use("none", renamed, nil)
		r.settleOver()
		if len(recv.Effects()) != 4 || r.leg(four).State != "delivered" || r.count("resumed", "") != 1 {
			t.Errorf("back: %d effects, %+v", len(recv.Effects()), r.leg(four))
		}
		now := strings.NewReplacer("flow-tax", "flow-new", "start: beginning", "start: now").Replace(yaml)
		r.use("none", now, nil)
		r.settle()
		five := r.accept(death(5))[0]
		r.settle()
		if len(recv.Effects()) != 5 || r.leg(five).State != "delivered" {
			t.Errorf("start now: %d effects", len(recv.Effects()))
		}
		r.pass(48 * time.Hour)
		r.use("none", strings.NewReplacer("flow-tax", "flow-day", "start: beginning", "start: 2026-11-22").Replace(yaml), nil)
		six := r.accept(death(6))[0]
		r.settle()
		if len(recv.Effects()) != 6 {
			t.Errorf("start on a day: %d effects", len(recv.Effects()))
		}
		legs, err := r.runner.Trail(t.Context(), five.N, five.Type)
		r.check(err)
		if legs[0].Flow != "flow-day" || legs[0].State != "filtered" || r.leg0(six.N).State != "delivered" {
			t.Errorf("%+v", legs[0])
		}
	})
}

func (r *rig) leg0(n int64) flow.Leg {
	legs, err := r.runner.Trail(r.t.Context(), n, "rec-death.v1")
	r.check(err)
	return legs[0]
}

// The journal is what lets anything leave: when it cannot be written, nothing is.
func TestNothingLeavesWithoutTheJournal(t *testing.T) {
	r := newRig(t, "")
	dir := t.TempDir()
	r.env["TAX"] = "file://" + dir
	r.use("none", toTax("style: file\naddress: env:TAX", ""), nil)
	r.accept(deaths(3)...)
	r.breakJournal()
	if _, err := r.runner.Step(t.Context()); err == nil {
		t.Error("the flow went on without its journal")
	}
	if _, err := r.desk.Step(t.Context()); err != nil {
		t.Error(err)
	}
	if got, _ := filepath.Glob(filepath.Join(dir, "*")); len(got) > 0 {
		t.Errorf("something left: %v", got)
	}
}

func TestCheck(t *testing.T) {
	var schemas contract.Schemas
	reg := def.NewRegistry(contract.Kind(&schemas), agreement.Kind(&schemas), iface.Kind(), flow.Kind(),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)})
	good := toTax(byHTTP, "map: m.blobl")
	for name, c := range map[string]struct{ old, new, want string }{
		"good":              {"", "", ""},
		"record":            {"record: rec-death.v1", "record: rec-exemption.v1", "does not cover rec-exemption.v1"},
		"purpose":           {"purpose: exemption", "purpose: advertising", "not for advertising"},
		"map":               {"map: m.blobl", "map: bad.blobl", "bad.blobl does not compile: line 2"},
		"env in a map":      {"map: m.blobl", "map: env.blobl", "env.blobl does not compile"},
		"no such file":      {"map: m.blobl", "map: none.blobl", "none.blobl"},
		"filter":            {"start: beginning", "filter: 'record.name =='", "body.yaml:"},
		"filter reads more": {"start: beginning", "filter: 'record.ssn == \"1\"'", "record.ssn, which the agreement does not name"},
		"start":             {"start: beginning", "start: tomorrow", "is not a start"},
		"receiver's party":  {"system: sys-tax", "system: sys-ero", "belongs to org-ero"},
		"giver":             {"from: org-body", "from: org-ero", "" /* part of the body */},
		"giver elsewhere":   {"to: org-body\n", "to: org-body\n", ""},
		"cannot deliver":    {"style: api\n", "style: manual\n", "of style manual"},
		"no address":        {"  address: env:TAX\n", "", "no address"},
		"drawn only":        {"  address: env:TAX\n", "", "no address"},
		"unknown interface": {"to: if-tax", "to: if-taxx", "if-tax"},
	} {
		src := strings.Replace(base, "ORDER", "none", 1) + good
		if !strings.Contains(src, c.old) {
			t.Fatalf("%s: %q is not there", name, c.old)
		}
		src = strings.Replace(src, c.old, c.new, 1)
		fs := fstest.MapFS{"body.yaml": {Data: []byte(src)}, "death.json": {Data: []byte(deathSchema)}, "exemption.json": {Data: []byte(exemptionSchema)},
			"m.blobl": {Data: []byte("root = this")}, "bad.blobl": {Data: []byte("root.a = 1\nroot.b = this.nope(")}, "env.blobl": {Data: []byte(`root = env("HOME")`)}}
		_, problems := def.Load(fs, reg)
		got := ""
		for _, p := range problems {
			got += p.String() + "\n"
		}
		if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
