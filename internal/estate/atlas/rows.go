package atlas

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file turns a map into rows of tables and options of forms.

const (
	mostLineRows = 100 // lines added up, in the table
	mostListed   = 300 // things in the list of what depends on something
	mostFields   = 120 // fields of a record type
	mostNamed    = 12  // links in one fact
)

// lead is the sentence below the title.
func (p page) lead() string {
	switch q := p.View.Query; {
	case p.Impact != nil && p.Impact.Stops:
		return "What could not go on without it, and what would lack data at once."
	case p.Impact != nil:
		return "Everything that depends on it, directly or by way of others, the nearest first."
	case q.With.Kind != "":
		return "What goes between it and " + p.Name(q.With) + "."
	case q.At.Kind == "" && q.By == AtSystem:
		text := "Which system tells which, what, and how much. A box or a line leads closer."
		if !p.Past {
			text += " As seen at " + p.Index.At.Format("15:04") + "."
		}
		return text
	case q.At.Kind == "" && q.By == AtOrganisation:
		return "Which part of the organisation tells which, what, and whether it was seen. A box or a line leads closer."
	case q.At.Kind == "":
		return "What we are able to do, how many systems do it, and which tell each other. A box or a line leads closer."
	case q.At.Kind == AtCapability || q.At.Kind == AtOrganisation:
		return words.Count(len(p.View.Inside), "system", "systems") + " and what they tell others. A box or a line leads closer."
	case q.At.Kind == AtRecord:
		return "Every flow that carries it."
	case q.At.Kind == AtFlow:
		return "One flow, as declared and as seen."
	}
	return "What it tells others, and what it is told."
}

// ways are the ways to look at the same place; the present one has no address.
func (p page) ways() (out []ui.Link) {
	q := p.View.Query
	add := func(text string, other Query) {
		l := ui.Link{Text: text, Href: other.Href()}
		if other == q {
			l.Href = ""
		}
		out = append(out, l)
	}
	if q.At.Kind == "" {
		a, b, c := q, q, q
		a.By, b.By, c.By = "", AtOrganisation, AtSystem
		switch { // system by system, it shows what Reeve carries unless asked otherwise
		case q.By == AtSystem && q.State == Carried:
			a.State, b.State = "", ""
		case q.By != AtSystem && q.State == "":
			c.State = Carried
		}
		add("By capability", a)
		add("By organisation", b)
		add("System by system", c)
		return out
	}
	flows, depends, stops := q, q, q
	flows.Show, depends.Show, stops.Show = "", "depends", "stops"
	add("What goes where", flows)
	add("What depends on it", depends)
	add("What would stop without it", stops)
	if href := pageOf(q.At); href != "" {
		out = append(out, ui.Link{Text: "Its page", Href: p.href(href)})
	}
	return out
}

// pageOf is the page of a place beside the map, "" for none.
func pageOf(at Place) string {
	switch at.Kind {
	case AtSystem:
		return "/staff/estate/systems/" + url.PathEscape(at.ID)
	case AtCapability:
		return "/staff/estate/capabilities/" + url.PathEscape(at.ID)
	case AtFlow:
		return "/staff/flows/" + url.PathEscape(at.ID)
	}
	return ""
}

// sample is a piece of a line of a state, for the key.
func sample(s State) string {
	k := looks[s]
	dash := ""
	if k.Dash != "" {
		dash = fmt.Sprintf(` stroke-dasharray="%s"`, k.Dash)
	}
	return fmt.Sprintf(`<svg width="44" height="12" aria-hidden="true" focusable="false"><path d="M0 6h36" fill="none" stroke="%s" stroke-width="%.1f"%s/><path d="M44 6l-8 -5v10z" fill="%s"/></svg> `, k.Colour, k.Width+.5, dash, k.Colour)
}

// hidden are the parts of the address that the form keeps.
func (p page) hidden() (out [][2]string) {
	for _, name := range []string{"at", "with", "by", "on"} {
		if v := p.View.Values().Get(name); v != "" {
			out = append(out, [2]string{name, v})
		}
	}
	return out
}

// all is the address without filters.
func (p page) all() string {
	q := p.View.Query
	return Query{At: q.At, With: q.With, By: q.By, On: q.On}.Href()
}

// chosenText says in words which systems and flows are shown, "" if all.
func (p page) chosenText() string {
	q := p.View.Query
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	name := func(kind, id string) string { return p.Name(p.present(Place{kind, id})) }
	if q.Text != "" {
		add("that mention “%s”", q.Text)
	}
	if q.Capability != "" {
		add("that do %s", name(AtCapability, q.Capability))
	}
	if q.Organisation != "" {
		add("of %s", name(AtOrganisation, q.Organisation))
	}
	if q.Supplier != "" {
		add("supplied by %s", name(AtOrganisation, q.Supplier))
	}
	for _, w := range [][2]string{{"where they run", q.Hosting}, {"phase", q.Phase}, {"class of data", q.Class}} {
		if w[1] != "" {
			add("%s: %s", w[0], strings.ToLower(word(w[1])))
		}
	}
	if q.Standard+q.Result != "" {
		std := "any standard"
		if o, ok := p.Set.Lookup("Standard", q.Standard); ok {
			std = "“" + o.Name + "”"
		}
		add("%s: %s", std, strings.ToLower(words.Or(resultWord(q.Result), "any result")))
	}
	text := ""
	if len(parts) > 0 {
		text = "Only systems " + strings.Join(parts, "; ") + ": " + words.Count(len(p.View.Inside), "system", "systems") + "."
	}
	if q.State != "" {
		text += " Only flows: " + ui.LowerFirst(q.State.Words()) + "."
	}
	if q.Record != "" {
		text += " Only flows of " + name(AtRecord, q.Record) + "."
	}
	return strings.TrimSpace(text)
}

func resultWord(r string) string {
	for _, it := range resultItems() {
		if it.Value == r && r != "" {
			return it.Text
		}
	}
	return ""
}

func resultItems() []ui.SelectItem {
	return []ui.SelectItem{{Value: "fail", Text: "Not met"}, {Value: "unknown", Text: "Not known"}, {Value: "waived", Text: "Waived"}, {Value: "pass", Text: "Met"}}
}

func stateItems() (out []ui.SelectItem) {
	for _, s := range append([]State{Carried}, States[:4]...) {
		out = append(out, ui.SelectItem{Value: string(s), Text: s.Words()})
	}
	return out
}

func wordItems(values ...string) (out []ui.SelectItem) {
	for _, v := range values {
		out = append(out, ui.SelectItem{Value: v, Text: word(v)})
	}
	return out
}

func byText(items []ui.SelectItem) []ui.SelectItem {
	slices.SortFunc(items, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return items
}

func (p page) capabilityItems() (out []ui.SelectItem) {
	for _, c := range p.Capabilities {
		out = append(out, ui.SelectItem{Value: c.ID, Text: c.Name})
	}
	return byText(out)
}

func (p page) organisationItems() (out []ui.SelectItem) {
	for _, id := range slices.Sorted(maps.Keys(p.orgWithin)) {
		out = append(out, ui.SelectItem{Value: id, Text: p.OrganisationName(id)})
	}
	return byText(out)
}

func (p page) supplierItems() (out []ui.SelectItem) {
	for _, o := range p.suppliers() {
		out = append(out, ui.SelectItem{Value: o.ID, Text: o.Name})
	}
	return out
}

func (p page) standardItems() (out []ui.SelectItem) {
	if p.Outcome == nil {
		return nil
	}
	for i := range p.Outcome.Standings {
		if t := p.Outcome.Standings[i].Table(); t != nil && t.Kind == "System" {
			out = append(out, ui.SelectItem{Value: p.Outcome.Standings[i].ID, Text: p.Outcome.Standings[i].Name})
		}
	}
	return out
}

func (p page) recordItems() (out []ui.SelectItem) {
	for _, r := range p.RecordTypes {
		out = append(out, ui.SelectItem{Value: r.ID, Text: p.recordName(r.ID)})
	}
	return byText(out)
}

func cell(text, href string) ui.Cell { return ui.CellHTML(ui.LinkTo(text, href)) }

func boxHead() []ui.Cell {
	return []ui.Cell{{Text: "What"}, ui.Num("Systems"), ui.Num("Not up to standards"), ui.Num("Flows out"), ui.Num("Flows in"), ui.Num("Inside")}
}

func (p page) boxCaption() string {
	switch {
	case p.View.At.Kind != "":
		return "Parts and neighbours"
	case p.View.By == AtOrganisation:
		return "Parts of the organisation"
	}
	return "Capabilities"
}

// boxRows are the boxes that stand for many systems.
func (p page) boxRows() (rows [][]ui.Cell) {
	for _, b := range p.View.Boxes {
		if b.Kind == AtCapability || b.Kind == AtOrganisation {
			rows = append(rows, []ui.Cell{cell(b.Name, p.View.boxHref(b)), ui.Num(comma(b.Systems)), ui.Num(comma(b.Failing)), ui.Num(comma(b.sends)), ui.Num(comma(b.takes)), ui.Num(comma(b.Within))})
		}
	}
	return rows
}

func lineHead() []ui.Cell {
	return []ui.Cell{{Text: "From"}, {Text: "To"}, {Text: "What"}, {Text: "State"}, ui.Num("Flows")}
}

func (p page) lineRows() (rows [][]ui.Cell) {
	for i, l := range p.View.Lines {
		if i == mostLineRows {
			break
		}
		rows = append(rows, []ui.Cell{{Text: p.View.name(l.From)}, {Text: p.View.name(l.To)}, {Text: l.what(3)}, {Text: l.Count.Words()},
			{HTML: ui.LinkTo(comma(l.Total()), p.View.lineHref(l)), Format: "numeric"}})
	}
	return rows
}

func (p page) flowRows(flows []Flow) (rows [][]ui.Cell) {
	for _, f := range flows {
		href := ""
		if f.ID != "" {
			href = Query{At: Place{AtFlow, f.ID}, On: p.View.On}.Href()
		}
		rows = append(rows, []ui.Cell{p.systemCell(f.From), p.systemCell(f.To), cell(p.recordName(f.Record), href), ui.CellHTML(stateTag(f.State, f.State.Words())), {Text: f.Words(p.At)}})
	}
	return rows
}

func (p page) systemCell(id string) ui.Cell {
	href := ""
	if _, ok := p.System(id); ok {
		href = Query{At: Place{AtSystem, id}, On: p.View.On}.Href()
	}
	return cell(p.systemName(id), href)
}

// placeLink leads to a place.
func (p page) placeLink(kind, id string) ui.Link {
	if org, ok := strings.CutPrefix(id, atSender+"/"); ok {
		if _, ok := p.Organisations[org]; !ok {
			return ui.Link{Text: p.systemName(id)}
		}
		kind, id = AtOrganisation, org // it sends from a system that we do not know of
	}
	at := p.present(Place{kind, id})
	return ui.Link{Text: p.Name(at), Href: Query{At: at, On: p.View.On}.Href()}
}

func (p page) placeLinks(kind string, ids []string) (out []ui.Link) {
	for _, id := range ids {
		if len(out) == mostNamed {
			return append(out, ui.Link{Text: "and " + comma(len(ids)-mostNamed) + " more"})
		}
		out = append(out, p.placeLink(kind, id))
	}
	return out
}

func row(key string, list []ui.Link) ui.SummaryRow { return ui.RowHTML(key, links(list)) }

func text(key, value string) ui.SummaryRow { return ui.RowHTML(key, links(said(value))) }

func said(value string) []ui.Link {
	if value == "" {
		return nil
	}
	return []ui.Link{{Text: value}}
}

func (p page) flowFacts(f Flow) []ui.SummaryRow {
	rows := []ui.SummaryRow{
		row("From", p.placeLinks(AtSystem, []string{f.From})), row("To", p.placeLinks(AtSystem, []string{f.To})),
	}
	for _, end := range [][2]string{{"Leaves through", f.FromInterface}, {"Comes in through", f.ToInterface}} {
		if end[1] != "" {
			rows = append(rows, row(end[0], p.placeLinks(AtInterface, []string{end[1]})))
		}
	}
	rows = append(rows, row("Record type", p.placeLinks(AtRecord, []string{f.Record})), text("Purpose", ui.Words(f.Purpose)))
	if f.Agreement == "" {
		rows = append(rows, text("Agreement", ""))
	} else {
		rows = append(rows, row("Agreement", []ui.Link{{Text: p.definitionName("Agreement", f.Agreement), Href: "/staff/estate/history/Agreement/" + url.PathEscape(f.Agreement)}}))
		rows = append(rows, text("In force", words.Period(f.AgreementStarts, f.AgreementTo)))
	}
	rows = append(rows, text("Carried", map[string]string{"exchange": "By Reeve", "direct": "From system to system, not by Reeve", "manual": "By hand"}[words.Or(f.Via, "exchange")]))
	if f.Every > 0 {
		rows = append(rows, text("Expected", "At least every "+words.Length(f.Every)))
	}
	return append(rows, ui.RowHTML("State", stateTag(f.State, f.State.Words())), text("Seen", f.Words(p.At)), p.heldRow(p.heldOf(func(h register.Sent) bool {
		return p.sameRecord(h.Record, f.Record) && sender(h) == f.From
	})))
}

func (p page) definitionName(kind, id string) string {
	if o, ok := p.Set.Lookup(kind, id); ok && o.Name != "" {
		return o.Name
	}
	return id
}

// agreed are the fields that the agreement of a flow lets through, nil if it is
// not known.
func (p page) agreed(f Flow) (out []string) {
	o, ok := p.Set.Lookup("Agreement", f.Agreement)
	if !ok {
		return nil
	}
	spec, _ := o.Value()["spec"].(map[string]any)
	records, _ := spec["records"].([]any)
	for _, r := range records {
		r, _ := r.(map[string]any)
		if t, _ := r["type"].(string); p.Set.Present("RecordType", t) != p.Set.Present("RecordType", f.Record) {
			continue
		}
		list, _ := r["fields"].([]any)
		for _, one := range list {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func fieldHead(agreed []string) []ui.Cell {
	if agreed == nil {
		return ui.Cells("Field", "Class")
	}
	return ui.Cells("Field", "Class", "In the agreement")
}

// fieldRows are the fields of a record type that have a class of their own, and
// those that an agreement names.
func (p page) fieldRows(record string, agreed []string) (rows [][]ui.Cell) {
	class := map[string]string{}
	level := "not known"
	if r := p.records[p.Set.Present("RecordType", record)]; r != nil && r.Object != nil {
		spec, _ := r.Object.Value()["spec"].(map[string]any)
		cl, _ := spec["classification"].(map[string]any)
		if s, ok := cl["level"].(string); ok {
			level = s
		}
		list, _ := cl["fields"].(map[string]any)
		for f, c := range list {
			class[f] = fmt.Sprint(c)
		}
	}
	for _, f := range agreed {
		if class[f] == "" {
			class[f] = level
		}
	}
	for _, f := range slices.Sorted(maps.Keys(class)) {
		r := []ui.Cell{{Text: ui.FieldText(f)}, {Text: word(class[f])}}
		if agreed != nil {
			in := "No: it is cut off"
			if slices.ContainsFunc(agreed, func(a string) bool { return a == "/" || a == f || strings.HasPrefix(f, a+"/") }) {
				in = "Yes"
			} else if slices.ContainsFunc(agreed, func(a string) bool { return strings.HasPrefix(a, f+"/") }) {
				in = "In part"
			}
			r = append(r, ui.Cell{Text: in})
		}
		if rows = append(rows, r); len(rows) == mostFields {
			break
		}
	}
	return rows
}

func (p page) interfaceFacts(id string) []ui.SummaryRow {
	i := p.Snapshot.Interfaces[p.iface[id]]
	class := ""
	if i.Class != nil {
		class = word(i.Class.String())
	}
	return []ui.SummaryRow{row("System", p.placeLinks(AtSystem, []string{i.System})), text("Kind", styleWord(i.Style)), text("Described", map[bool]string{true: "Yes", false: "No"}[i.Documented]),
		row("Record types", p.placeLinks(AtRecord, i.Records)), text("Most sensitive data", class)}
}

func (p page) interfaceRows(system string) (rows [][]ui.Cell) {
	for _, i := range p.InterfacesOf(system) {
		rows = append(rows, []ui.Cell{cell(i.Name, p.placeLink(AtInterface, i.ID).Href), {Text: styleWord(i.Style)}, {Text: map[bool]string{true: "Yes", false: "No"}[i.Documented]}, ui.CellHTML(links(p.placeLinks(AtRecord, i.Records)))})
	}
	return rows
}

func (p page) recordFacts(id string) []ui.SummaryRow {
	r := p.records[id]
	var from []string
	for _, i := range p.byRecord[id] {
		from = append(from, p.flows[i].From)
	}
	return []ui.SummaryRow{text("Class", word(r.Level.String())), text("About people", map[bool]string{true: "Yes", false: "No"}[r.Personal]), row("Comes from", p.placeLinks(AtSystem, p.named(from))),
		p.heldRow(p.heldOf(func(h register.Sent) bool { return p.sameRecord(h.Record, id) }))}
}

// heldOf is how many records stand at the door: no flow has them yet.
func (p page) heldOf(meant func(register.Sent) bool) (n int64) {
	for _, h := range p.Held {
		if meant(h) {
			n += h.Records
		}
	}
	return n
}

func (p page) sameRecord(a, b string) bool {
	return p.Set.Present("RecordType", a) == p.Set.Present("RecordType", b)
}

func (p page) heldRow(n int64) ui.SummaryRow {
	switch {
	case p.Past:
		return text("Held at the door", "") // not kept by day
	case n == 0:
		return text("Held at the door", "None")
	}
	return row("Held at the door", []ui.Link{{Text: ui.Count(n) + ", to be corrected", Href: "/staff/held"}})
}

func (p page) systemFacts(id string) []ui.SummaryRow {
	var records, contracts, suppliers, components []string
	for _, i := range p.of[id] {
		if r := p.Set.Present("RecordType", p.flows[i].Record); !slices.Contains(records, r) {
			records = append(records, r)
		}
	}
	for _, k := range p.ContractsOf[id] {
		contracts = append(contracts, k.ID)
		if s := p.Set.Present("Organisation", k.Spec.Supplier); s != "" && !slices.Contains(suppliers, s) {
			suppliers = append(suppliers, s)
		}
	}
	for _, c := range p.ComponentsOf(id) {
		components = append(components, c.ID)
	}
	var caps []string
	for _, c := range p.CapabilitiesOf(id) {
		caps = append(caps, c.ID)
	}
	s, _ := p.System(id)
	rows := []ui.SummaryRow{row("What it does", p.placeLinks(AtCapability, caps)), text("Runs in", strings.ReplaceAll(word(s.Spec.Hosting), "Not known", ""))}
	if s.Spec.Organisation != "" {
		rows = append(rows, row("Belongs to", p.placeLinks(AtOrganisation, []string{s.Spec.Organisation})))
	}
	return append(rows, row("Record types", p.placeLinks(AtRecord, records)), row("Supplier contracts", p.placeLinks(AtContract, contracts)),
		row("Suppliers", p.placeLinks(AtOrganisation, suppliers)), p.heldRow(p.held[id]), row("Components", p.placeLinks(AtComponent, components)))
}

// otherFacts are what stands behind a place that is not on the way from the whole
// to a flow.
func (p page) otherFacts(at Place) []ui.SummaryRow {
	rows := []ui.SummaryRow{row("Systems", p.placeLinks(AtSystem, p.View.Inside))}
	switch at.Kind {
	case AtOrganisation:
		var ids []string
		for _, k := range p.contracts[at.ID] {
			ids = append(ids, k.ID)
		}
		if len(ids) > 0 {
			rows = append(rows, row("Supplier contracts", p.placeLinks(AtContract, ids)))
		}
	case AtContract:
		for _, k := range p.Contracts {
			if k.ID == at.ID && k.Spec.Supplier != "" {
				rows = append(rows, row("Supplier", p.placeLinks(AtOrganisation, []string{k.Spec.Supplier})))
			}
		}
	case AtComponent:
		for _, c := range p.Components {
			if c.ID == at.ID {
				rows = append(rows, text("Product", strings.TrimSpace(c.Spec.Product.Name+" "+c.Spec.Product.Version)))
			}
		}
	}
	return rows
}

// summary says in a sentence what depends on something.
func (m *Impact) summary() string {
	if len(m.List) == 0 {
		if m.Stops {
			return "Nothing that is declared would stop without it."
		}
		return "Nothing that is declared depends on it."
	}
	var parts []string
	for _, k := range []struct{ kind, one, many string }{{AtService, "service", "services"}, {AtCapability, "capability", "capabilities"}, {AtSystem, "system", "systems"}} {
		if n := m.Count(k.kind, Stops); n > 0 {
			parts = append(parts, words.Count(n, k.one, k.many))
		}
	}
	text := ""
	if len(parts) > 0 {
		text = ui.Capital(strings.Join(parts, ", ")) + " would stop. "
	}
	if n := m.Count(AtSystem, Lacking); n > 0 {
		text += words.Count(n, "system would lack data", "systems would lack data") + ". "
	}
	if n := m.Count(AtCapability, Weaker); n > 0 {
		text += words.Count(n, "capability would be weaker", "capabilities would be weaker") + ". "
	}
	if n := len(m.List); n >= mostReached {
		text += "The list ends at " + comma(n) + "."
	}
	return strings.TrimSpace(text)
}

func (p page) reachedRows() (rows [][]ui.Cell) {
	for i, r := range p.Impact.List {
		if i == mostListed {
			break
		}
		href := p.View.boxHref(Box{Place: r.Place})
		rows = append(rows, []ui.Cell{cell(r.Name, href), {Text: kindWord(r.Kind)}, {Text: ui.Capital(effectWord(r.Effect))}, ui.CellHTML(templ.Component(pathWords(p, r)))})
	}
	return rows
}

// wayWords is the way from what stops to what is reached.
func (p page) wayWords(r Reached) string {
	var names []string
	for _, at := range r.Path[:len(r.Path)-1] {
		names = append(names, p.Name(at))
	}
	return words.Count(r.Distance, "step", "steps") + " away, by way of " + strings.Join(names, ", then ")
}
