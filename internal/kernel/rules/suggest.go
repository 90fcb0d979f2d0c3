package rules

import (
	"sort"
	"strings"
)

// Nearest is the name most like s, or "" if none is like it.
func Nearest(s string, names []string) string {
	best, at := "", min(len(s)/3+1, 4)
	low := strings.ToLower(s)
	for _, n := range names {
		ln := strings.ToLower(n)
		if abs(len(ln)-len(low)) > at {
			continue
		}
		d := distance(low, ln)
		if d < at || d == at && (best == "" || n < best) {
			best, at = n, d
		}
	}
	if best == "" && len(s) >= 4 {
		for _, n := range names {
			ln := strings.ToLower(n)
			if (strings.HasPrefix(ln, low) || strings.HasSuffix(ln, low)) && (best == "" || len(n) < len(best)) {
				best = n
			}
		}
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// distance is the number of letters to add, drop, change or swap with a neighbour.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	two, one, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			c := 1
			if a[i-1] == b[j-1] {
				c = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+c)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}

// DidYouMean ends a message: with the nearest name, or with all if there are few.
func DidYouMean(s string, names []string) string {
	if n := Nearest(s, names); n != "" {
		return ": did you mean " + n + "?"
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) <= 12 {
		sorted := append([]string(nil), names...)
		sort.Strings(sorted)
		return ": use " + OrList(sorted)
	}
	return ""
}

// OrList is "a", "a or b", "a, b or c".
func OrList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
