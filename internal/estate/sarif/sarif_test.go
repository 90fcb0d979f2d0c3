package sarif_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/sarif"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

const definitions = `apiVersion: reeve/v1
kind: Standard
metadata: {id: std-cloud, name: "In the \"cloud\""}
spec:
  principle: We run as little as we can ourselves.
  source: [briggs/cloud-native]
  applies: {kind: System}
  severity: must
  rule: self.spec.hosting == "saas"
  failing: It does not run in the cloud.
  fix: Plan the move.
  maxWaiver: 365d
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-good, name: Good}
spec: {hosting: saas}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-bad, name: Bad & <old>}
spec: {hosting: on-premise}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-waived, name: Waived}
spec: {hosting: on-premise}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-unknown, name: Nobody knows}
spec: {}
---
apiVersion: reeve/v1
kind: Waiver
metadata: {id: wav-1, name: Until the move}
spec: {standard: std-cloud, subject: sys-waived, reason: The contract binds., approvedBy: post-cio, granted: 2026-06-01, expires: 2027-01-31}
`

// TestSARIF holds what is written to the published schema, and to what each
// result must say.
func TestSARIF(t *testing.T) {
	set, problems := def.Load(fstest.MapFS{"body of ours/all.yaml": {Data: []byte(definitions)}}, def.NewRegistry(estatetest.Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m, _ := register.Compile(set)
	s := register.New(register.Parts{Model: m, At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)})
	if err := s.Judge(context.Background()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sarif.Write(&b, s.Outcome, sarif.Options{Version: "1.2.3", Prefix: "demo"}); err != nil {
		t.Fatal(err)
	}
	valid(t, b.Bytes())
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct {
						ID                   string
						Help                 struct{ Text string }
						DefaultConfiguration struct{ Level string }
					}
				}
			}
			Results []struct {
				RuleID, Kind, Level string
				RuleIndex           int
				Message             struct{ Text string }
				Locations           []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
					LogicalLocations []struct{ FullyQualifiedName string }
				}
				Suppressions []struct{ Kind, Status, Justification string }
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if r := run.Tool.Driver.Rules[0]; r.ID != "std-cloud" || r.DefaultConfiguration.Level != "error" || !strings.Contains(r.Help.Text, "Plan the move.") {
		t.Errorf("the rule is %+v", r)
	}
	got := map[string][]string{}
	for _, r := range run.Results {
		at := r.Locations[0]
		line := strings.Split(definitions, "\n")[at.PhysicalLocation.Region.StartLine-1]
		got[at.LogicalLocations[0].FullyQualifiedName] = []string{r.Kind, r.Level, at.PhysicalLocation.ArtifactLocation.URI, line, r.Message.Text}
		for _, s := range r.Suppressions {
			got[at.LogicalLocations[0].FullyQualifiedName] = append(got[at.LogicalLocations[0].FullyQualifiedName], s.Kind+" "+s.Status+" "+s.Justification)
		}
	}
	file := "demo/body%20of%20ours/all.yaml"
	for id, want := range map[string][]string{
		"System/sys-bad":     {"fail", "error", file, "apiVersion: reeve/v1", "Bad & <old>: It does not run in the cloud."},
		"System/sys-waived":  {"fail", "error", file, "apiVersion: reeve/v1", "Waived: It does not run in the cloud.", "external accepted The contract binds. Agreed by post-cio, until 2027-01-31 (wav-1)."},
		"System/sys-unknown": {"open", "none", file, "apiVersion: reeve/v1", "Nobody knows: Not known: where it runs. To know it: declare spec.hosting."},
	} {
		if !slices.Equal(got[id], want) {
			t.Errorf("%s:\n%q\nwant\n%q", id, got[id], want)
		}
	}
	if len(got) != 3 || got["System/sys-good"] != nil {
		t.Errorf("%d results", len(got))
	}
}

// valid holds a log to the published schema.
func valid(t *testing.T, log []byte) {
	t.Helper()
	f, err := os.Open("testdata/schema/sarif-2.1.0-rtm.5.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
	value.(map[string]any)["version"] = "2.0"
	if schema.Validate(value) == nil {
		t.Error("the schema takes anything")
	}
}
