package search

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// longest is how many bytes of a word count.
const longest = 40

// words cuts a text into the words that it is found by: folded to lower case,
// without accents, at everything that is neither letter nor digit.
func words(text string, use func(string)) {
	start := -1
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 0x80 {
			foreign(text, use)
			return
		}
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && c != '\'' { // the council's
			emit(text[start:i], use)
			start = -1
		}
	}
	if start >= 0 {
		emit(text[start:], use)
	}
}

func emit(w string, use func(string)) {
	w = strings.ToLower(strings.ReplaceAll(w, "'", ""))
	if len(w) > longest {
		w = w[:longest]
	}
	use(w)
}

// foreign is words for texts with letters beyond ASCII.
func foreign(text string, use func(string)) {
	var b strings.Builder
	done := func() {
		if b.Len() > 0 {
			use(cut(b.String()))
			b.Reset()
		}
	}
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
		default:
			done()
		}
	}
	done()
}

// cut shortens a word to what counts of it, at the end of a letter.
func cut(w string) string {
	if len(w) <= longest {
		return w
	}
	n := longest
	for n > 0 && w[n]&0xc0 == 0x80 {
		n--
	}
	return w[:n]
}

// wordsOf are the words of a text in order, each once.
func wordsOf(text string) (out []string) {
	words(text, func(w string) {
		for _, x := range out {
			if x == w {
				return
			}
		}
		out = append(out, w)
	})
	return out
}

// near reports whether word, or its beginning, is typed with at most so many letters
// wrong, missing, too many or swapped.
func near(typed, word string, wrong int) bool {
	if len(word) < len(typed)-wrong || len(typed) > longest {
		return false
	}
	if len(word) > len(typed)+wrong {
		word = word[:len(typed)+wrong]
	}
	var rows [3][longest + 8]int
	before, last, row := rows[0][:], rows[1][:], rows[2][:]
	for j := 0; j <= len(word); j++ {
		last[j] = j
	}
	least := 0
	for i := 1; i <= len(typed); i++ {
		row[0], least = i, i
		for j := 1; j <= len(word); j++ {
			cost := 1
			if typed[i-1] == word[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && typed[i-1] == word[j-2] && typed[i-2] == word[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least > wrong {
			return false
		}
		before, last, row = last, row, before
	}
	for j := max(len(typed)-wrong, 0); j <= len(word); j++ {
		if last[j] <= wrong {
			return true
		}
	}
	return false
}
