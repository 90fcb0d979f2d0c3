package def

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Date is a civil date, written 2026-01-31.
type Date = rules.Day

// ParseDate reads 2026-01-31.
func ParseDate(s string) (Date, error) { return rules.ParseDay(s) }

// DateOf is the day of t in t's own time zone.
func DateOf(t time.Time) Date { return rules.DayOf(t) }

// Class is the classification of data, written public, internal, confidential or restricted.
type Class = reeve.Class

// Duration is a length of time, written as a number and a unit: 30s, 15m, 1h, 14d
// (24 hours each), 2w; or several: 1h30m.
type Duration time.Duration

// D is the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String is in the largest units that are exact: "14d", "1h30m".
func (d Duration) String() string {
	if day := 24 * time.Hour; d > 0 && time.Duration(d)%day == 0 {
		return strconv.FormatInt(int64(time.Duration(d)/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

var units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// ParseDuration reads 30s, 15m, 1h30m, 14d, 2w. It is never negative.
func ParseDuration(s string) (Duration, error) {
	bad := func() (Duration, error) {
		return 0, fmt.Errorf("%q is not a length of time: write it like 30s, 15m, 1h or 14d", s)
	}
	if s == "" {
		return bad()
	}
	var total time.Duration
	for rest := s; rest != ""; {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 0 || i == len(rest) {
			return bad()
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		unit, ok := units[rest[i]]
		if err != nil || !ok || n > int64((1<<62)/unit) {
			return bad()
		}
		if total += time.Duration(n) * unit; total < 0 {
			return bad()
		}
		rest = rest[i+1:]
	}
	return Duration(total), nil
}

// MarshalText writes what String gives.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration takes.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
