package quick

import "regexp/syntax"

// piece is one class of ASCII characters, so many times.
type piece struct {
	of          [256]bool
	least, most int // most -1: any number
}

// form makes a function of a pattern of the kind ^[A-Z]{2}-[0-9]{4,6}$, which is
// run several times faster than a regular expression; nil for any other pattern.
// What a piece that may be longer or shorter could take, those after it cannot:
// so it takes as much as there is, and never has to give back.
func form(pattern string) func([]byte) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 2 {
		return nil
	}
	first, last := re.Sub[0], re.Sub[len(re.Sub)-1]
	if first.Op != syntax.OpBeginText || last.Op != syntax.OpEndText {
		return nil
	}
	var ps []piece
	for _, sub := range re.Sub[1 : len(re.Sub)-1] {
		more, ok := pieces(sub)
		if !ok {
			return nil
		}
		ps = append(ps, more...)
	}
	for i := range ps {
		if ps[i].least == ps[i].most {
			continue
		}
		for j := i + 1; j < len(ps); j++ {
			if overlap(&ps[i], &ps[j]) {
				return nil
			}
			if ps[j].least > 0 {
				break
			}
		}
	}
	return func(b []byte) bool { return matches(ps, b) }
}

func matches(ps []piece, b []byte) bool {
	for i := range ps {
		p, n := &ps[i], 0
		for n < len(b) && n != p.most && p.of[b[n]] {
			n++
		}
		if n < p.least {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}

func overlap(a, b *piece) bool {
	for c := range a.of {
		if a.of[c] && b.of[c] {
			return true
		}
	}
	return false
}

// pieces of one part of a pattern; ok is false where it is of another kind.
func pieces(re *syntax.Regexp) (ps []piece, ok bool) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r > 0x7f || re.Flags&syntax.FoldCase != 0 {
				return nil, false
			}
			p := piece{least: 1, most: 1}
			p.of[r] = true
			ps = append(ps, p)
		}
		return ps, true
	case syntax.OpCharClass:
		p := piece{least: 1, most: 1}
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1] > 0x7f {
				return nil, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				p.of[r] = true
			}
		}
		return []piece{p}, true
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		inner, ok := pieces(re.Sub[0])
		if !ok || len(inner) != 1 || inner[0].least != 1 || inner[0].most != 1 {
			return nil, false
		}
		p := inner[0]
		switch re.Op {
		case syntax.OpStar:
			p.least, p.most = 0, -1
		case syntax.OpPlus:
			p.most = -1
		case syntax.OpQuest:
			p.least = 0
		default:
			p.least, p.most = re.Min, re.Max
		}
		return []piece{p}, true
	}
	return nil, false
}
