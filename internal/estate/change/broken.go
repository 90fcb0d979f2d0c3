package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Fault is something relied on that would not work.
type Fault struct {
	Kind string `json:"kind"` // Flow, Service, SupplierContract, Capability, System, Component
	ID   string `json:"id"`
	Name string `json:"name"`
	Text string `json:"text"` // what is the matter, a plain sentence

	about string // what else it is about, to tell two faults of one thing apart
}

// broken are the faults that after has and before had not, and the other way round.
func broken(before, after *register.Snapshot) (newly, mended []Fault) {
	a, b := faults(before), faults(after)
	lost(before, after, b)
	for key, f := range b {
		if _, had := a[key]; !had {
			newly = append(newly, f)
		}
	}
	for key, f := range a {
		if _, has := b[key]; !has && present(after.Set, f) {
			mended = append(mended, f)
		}
	}
	slices.SortFunc(newly, compareFaults)
	slices.SortFunc(mended, compareFaults)
	return newly, mended
}

func present(set *def.Set, f Fault) bool { _, ok := set.Lookup(f.Kind, f.ID); return ok }

func compareFaults(a, b Fault) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Text, b.Text))
}

type key struct{ kind, id, about string }

// faults are what does not hold together in one snapshot: it depends on a system
// that is not in use.
func faults(s *register.Snapshot) map[key]Fault {
	out := map[key]Fault{}
	add := func(kind, id, name, about, format string, args ...any) {
		out[key{kind, id, about}] = Fault{kind, id, name, fmt.Sprintf(format, args...), about}
	}
	off := func(id string) (register.System, bool) {
		x, ok := s.System(s.Set.Present("System", id))
		return x, ok && !x.Spec.InUse()
	}
	for _, f := range s.Flows {
		for _, end := range [...]struct{ id, word string }{{f.From, "comes from"}, {f.To, "goes to"}} {
			if x, gone := off(end.id); gone {
				add("Flow", f.ID, f.Name, x.ID, "It %s %s, which is not in use.", end.word, x.Name)
			}
		}
		if !f.AgreementTo.IsZero() && f.AgreementTo.Before(s.Today) {
			add("Flow", f.ID, f.Name, "agreement", "Its agreement %s ended on %s, so nothing flows.", f.Agreement, f.AgreementTo)
		}
	}
	for _, v := range def.All[catalogue.Spec](s.Set) {
		if v.Spec.Withdrawn != nil && !v.Spec.Withdrawn.After(s.Today) {
			continue
		}
		for _, id := range v.Spec.Systems {
			if x, gone := off(id); gone {
				add("Service", v.ID, v.Name, x.ID, "It needs %s, which is not in use.", x.Name)
			}
		}
	}
	for _, k := range s.Contracts {
		if ids := s.Pays[k.ID]; s.InForce(k) && len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { _, gone := off(id); return !gone }) {
			add("SupplierContract", k.ID, k.Name, "", "It is in force and pays for nothing that is in use.")
		}
	}
	for _, c := range s.Components {
		if x, gone := off(c.Spec.System); gone {
			for _, id := range c.Spec.UsedBy {
				if user, ok := s.System(s.Set.Present("System", id)); ok && user.Spec.InUse() {
					add("Component", c.ID, c.Name, user.ID, "%s uses it, and it is a part of %s, which is not in use.", user.Name, x.Name)
				}
			}
		}
	}
	for _, x := range s.Systems {
		if x.Spec.Lifecycle == nil || x.Spec.Lifecycle.Successor == "" || x.Spec.InUse() {
			continue
		}
		if next, gone := off(x.Spec.Lifecycle.Successor); gone {
			add("System", x.ID, x.Name, next.ID, "It is out of use, and its successor %s is not in use.", next.Name)
		}
	}
	return out
}

// lost adds what was there before and has no replacement after.
func lost(before, after *register.Snapshot, out map[key]Fault) {
	add := func(kind, id, name, about, format string, args ...any) {
		out[key{kind, id, about}] = Fault{kind, id, name, fmt.Sprintf(format, args...), about}
	}
	used := func(id string) (register.System, bool) {
		x, ok := after.System(after.Set.Present("System", id))
		return x, ok && x.Spec.InUse()
	}
	still, route := map[string]bool{}, map[[3]string]bool{}
	for _, f := range after.Flows {
		still[f.ID], route[[3]string{f.From, f.To, f.Record}] = true, true
	}
	for _, f := range before.Flows {
		if still[after.Set.Present("Flow", f.ID)] {
			continue
		}
		from, okFrom := used(f.From)
		to, okTo := used(f.To)
		if okFrom && okTo && !route[[3]string{from.ID, to.ID, after.Set.Present("RecordType", f.Record)}] {
			add("Flow", f.ID, f.Name, "lost", "It is gone, and nothing else takes %s from %s to %s.", f.Record, from.Name, to.Name)
		}
		if okFrom != okTo {
			name, rest := systemName(before, f.From), to.Name
			if okFrom {
				name, rest = systemName(before, f.To), from.Name
			}
			add("Flow", f.ID, f.Name, "end", "It is gone with %s, and %s is still in use without it.", name, rest)
		}
	}
	for _, c := range before.Capabilities {
		now, still := after.Capability(after.Set.Present("Capability", c.ID))
		if had := before.Providers[c.ID]; still && len(had) > 0 && len(after.Providers[now.ID]) == 0 {
			add("Capability", now.ID, now.Name, "", "No system in use provides it any more; before, %s did.", names(had))
		}
	}
	for _, x := range before.Systems {
		if !x.Spec.InUse() {
			continue
		}
		now, ok := after.System(after.Set.Present("System", x.ID))
		if ok && now.Spec.InUse() {
			if len(before.ContractsOf[x.ID]) > 0 && len(after.ContractsOf[now.ID]) == 0 {
				add("System", now.ID, now.Name, "contract", "It is in use, and no supplier contract pays for it any more.")
			}
			continue
		}
		if len(before.FlowsOf(x.ID)) > 0 && (!ok || now.Spec.Lifecycle == nil || now.Spec.Lifecycle.Successor == "") {
			add("System", x.ID, x.Name, "successor", "It goes out of use, %d flows rely on it, and no successor is named.", len(before.FlowsOf(x.ID)))
		}
	}
}

func systemName(s *register.Snapshot, id string) string {
	if x, ok := s.System(s.Set.Present("System", id)); ok {
		return x.Name
	}
	return id
}

func names(xs []register.System) string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = x.Name
	}
	return strings.Join(out, ", ")
}
