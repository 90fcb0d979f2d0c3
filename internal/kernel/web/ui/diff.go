package ui

import "strings"

// DiffLine is a line with its sign: "+", "-", " " or "…" where lines are left out.
type DiffLine struct{ Sign, Text string }

// DiffText compares two texts line by line, with three lines around what differs.
func DiffText(before, after string) (out []DiffLine) {
	a, b := diffTextLines(before), diffTextLines(after)
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		from++
	}
	endA, endB := len(a), len(b)
	for endA > from && endB > from && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	if from > 3 {
		out = append(out, DiffLine{"…", ""})
	}
	for _, l := range a[max(from-3, 0):from] {
		out = append(out, DiffLine{" ", l})
	}
	out = append(out, diffMiddle(a[from:endA], b[from:endB])...)
	for _, l := range a[endA:min(endA+3, len(a))] {
		out = append(out, DiffLine{" ", l})
	}
	if endA+3 < len(a) {
		out = append(out, DiffLine{"…", ""})
	}
	return out
}

func diffTextLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// diffMiddle is the shortest way from a to b, where they are short.
func diffMiddle(a, b []string) (out []DiffLine) {
	if len(a)*len(b) > 250_000 {
		for _, l := range a {
			out = append(out, DiffLine{"-", l})
		}
		for _, l := range b {
			out = append(out, DiffLine{"+", l})
		}
		return out
	}
	common := make([][]int, len(a)+1) // longest common lines of the rests
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, DiffLine{" ", a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, DiffLine{"-", a[i]})
			i++
		default:
			out = append(out, DiffLine{"+", b[j]})
			j++
		}
	}
	return out
}
