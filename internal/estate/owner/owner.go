// Package owner tells who answers for what: the owner and the deputy of
// everything that is declared to have one, whether the directory still knows
// them, what has nobody, and what somebody who leaves would leave behind.
//
// Where no directory was imported, whether somebody is still there is not known.
package owner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Thing is something that has, or should have, an owner.
type Thing struct {
	Kind, ID, Name string
	Href           string
	Owner, Deputy  inventory.Found
	Phase          string   // where it is in its life, "" if not known
	Since, End     def.Date // of that life
	Successor      string   // name of what takes its place
	InUse          bool
}

// Lacks tells in words what is wrong with who answers for it, "" if nothing is
// known to be.
func (t Thing) Lacks() string {
	switch {
	case t.Owner.Key == "" && t.Deputy.Key == "":
		return "It has no owner and no deputy"
	case t.Owner.Key == "":
		return "It has no owner"
	case t.Owner.Gone() && (t.Deputy.Key == "" || t.Deputy.Gone()):
		return "Its owner is no longer there, and nobody stands in"
	case t.Owner.Gone():
		return "Its owner is no longer there"
	case t.Deputy.Gone():
		return "Its deputy is no longer there"
	case t.Deputy.Key == "":
		return "It has no deputy"
	}
	return ""
}

// Person is somebody who answers for things.
type Person struct {
	inventory.Found
	Owns, Deputises []Thing
}

// Name is what a person or post is called.
func (p Person) Name() string { return Name(p.Found) }

// Name is what a person or post is called.
func Name(f inventory.Found) string {
	if f.OK && f.Person.Name != "" {
		return f.Person.Name
	}
	return words.Post(f.Key)
}

// Report is who answers for what.
type Report struct {
	*register.Snapshot
	Things []Thing  // in use, by kind and name
	People []Person // those with most first
	Known  bool     // a directory was imported
	dir    *inventory.Directory
}

// New works the report out.
func New(s *register.Snapshot) *Report {
	r := &Report{Snapshot: s, dir: s.Directory}
	_, r.Known = s.Inventory.Imports[string(inventory.TypePerson)]
	for _, x := range s.Systems {
		if !s.Ours(x.Spec.Organisation) {
			continue
		}
		t := Thing{Kind: "System", ID: x.ID, Name: x.Name, Href: "/staff/estate/systems/" + x.ID, Owner: r.dir.Find(x.Spec.Owner), Deputy: r.dir.Find(x.Spec.Deputy), Phase: x.Spec.Phase(), InUse: x.Spec.InUse()}
		if l := x.Spec.Lifecycle; l != nil {
			if l.Since != nil {
				t.Since = *l.Since
			}
			if l.End != nil {
				t.End = *l.End
			}
			if next, ok := s.System(l.Successor); ok {
				t.Successor = next.Name
			}
		}
		r.Things = append(r.Things, t)
	}
	for _, x := range def.All[catalogue.Spec](s.Set) {
		t := Thing{Kind: "Service", ID: x.ID, Name: x.Name, Href: "/staff/services/" + x.ID, Owner: r.dir.Find(x.Spec.Owner), Deputy: r.dir.Find(x.Spec.Deputy), Phase: x.Spec.Lifecycle, InUse: x.Spec.Withdrawn == nil || x.Spec.Withdrawn.After(s.Today)}
		if x.Spec.Withdrawn != nil {
			t.End = *x.Spec.Withdrawn
		}
		r.Things = append(r.Things, t)
	}
	r.Things = slices.DeleteFunc(r.Things, func(t Thing) bool { return !t.InUse })
	slices.SortStableFunc(r.Things, func(a, b Thing) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	by := map[string]*Person{}
	of := func(f inventory.Found) *Person {
		key := f.Key
		if f.OK {
			key = f.Person.ID
		}
		if by[key] == nil {
			by[key] = &Person{Found: f}
		}
		return by[key]
	}
	for _, t := range r.Things {
		if t.Owner.Key != "" {
			p := of(t.Owner)
			p.Owns = append(p.Owns, t)
		}
		if t.Deputy.Key != "" {
			p := of(t.Deputy)
			p.Deputises = append(p.Deputises, t)
		}
	}
	for _, p := range by {
		r.People = append(r.People, *p)
	}
	slices.SortFunc(r.People, func(a, b Person) int {
		return cmp.Or(cmp.Compare(len(b.Owns), len(a.Owns)), cmp.Compare(len(b.Deputises), len(a.Deputises)), cmp.Compare(a.Key, b.Key))
	})
	return r
}

// Lacking are the things with nobody, or with somebody who is no longer there; a
// deputy that is missing counts only if all says so.
func (r *Report) Lacking(all bool) (out []Thing) {
	for _, t := range r.Things {
		if l := t.Lacks(); l != "" && (all || l != "It has no deputy") {
			out = append(out, t)
		}
	}
	return out
}

// Person finds somebody who answers for something.
func (r *Report) Person(key string) (Person, bool) {
	f := r.dir.Find(key)
	for _, p := range r.People {
		if p.Key == key || f.OK && p.OK && p.Person.ID == f.Person.ID {
			return p, true
		}
	}
	return Person{Found: f}, f.OK
}

// Leaving is what else somebody has who leaves.
type Leaving struct {
	Assets []inventory.Asset
	Seats  []inventory.Seat
}

// Leaves is what somebody has besides what they answer for.
func (r *Report) Leaves(p Person) (l Leaving) {
	same := func(key string) bool {
		if key == "" {
			return false
		}
		f := r.dir.Find(key)
		return key == p.Key || f.OK && p.OK && f.Person.ID == p.Found.Person.ID
	}
	for _, a := range r.Assets {
		if a.State != "disposed" && same(a.Holder) {
			l.Assets = append(l.Assets, a)
		}
	}
	for _, x := range r.Inventory.Seats {
		if same(x.Person) {
			l.Seats = append(l.Seats, x)
		}
	}
	return l
}

// Fill writes whether owners and deputies are in the directory.
func Fill(s *register.Snapshot) {
	dir, t := s.Directory, s.Tables.Of("System")
	for _, x := range s.Systems {
		i := t.Find(x.ID)
		if o := dir.Find(x.Spec.Owner); o.Key != "" && o.Known {
			t.Set(i, "ownerActiveInDirectory", o.Active())
		}
		if d := dir.Find(x.Spec.Deputy); d.Key != "" && d.Known {
			t.Set(i, "deputyActiveInDirectory", d.Active())
		}
	}
}
