package app

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// bigEstate writes the sample body with n more systems, each with a supplier
// contract, two interfaces and three flows, into a folder.
func bigEstate(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "demo", "body"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "many"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for i := range n {
		aSystem(&b, i, n)
		if i%200 == 199 || i == n-1 {
			if err := os.WriteFile(filepath.Join(dir, "many", fmt.Sprintf("%05d.yaml", i/200)), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	return dir
}

func aSystem(b *bytes.Buffer, i, n int) {
	capability := []string{"cap-finance", "cap-payments", "cap-website", "cap-libraries"}[i%4]
	fmt.Fprintf(b, `---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-n%[1]d, name: "System %[1]d", labels: {theme: place, wave: w%[3]d}}
spec:
  organisation: org-finance
  owner: Head of service %[3]d
  description: Keeps the records of service %[1]d, and of whoever asked for it since it began.
  capabilities: [%[2]s]
  hosting: saas
  hostingReason: The supplier runs it, and nobody else may.
  lifecycle: {phase: live, since: 20%02[4]d-04-01}
  auth: {methods: [oidc], identity: 2, authn: 1}
  clients: [browser]
  audience: [staff, public]
  data: {class: confidential}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-n%[1]d, name: Contract %[1]d}
spec:
  supplier: org-tern
  systems: [sys-n%[1]d]
  term: {starts: 2020-01-01, ends: 2028-01-01, noticeDays: 90}
  cost: [{annual: %[5]d}]
`, i, capability, i%17, i%20+5, 1000+i)
	for k := range 2 {
		fmt.Fprintf(b, `---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-n%[1]d-%[2]d, name: Interface %[2]d of system %[1]d}
spec:
  system: sys-n%[1]d
  description: Takes and gives payments, so that nobody has to be told twice.
  style: api
  address: https://n%[1]d.example.gov.uk/api
  path: /v%[2]d/records
  auth: {bearer: "env:N%[1]d_TOKEN"}
  repeat: key
  records: [rec-payment.v1]
`, i, k)
	}
	for k := range 3 {
		fmt.Fprintf(b, `---
apiVersion: reeve/v1
kind: Flow
metadata: {id: fl-n%[1]d-%[2]d, name: Payments from system %[1]d}
spec:
  from: if-n%[1]d-0
  to: if-n%[3]d-1
  record: rec-payment.v1
  agreement: agr-elsewhere
  purpose: running-the-council
  description: Carried by the supplier's own link until the exchange takes it over.
  via: direct
  expect: {every: 7d, maxLag: 1d}
`, i, k, (i+k*7+1)%n)
	}
}

// BenchmarkLoadEstate reads and checks 10,000 systems with 10,000 contracts and
// 50,000 interfaces and flows from a folder.
func BenchmarkLoadEstate(b *testing.B) {
	dir := bigEstate(b, 10_000)
	var size int64
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, _ error) error {
		if info, err := d.Info(); err == nil && !d.IsDir() {
			size += info.Size()
		}
		return nil
	})
	b.SetBytes(size)
	for b.Loop() {
		if set, problems := def.Load(os.DirFS(dir), offline.Registry()); set == nil {
			b.Fatal(len(problems), problems[:min(5, len(problems))])
		}
	}
}
