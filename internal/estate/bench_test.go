package estate_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"
)

// many makes the demo estate n systems large, each with a contract of its own.
func many(t testing.TB, n int) fstest.MapFS {
	fsys := demo(t)
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-n%d, name: System %d}\nspec:\n  organisation: org-finance\n  owner: post-x\n  capabilities: [cap-finance, cap-payments]\n  hosting: saas\n  lifecycle: {phase: live, since: 2020-01-01}\n  auth: {methods: [oidc], identity: 2, authn: 1}\n  clients: [browser]\n  audience: [staff, public]\n  data: {class: confidential}\n", i, i)
		fmt.Fprintf(&b, "---\napiVersion: reeve/v1\nkind: SupplierContract\nmetadata: {id: con-n%d, name: Contract %d}\nspec:\n  supplier: org-tern\n  systems: [sys-n%d]\n  term: {starts: 2020-01-01, ends: 2028-01-01, noticeDays: 90}\n  cost: [{annual: %d}]\n", i, i, i, 1000+i)
		if i%500 == 499 || i == n-1 {
			fsys[fmt.Sprintf("many/%d.yaml", i)] = &fstest.MapFile{Data: bytes.Clone(b.Bytes())}
			b.Reset()
		}
	}
	return fsys
}

// BenchmarkEstate loads, compiles and judges an estate of 10,000 systems and as
// many contracts.
func BenchmarkEstate(b *testing.B) {
	fsys := many(b, 10_000)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			load(b, fsys)
		}
	})
	set := load(b, fsys)
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			snapshot(b, set, day, nil)
		}
	})
}
