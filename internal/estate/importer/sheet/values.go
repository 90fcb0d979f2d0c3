package sheet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"golang.org/x/text/unicode/norm"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Known reports whether a cell says something. "TBC", "n/a" and the like are
// ways to say that nobody knows.
func Known(s string) bool {
	switch strings.ToLower(strings.Trim(s, " .?!*()[]")) {
	case "", "-", "--", "–", "—", "n/a", "na", "n.a", "none known", "tbc", "tbd", "tba", "unknown", "not known", "null", "nil known", "not applicable", "to be confirmed", "not recorded", "#n/a", "#ref", "#value", "#name", "nan":
		return false
	}
	return true
}

// Clean makes one line of a cell: no control characters, one space between words.
func Clean(s string) string {
	s = strings.NewReplacer(`\n`, " ", "\u00a0", " ", "\u200b", "", "\ufeff", "").Replace(s)
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// Words normalises a word or two for a look-up: "On-Premises" is "on premises".
func Words(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127)
	}), " ")
}

var (
	dayMonthYear = regexp.MustCompile(`^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4}|\d{2})$`)
	isoDate      = regexp.MustCompile(`^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})([T ].*)?$`)
	timeOfDay    = regexp.MustCompile(`^(.*\d{4}) \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?$`)
	monthYear    = regexp.MustCompile(`^([A-Za-z]{3,9})[ \-/']*(\d{4}|\d{2})$`)
	yearAlone    = regexp.MustCompile(`^(19|20)\d\d$`)
	ordinal      = regexp.MustCompile(`(?i)\b(\d{1,2})(st|nd|rd|th)\b`)
)

// Date reads a date as British and ISO spreadsheets write them, and the serial
// numbers that Excel stores. end says that a month alone
// means its last day, and that a year alone does not do.
func Date(s string, monthFirst, is1904, end bool) (d def.Date, note string, err error) {
	s = Clean(s)
	if m := timeOfDay.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	if m := isoDate.FindStringSubmatch(s); m != nil {
		d, err = civil(m[1], m[2], m[3])
		return d, "", err
	}
	if m := dayMonthYear.FindStringSubmatch(s); m != nil {
		day, month := m[1], m[2]
		if monthFirst {
			day, month = month, day
		}
		if d, err = civil(m[3], month, day); err == nil {
			return d, "", nil
		}
		if _, swapped := civil(m[3], day, month); swapped == nil {
			other, say := "day", "month-first"
			if monthFirst {
				other, say = "month", "day-first"
			}
			return d, "", fmt.Errorf("%q is not a date with the %s first; if the file writes it the other way round, put \"dates: %s\" in the mapping", s, other, say)
		}
		return d, "", err
	}
	if !end && yearAlone.MatchString(s) { // of an end, a year is too little to decide by
		d, err = def.ParseDate(s + "-01-01")
		return d, fmt.Sprintf("%q names no day: %s was taken", s, d), err
	}
	if n, e := strconv.ParseFloat(s, 64); e == nil {
		return serial(n, is1904)
	}
	text := Clean(strings.ReplaceAll(ordinal.ReplaceAllString(s, "$1"), ",", " "))
	for _, layout := range []string{"2 January 2006", "2 Jan 2006", "2-Jan-2006", "2-January-2006", "2/Jan/2006", "2 Jan 06", "2-Jan-06", "January 2 2006", "Jan 2 2006", "Monday 2 January 2006", "Mon 2 Jan 2006", "Mon 2 January 2006", "Monday 2 Jan 2006"} {
		if t, e := time.Parse(layout, text); e == nil {
			return def.DateOf(t), "", nil
		}
	}
	if m := monthYear.FindStringSubmatch(s); m != nil {
		for _, layout := range []string{"January 2006", "Jan 2006", "January 06", "Jan 06"} {
			t, e := time.Parse(layout, m[1]+" "+m[2])
			if e != nil {
				continue
			}
			if end {
				t = t.AddDate(0, 1, -1)
			}
			d = def.DateOf(t)
			return d, fmt.Sprintf("%q names no day: %s was taken", s, d), nil
		}
	}
	return d, "", fmt.Errorf("%q is not a date that was understood: write it like 31/03/2027 or 2027-03-31", s)
}

func civil(y, m, d string) (def.Date, error) {
	if len(y) == 2 { // as Excel does
		if y < "70" {
			y = "20" + y
		} else {
			y = "19" + y
		}
	}
	iso := fmt.Sprintf("%s-%02s-%02s", y, m, d)
	if len(m) == 1 {
		m = "0" + m
	}
	if len(d) == 1 {
		d = "0" + d
	}
	v, err := def.ParseDate(y + "-" + m + "-" + d)
	if err != nil {
		return v, fmt.Errorf("%q is not a date that exists", strings.ReplaceAll(iso, " ", "0"))
	}
	return v, nil
}

// serial reads the number of a day as Excel counts: 1 is 1900-01-01, and 60 the
// 29 February 1900 that never was.
func serial(n float64, is1904 bool) (def.Date, string, error) {
	if !(n >= 10_000 && n < 110_000) { // 1927 to 2201; other numbers are not meant as dates
		return def.Date{}, "", fmt.Errorf("%s is a number, not a date", strconv.FormatFloat(n, 'f', -1, 64))
	}
	base := def.Date{Year: 1899, Month: 12, Day: 30}
	if is1904 {
		base = def.Date{Year: 1904, Month: 1, Day: 1}
	}
	return base.AddDays(int(n)), "", nil
}

var (
	perYear  = regexp.MustCompile(`(?i)\s*(p\.?a\.?|per year|per annum|a year|/ ?y(ea)?r|annual(ly)?|/annum|exc?\.? ?vat|ex vat|\+ ?vat|inc\.? ?vat)\s*`)
	grouped  = regexp.MustCompile(`^\d{1,3}(,\d{3})+(\.\d+)?$`)
	plain    = regexp.MustCompile(`^\d+(\.\d+)?(e[+-]?\d{1,2})?$`)
	currency = regexp.MustCompile(`(?i)^(gbp|£)\s*|\s*(gbp|£)$`)
)

// Money reads an amount into minor units. times is 1, or 1000 for a column that
// counts in thousands.
func Money(s string, times int64) (minor int64, err error) {
	v := strings.ToLower(Clean(perYear.ReplaceAllString(Clean(s), " ")))
	switch v {
	case "free", "nil", "no cost", "none", "zero", "£nil":
		return 0, nil
	}
	v = currency.ReplaceAllString(v, "")
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "-") || strings.HasPrefix(v, "(") {
		return 0, fmt.Errorf("%q is a negative amount", s)
	}
	if strings.ContainsAny(v, "€$") || strings.HasPrefix(v, "eur") || strings.HasPrefix(v, "usd") {
		return 0, fmt.Errorf("%q is in another currency: write pounds", s)
	}
	scale := int64(1)
	for _, unit := range []struct {
		suffix string
		times  int64
	}{{"million", 1e6}, {"mn", 1e6}, {"m", 1e6}, {"thousand", 1e3}, {"k", 1e3}} {
		if rest, ok := strings.CutSuffix(v, unit.suffix); ok {
			v, scale = strings.TrimSpace(rest), unit.times
			break
		}
	}
	if grouped.MatchString(v) {
		v = strings.ReplaceAll(v, ",", "")
	}
	if !plain.MatchString(v) {
		return 0, fmt.Errorf("%q is not an amount that was understood: write it like 12000 or £12,000.50", s)
	}
	if scale == 1 {
		scale = times
	}
	amount, ok := new(big.Rat).SetString(v)
	if !ok {
		return 0, fmt.Errorf("%q is not an amount", s)
	}
	amount.Mul(amount, big.NewRat(scale*100, 1))
	// Excel stores 12000.1 as 12000.100000000001: forgive a thousandth of a penny.
	nearest := new(big.Int).Div(new(big.Int).Add(new(big.Int).Mul(amount.Num(), big.NewInt(2)), amount.Denom()), new(big.Int).Mul(amount.Denom(), big.NewInt(2)))
	off := new(big.Rat).Sub(amount, new(big.Rat).SetInt(nearest))
	if off.Abs(off).Cmp(big.NewRat(1, 1000)) > 0 {
		return 0, fmt.Errorf("%q has more than two decimals", s)
	}
	if !nearest.IsInt64() || nearest.Int64() > 1e12 {
		return 0, fmt.Errorf("%q is more than a system can cost", s)
	}
	return nearest.Int64(), nil
}

// Count reads a whole number: "1,200" or "1200.0".
func Count(s string) (int, error) {
	v := strings.TrimSuffix(Clean(s), ".0")
	if grouped.MatchString(v) {
		v = strings.ReplaceAll(v, ",", "")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 100_000_000 {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

var length = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?(hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|mths?|m|years?|y)?$`)

// Span reads a length of time in the unit given ("hour" or "day"), which is also
// what a bare number counts.
func Span(s, unit string) (int, error) {
	m := length.FindStringSubmatch(strings.ToLower(Clean(s)))
	if m == nil {
		return 0, fmt.Errorf("%q is not a number of %ss", s, unit)
	}
	n, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return 0, fmt.Errorf("%q is not a number of %ss", s, unit)
	}
	hours := map[byte]int64{'h': 1, 'd': 24, 'w': 168, 'm': 730, 'y': 8760}
	if m[2] != "" {
		n.Mul(n, big.NewRat(hours[m[2][0]], hours[unit[0]]))
		if m[2][0] == 'm' && !n.IsInt() { // months differ: rather a day too many than too few
			n.SetInt(new(big.Int).Add(new(big.Int).Div(n.Num(), n.Denom()), big.NewInt(1)))
		}
	}
	if !n.IsInt() || !n.Num().IsInt64() || n.Num().Int64() > 100_000 {
		return 0, fmt.Errorf("%q is not a whole number of %ss", s, unit)
	}
	return int(n.Num().Int64()), nil
}

// Yes reads yes or no.
func Yes(s string) (bool, error) {
	switch Words(s) {
	case "yes", "y", "true", "1", "x", "t":
		return true, nil
	case "no", "n", "false", "0", "f", "none":
		return false, nil
	}
	if slices.Contains([]string{"✓", "✔", "☑"}, strings.TrimSpace(s)) {
		return true, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// Address reads a web address.
func Address(s string) (string, error) {
	v := Clean(s)
	if strings.HasPrefix(strings.ToLower(v), "www.") {
		v = "https://" + v
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not a web address", s)
	}
	return v, nil
}

// Split takes apart a cell that names several things.
func Split(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || r == '|' || r == '/' || r == '\n' || r == '+' }) {
		if part = Clean(part); Known(part) {
			out = append(out, part)
		}
	}
	return out
}

// Slug makes the part of an id that comes from a name: its letters and digits,
// without accents, with dashes between. A long one is cut, and one that would be
// empty replaced, by a part that depends on the whole name.
func Slug(name string) string {
	var out strings.Builder
	dash := false
	for _, c := range strings.ToLower(norm.NFKD.String(strings.ReplaceAll(name, "&", " and "))) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if dash && out.Len() > 0 {
				out.WriteByte('-')
			}
			dash = false
			out.WriteRune(c)
		case unicode.Is(unicode.Mn, c) || c == '\'' || c == '’':
		default:
			dash = true
		}
	}
	s := out.String()
	if len(s) >= 1 && len(s) <= 50 {
		return s
	}
	sum := sha256.Sum256([]byte(name))
	mark := hex.EncodeToString(sum[:4])
	if s == "" {
		return mark
	}
	return strings.Trim(s[:50], "-") + "-" + mark
}

// Headings names the columns of a header row; equal names are numbered.
func Headings(cells []string) []string {
	out := make([]string, len(cells))
	seen := map[string]int{}
	for i, c := range cells {
		h := Clean(c)
		if h == "" {
			h = "column " + ColumnName(i)
		}
		seen[h]++
		if seen[h] > 1 {
			h = fmt.Sprintf("%s (%d)", h, seen[h])
		}
		out[i] = h
	}
	return out
}

// ColumnName is what a spreadsheet program calls column i: 0 is A, 26 is AA.
func ColumnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}
