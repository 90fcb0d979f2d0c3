package risk

import (
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/inventory"

	"os"
	"strings"
	"time"
)

const data = "../../../demo/data/estate/"

// real is an inventory of the published lists alone.
func real(t testing.TB) *inventory.Inventory {
	t.Helper()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	inv := &inventory.Inventory{Imports: map[string]time.Time{"vulnerability": now, "cycle": now}}
	for _, name := range []string{"endoflife.json", "known_exploited_vulnerabilities.json"} {
		b, err := os.ReadFile(data + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range lists.Sources() {
			if !s.Detect(b[:min(4096, len(b))], name) {
				continue
			}
			r, err := s.Read(t.Context(), importer.Input{Name: name, Reader: strings.NewReader(string(b))})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Items {
				switch x := x.(type) {
				case inventory.Vulnerability:
					inv.Vulnerabilities = append(inv.Vulnerabilities, x)
				case inventory.Cycle:
					inv.Cycles = append(inv.Cycles, x)
				case inventory.Identity:
					inv.Identities = append(inv.Identities, x)
				}
			}
			break
		}
	}
	if len(inv.Vulnerabilities) != 70 || len(inv.Cycles) < 330 {
		t.Fatalf("%d vulnerabilities, %d cycles", len(inv.Vulnerabilities), len(inv.Cycles))
	}
	return inv
}

func TestIdentify(t *testing.T) {
	inv := real(t)
	inv.Identities = append(inv.Identities,
		inventory.Identity{Vendor: "drupal", Name: "drupal core", CPE: "drupal:drupal", EOL: "drupal", By: "staff/1"},
		inventory.Identity{Vendor: "igor pavlov", Name: "7-zip", None: true, By: "staff/1"})
	c := newCatalogue(inv)
	for _, x := range []struct {
		vendor, name, cpe, eol string
		none                   bool
	}{
		{"Microsoft Corporation", "Microsoft SQL Server", "microsoft:sql_server", "mssqlserver", false},
		{"", "Microsoft SQL Server", "microsoft:sql_server", "mssqlserver", false},
		{"Microsoft", "SQL Server", "microsoft:sql_server", "mssqlserver", false},
		{"", "Windows Server", "", "windows-server", false},
		{"", "Ubuntu", "canonical:ubuntu_linux", "ubuntu", false},
		{"PostgreSQL", "PostgreSQL", "postgresql:postgresql", "postgresql", false},
		{"Apache Software Foundation", "Apache Tomcat 8.5", "apache:tomcat", "tomcat", false},
		{"Drupal", "Drupal Core", "drupal:drupal", "drupal", false},
		{"Mozilla", "Firefox", "mozilla:firefox", "", false},
		{"Igor Pavlov", "7-Zip 22.01 (x64)", "", "", true},
		{"Somebody", "PaperFlow Capture", "", "", false},
		{"Acme", "PostgreSQL reporting add-on", "", "", false},
	} {
		id := c.identify(x.vendor, x.name, "", "")
		if id.CPE != x.cpe || id.EOL != x.eol || id.None != x.none {
			t.Errorf("%s %s is %+v, not %s %s", x.vendor, x.name, id, x.cpe, x.eol)
		}
	}
	if v := c.kev["drupal:drupal"]; len(v) == 0 {
		t.Error("what a person said of a name of the list of vulnerabilities does not join")
	}
}

func TestRelease(t *testing.T) {
	c := newCatalogue(real(t))
	for _, x := range []struct {
		product, cycle, version, want string
		guess, latest, unknown        bool
	}{
		{"mssqlserver", "", "13.0.6300.2", "13.0-sp3", false, false, false},
		{"mssqlserver", "", "13.0.1601.5", "13.0", false, false, false},
		{"mssqlserver", "16.0", "", "16.0", false, false, false},
		{"postgresql", "", "15.8", "15", false, false, false},
		{"postgresql", "", "9.6.3", "9.6", false, false, false},
		{"ubuntu", "", "Ubuntu 24.04.3 LTS", "24.04", false, false, false},
		{"windows", "", "10.0.19045.5854", "10-22h2", false, false, false},
		{"windows", "", "10.0.22631.5189", "11-23h2-w", true, false, false},
		{"windows-server", "", "10.0.17763", "2019", false, false, false},
		{"windows-server", "", "6.3.9600", "2012-r2", false, false, false},
		{"tomcat", "", "8.5.78", "8.5", false, false, false},
		{"tomcat", "", "8.5.100", "8.5", false, true, false},
		{"tomcat", "", "77", "", false, false, true},
		{"", "", "1.0", "", false, false, true},
	} {
		r, ok := c.release(x.product, x.cycle, x.version)
		if ok == x.unknown || r.Cycle.Cycle != x.want || r.Guess != x.guess || r.Latest != x.latest {
			t.Errorf("%s %s%s is %q, guess %t, latest %t", x.product, x.cycle, x.version, r.Cycle.Cycle, r.Guess, r.Latest)
		}
	}
}

// BenchmarkReport works out the risk of 200,000 assets.
func BenchmarkReport(b *testing.B) {
	s := estatetest.Large.Snapshot(b)
	inv := real(b)
	again := *s.Inventory
	again.Vulnerabilities, again.Cycles, again.Identities = inv.Vulnerabilities, inv.Cycles, inv.Identities
	again.Imports = inv.Imports
	for i := range s.Assets {
		s.Assets[i].OS, s.Assets[i].OSVersion = "Windows", []string{"10.0.22631.5189", "10.0.19045.5854"}[i%2]
	}
	s.Inventory = &again
	b.Run("facts", func(b *testing.B) {
		for b.Loop() {
			Fill(s)
		}
	})
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			New(s)
		}
	})
}
