package flow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
)

// toFile is a second flow for the same records, into a folder.
const toFile = `
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-tax-file, name: File}
spec: {system: sys-tax, style: file, address: "env:FILES"}
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-file, name: To a file}
spec: {from: if-register, to: if-tax-file, record: rec-death.v1, agreement: agr-tax, purpose: exemption, start: beginning}
`

// A receiver that never answers costs only itself: others have every record, and of what
// it does not take no more is frozen, and no more requests are open, than the bounds say.
func TestSilentReceiverCostsOnlyItself(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const perBatch, batches = 20, 3 * delivery.Ahead
		silent := make(chan bool)
		var open, most, took atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			n := open.Add(1)
			defer open.Add(-1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			<-silent
			took.Add(1)
			w.WriteHeader(http.StatusCreated)
		}))
		defer srv.Close()
		dir := t.TempDir()
		r.env["TAX"], r.env["FILES"] = srv.URL, "file://"+dir
		r.use("none", toTax(byHTTP, "")+toFile, nil)
		for i := range batches {
			var bodies []string
			for k := range perBatch {
				bodies = append(bodies, death(i*perBatch+k))
			}
			r.accept(bodies...)
			for end := time.Now().Add(5 * time.Minute); ; {
				_, err := r.runner.Step(t.Context())
				r.check(err)
				_, err = r.desk.Step(t.Context())
				r.check(err)
				n := len(lines(t, dir))
				if n == (i+1)*perBatch {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d of %d records are in the file", n, (i+1)*perBatch)
				}
			}
		}
		ss, err := r.runner.Volumes(t.Context())
		r.check(err)
		if s := ss[1]; s.Flow != "flow-tax" || s.Delivered != 0 || s.Waiting > perBatch*delivery.Ahead {
			t.Errorf("%+v", s)
		}
		if n := most.Load(); n > 8 || took.Load() != 0 {
			t.Errorf("%d requests at once, %d taken", n, took.Load())
		}
		close(silent)
		r.settleOver()
		if ss, err = r.runner.Volumes(t.Context()); err != nil || ss[1].Delivered != perBatch*batches || ss[1].Waiting != 0 {
			t.Errorf("when it answers: %+v %v", ss[1], err)
		}
	})
}

// One record in a hundred of each kind of poison: the map fails on it, the receiver
// refuses it, the receiver always fails on it. No other is delayed by that: all of them
// have arrived before the clock moves at all, and hardly a request was made in vain.
func TestPoisonDelaysNobodyElse(t *testing.T) {
	const n = 1000
	kinds := map[int]string{40: "Unmapped", 60: "Refused", 80: "Broken"}
	for _, order := range []string{"none", "strict"} {
		t.Run(order, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				recv := connectortest.NewReceiver(t)
				r.env["TAX"] = recv.Server.URL
				r.use(order, toTax(byHTTP, "map: m.blobl"), map[string]string{"m.blobl": `root = if this.name.contains("Unmapped") { throw("poison") } else { this }`})
				recv.Judge = func(_ int, _ string, body []byte) connectortest.Mode {
					switch {
					case strings.Contains(string(body), "Refused"):
						return connectortest.Refusing
					case strings.Contains(string(body), "Broken"):
						return connectortest.Broken
					}
					return connectortest.Healthy
				}
				bodies := deaths(n)
				for i := range bodies {
					if kind := kinds[i%100]; kind != "" {
						bodies[i] = strings.Replace(bodies[i], "Person", kind, 1)
					}
				}
				r.accept(bodies...)
				r.settle()
				const each = n / 100
				s := r.stat()
				if got := len(recv.Effects()); got != n-3*each || s.Delivered != n-3*each || s.Waiting != each || len(r.parked) != 2*each {
					t.Errorf("%d have arrived, %d are parked: %+v", got, len(r.parked), s)
				}
				if most := n + 10*each; recv.Requests() > most {
					t.Errorf("%d requests for %d records, at most %d are well spent", recv.Requests(), n, most)
				}
			})
		})
	}
}

// A panic while one flow delivers costs that flow a pause, and no record.
func TestPanicCostsOnlyItsFlow(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		recv := connectortest.NewReceiver(t)
		r.env["TAX"] = recv.Server.URL
		r.use("none", toTax(byHTTP, ""), nil)
		var times atomic.Int64
		r.counted = func(outcome string) {
			if times.Add(1) == 1 {
				panic(fmt.Sprintf("what counts %s gave up", outcome))
			}
		}
		r.accept(deaths(3)...)
		r.settleOver()
		r.accept(death(4))
		r.settleOver()
		if s := r.stat(); s.Delivered != 4 || len(recv.Effects()) != 4 {
			t.Errorf("%+v, %d effects", s, len(recv.Effects()))
		}
		if !strings.Contains(r.logged.String(), "gave up") {
			t.Error("the log does not tell of it")
		}
	})
}
