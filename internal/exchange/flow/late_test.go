package flow_test

import (
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

// Late is a flow whose oldest record waits for longer than expected: neither one whose
// last delivery was long ago, nor one that waits for the time of its schedule.
func TestLate(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, `expect: {every: 1d, maxLag: 1h}`), nil)
		late := func(want bool, when string) {
			t.Helper()
			if s := r.stat(); s.Delayed != want {
				t.Errorf("%s: late is %v: %+v", when, s.Delayed, s)
			}
		}
		r.settle()
		recv.Behave(connectortest.Down)
		r.accept(death(1))
		late(false, "it has just come")
		r.settle()
		late(false, "it has just been prepared, and nothing was ever delivered")
		r.pass(2 * time.Hour)
		late(true, "its receiver is away for two hours")
		recv.Behave(connectortest.Healthy)
		r.settleOver()
		late(false, "its receiver is back")
		r.pass(20 * time.Hour)
		r.accept(death(2))
		late(false, "a record has come after a quiet night")
		r.pass(2 * time.Hour)
		late(true, "and nobody carries it")
		r.settle()
		late(false, "it is carried")
	})
}
