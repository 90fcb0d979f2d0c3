package exporter

import (
	"archive/zip"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// shown are the systems that the public may know of: ours, in use, and not
// labelled "publish: no".
func shown(s *register.Snapshot) []register.System {
	var out []register.System
	for _, x := range s.Systems {
		if x.Spec.InUse() && s.Ours(x.Spec.Organisation) && published(x.Object) {
			out = append(out, x)
		}
	}
	return out
}

func published(o *def.Object) bool {
	v := strings.ToLower(o.Labels["publish"])
	return v != "no" && v != "false"
}

// suppliers are the names of those who supply a system under contracts in force.
func suppliers(s *register.Snapshot, system string) []string {
	var out []string
	for _, k := range s.ContractsOf[system] {
		if k.Spec.Supplier != "" && s.InForce(k) {
			out = append(out, s.OrganisationName(k.Spec.Supplier))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// kept are the names of the record types that a system's interfaces carry, and
// the sort of data that is declared of it: categories, never fields with values.
func kept(s *register.Snapshot, x register.System) string {
	var out []string
	for _, i := range s.InterfacesOf(x.ID) {
		for _, r := range i.Records {
			if o, ok := s.Set.Lookup("RecordType", r); ok && published(o) {
				out = append(out, o.Name)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if x.Spec.Data != nil && x.Spec.Data.Personal != nil {
		out = append(out, map[bool]string{true: "data about people", false: "no data about people"}[*x.Spec.Data.Personal])
	}
	return strings.Join(out, "; ")
}

// often is how often records are expected to flow into a system, the most frequent
// first; "" if no flow says so.
func often(s *register.Snapshot, system string) string {
	var every []def.Duration
	for _, f := range s.FlowsOf(system) {
		if f.Every > 0 && f.To == system {
			every = append(every, def.Duration(f.Every))
		}
	}
	if len(every) == 0 {
		return ""
	}
	return "At least every " + words.Length(slices.MinFunc(every, cmp.Compare[def.Duration]).D())
}

// columns272 are the columns of Government Code 6270.5 (a), in its words.
var columns272 = []string{"Current system vendor", "Current system product", "System's purpose", "Categories, modes or fields of data", "Department that is the primary custodian", "How frequently system data is collected", "How frequently system data is updated"}

// unknown is what stands in a cell of which nothing is known.
const unknown = "Not known"

// writeSB272 writes the catalogue, and beside it which cells are not known. How
// often data is collected and updated is what the labels "collected" and "updated"
// say, else how often records are expected to flow in.
func writeSB272(w io.Writer, s *register.Snapshot, _ Options) error {
	z := zip.NewWriter(w)
	f, err := z.Create("enterprise-systems.csv")
	if err != nil {
		return err
	}
	var gaps [][]string
	c := csv.NewWriter(f)
	if err := c.Write(append([]string{"System"}, columns272...)); err != nil {
		return err
	}
	for _, x := range shown(s) {
		custodian := ""
		if x.Spec.Organisation != "" {
			custodian = s.OrganisationName(x.Spec.Organisation)
		}
		row := []string{x.Name, strings.Join(suppliers(s, x.ID), "; "), x.Spec.Product, x.Spec.Description, kept(s, x), custodian, cmp.Or(x.Labels["collected"], often(s, x.ID)), cmp.Or(x.Labels["updated"], often(s, x.ID))}
		for i := range row {
			if row[i] == "" {
				row[i] = unknown
				gaps = append(gaps, []string{x.ID, x.Name, columns272[i-1]})
			}
			row[i] = safe(row[i])
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	if c.Flush(); c.Error() != nil {
		return c.Error()
	}
	if f, err = z.Create("not-known.csv"); err != nil {
		return err
	}
	c = csv.NewWriter(f)
	if err := c.Write([]string{"id", "system", "what is not known"}); err != nil {
		return err
	}
	for _, g := range gaps {
		for i := range g {
			g[i] = safe(g[i])
		}
		if err := c.Write(g); err != nil {
			return err
		}
	}
	if c.Flush(); c.Error() != nil {
		return c.Error()
	}
	if f, err = z.Create("README.txt"); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "Catalogue of enterprise systems on %s, with the columns of California's Government Code 6270.5 (SB 272).\nSystems with the label \"publish: no\" are left out: give it to those that the law exempts.\nnot-known.csv lists what is still to be found out; publish enterprise-systems.csv.\n", s.Today); err != nil {
		return err
	}
	return z.Close()
}
