package suggest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
)

const (
	maxFields = 400
	maxTried  = 12   // values of a column that are tried in a field
	least     = 0.45 // confidence of what is proposed
)

// suggester holds what is worked with.
type suggester struct {
	t       *contract.Type
	env     *mapping.Environment
	profile *profile
	fields  []contract.Field

	copying, texts, numbers, whole, pence, truths []conversion
	free                                          map[string]bool // fields that take any text
}

// pair is a column that could be a field.
type pair struct {
	field  *contract.Field
	column *column
	how    conversion
	names  float64
	fits   float64
	score  float64
}

// pairs finds what could be what.
func (s *suggester) pairs() (all []pair) {
	for i := range s.fields {
		f := &s.fields[i]
		if f.Listed || slices.Contains(f.Takes, "array") {
			continue
		}
		toks := contract.Tokens(f.Path)
		leaf := words(toks[len(toks)-1])
		var above []string
		for _, t := range toks[:len(toks)-1] {
			above = append(above, words(t)...)
		}
		for _, c := range s.profile.columns {
			if p := s.pair(f, c, leaf, above); p.fits > 0 {
				all = append(all, p)
			}
		}
	}
	s.single(all)
	return all
}

// pair judges one column for one field.
func (s *suggester) pair(f *contract.Field, c *column, leaf, above []string) pair {
	p := pair{field: f, column: c, names: alike(c.words, leaf, above)}
	if len(c.tokens) > 1 && alike(c.leaf, slices.Concat(leaf, above), nil) == 0 {
		p.names *= 0.5 // only what it stands in has the name
	}
	if f.Const != nil && p.names < 0.8 {
		return p
	}
	if p.names < 0.25 && (s.anyText(f) || len(s.fields) > 100) {
		return p
	}
	p.how, p.fits = s.best(f, c)
	switch {
	case p.fits == 0:
	case s.anyText(f):
		p.score = p.names * 0.92
		if p.fits < 0.9 {
			p.score *= p.fits
		}
	default:
		p.score = p.names * (0.6 + 0.4*p.fits)
		if p.fits < 0.6 {
			p.score *= 0.7
		}
	}
	if p.how.doubt {
		p.score *= 0.93
	}
	return p
}

// single raises a column that is the only one whose values fit a field which does not
// take just anything, where names say of neither that it is something else.
func (s *suggester) single(all []pair) {
	if s.profile.rows < 2 || len(s.profile.columns) < 3 {
		return
	}
	named := map[*column]float64{} // how well the column is said by the name of any field
	fields := map[*contract.Field][]int{}
	for i, p := range all {
		named[p.column] = max(named[p.column], p.names)
		fields[p.field] = append(fields[p.field], i)
	}
	for f, of := range fields {
		if s.anyText(f) || f.Const != nil {
			continue
		}
		best, others := -1, false
		for _, i := range of {
			p := &all[i]
			switch {
			case p.fits < 0.9 || len(p.column.values) < 2 && len(f.Choices) == 0:
				others = others || p.names >= 0.5
			case best >= 0:
				others = true
			default:
				best = i
			}
		}
		if best >= 0 && !others && (named[all[best].column] < 0.6 || named[all[best].column] == all[best].names) {
			all[best].score = max(all[best].score, 0.5)
			if all[best].names > 0 {
				all[best].score = min(0.98, all[best].score+0.1)
			}
		}
	}
}

// anyText reports whether a field takes a text without sense.
func (s *suggester) anyText(f *contract.Field) bool {
	free, ok := s.free[f.Path]
	if !ok {
		free = s.fit(f, "Zzyzx ~7 q")
		s.free[f.Path] = free
	}
	return free
}

// best is the plainest conversion with which most values fit, and the share of them.
func (s *suggester) best(f *contract.Field, c *column) (best conversion, fits float64) {
	values := c.values[:min(len(c.values), maxTried)]
	for _, how := range s.candidates(f, c) {
		good := 0
		for i, v := range values {
			if to, ok := how.on(v); ok && s.fit(f, to) {
				good++
			}
			if good == 0 && i == 2 {
				break
			}
		}
		if share := float64(good) / float64(max(1, len(values))); share > fits+0.05 {
			best, fits = how, share
		}
		if fits == 1 {
			break
		}
	}
	return best, fits
}

// fit asks the record type whether a field may have a value.
func (s *suggester) fit(f *contract.Field, v any) bool {
	toks := contract.Tokens(f.Path)
	var doc any = v
	for i := len(toks) - 1; i >= 0; i-- {
		doc = map[string]any{toks[i]: doc}
	}
	_, problems := s.t.CheckValue(doc)
	return !slices.ContainsFunc(problems, func(p reeve.Problem) bool {
		return p.Path == f.Path || strings.HasPrefix(p.Path, f.Path+"/")
	})
}

// assign gives each field the surest column that is left. A column serves twice only
// where both are said by its name.
func (s *suggester) assign(all []pair) map[string]pair {
	slices.SortStableFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.names, a.names), cmp.Compare(len(a.field.Path), len(b.field.Path)))
	})
	out := map[string]pair{}
	for _, p := range all {
		if _, done := out[p.field.Path]; done || p.score < least || p.column.taken {
			continue
		}
		p.column.taken = true
		out[p.field.Path] = p
	}
	return out
}

// leftover gives a field that every record must have, and that does not take just
// anything, the only column that is left whose values fit.
func (s *suggester) leftover(found map[string]pair) {
	for i := range s.fields {
		f := &s.fields[i]
		if _, done := found[f.Path]; done || !f.Required || f.Listed || f.Const != nil || len(f.Choices) == 1 || slices.Contains(f.Takes, "array") || s.anyText(f) {
			continue
		}
		var fit []pair
		for _, c := range s.profile.columns {
			if c.taken || len(c.values) < 2 {
				continue
			}
			if how, fits := s.best(f, c); fits >= 0.9 && !how.doubt {
				fit = append(fit, pair{field: f, column: c, how: how, fits: fits, score: 0.5})
			}
		}
		if len(fit) == 1 {
			fit[0].column.taken = true
			found[f.Path] = fit[0]
		}
	}
}

// has finds columns that are said by a word.
func (s *suggester) has(free bool, words ...string) (out []*column) {
	for _, c := range s.profile.columns {
		if free && c.taken {
			continue
		}
		for _, w := range words {
			if slices.Contains(c.leaf, w) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}
