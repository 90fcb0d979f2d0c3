package flow_test

import (
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

// A flow with a schedule carries what had come by then, and no sooner; a time that
// was missed is made up for once.
func TestSchedule(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, `schedule: "0 * * * *"`), nil)
		r.settle()
		r.accept(deaths(2)...)
		r.settle()
		if n := len(recv.Effects()); n != 0 {
			t.Fatalf("%d were carried before the hour", n)
		}
		r.pass(time.Hour)
		r.settle()
		if n := len(recv.Effects()); n != 2 {
			t.Fatalf("%d were carried on the hour, want 2", n)
		}
		r.accept(death(3))
		r.settle()
		if n := len(recv.Effects()); n != 2 {
			t.Fatalf("%d were carried, with one that came after the hour", n)
		}
		r.kill()
		r.settle()
		if n := len(recv.Effects()); n != 2 {
			t.Fatalf("a restart opened the gate: %d", n)
		}
		r.kill()
		r.pass(5 * time.Hour)
		r.settle()
		if n := len(recv.Effects()); n != 3 {
			t.Fatalf("%d were carried after a missed time, want 3", n)
		}
	})
}
