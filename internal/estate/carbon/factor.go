package carbon

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Factor is a factor with what other sources say of the same.
type Factor struct {
	def.Of[FactorSpec]
	Low, High float64 // the lowest and highest of its own range and of the other sources
	Ranged    bool    // something gives a range
	Others    []def.Of[FactorSpec]
}

// Amount is kilogrammes of CO2 equivalent a year, with its range. What is not
// known has no amount: it is never nought.
type Amount struct {
	Kg, Low, High float64
	Known         bool // something is known
	Lacks         bool // something is not: the amount is the least that it can be
}

// Plus adds two amounts; low ends are added to low ends, high to high.
func (a Amount) Plus(b Amount) Amount {
	return Amount{a.Kg + b.Kg, a.Low + b.Low, a.High + b.High, a.Known || b.Known, a.Lacks || b.Lacks}
}

// Times multiplies an amount and its range.
func (a Amount) Times(n float64) Amount {
	a.Kg, a.Low, a.High = a.Kg*n, a.Low*n, a.High*n
	return a
}

// lacking is the amount of something that is not known.
var lacking = Amount{Lacks: true}

func (f *Factor) amount(n float64) Amount {
	return Amount{Kg: f.Spec.Value * n, Low: f.Low * n, High: f.High * n, Known: true}
}

// factors are the factors of a set by what they are about and of.
type factors map[string]*Factor

// factorsOf chooses for each thing the factor to use: the preferred one, else the
// latest; the others give the range.
func factorsOf(set *def.Set) factors {
	groups := map[string][]def.Of[FactorSpec]{}
	for _, f := range def.All[FactorSpec](set) {
		k := key(f.Spec.About, f.Spec.Of)
		groups[k] = append(groups[k], f)
	}
	out := factors{}
	for k, group := range groups {
		slices.SortFunc(group, func(a, b def.Of[FactorSpec]) int {
			return cmp.Or(boolFirst(a.Spec.Preferred, b.Spec.Preferred), cmp.Compare(b.Spec.Year, a.Spec.Year), strings.Compare(a.ID, b.ID))
		})
		f := &Factor{Of: group[0], Low: group[0].Spec.Value, High: group[0].Spec.Value, Others: group[1:]}
		for _, x := range group {
			for _, v := range []*float64{&x.Spec.Value, x.Spec.Low, x.Spec.High} {
				if v != nil {
					f.Low, f.High = min(f.Low, *v), max(f.High, *v)
				}
			}
		}
		f.Ranged = f.High > f.Low
		out[k] = f
		for _, x := range group {
			out["id\x1f"+x.ID] = f
		}
	}
	return out
}

func boolFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

func key(about, of string) string {
	return about + "\x1f" + strings.ToLower(strings.Join(strings.Fields(of), " "))
}

// find is the factor of the first of several names that has one.
func (fs factors) find(about string, of ...string) *Factor {
	for _, o := range of {
		if o == "" {
			continue
		}
		if f := fs[key(about, o)]; f != nil {
			return f
		}
		if f := fs["id\x1f"+o]; f != nil && f.Spec.About == about {
			return f
		}
	}
	return nil
}

// country is the one country whose grid is declared, "" if there are several: the
// place of what nobody has said where it is.
func (fs factors) country() string {
	only := ""
	for _, f := range fs {
		if f.Spec.About != "grid" {
			continue
		}
		if only != "" && only != strings.ToUpper(f.Spec.Of) {
			return ""
		}
		only = strings.ToUpper(f.Spec.Of)
	}
	return only
}
