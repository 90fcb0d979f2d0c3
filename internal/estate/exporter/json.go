package exporter

import (
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// document writes one JSON object piece by piece.
type document struct {
	w     io.Writer
	err   error
	first bool
}

func (d *document) raw(s string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.w, s)
	}
}

func (d *document) value(v any) {
	if d.err != nil {
		return
	}
	var b []byte
	if b, d.err = json.Marshal(v); d.err == nil {
		_, d.err = d.w.Write(b)
	}
}

func (d *document) field(name string) {
	if !d.first {
		d.raw(",")
	}
	d.first = false
	d.raw("\n")
	d.value(name)
	d.raw(":")
}

// each writes a list, an item a line.
func each[T any](d *document, name string, items []T, as func(T) any) {
	d.field(name)
	d.raw("[")
	for i, x := range items {
		if i > 0 {
			d.raw(",")
		}
		d.raw("\n")
		d.value(as(x))
	}
	d.raw("]")
}

// writeJSON writes the whole estate as one object:
//
//	format       "reeve-estate/1"
//	on           the day that it shows
//	definitions  every definition, as declared: kind, metadata, spec; of devices without who has them
//	interfaces, flows, recordTypes   what the exchange declares
//	assets       imported and declared devices, without who has them
//	imports      when a list of each type was last imported; one that is not here never was
//	facts        by kind and id, what was worked out; a fact that is not here is not known
//	findings     by kind, id and standard: pass, fail, unknown or waived
func writeJSON(w io.Writer, s *register.Snapshot, o Options) error {
	d := &document{w: w, first: true}
	d.raw("{")
	for _, f := range [][2]string{{"format", "reeve-estate/1"}, {"on", s.Today.String()}, {"body", o.Body}, {"definitionsHash", s.Set.Hash()}} {
		d.field(f[0])
		d.value(f[1])
	}
	each(d, "definitions", s.Set.Objects(), declared)
	each(d, "interfaces", s.Interfaces, func(x register.Interface) any {
		return map[string]any{"id": x.ID, "name": x.Name, "system": x.System, "style": x.Style, "documented": x.Documented, "recordTypes": x.Records}
	})
	each(d, "flows", s.Flows, func(x register.Flow) any {
		return map[string]any{"id": x.ID, "name": x.Name, "from": x.From, "to": x.To, "recordType": x.Record, "agreement": x.Agreement, "purpose": x.Purpose, "via": x.Via, "crossesOrganisations": x.Crosses}
	})
	each(d, "recordTypes", s.RecordTypes, func(x register.RecordType) any {
		return map[string]any{"id": x.ID, "name": x.Name, "class": x.Level.String(), "personal": x.Personal}
	})
	each(d, "assets", s.Assets, func(a inventory.Asset) any {
		a.Holder = ""
		return a
	})
	d.field("imports")
	d.value(s.Inventory.Imports)
	d.field("facts")
	d.facts(s)
	d.field("findings")
	d.findings(s)
	d.raw("\n}\n")
	return d.err
}

// declared is a definition as it was written, but for who has a device.
func declared(o *def.Object) any {
	v := o.Value()
	spec, ok := v["spec"].(map[string]any)
	if o.Kind != "Asset" || !ok || spec["holder"] == nil {
		return v
	}
	v, spec = maps.Clone(v), maps.Clone(spec)
	delete(spec, "holder")
	v["spec"] = spec
	return v
}

func (d *document) facts(s *register.Snapshot) {
	d.raw("{")
	for n, t := range s.Tables {
		if n > 0 {
			d.raw(",")
		}
		d.raw("\n")
		d.value(t.Kind)
		d.raw(":{")
		some := false
		for i, id := range t.IDs {
			facts := t.Facts(i)
			if len(facts) == 0 {
				continue
			}
			if some {
				d.raw(",")
			}
			some = true
			d.raw("\n")
			d.value(id)
			d.raw(":")
			d.value(facts)
		}
		d.raw("}")
	}
	d.raw("}")
}

func (d *document) findings(s *register.Snapshot) {
	d.raw("[")
	some := false
	for row := range findings(s) {
		if some {
			d.raw(",")
		}
		some = true
		d.raw("\n")
		d.value(map[string]string{"standard": row[0], "kind": row[1], "id": row[2], "result": row[4]})
	}
	d.raw("]")
}
