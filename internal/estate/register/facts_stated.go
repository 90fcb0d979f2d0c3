package register

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// waiverFacts count how often the same leave was given before.
func (s *Snapshot) waiverFacts() {
	type leave struct{ standard, subject string }
	t, all := s.Tables.Of("Waiver"), def.All[standard.WaiverSpec](s.Set)
	given := map[leave][]def.Date{}
	of := func(w standard.Waiver) leave {
		l := leave{s.Set.Present("Standard", w.Spec.Standard), w.Spec.Subject}
		if o, ok := s.Set.Lookup("Standard", l.standard); ok {
			l.subject = s.Set.Present(o.Spec.(*standard.Spec).Applies.Kind, l.subject)
		}
		return l
	}
	for _, w := range all {
		given[of(w)] = append(given[of(w)], w.Spec.Granted)
	}
	for _, w := range all {
		n := 0
		for _, on := range given[of(w)] {
			if on.Before(w.Spec.Granted) {
				n++
			}
		}
		t.Set(t.Find(w.ID), "renewals", int64(n))
	}
}

// statedFacts fills, from what people state, the facts that nothing computed.
// Asking people is the last resort: what is computed always wins.
func (s *Snapshot) statedFacts() {
	for _, e := range s.Inventory.Evidence {
		f, ok := standard.FactOf(e.Kind, e.Fact)
		if !ok || e.On.After(s.Today) {
			continue
		}
		t := s.Tables.Of(e.Kind)
		i := t.Find(s.Set.Present(e.Kind, e.ID))
		if i < 0 {
			continue
		}
		if _, known := t.Fact(i, e.Fact); known {
			continue
		}
		if v, ok := s.stated(f, e); ok {
			t.State(i, e.Fact, v, fmt.Sprintf("%s, %s", e.Source, e.On))
		}
	}
}

// stated reads the value of a piece of evidence; ok is false where it is no value
// of the fact.
func (s *Snapshot) stated(f standard.Fact, e inventory.Evidence) (v any, ok bool) {
	text := strings.TrimSpace(e.Value)
	switch f.Type {
	case standard.YesNo:
		switch strings.ToLower(text) {
		case "yes", "true", "y", "1":
			return true, true
		case "no", "false", "n", "0":
			return false, true
		}
		return nil, false
	case standard.Day:
		if on, err := def.ParseDate(text); err == nil {
			if on.After(s.Today) {
				return nil, false
			}
			return int64(s.Today.Sub(on)), true
		}
		n, err := strconv.ParseInt(text, 10, 64)
		return n + int64(s.Today.Sub(e.On)), err == nil && n >= 0 // so many days on the day it was stated
	case standard.List:
		var out []any
		for _, x := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
			out = append(out, x)
		}
		return out, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	share, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
	if percent {
		x /= 100
	}
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}
