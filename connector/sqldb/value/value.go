// Package value writes single values of databases as JSON and reads them back.
package value

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendFloat writes a number of size bits; what JSON does not have is told.
func AppendFloat(dst []byte, f float64, size int) ([]byte, string) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, "holds a number that JSON does not have (NaN or infinity)"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, size), ""
	}
	return strconv.AppendFloat(dst, f, 'f', -1, size), ""
}

// AppendJSON writes a document that stands in text; ok is false where it is none.
func AppendJSON(dst []byte, s string) ([]byte, bool) {
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, []byte(s)); err != nil {
		return dst, false
	}
	return buf.Bytes(), utf8.ValidString(s)
}

// AppendString writes a text.
func AppendString(dst []byte, s string) []byte {
	buf := bytes.NewBuffer(dst)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // never, for a string
		return append(dst, `""`...)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// ParseTime reads a time as databases write it: 2026-03-01 12:00:00.5+00.
func ParseTime(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04",
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// IsNumber reports whether a text is a number of JSON.
func IsNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	return json.Valid([]byte(s))
}

// Expand writes a number without an exponent and counts the digits of its fraction,
// without zeros at its end.
func Expand(s string) (plain string, fraction int, ok bool) {
	mantissa, exp, _ := strings.Cut(strings.ToLower(s), "e")
	shift := 0
	if exp != "" {
		var err error
		if shift, err = strconv.Atoi(exp); err != nil || math.Abs(float64(shift)) > 400 {
			return "", 0, false
		}
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	if shift != 0 {
		digits := strings.Repeat("0", 401) + whole + frac + strings.Repeat("0", 401)
		point := 401 + len(whole) + shift
		whole, frac = digits[:point], strings.TrimRight(digits[point:], "0")
		if whole = strings.TrimLeft(whole, "0"); whole == "" {
			whole = "0"
		}
	}
	if frac == "" {
		return sign + whole, 0, true
	}
	return sign + whole + "." + frac, len(strings.TrimRight(frac, "0")), true
}
