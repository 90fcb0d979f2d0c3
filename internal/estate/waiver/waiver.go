// Package waiver lists what need not meet a standard for a time: who sees to it,
// until when, and what of that ends soon, so that nobody is surprised by it and no
// waiver becomes permanent unseen.
package waiver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The states of a waiver.
const (
	Ending = "ending" // it counts, and ends within [standard.EndingDays]
	Counts = "counts"
	Later  = "later" // granted for a day to come
	Ended  = "ended"
)

// States are the states of a waiver, what needs attention first.
var States = []string{Ending, Counts, Later, Ended}

// Leave is a waiver with all that is known of it.
type Leave struct {
	ID, Name, Reason       string
	Standard, StandardName string
	Kind, Subject, About   string // what need not meet it: kind, id, name
	Owner                  string // directory id of who sees to it, "" if nobody does
	ApprovedBy             string
	Granted, Expires       def.Date
	Latest                 def.Date // last day that the standard allows; zero if the standard is not there
	State                  string
	Days                   int // until its last day, negative when it is over
	Before                 int // times that the same leave was given before
}

// List is all waivers of a snapshot: those that end soon first, then by their end.
func List(s *register.Snapshot) (out []Leave) {
	given := s.Tables.Of("Waiver")
	for _, w := range def.All[standard.WaiverSpec](s.Set) {
		l := Leave{ID: w.ID, Name: cmp.Or(w.Name, w.ID), Reason: w.Spec.Reason, Standard: w.Spec.Standard, StandardName: w.Spec.Standard, Subject: w.Spec.Subject, About: w.Spec.Subject,
			Owner: w.Spec.Owner, ApprovedBy: w.Spec.ApprovedBy, Granted: w.Spec.Granted, Expires: w.Spec.Expires, Days: w.Spec.Expires.Sub(s.Today)}
		if o, ok := s.Set.Lookup("Standard", w.Spec.Standard); ok {
			spec := o.Spec.(*standard.Spec)
			l.Standard, l.StandardName, l.Kind = o.ID, cmp.Or(o.Name, o.ID), spec.Applies.Kind
			if spec.MaxWaiver != nil {
				l.Latest = l.Granted.AddDays(int(spec.MaxWaiver.D().Hours() / 24))
			}
			l.subject(s)
		}
		switch {
		case s.Today.Before(l.Granted):
			l.State = Later
		case l.Days < 0:
			l.State = Ended
		case l.Days <= standard.EndingDays:
			l.State = Ending
		default:
			l.State = Counts
		}
		if i := given.Find(w.ID); i >= 0 {
			if n, ok := given.Fact(i, "renewals"); ok {
				before, _ := n.(int64)
				l.Before = int(before)
			}
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b Leave) int {
		return cmp.Or(cmp.Compare(slices.Index(States, a.State), slices.Index(States, b.State)), a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// subject finds what a waiver is about, by its present id, and who answers for it
// where the waiver does not say who sees to it.
func (l *Leave) subject(s *register.Snapshot) {
	l.Subject = s.Set.Present(l.Kind, l.Subject)
	l.About = l.Subject
	t := s.Tables.Of(l.Kind)
	if i := t.Find(l.Subject); i >= 0 {
		l.About = cmp.Or(t.Names[i], l.Subject)
	}
	if l.Owner != "" {
		return
	}
	system := ""
	switch l.Kind {
	case "System":
		system = l.Subject
	case "Component":
		if c, ok := def.Get[component.Spec](s.Set, l.Subject); ok {
			system = c.Spec.System
		}
	case "Interface":
		if i := slices.IndexFunc(s.Interfaces, func(x register.Interface) bool { return x.ID == l.Subject }); i >= 0 {
			system = s.Interfaces[i].System
		}
	case "SupplierContract":
		if k, ok := def.Get[supplier.Spec](s.Set, l.Subject); ok && len(k.Spec.Systems) > 0 {
			system = k.Spec.Systems[0]
		}
	}
	if x, ok := s.System(s.Set.Present("System", system)); ok {
		l.Owner = cmp.Or(x.Spec.Owner, x.Spec.Deputy)
	}
}

// Mine are the waivers that somebody sees to and that end soon, by their id in the
// directory or their address.
func Mine(s *register.Snapshot, person string) (out []Leave) {
	if person == "" {
		return nil
	}
	for _, l := range List(s) {
		if l.State == Ending && l.Owner != "" && (strings.EqualFold(l.Owner, person) || s.Directory.Find(l.Owner).Person.ID == person) {
			out = append(out, l)
		}
	}
	return out
}
