package format

import (
	"bytes"
)

// delimiterOf finds what stands between the cells: what Excel's "sep=" line says,
// or what the first lines have most evenly outside quotation marks. skip is the
// length of that line.
func delimiterOf(head []byte) (comma byte, skip int) {
	if first, _, ok := bytes.Cut(head, newline); ok && len(first) >= 5 && len(first) <= 6 && bytes.EqualFold(first[:4], []byte("sep=")) {
		return first[4], len(first) + 1
	}
	best, most := byte(','), 0
	for _, c := range []byte{',', ';', '\t', '|'} {
		counts, quoted, n := []int{}, false, 0
		for _, b := range head {
			switch {
			case b == '"':
				quoted = !quoted
			case quoted:
			case b == c:
				n++
			case b == '\n' || b == '\r':
				counts, n = append(counts, n), 0
			}
			if len(counts) == 40 {
				break
			}
		}
		if len(counts) == 0 {
			counts = append(counts, n)
		}
		if counts[0] == 0 {
			continue // the headings have it, if it is one
		}
		fullest, same := 0, 0
		for _, n := range counts {
			fullest = max(fullest, n)
		}
		for _, n := range counts {
			if n == fullest {
				same++
			}
		}
		if score := fullest * same; score > most {
			best, most = c, score
		}
	}
	return best, 0
}
