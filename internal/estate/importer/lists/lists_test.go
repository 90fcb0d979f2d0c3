package lists_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
)

// source finds what a file is, as an import does.
func source(t testing.TB, head []byte, name string) importer.Source {
	t.Helper()
	for _, s := range lists.Sources() {
		if s.Detect(head[:min(len(head), 4096)], name) {
			return s
		}
	}
	t.Fatalf("%s was not recognised", name)
	return importer.Source{}
}

func read(t testing.TB, name, data string, settings map[string]string) *importer.Reading {
	t.Helper()
	s := source(t, []byte(data), name)
	r, err := s.Read(t.Context(), importer.Input{Name: name, Reader: strings.NewReader(data), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	if r.Source != s.Name {
		t.Errorf("read as %q, recognised as %q", r.Source, s.Name)
	}
	if r.Rows != r.Taken+r.Repeated+r.Failed+r.Skipped {
		t.Errorf("%d rows do not add up: taken %d, repeated %d, failed %d, skipped %d", r.Rows, r.Taken, r.Repeated, r.Failed, r.Skipped)
	}
	return r
}

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/real", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func day(y, m, d int) string { return fmt.Sprintf("%04d-%02d-%02d", y, m, d) }

func TestRealLists(t *testing.T) {
	asJSON := read(t, "known_exploited_vulnerabilities.json", file(t, "kev/known_exploited_vulnerabilities.json"), nil)
	asCSV := read(t, "known_exploited_vulnerabilities.csv", file(t, "kev/known_exploited_vulnerabilities.csv"), nil)
	if len(asJSON.Items) != 70 || asJSON.Failed+len(asJSON.Problems) > 0 {
		t.Errorf("kev: %d items, %v", len(asJSON.Items), asJSON.Problems)
	}
	for i := range asJSON.Items {
		if asJSON.Items[i] != asCSV.Items[i] {
			t.Errorf("CSV says %+v, JSON %+v", asCSV.Items[i], asJSON.Items[i])
		}
	}
	i := slices.IndexFunc(asJSON.Items, func(x inventory.Item) bool { return x.Key() == "CVE-2025-48384" })
	if v := asJSON.Items[i].(inventory.Vulnerability); v.Vendor != "Git" || v.Due.String() != day(2025, 9, 15) || v.Ransomware {
		t.Errorf("%+v", v)
	}

	v0 := read(t, "mssqlserver.json", file(t, "endoflife/mssqlserver.json"), nil)
	full := read(t, "full.v1.json", file(t, "endoflife/full.v1.json"), nil)
	one := read(t, "postgresql.v1.json", file(t, "endoflife/postgresql.v1.json"), nil)
	if full.Taken != 330 || full.Failed > 0 || one.Taken == 0 || v0.Taken == 0 {
		t.Errorf("end of life: %d, %d and %d releases", v0.Taken, one.Taken, full.Taken)
	}
	has := func(r *importer.Reading, want inventory.Item) {
		t.Helper()
		if !slices.ContainsFunc(r.Items, func(x inventory.Item) bool {
			return x.Key() == want.Key() && inventory.TypeOf(x) == inventory.TypeOf(want)
		}) {
			t.Errorf("%s has no %T %q", r.File, want, want.Key())
		}
	}
	has(v0, inventory.Cycle{Product: "mssqlserver", Cycle: "16.0"})
	has(full, inventory.Cycle{Product: "windows-server", Cycle: "2022"})
	has(full, inventory.Identity{Name: "microsoft sql server"})
	has(one, inventory.Identity{Name: "postgresql"})

	bom := read(t, "bom.json", file(t, "cyclonedx/cern-lhc-vdm-editor.json"), map[string]string{lists.Component: "cmp-a"})
	xml := read(t, "bom.xml", file(t, "cyclonedx/cern-lhc-vdm-editor.xml"), map[string]string{lists.Component: "cmp-a"})
	if bom.Taken == 0 || bom.Taken != xml.Taken || bom.List.Source != "SBOM of cmp-a" {
		t.Errorf("bills of materials: %d parts as JSON, %d as XML, of %s", bom.Taken, xml.Taken, bom.List.Source)
	}
	if s := bom.Items[0].(inventory.Software); s.On != "cmp-a" || s.Name == "" || s.PURL == "" {
		t.Errorf("%+v", s)
	}
}

const intune = `Device ID,Device name,Enrollment date,Last check-in,Azure AD Device ID,OS version,Azure AD registered,EAS activation ID,Serial number,Manufacturer,Model,EAS activated,IMEI,Last EAS sync time,EAS reason,EAS status,Compliance grace period expiration,Security patch level,Wi-Fi MAC,MEID,Subscriber carrier,Total storage,Free storage,Management name,Category,UserId,Primary user UPN,Primary user email address,Primary user display name,WiFiIPv4Address,WiFiSubnetID,Compliance,Managed by,Ownership,Device state,Intune registered,Supervised,Encrypted,OS,SkuFamily,JoinType
0b1f7d5c-1111-4f7e-9c1e-2f2a5a3e0001,LT-10231,2024-06-03 09:12:11.0000000,2026-11-20 08:41:07.0000000,aad-1,10.0.22631.4037,True,,5CG4120ABC,Dell Inc.,Latitude 5440,False,,,,,,,,,,475.00,300.00,x,Unknown,u1,Jo.Quist@ashcombe.example,Jo.Quist@ashcombe.example,Jo Quist,,,Compliant,Intune,Company,Managed,True,False,True,Windows,Enterprise,Azure AD joined
0b1f7d5c-1111-4f7e-9c1e-2f2a5a3e0002,IPAD-7,2023-01-10 10:00:00.0000000,2026-08-01 08:41:07.0000000,aad-2,17.5,True,,DMQXXYZ12,Apple,iPad Air,False,,,,,,,,,,64,10,x,Unknown,,,,,,,Noncompliant,Intune,Company,Managed,True,True,,iPadOS,,
`

func TestDevices(t *testing.T) {
	for name, want := range map[string]string{"Devices_2026-11-21.csv": "Tag list", "Asset register (3).xlsx": "Tag list"} {
		if r := read(t, strings.Replace(name, "Devices", "Tag list", 1), "Asset tag,Serial number\nA,S1\n", nil); r.List.Source != want && r.List.Source != "Asset register" {
			t.Errorf("%s is kept by %q", name, r.List.Source)
		}
	}
	r := read(t, "Devices_2026-11-21.csv", intune, nil)
	want := []inventory.Asset{
		{ID: "0b1f7d5c-1111-4f7e-9c1e-2f2a5a3e0001", Name: "LT-10231", Type: "laptop", Maker: "Dell Inc.", Model: "Latitude 5440", Serial: "5CG4120ABC", Holder: "jo.quist@ashcombe.example", OS: "Windows", OSVersion: "10.0.22631.4037"},
		{ID: "0b1f7d5c-1111-4f7e-9c1e-2f2a5a3e0002", Name: "IPAD-7", Type: "tablet", Maker: "Apple", Model: "iPad Air", Serial: "DMQXXYZ12", OS: "iPadOS", OSVersion: "17.5"},
	}
	if len(r.Items) != 2 || r.List.Source != "Intune" || !r.List.Whole {
		t.Fatalf("%+v", r)
	}
	for i, x := range r.Items {
		a := x.(inventory.Asset)
		if a.Compliant == nil || *a.Compliant != (i == 0) || a.LastSeen.String() != []string{"2026-11-20", "2026-08-01"}[i] || (a.Encrypted != nil) != (i == 0) {
			t.Errorf("%+v", a)
		}
		a.Compliant, a.Encrypted, a.LastSeen = nil, nil, want[i].LastSeen
		if fmt.Sprint(a) != fmt.Sprint(want[i]) {
			t.Errorf("%+v, not %+v", a, want[i])
		}
	}

	r = read(t, "managedDevices.json", `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#deviceManagement/managedDevices","@odata.count":3,"value":[
	 {"id":"d1","deviceName":"LT-1","operatingSystem":"Windows","osVersion":"10.0.1","lastSyncDateTime":"2026-11-20T22:01:02Z","complianceState":"compliant","isEncrypted":true,"userPrincipalName":"Jo@x.example","model":"Latitude 5440","manufacturer":"Dell","serialNumber":"S12345"},
	 {"deviceName":"LT-2","operatingSystem":"Windows","lastSyncDateTime":"soon"},
	 {"id":"d3","deviceName":"PH-3","operatingSystem":"iOS","lastSyncDateTime":"0001-01-01T00:00:00Z","isEncrypted":"maybe"}]}`, nil)
	if r.Taken != 1 || r.Failed != 2 || len(r.Items) != 1 {
		t.Errorf("%d taken: %v", r.Taken, r.Problems)
	}
	if a := r.Items[0].(inventory.Asset); a.Holder != "jo@x.example" || a.Type != "laptop" || a.LastSeen.String() != "2026-11-20" {
		t.Errorf("%+v", a)
	}

	r = read(t, "hosts.json", `{"hosts":[{"id":1,"uuid":"392547dc","hostname":"web1","display_name":"web1","platform":"ubuntu","osquery_version":"5.20.0","os_version":"Ubuntu 24.04.3 LTS","hardware_vendor":"QEMU","hardware_model":"KVM Virtual Machine","hardware_serial":"8A19B472","seen_time":"2026-11-05T06:03:39Z","software":[{"name":"nginx","version":"1.24.0","source":"deb_packages","generated_cpe":"cpe:2.3:a:f5:nginx:1.24.0:*:*:*:*:*:*:*"},{"name":""}]}]}`, nil)
	if len(r.Items) != 2 {
		t.Fatalf("%+v", r.Items)
	}
	if a := r.Items[0].(inventory.Asset); a.ID != "392547dc" || a.Type != "vm" || a.LastSeen.String() != "2026-11-05" {
		t.Errorf("%+v", a)
	}
}

func TestLedger(t *testing.T) {
	r := read(t, "payments.csv", "Payment Date;Supplier Name;Expense Type;Invoice Number;Net Amount;Capital/Revenue\n"+
		"31/10/2026;Tern Ltd;Software;INV-1;\"£1,234.50\";Revenue\n"+
		"2026-10-30;Tern Ltd;Refund;INV-2;(12.00);Revenue\n"+
		"30/10/2026;Wharfside;Devices;INV-3;100.10 CR;Capital\n"+
		"30/10/2026;Wharfside;Devices;INV-3;about ten;Capital\n"+
		"31/02/2026;Wharfside;Devices;INV-3;10;Capital\n"+
		"30/10/2026;Wharfside;=cmd|' /C calc'!A0;INV-4;10;Leased\n", nil)
	if r.Taken != 4 || r.Failed != 2 || r.List.Whole {
		t.Fatalf("%d taken, %v", r.Taken, r.Problems)
	}
	var amounts []int64
	for _, x := range r.Items {
		amounts = append(amounts, x.(inventory.Line).Amount)
	}
	if !slices.Equal(amounts, []int64{123450, -1200, -10010, 1000}) {
		t.Errorf("%v", amounts)
	}
	if l := r.Items[3].(inventory.Line); l.Description != "" || l.Type != "" || r.Items[2].(inventory.Line).Type != "capital" {
		t.Errorf("%+v", l)
	}
	again := read(t, "other.csv", "Payment Date,Supplier Name,Invoice Number,Net Amount,Expense Type\n2026-10-31,Tern Ltd,INV-1,1234.5,Software\n", nil)
	if again.Items[0].Key() != r.Items[0].Key() {
		t.Errorf("the same payment has another id in another file: %s, %s", again.Items[0].Key(), r.Items[0].Key())
	}
	for in, want := range map[string]int64{"1234.50": 123450, "£1,234.50": 123450, "-£5": -500, "£-5": -500, "5.00-": -500, "(£5.00)": -500, "£(5.00)": -500, "5 DR": 500, "5.00 cr": -500, "0": 0} {
		if got, err := lists.Amount(in); err != nil || got != want {
			t.Errorf("%q is %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-", "(-5.00)", "€5", "1.234,50", "5.001", "CR", "1e99"} {
		if got, err := lists.Amount(in); err == nil {
			t.Errorf("%q is %d", in, got)
		}
	}
}

func TestOtherTables(t *testing.T) {
	people := read(t, "people.csv", "User principal name,Display name,Job title,Department,Account enabled\nJo@x.example,Jo Quist,Architect,Digital,True\nSam@x.example,Sam Ogg,CIO,Digital,False\n,Nobody,,,True\nKit@x.example,Kit,,,sometimes\n", nil)
	if len(people.Items) != 2 || people.Failed != 2 || people.Items[1].(inventory.Person).Active || people.Items[0].Key() != "jo@x.example" {
		t.Errorf("%+v %v", people.Items, people.Problems)
	}
	if people.List.Whole || len(people.Notes) == 0 {
		t.Error("a list of which not all could be read takes back what seems to be missing: Kit is in it")
	}
	if whole := read(t, "people.csv", "User principal name,Display name,Account enabled\nJo@x.example,Jo Quist,True\n", nil); !whole.List.Whole {
		t.Error("a list that could be read takes nothing back")
	}
	seats := read(t, "signins.csv", "Application,User,Last sign-in,Sign-in method,Off-site\nsys-finance,JO@x.example,2026-11-01,OIDC,yes\nsys-finance,,2026-11-01,,\n", nil)
	if len(seats.Items) != 1 || seats.Failed != 1 {
		t.Errorf("%+v %v", seats.Items, seats.Problems)
	}
	if s := seats.Items[0].(inventory.Seat); s.Person != "jo@x.example" || s.Method != "oidc" || !*s.Offsite {
		t.Errorf("%+v", s)
	}
	points := read(t, "measures.csv", "Series,Period end,Value\ntickets/median-days,2026-10-31,3.5\ntickets/median-days,2026-11-31,3\ntickets/opened,30/09/2026,\"1,204\"\ntickets/opened,30/09/2026,NaN\n", nil)
	if len(points.Items) != 2 || points.Failed != 2 || points.Items[1].(inventory.Point).Value != 1204 {
		t.Errorf("%+v %v", points.Items, points.Problems)
	}
	evidence := read(t, "evidence.csv", "Kind,Id,Fact,Value,Observed,Source\nSystem,sys-finance,certificatesExpired,0,2026-11-01,Certificate scan\nSystem,sys-finance,,0,,\n", nil)
	if len(evidence.Items) != 1 || evidence.Failed != 1 {
		t.Errorf("%+v %v", evidence.Items, evidence.Problems)
	}
	software := read(t, "apps.csv", "Device name,Application name,Publisher,Version\nLT-1,Google Chrome,Google LLC,131.0\nLT-1,Google Chrome,Google LLC,131.0\nLT-1,,Google LLC,1\n", nil)
	if len(software.Items) != 1 || software.Repeated != 1 || software.Failed != 1 {
		t.Errorf("%+v %v", software.Items, software.Problems)
	}
	register := read(t, "assets.csv", "Asset tag,Device type,Make,Model,Serial number,Assigned to,Location,Status,Purchase date,Purchase cost,Warranty expiry\nLT-1,Laptop,Dell,Latitude,S1,jo@x.example,Town Hall,In use,01/06/2024,£812.00,31/05/2027\nLT-2,Toaster,Dell,,S2,,,Vanished,,,\n,,,,,,,In use,,,\n", nil)
	if len(register.Items) != 2 || register.Failed != 1 || len(register.Problems) != 3 {
		t.Errorf("%+v %v", register.Items, register.Problems)
	}
	if a := register.Items[0].(inventory.Asset); a.ID != "LT-1" || a.Cost != 81200 || a.Warranty.String() != "2027-05-31" || a.State != "in-use" || a.Bought.String() != "2024-06-01" {
		t.Errorf("%+v", a)
	}
}

// endless gives the same bytes for ever.
type endless struct{ b []byte }

func (e endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat(e.b, 1+len(p)/len(e.b))), nil
}

func TestHostile(t *testing.T) {
	by := map[string]importer.Source{}
	for _, s := range lists.Sources() {
		by[s.Name] = s
	}
	gigabyte := func(head, again string) io.Reader {
		return io.MultiReader(strings.NewReader(head), io.LimitReader(endless{[]byte(again)}, 1<<30))
	}
	for name, c := range map[string]struct {
		source string
		r      io.Reader
		kind   reeve.Kind
	}{
		"a gigabyte of devices":      {"devices", gigabyte("Device ID,Serial number\n", "a,b\n"), reeve.TooLarge},
		"a gigabyte of JSON":         {"graph-devices", gigabyte(`{"value":[`, "{},                       "), reeve.TooLarge},
		"a string without end":       {"kev", gigabyte(`{"vulnerabilities":["`, "aaaaaaaaaaaaaaa"), reeve.TooLarge},
		"a deep pit":                 {"kev", gigabyte(`{"vulnerabilities":[`, "["), reeve.Invalid},
		"a deep pit elsewhere":       {"fleet-hosts", gigabyte(`{"other":`, "["), reeve.Invalid},
		"a deep pit of cycles":       {"endoflife", strings.NewReader(strings.Repeat("[", 1<<20)), reeve.Invalid},
		"half a file":                {"graph-devices", strings.NewReader(`{"value":[{"id":"a"},{"id":`), reeve.Invalid},
		"something else":             {"graph-devices", strings.NewReader(`{"hello":[1,2,3]}`), reeve.Invalid},
		"an empty file":              {"fleet-hosts", strings.NewReader(""), reeve.Invalid},
		"an XML bomb":                {"cyclonedx", strings.NewReader(`<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component type="library"><name>&b;</name></component></components></bom>`), reeve.Invalid},
		"a bill of nothing":          {"cyclonedx", strings.NewReader(`{"bomFormat":"CycloneDX","specVersion":"1.4","metadata":{"component":{"type":"application","name":"x"}}}`), reeve.Invalid},
		"a bill of nobody":           {"cyclonedx", strings.NewReader(`{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"type":"library","name":"x"}]}`), reeve.Invalid},
		"50,000 columns":             {"devices", strings.NewReader(strings.Repeat("a,", 50_000) + "\n"), reeve.TooLarge},
		"a ledger that is a picture": {"ledger", strings.NewReader("\x89PNG\r\n\x1a\n\x00\x00\x00"), reeve.Invalid},
	} {
		r, err := by[c.source].Read(context.Background(), importer.Input{Name: "the file", Reader: c.r})
		if reeve.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(intune))
	f.Add([]byte(`{"value":[{"id":"d1","deviceName":"x","lastSyncDateTime":"2026"}]}`))
	f.Add([]byte(`[{"cycle":"1","eol":true},{"cycle":2,"eol":"2020-01-01"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range lists.Sources() {
			s.Detect(data, "x.json")
			r, err := s.Read(context.Background(), importer.Input{Name: "x.json", Reader: bytes.NewReader(data)})
			if err != nil {
				if k := reeve.KindOf(err); k != reeve.Invalid && k != reeve.TooLarge {
					t.Fatalf("%s: %v", s.Name, err)
				}
				continue
			}
			for _, x := range r.Items {
				if x.Key() == "" {
					t.Fatalf("%s: %T without a key", s.Name, x)
				}
			}
		}
	})
}
