package rules

import (
	"fmt"
	"time"
)

// Day is a civil date: a day in a calendar, without a time or a time zone. Its
// zero value is no date. Dates compare with == and [Day.Compare].
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDay reads "2026-01-31". It also takes an RFC 3339 date and time
// ("2026-01-31T23:30:00+01:00") and gives the day as written, in its own offset.
func ParseDay(s string) (Day, error) {
	if len(s) > 10 && s[10] == 'T' {
		if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			return Day{}, errNotDate
		}
		s = s[:10]
	}
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return Day{}, errNotDate
	}
	y, ok1 := digits(s[0:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	v := Day{y, time.Month(m), d}
	if !ok1 || !ok2 || !ok3 || !v.valid() {
		return Day{}, errNotDate
	}
	return v, nil
}

var errNotDate = fmt.Errorf("it is not a date that exists, written like 2026-01-31")

func digits(s string) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func (d Day) valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && d.Day <= daysIn(d.Year, d.Month)
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(y int, m time.Month) int {
	switch m {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if leap(y) {
			return 29
		}
		return 28
	}
	return 31
}

// DayOf is the day of t in t's own time zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day{y, m, d}
}

// String is "2026-01-31", or "" for no date.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// IsZero reports whether d is no date.
func (d Day) IsZero() bool { return d == Day{} }

// Compare is -1, 0 or 1 as d is before, on or after e.
func (d Day) Compare(e Day) int {
	a := d.Year*10000 + int(d.Month)*100 + d.Day
	b := e.Year*10000 + int(e.Month)*100 + e.Day
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Before reports whether d is before e.
func (d Day) Before(e Day) bool { return d.Compare(e) < 0 }

// After reports whether d is after e.
func (d Day) After(e Day) bool { return d.Compare(e) > 0 }

// Time is the start of the day in loc.
func (d Day) Time(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// AddDays is n days after d.
func (d Day) AddDays(n int) Day { return DayOf(d.Time(time.UTC).AddDate(0, 0, n)) }

// Sub is the number of days from e to d.
func (d Day) Sub(e Day) int {
	return int(d.Time(time.UTC).Sub(e.Time(time.UTC)) / (24 * time.Hour))
}

// Add is d moved by whole years, then months, then days. 29 February moved to a
// year without one becomes 1 March, as for [Age]; any other day that the month
// does not have becomes its last day (31 January and a month: 28 February).
func (d Day) Add(years, months, days int) Day {
	y := d.Year + years
	if d.Month == time.February && d.Day == 29 && !leap(y) {
		d.Month, d.Day = time.March, 1
	}
	m := int(d.Month) - 1 + months
	y += m / 12
	if m %= 12; m < 0 {
		m, y = m+12, y-1
	}
	r := Day{y, time.Month(m + 1), d.Day}
	r.Day = min(r.Day, daysIn(r.Year, r.Month))
	if days == 0 {
		return r
	}
	return r.AddDays(days)
}

// Age is the number of whole years from birth to on; negative before birth.
//
// Someone born on 29 February reaches an age on 1 March in a year without one:
// that is the first day on which the full number of years has passed, and how the
// law of England and Wales is read (an age is attained at the start of the
// anniversary, Family Law Reform Act 1969 s.9; a common year has none on 28 February).
func Age(birth, on Day) int {
	n := on.Year - birth.Year
	if on.Month < birth.Month || on.Month == birth.Month && on.Day < birth.Day {
		n--
	}
	return n
}

// MarshalText writes "2026-01-31", or nothing for no date.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Day) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Day{}
		return nil
	}
	*d, err = ParseDay(string(b))
	return err
}

// Weekday is 1 for Monday to 7 for Sunday.
func (d Day) Weekday() int { return (int(d.Time(time.UTC).Weekday())+6)%7 + 1 }
