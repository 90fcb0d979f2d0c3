package offline

import (
	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Exchange tells the estate what the exchange declares.
type Exchange struct{}

// Declared implements register.Exchange.
func (Exchange) Declared(set *def.Set) (d register.Declared) {
	level := map[string]reeve.Class{}
	for _, t := range def.All[contract.Spec](set) {
		level[t.ID] = highest(t.Spec.Classification)
		rt := register.RecordType{ID: t.ID, Name: t.Name, Level: level[t.ID], Personal: t.Spec.Classification.Personal, Object: t.Object}
		if t.Spec.Master != "" {
			rt.Masters = 1
		}
		d.RecordTypes = append(d.RecordTypes, rt)
	}
	at := map[string]register.Interface{}
	for _, i := range def.All[iface.Spec](set) {
		x := register.Interface{ID: i.ID, Name: i.Name, System: set.Present("System", i.Spec.System), Style: i.Spec.Style, Documented: i.Spec.Definition != "", Records: i.Spec.Records, Object: i.Object}
		for _, r := range i.Spec.Records {
			if c, ok := level[set.Present("RecordType", r)]; ok && (x.Class == nil || c > *x.Class) {
				x.Class = &c
			}
		}
		at[i.ID] = x
		d.Interfaces = append(d.Interfaces, x)
	}
	for _, f := range def.All[flow.Spec](set) {
		from, to := at[set.Present("Interface", f.Spec.From)], at[set.Present("Interface", f.Spec.To)]
		x := register.Flow{ID: f.ID, Name: f.Name, From: from.System, To: to.System, FromInterface: from.ID, ToInterface: to.ID, Record: f.Spec.Record, Agreement: f.Spec.Agreement,
			Purpose: f.Spec.Purpose, Via: f.Spec.Via, Every: f.Spec.Expect.Every.D(), Object: f.Object, Href: "/staff/flows/" + f.ID}
		if x.Via == "" || x.Via == "process" {
			x.Via = "exchange"
		}
		if a, ok := def.Get[agreement.Spec](set, f.Spec.Agreement); ok {
			x.AgreementStarts, x.AgreementTo = a.Spec.Starts, a.Spec.Ends
		}
		d.Flows = append(d.Flows, x)
	}
	return d
}

// highest is the class of the most sensitive field of a record type.
func highest(c contract.Classification) reeve.Class {
	most := c.Level
	for _, class := range c.Fields {
		most = max(most, class)
	}
	return most
}
