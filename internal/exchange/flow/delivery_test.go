package flow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

type storeTx = store.Tx

func (r *rig) breakJournal() {
	r.check(r.db.Update(r.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`alter table journal_pack rename to journal_pack_gone`)
		return err
	}))
}

var staff = reeve.Actor{ID: "staff/1", Kind: reeve.Staff}

// Killed after the receiver took an item and before the outcome was written, a
// receiver that recognises repeats has each once, under the same bytes.
func TestKilledBetweenEffectAndOutcome(t *testing.T) {
	for _, c := range []struct{ name, spec string }{
		{"key", byHTTP},
		{"put", "style: api\naddress: env:TAX\nrepeat: put\npath: /deaths/{key}"},
		{"lookup", "style: api\naddress: env:TAX\nrepeat: lookup\nlookup: /has/{id}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				recv := connectortest.NewReceiver(t)
				recv.Recognise = c.name != "lookup"
				r.env["TAX"] = recv.Server.URL
				r.use("none", toTax(c.spec, "map: m.blobl"), map[string]string{"m.blobl": "root = this\nroot.id = meta(\"id\")"})
				r.accept(deaths(60)...)
				kills := map[int]bool{3: true, 20: true, 41: true}
				recv.Judge = func(n int, _ string, _ []byte) connectortest.Mode { // one at a time
					if kills[n] {
						delete(kills, n)
						_ = r.db.Close()
						return connectortest.DyingAfterTake
					}
					return connectortest.Healthy
				}
				for range 10 {
					for {
						a, err1 := r.runner.Step(t.Context())
						b, err2 := r.desk.Step(t.Context())
						if err1 != nil || err2 != nil || a+b == 0 {
							break
						}
					}
					r.kill()
					r.pass(time.Minute)
				}
				r.settleOver()
				if got := recv.Effects(); len(got) != 60 {
					t.Errorf("%d effects of 60, %d requests", len(got), recv.Requests())
				}
				if len(kills) > 0 {
					t.Errorf("never killed at %v", kills)
				}
				if s := r.stat(); s.Delivered != 60 || s.Uncertain+s.Waiting != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A receiver that cannot recognise repeats is never sent anything twice unless a
// person says so.
func TestUnclearIsForAPerson(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		recv.Recognise = false
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax("style: api\naddress: env:TAX\nrepeat: none", ""), nil)
		recs := r.accept(deaths(4)...)
		recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
			switch {
			case strings.Contains(string(body), `"R2"`):
				return connectortest.DyingAfterTake
			case strings.Contains(string(body), `"R3"`):
				return connectortest.Broken
			}
			return connectortest.Healthy
		}
		r.settleOver()
		if recv.Requests() != 4 || len(recv.Effects()) != 3 {
			t.Fatalf("%d requests, %d effects", recv.Requests(), len(recv.Effects()))
		}
		us, err := r.desk.Uncertain(t.Context())
		r.check(err)
		if len(us) != 2 || r.leg(recs[1]).State != "uncertain" || r.stat().Uncertain != 2 {
			t.Fatalf("%+v, %+v", us, r.leg(recs[1]))
		}
		if r.count("attempting", recs[1].ID) != 1 || r.count("uncertain", recs[1].ID) != 1 {
			t.Error("the attempt or its end is not in the journal")
		}
		recv.Judge = nil
		r.kill()
		r.settleOver()
		if recv.Requests() != 4 {
			t.Errorf("%d requests: repeated without a decision", recv.Requests())
		}
		r.check(r.desk.Decide(t.Context(), staff, "flow-tax", recs[1].N, true))
		r.check(r.desk.Decide(t.Context(), staff, "flow-tax", recs[2].N, false))
		if err := r.desk.Decide(t.Context(), staff, "flow-tax", recs[1].N, false); reeve.KindOf(err) != reeve.Conflict {
			t.Errorf("decided twice: %v", err)
		}
		r.settleOver()
		if recv.Requests() != 5 || len(recv.Effects()) != 4 {
			t.Errorf("%d requests, %d effects after the decisions", recv.Requests(), len(recv.Effects()))
		}
		for _, rec := range recs {
			if l := r.leg(rec); l.State != "delivered" {
				t.Errorf("%+v", l)
			}
		}
		if r.count("settled-arrived", recs[1].ID) != 1 || r.count("send-again", recs[2].ID) != 1 {
			t.Error("the decisions are not in the journal")
		}
	})
}

// Killed in the middle of an attempt at such a receiver: uncertain, not repeated.
func TestKilledWhileSendingUnrepeatable(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		recv.Recognise = false
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax("style: api\naddress: env:TAX", ""), nil)
		r.accept(deaths(20)...)
		recv.Judge = func(n int, _ string, _ []byte) connectortest.Mode {
			if n == 10 {
				_ = r.db.Close()
			}
			return connectortest.Healthy
		}
		for { // until it is killed
			a, err1 := r.runner.Step(t.Context())
			b, err2 := r.desk.Step(t.Context())
			if err1 != nil || err2 != nil {
				break
			}
			if a+b == 0 {
				r.pass(time.Minute)
			}
		}
		r.kill()
		r.settleOver()
		us, err := r.desk.Uncertain(t.Context())
		r.check(err)
		seen := map[string]int{}
		for _, e := range recv.Effects() {
			seen[e.Body]++
		}
		for b, n := range seen {
			if n != 1 {
				t.Errorf("sent %d times: %s", n, b)
			}
		}
		s := r.stat()
		if len(us) == 0 || len(us) > 8 || int(s.Delivered)+len(us) != 20 || len(seen) < int(s.Delivered) {
			t.Errorf("%d uncertain, %d delivered, %d effects", len(us), s.Delivered, len(seen))
		}
	})
}

// A receiver that fails now and then, is slow, asks to be left alone and refuses
// one record gets everything else once.
func TestMisbehavingReceiver(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		recv.RetryAfter = "2"
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, ""), nil)
		recs := r.accept(deaths(150)...)
		recv.Judge = func(n int, _ string, body []byte) connectortest.Mode {
			switch {
			case strings.Contains(string(body), `"R77"`):
				return connectortest.Refusing
			case strings.Contains(string(body), `"R88"`):
				return connectortest.Broken // poison: it fails for ever
			case n%20 == 0:
				return connectortest.Busy
			case n%31 == 0:
				return connectortest.DyingAfterTake
			}
			return connectortest.Healthy
		}
		r.settleOver()
		if n := len(recv.Effects()); n != 148 {
			t.Errorf("%d effects", n)
		}
		if l := r.leg(recs[76]); l.State != "parked" {
			t.Errorf("refused: %+v", l)
		}
		if len(r.parked) < 1 || r.parked[0].record != recs[76].ID || !strings.Contains(r.parked[0].problems, "422") || strings.Contains(r.parked[0].problems, "Person") {
			t.Errorf("parked: %+v", r.parked)
		}
		if l := r.leg(recs[87]); l.State != "waiting" && l.State != "parked" {
			t.Errorf("poison: %+v", l)
		}
		// New records pass by the poison, which is parked in the end.
		for i := range 30 {
			r.accept(death(200 + i))
			r.settleOver()
		}
		if l := r.leg(recs[87]); l.State != "parked" || len(recv.Effects()) != 178 {
			t.Errorf("poison after 30 others: %+v, %d effects", l, len(recv.Effects()))
		}
	})
}

// A receiver that is down costs only itself: its backlog is bounded, and another
// flow goes on.
func TestDownReceiverCostsOnlyItself(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		dir := t.TempDir()
		r.env["TAX"], r.env["FILES"] = "http://127.0.0.1:1", "file://"+dir
		r.use("none", toTax(byHTTP, "")+toFile, nil)
		for i := range delivery.Ahead + 3 {
			var bodies []string
			for k := range 1000 {
				bodies = append(bodies, death(i*1000+k))
			}
			r.accept(bodies...)
		}
		r.settle()
		if n := len(lines(t, dir)); n != 1000*(delivery.Ahead+3) {
			t.Errorf("%d lines in the other's file", n)
		}
		ss, err := r.runner.Volumes(t.Context())
		r.check(err)
		if s := ss[1]; s.Waiting > 1000*delivery.Ahead || s.Lag < 3000 || s.State != "waiting" || s.Since.IsZero() || !strings.Contains(s.Why, "refused") {
			t.Errorf("%+v", s)
		}
	})
}

// In a strict type nothing overtakes a record of the same key that is refused,
// stuck or uncertain; other keys go on.
func TestStrictOrder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("strict", toTax(byHTTP, "filter: 'record.name != \"never\"'"), nil)
		version := func(key string, n int) string { return fmt.Sprintf(`{"registration":%q,"name":"v%d"}`, key, n) }
		bad := func(body []byte) bool {
			return strings.Contains(string(body), `"A"`) && strings.Contains(string(body), `"v2"`)
		}
		recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
			if bad(body) {
				return connectortest.Refusing
			}
			return connectortest.Healthy
		}
		recs := r.accept(version("A", 1), version("A", 2), version("B", 1), version("A", 3), version("B", 2), version("B", 3), `{"registration":"C"}`, version("C", 2))
		r.settleOver()
		later := r.accept(version("A", 4), version("C", 3), version("D", 1))
		r.settleOver()
		order := func() (s string) {
			for _, e := range recv.Effects() {
				s += strings.Join(strings.Fields(strings.NewReplacer(`{"registration":`, "", `"name":`, "", `"`, "", "}", "", ",", "").Replace(e.Body)), "") + " "
			}
			return s
		}
		got := order()
		if strings.Contains(got, "Av3") || strings.Contains(got, "Av4") || strings.Contains(got, "Cv") || !strings.Contains(got, "Dv1") || !inOrder(got, "Bv1", "Bv2", "Bv3") {
			t.Errorf("order: %s", got)
		}
		if l := r.leg(recs[3]); l.State != "waiting" || !strings.Contains(l.Why, string(recs[1].ID)) {
			t.Errorf("behind: %+v", l)
		}
		r.kill()
		bad = func([]byte) bool { return false }
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(r.runner.Retry(tx, "flow-tax", recs[1].N), r.runner.GiveUp(tx, "flow-tax", recs[6].N))
		}))
		more := r.accept(version("A", 5), version("C", 4))
		r.settleOver()
		if got = order(); !inOrder(got, "Av1", "Av2", "Av3", "Av4", "Av5") || !inOrder(got, "Cv2", "Cv3", "Cv4") || len(recv.Effects()) != 12 {
			t.Errorf("order after decisions: %s", got)
		}
		for _, rec := range append(slices.Concat(recs[:6], recs[7:]), append(later, more...)...) {
			if l := r.leg(rec); l.State != "delivered" {
				t.Errorf("%s: %+v", rec.ID, l)
			}
			if r.count("disclosing", rec.ID) < 1 {
				t.Errorf("%s was sent without an entry", rec.ID)
			}
		}
	})
}

func inOrder(s string, parts ...string) bool {
	for _, p := range parts {
		i := strings.Index(s, p)
		if i < 0 || strings.Count(s, p) != 1 {
			return false
		}
		s = s[i:]
	}
	return true
}

// A file is there once, under a name that follows from its content, also when the
// program died after writing it.
func TestFileOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		dir := t.TempDir()
		r.env["TAX"] = "file://" + dir
		r.use("none", toTax("style: file\naddress: env:TAX\nformat: csv\ncolumns: [registration, /address/postcode, name]", ""), nil)
		r.accept(death(1), `{"registration":"R2","name":"=1+1"}`)
		if _, err := r.runner.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.breakJournal()
		r.carry()
		before := lines(t, dir)
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`alter table journal_pack_gone rename to journal_pack`)
			return err
		}))
		r.kill()
		r.settleOver()
		if got := lines(t, dir); !slices.Equal(got, before) || !slices.Equal(got, []string{"registration,postcode,name", "R1,AB1 2CD,Person 1", "R2,,'=1+1"}) {
			t.Errorf("before %q, after %q", before, got)
		}
		if s := r.stat(); s.Delivered != 2 {
			t.Errorf("%+v", s)
		}
		if es, _ := os.ReadDir(dir); len(es) != 1 {
			t.Errorf("files: %v", es)
		}
	})
}

// What waited in a backup may have been sent after it was made: a receiver that
// does not recognise a repeat does not get it again by itself.
func TestRestoredWhileSomethingWaited(t *testing.T) {
	for repeat, want := range map[string]string{"none": "uncertain", "lookup": "delivered"} {
		t.Run(repeat, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				recv := connectortest.NewReceiver(t)
				recv.Recognise = false
				r.env["TAX"] = recv.Server.URL
				def := "style: api\naddress: env:TAX\nrepeat: none"
				if repeat == "lookup" {
					def = askFirst
				}
				r.use("none", toTax(def, "map: m.blobl"), map[string]string{"m.blobl": "root = this\nroot.id = meta(\"id\")"})
				recs := r.accept(death(1))
				if _, err := r.runner.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				var backup bytes.Buffer
				r.check(r.db.Dump(t.Context(), &backup))
				r.settle()
				if len(recv.Effects()) != 1 {
					t.Fatal(recv.Effects())
				}
				r.check(r.db.Close())
				r.pass(time.Hour)
				r.file = filepath.Join(t.TempDir(), "reeve.db")
				if r.url != "" {
					r.url = storetest.Postgres(t)
				}
				_, err := store.Restore(t.Context(), store.Options{Path: r.file, URL: r.url, Now: r.clock}, &backup)
				r.check(err)
				r.pass(time.Minute)
				r.open()
				r.settleOver()
				if l := r.leg(recs[0]); len(recv.Effects()) != 1 || l.State != want {
					t.Errorf("%d effects, %+v", len(recv.Effects()), l)
				}
				if repeat == "none" { // and a person may have it sent again
					r.check(r.desk.Decide(t.Context(), staff, "flow-tax", recs[0].N, false))
					r.settleOver()
					if l := r.leg(recs[0]); len(recv.Effects()) != 2 || l.State != "delivered" {
						t.Errorf("sent again: %d effects, %+v", len(recv.Effects()), l)
					}
				}
			})
		})
	}
}

// A map that makes no row of one record parks that one, and not the whole file.
func TestOneRecordSpoilsNoFile(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		dir := t.TempDir()
		r.env["TAX"] = "file://" + dir
		r.use("none", toTax("style: file\naddress: env:TAX\nformat: csv\ncolumns: [registration]", "map: a.blobl"),
			map[string]string{"a.blobl": `root = if this.registration == "R2" { [1] } else { this }`})
		recs := r.accept(death(1), death(2), death(3))
		r.settleOver()
		if got := lines(t, dir); !slices.Equal(got, []string{"registration", "R1", "R3"}) {
			t.Errorf("%q", got)
		}
		if len(r.parked) != 1 || r.parked[0].record != recs[1].ID {
			t.Errorf("parked: %+v", r.parked)
		}
	})
}

type receiver struct {
	got  []reeve.Delivered
	fail func(d reeve.Delivered) string // "" takes it, "err" fails, else a problem
}

func (x *receiver) Receive(_ *store.Tx, ds []reeve.Delivered) (map[int]string, error) {
	problems := map[int]string{}
	for i, d := range ds {
		switch what := x.fail(d); what {
		case "":
		case "err":
			return nil, errors.New("cannot")
		default:
			problems[i] = what
		}
	}
	for i, d := range ds {
		if problems[i] == "" {
			x.got = append(x.got, d)
		}
	}
	return problems, nil
}

// A part of this program takes deliveries in the transaction that settles them;
// one that it cannot take is in nobody's way.
func TestInternalReceiver(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		x := &receiver{fail: func(d reeve.Delivered) string {
			switch {
			case strings.Contains(string(d.Body), `"R5"`):
				return "we do not know this one"
			case strings.Contains(string(d.Body), `"R7"`):
				return "err"
			}
			return ""
		}}
		r.recv["life-events"] = x
		r.desk.Receiver("life-events", x)
		r.use("none", toTax("style: internal\naddress: internal:life-events", ""), nil)
		recs := r.accept(deaths(20)...)
		r.settleOver()
		if len(x.got) != 18 {
			t.Fatalf("%d of 18 taken", len(x.got))
		}
		d := x.got[0]
		if d.Record != recs[0].ID || d.N != recs[0].N || d.Type != "rec-death.v1" || d.Flow != "flow-tax" || d.Sender != "org-register" ||
			!d.At.Equal(recs[0].At) || strings.Contains(string(d.Body), "SECRET") {
			t.Errorf("%+v %s", d, d.Body)
		}
		if len(r.parked) != 2 || r.leg(recs[4]).State != "parked" || r.leg(recs[6]).State != "parked" {
			t.Errorf("parked: %+v", r.parked)
		}
	})
}

// Many records that a receiver always fails on stand in nobody's way, wherever
// they come in the queue.
func TestPoisonBlocksNobodyElse(t *testing.T) {
	for _, order := range []string{"none", "strict"} {
		t.Run(order, func(t *testing.T) {
			r := newRig(t, "")
			recv := connectortest.NewReceiver(t)
			r.env["TAX"] = recv.Server.URL
			r.use(order, toTax(byHTTP, ""), nil)
			var bodies []string
			for i := range 400 {
				d := death(i)
				if i < 40 {
					d = strings.Replace(d, "Person", "Poison", 1)
				}
				bodies = append(bodies, d)
			}
			r.accept(bodies...)
			recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
				if strings.Contains(string(body), "Poison") {
					return connectortest.Broken
				}
				return connectortest.Healthy
			}
			for range 8 {
				r.settle()
				r.pass(time.Minute)
			}
			if n := len(recv.Effects()); n != 360 {
				t.Errorf("%d of 360 well ones delivered after %d requests", n, recv.Requests())
			}
		})
	}
}

// When outcomes cannot be written down, sending stops.
func TestDeliveryStopsWithoutTheJournal(t *testing.T) {
	r := newRig(t, "")
	recv := connectortest.NewReceiver(t)
	r.env["TAX"] = recv.Server.URL
	r.use("none", toTax(byHTTP, ""), nil)
	r.accept(deaths(500)...)
	if _, err := r.runner.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.breakJournal()
	for range 30 {
		r.carry()
		r.pass(time.Minute)
	}
	if n := recv.Requests(); n > 128 {
		t.Errorf("%d requests without a journal", n)
	}
	r.check(r.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`alter table journal_pack_gone rename to journal_pack`)
		return err
	}))
	r.settleOver()
	if n := len(recv.Effects()); n != 500 || r.stat().Delivered != 500 {
		t.Errorf("%d effects, %+v", n, r.stat())
	}
}

// An agreement that ends in the middle of a call stops it within moments.
func TestAgreementEndsInTheMiddle(t *testing.T) {
	r := newRig(t, "")
	recv := connectortest.NewReceiver(t)
	r.env["TAX"] = recv.Server.URL
	r.use("none", toTax(byHTTP, ""), nil)
	r.accept(deaths(600)...)
	recv.Judge = func(n int, _ string, _ []byte) connectortest.Mode {
		if n == 200 {
			r.pass(90 * 24 * time.Hour)
		}
		return connectortest.Healthy
	}
	r.settle()
	if n := recv.Requests(); n < 200 || n >= 200+128 { // none of the next call of 128, wherever this one began
		t.Errorf("%d requests, of which 200 under the agreement", n)
	}
}

// An ordinary stop finishes what was begun: nothing is left unclear.
func TestStopFinishesWhatWasBegun(t *testing.T) {
	r := newRig(t, "")
	recv := connectortest.NewReceiver(t)
	recv.Recognise = false
	r.env["TAX"] = recv.Server.URL
	r.use("none", toTax("style: api\naddress: env:TAX\nrepeat: none", ""), nil)
	r.accept(deaths(50)...)
	if _, err := r.runner.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	begun := make(chan bool)
	recv.Judge = func(n int, _ string, _ []byte) connectortest.Mode {
		if n == 20 {
			stop()
			<-begun
		}
		return connectortest.Healthy
	}
	go func() { <-ctx.Done(); close(begun) }()
	for ctx.Err() == nil {
		if _, err := r.desk.Step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	r.desk.Wait()
	sent := len(recv.Effects())
	recv.Judge = nil
	r.kill()
	r.settle()
	if us, err := r.desk.Uncertain(t.Context()); err != nil || len(us) > 0 || sent > 30 || len(recv.Effects()) != 50 {
		t.Errorf("%d sent before the stop, %d after; uncertain: %v, %v", sent, len(recv.Effects()), us, err)
	}
}

// A decision that comes while other items of the same pack are being sent is kept.
func TestDecideWhileSending(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		recv.Recognise = false
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax("style: api\naddress: env:TAX\nrepeat: none", ""), nil)
		recs := r.accept(deaths(30)...)
		recv.Judge = func(n int, _ string, body []byte) connectortest.Mode {
			if n == 25 {
				if err := r.desk.Decide(t.Context(), staff, "flow-tax", recs[0].N, false); err != nil {
					t.Error(err)
				}
			}
			if n < 25 && strings.Contains(string(body), `"R1"`) {
				return connectortest.Broken
			}
			return connectortest.Healthy
		}
		r.settleOver()
		if l := r.leg(recs[0]); l.State != "delivered" || len(recv.Effects()) != 30 {
			t.Errorf("%+v, %d effects of 30", l, len(recv.Effects()))
		}
	})
}
