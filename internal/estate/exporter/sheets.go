package exporter

import (
	"archive/zip"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/waiver"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Sheets are the names of the lists.
func Sheets() []string {
	var names []string
	for _, s := range sheets(nil) {
		names = append(names, s.Name)
	}
	return names
}

// sheets are the lists of the estate. Ids stand beside names, so that the lists
// can be joined.
func sheets(s *register.Snapshot) []sheet {
	return []sheet{
		{"systems", []string{"id", "name", "description", "organisation", "owner", "deputy", "product", "capabilities", "hosting", "phase", "since", "end", "successor", "audience", "online", "data class", "users", "interfaces", "yearly cost", "yearly cost known"}, systems(s)},
		{"capabilities", []string{"id", "name", "description", "parent", "generic", "platform", "systems"}, capabilities(s)},
		{"organisations", []string{"id", "name", "type", "parent", "website"}, organisations(s)},
		{"contracts", []string{"id", "name", "supplier", "reference", "systems", "starts", "ends", "last day for notice", "renews", "seats", "yearly cost", "data export", "exit tested", "decision", "decided on"}, contracts(s)},
		{"components", []string{"id", "name", "system", "used by", "product", "version", "cpe", "endoflife.date"}, components(s)},
		{"interfaces", []string{"id", "name", "system", "style", "documented", "record types"}, interfaces(s)},
		{"flows", []string{"id", "name", "from", "to", "record type", "agreement", "purpose", "via", "crosses organisations", "expected every"}, flows(s)},
		{"record-types", []string{"id", "name", "class", "personal"}, recordTypes(s)},
		{"sites", []string{"id", "name", "organisation", "country", "postcode"}, sites(s)},
		{"services", []string{"id", "name", "description", "audience", "organisation", "systems", "online", "updated"}, services(s)},
		{"assets", []string{"id", "name", "type", "maker", "model", "serial", "state", "site", "contract", "systems", "bought", "warranty", "last seen", "cost"}, assets(s)},
		{"standards", []string{"id", "name", "severity", "met", "not met", "not known", "waived"}, standings(s)},
		{"waivers", []string{"id", "name", "standard", "kind", "subject", "owner", "approved by", "granted", "expires", "state", "times before", "reason"}, waivers(s)},
		{"findings", []string{"standard", "kind", "id", "name", "result"}, findings(s)},
	}
}

func list(ids []string) string { return strings.Join(ids, " ") }

func date(d *def.Date) string {
	if d == nil || d.IsZero() {
		return ""
	}
	return d.String()
}

func pence(minor int64) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d", sign, minor/100, minor%100)
}

func whole[T any](p *T) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(*p)
}

func systems(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, x := range s.Systems {
			p := x.Spec
			since, end, successor, online, class := "", "", "", "", ""
			if l := p.Lifecycle; l != nil {
				since, end, successor = date(l.Since), date(l.End), l.Successor
			}
			if p.Channels != nil {
				online = p.Channels.Online
			}
			if c, ok := s.ClassOf(x.ID); ok {
				class = c.String()
			}
			cost := s.YearlyOf(x.ID)
			known, amount := "no", ""
			if cost.Sure {
				known, amount = "in part", pence(int64(cost.Known))
				if !cost.Lacks {
					known = "yes"
				}
			}
			if !yield([]string{x.ID, x.Name, p.Description, p.Organisation, p.Owner, p.Deputy, p.Product, list(p.Capabilities), p.Hosting, p.Phase(), since, end, successor, list(p.Audience), online, class, whole(p.Users), strconv.Itoa(len(s.InterfacesOf(x.ID))), amount, known}) {
				return
			}
		}
	}
}

func capabilities(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, c := range s.Capabilities {
			var by []string
			for _, x := range s.Providers[c.ID] {
				by = append(by, x.ID)
			}
			if !yield([]string{c.ID, c.Name, c.Spec.Description, c.Spec.Parent, strconv.FormatBool(c.Spec.Generic), c.Spec.Platform, list(by)}) {
				return
			}
		}
	}
}

func organisations(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, id := range sortedKeys(s.Organisations) {
			o := s.Organisations[id]
			if !yield([]string{id, o.Name, o.Spec.Type, o.Spec.Parent, o.Spec.Website}) {
				return
			}
		}
	}
}

func contracts(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, k := range s.Contracts {
			p := k.Spec
			starts, ends, notice, renews, amount, export, tested, what, on := "", "", "", "", "", "", "", "", ""
			if t := p.Term; t != nil {
				starts, ends, renews = date(t.Starts), date(t.Ends), whole(t.Renews)
			}
			if by, ok := p.NoticeBy(); ok {
				notice = by.String()
			}
			if minor, ok := p.Minor(); ok {
				amount = pence(minor)
			}
			if p.Exit != nil {
				export, tested = p.Exit.DataExport, date(p.Exit.Tested)
			}
			if p.Decision != nil {
				what, on = p.Decision.What, p.Decision.On.String()
			}
			if !yield([]string{k.ID, k.Name, p.Supplier, p.Reference, list(p.Systems), starts, ends, notice, renews, whole(p.Seats), amount, export, tested, what, on}) {
				return
			}
		}
	}
}

func components(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, c := range s.Components {
			p := c.Spec.Product
			if !yield([]string{c.ID, c.Name, c.Spec.System, list(c.Spec.UsedBy), p.Name, p.Version, p.CPE, p.EOL}) {
				return
			}
		}
	}
}

func interfaces(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, i := range s.Interfaces {
			if !yield([]string{i.ID, i.Name, i.System, i.Style, strconv.FormatBool(i.Documented), list(i.Records)}) {
				return
			}
		}
	}
}

func flows(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, f := range s.Flows {
			every := ""
			if f.Every > 0 {
				every = def.Duration(f.Every).String()
			}
			if !yield([]string{f.ID, f.Name, f.From, f.To, f.Record, f.Agreement, f.Purpose, f.Via, strconv.FormatBool(f.Crosses), every}) {
				return
			}
		}
	}
}

func recordTypes(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, t := range s.RecordTypes {
			if !yield([]string{t.ID, t.Name, t.Level.String(), strconv.FormatBool(t.Personal)}) {
				return
			}
		}
	}
}

func sites(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, x := range s.Sites {
			if !yield([]string{x.ID, x.Name, x.Spec.Organisation, x.Spec.Country, x.Spec.Address.Postcode}) {
				return
			}
		}
	}
}

func services(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, x := range def.All[catalogue.Spec](s.Set) {
			p := x.Spec
			if !yield([]string{x.ID, x.Name, p.Description, p.Audience, p.Organisation, list(p.Systems), p.Channels.Online, date(p.Updated)}) {
				return
			}
		}
	}
}

// assets leaves out who holds a device: that is for those who look after devices,
// on their pages.
func assets(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, a := range s.Assets {
			cost := ""
			if a.Cost != 0 {
				cost = pence(a.Cost)
			}
			if !yield([]string{a.ID, a.Name, a.Type, a.Maker, a.Model, a.Serial, a.State, a.Site, a.Contract, list(a.Systems), date(&a.Bought), date(&a.Warranty), date(&a.LastSeen), cost}) {
				return
			}
		}
	}
}

func standings(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		if s.Outcome == nil {
			return
		}
		for _, t := range s.Outcome.Standings {
			if !yield([]string{t.ID, t.Name, t.Spec.Severity, strconv.Itoa(t.Pass), strconv.Itoa(t.Fail), strconv.Itoa(t.Unknown), strconv.Itoa(t.Waived)}) {
				return
			}
		}
	}
}

func waivers(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, l := range waiver.List(s) {
			if !yield([]string{l.ID, l.Name, l.Standard, l.Kind, l.Subject, l.Owner, l.ApprovedBy, date(&l.Granted), date(&l.Expires), l.State, strconv.Itoa(l.Before), l.Reason}) {
				return
			}
		}
	}
}

func findings(s *register.Snapshot) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		if s.Outcome == nil {
			return
		}
		for _, t := range s.Tables {
			for i, id := range t.IDs {
				for _, f := range s.Outcome.Of(t.Kind, id) {
					if !yield([]string{f.Standard.ID, t.Kind, id, t.Names[i], fmt.Sprint(f.Result)}) {
						return
					}
				}
			}
		}
	}
}

func writeCSV(w io.Writer, s *register.Snapshot, o Options) error {
	all := sheets(s)
	if o.Kind != "" {
		i := slices.IndexFunc(all, func(x sheet) bool { return x.Name == o.Kind })
		return all[i].csv(w)
	}
	z := zip.NewWriter(w)
	for _, x := range all {
		f, err := z.Create(x.Name + ".csv")
		if err != nil {
			return err
		}
		if err := x.csv(f); err != nil {
			return err
		}
	}
	return z.Close()
}

func (x sheet) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(x.Head); err != nil {
		return err
	}
	for row := range x.Rows {
		for i := range row {
			row[i] = safe(row[i])
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// cellLimit is how many characters Excel takes in a cell.
const cellLimit = 32767

func writeXLSX(w io.Writer, s *register.Snapshot, _ Options) (err error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	for n, x := range sheets(s) {
		if n == 0 {
			err = f.SetSheetName("Sheet1", x.Name)
		} else {
			_, err = f.NewSheet(x.Name)
		}
		if err != nil {
			return err
		}
		if err := x.xlsx(f, bold); err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
	}
	_, err = f.WriteTo(w)
	return err
}

func (x sheet) xlsx(f *excelize.File, bold int) error {
	sw, err := f.NewStreamWriter(x.Name)
	if err != nil {
		return err
	}
	if err := sw.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := sw.SetColWidth(1, len(x.Head), 22); err != nil {
		return err
	}
	head := make([]any, len(x.Head))
	for i, h := range x.Head {
		head[i] = excelize.Cell{StyleID: bold, Value: h}
	}
	if err := sw.SetRow("A1", head); err != nil {
		return err
	}
	at := 1
	for row := range x.Rows {
		if at++; at > excelize.TotalRows {
			return fmt.Errorf("there are more rows than a sheet can hold: take the CSV files")
		}
		cells := make([]any, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		if err := sw.SetRow("A"+strconv.Itoa(at), cells); err != nil {
			return err
		}
	}
	return sw.Flush()
}

// cell is a number where the text is one that stays the same as a number.
func cell(s string) any {
	if s = safe(s); number(s) && len(s) < 15 && (s == "0" || s[0] != '0') {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	if r := []rune(s); len(r) > cellLimit {
		return string(r[:cellLimit-1]) + "…"
	}
	return s
}
