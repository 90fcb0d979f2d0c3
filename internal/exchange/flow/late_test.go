package flow_test

import (
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

// Silent is also a flow through which nothing ever came, from when it was deployed on:
// what may come each day, and take an hour, is missed after 25 hours.
func TestSilentFromTheStart(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, `expect: {every: 1d, maxLag: 1h}`), nil)
		silent := func(want bool, when string) {
			t.Helper()
			if s := r.stat(); s.Quiet != want {
				t.Errorf("%s: silent is %v: %+v", when, s.Quiet, s)
			}
		}
		r.settle()
		silent(false, "it was deployed now")
		r.pass(24*time.Hour + 30*time.Minute)
		silent(false, "what came after a day may be on its way")
		r.pass(time.Hour)
		silent(true, "nothing came in 25 hours")
		r.accept(death(1))
		r.settle()
		silent(false, "it came")
		r.pass(25 * time.Hour)
		silent(true, "and nothing after it")
	})
}

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
