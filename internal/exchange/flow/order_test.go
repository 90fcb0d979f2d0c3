package flow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func version(key string, n int) string {
	return fmt.Sprintf(`{"id":"%s%d","registration":%q,"name":"%sv%d"}`, key, n, key, key, n)
}

// names of what a receiver has, in order.
func names(r *connectortest.Receiver) string {
	var out []string
	for _, e := range r.Effects() {
		_, name, _ := strings.Cut(e.Body, `"name":"`)
		name, _, _ = strings.Cut(name, `"`)
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

const askFirst = `style: api
address: env:TAX
repeat: lookup
lookup: /has/{id}`

// A receiver that is asked first gets records of a key in order, too: what was
// begun together with one that it refused waits behind that one.
func TestStrictOrderWhereAskedFirst(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("strict", toTax(askFirst, ""), nil)
		mode := connectortest.Refusing
		recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
			if strings.Contains(string(body), "Av1") {
				return mode
			}
			return connectortest.Healthy
		}
		recs := r.accept(version("A", 1), version("A", 2), version("B", 1), version("B", 2))
		r.settleOver()
		if got := names(recv); got != "Bv1 Bv2" {
			t.Fatalf("with the first refused: %s", got)
		}
		mode = connectortest.Healthy
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error { return r.runner.Retry(tx, "flow-tax", recs[0].N) }))
		r.settleOver()
		if got := names(recv); got != "Bv1 Bv2 Av1 Av2" {
			t.Errorf("after a person sent it again: %s", got)
		}
	})
}

// A part of this program gets records of a key in order, too.
func TestStrictOrderInsideTheProgram(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		refuse := true
		x := &receiver{fail: func(d reeve.Delivered) string {
			if refuse && strings.Contains(string(d.Body), "Av1") {
				return "not this one"
			}
			return ""
		}}
		r.recv["life-events"] = x
		r.desk.Receiver("life-events", x)
		r.use("strict", toTax("style: internal\naddress: internal:life-events", ""), nil)
		recs := r.accept(version("A", 1), version("B", 1), version("A", 2), version("B", 2))
		got := func() string {
			var out []string
			for _, d := range x.got {
				_, name, _ := strings.Cut(string(d.Body), `"name":"`)
				name, _, _ = strings.Cut(name, `"`)
				out = append(out, name)
			}
			return strings.Join(out, " ")
		}
		r.settleOver()
		if got() != "Bv1 Bv2" {
			t.Fatalf("with the first refused: %s", got())
		}
		refuse = false
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error { return r.runner.Retry(tx, "flow-tax", recs[0].N) }))
		r.settleOver()
		if got() != "Bv1 Bv2 Av1 Av2" {
			t.Errorf("after a person sent it again: %s", got())
		}
	})
}

// A person may send a refused record again before its flow has looked at what
// comes behind it: that waits all the same.
func TestStrictOrderWhenSentAgainAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		recv.RetryAfter = "60"
		r.use("strict", toTax(byHTTP, ""), nil)
		refuse := true
		recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
			switch {
			case !refuse:
				return connectortest.Healthy
			case strings.Contains(string(body), "Av1"):
				return connectortest.Refusing
			}
			return connectortest.Busy // the others make the flow wait, as the receiver asks
		}
		recs := r.accept(version("A", 1), version("A", 2), version("B", 1), version("A", 3))
		r.settle()
		if len(r.parked) != 1 {
			t.Fatalf("parked: %+v", r.parked)
		}
		refuse = false
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error { return r.runner.Retry(tx, "flow-tax", recs[0].N) }))
		r.pass(time.Hour)
		r.carry() // delivery comes before the flow
		r.settleOver()
		if got := names(recv); !inOrder(got, "Av1", "Av2", "Av3") || !strings.Contains(got, "Bv1") || len(recv.Effects()) != 4 {
			t.Errorf("order: %s", got)
		}
	})
}
