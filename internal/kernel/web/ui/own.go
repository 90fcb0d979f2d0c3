package ui

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
)

// FieldError is one thing wrong with a form: the id of the field and what to do.
type FieldError struct{ Field, Message string }

// Errors are what is wrong with a form, in the order of its fields. Show
// [Errors.Summary] at the top of the page and give each field [Errors.For].
type Errors []FieldError

// Add adds an error of the field with id field.
func (e *Errors) Add(field, format string, args ...any) {
	*e = append(*e, FieldError{field, fmt.Sprintf(format, args...)})
}

// For is the error message of the field with id field, or an empty Part.
func (e Errors) For(field string) Part {
	for _, f := range e {
		if f.Field == field {
			return Text(f.Message)
		}
	}
	return Part{}
}

// Summary is the error summary that links to each field; nothing without errors.
func (e Errors) Summary() templ.Component {
	if len(e) == 0 {
		return templ.NopComponent
	}
	o := ErrorSummaryOptions{TitleText: "There is a problem"}
	for _, f := range e {
		l := Link{Text: f.Message}
		if f.Field != "" {
			l.Href = "#" + f.Field
		}
		o.ErrorList = append(o.ErrorList, l)
	}
	return ErrorSummary(o)
}

// Tone is the meaning of a coloured tag; the words always say the same.
type Tone string

// The tones.
const (
	Good    Tone = "green"  // delivered, passed, live
	Waiting Tone = "yellow" // waiting, uncertain, soon due
	Bad     Tone = "red"    // held, failed, missing
	Info    Tone = "blue"   // new, accepted
	Quiet   Tone = "grey"   // not for them, ended, unknown
	Special Tone = "purple" // waived, reversed
)

// Stat is one figure at the top of a page: "Held" "12", leading to Href.
type Stat struct {
	Label, Value, Note, Href string
	Tone                     Tone // "" for none; Bad draws it to the eye
}

// Moment is one moment of a [Timeline].
type Moment struct {
	Title string
	At    time.Time // zero: not yet
	Tag   string    // "Delivered"
	Tone  Tone
	Body  templ.Component // may be nil
}

// Pages is the pagination of page (from 1) of pages; href gives a page's
// address. Long runs are shortened with ellipses.
func Pages(page, pages int, href func(page int) string) PaginationOptions {
	var o PaginationOptions
	if pages < 2 {
		return o
	}
	if page > 1 {
		o.Previous = &PageLink{Href: href(page - 1)}
	}
	if page < pages {
		o.Next = &PageLink{Href: href(page + 1)}
	}
	gap := false
	for n := 1; n <= pages; n++ {
		if n == 1 || n == pages || (n >= page-1 && n <= page+1) {
			o.Items = append(o.Items, PageItem{Number: fmt.Sprint(n), Href: href(n), Current: n == page})
			gap = false
		} else if !gap {
			o.Items = append(o.Items, PageItem{Ellipsis: true})
			gap = true
		}
	}
	return o
}

// TimeText is a moment in the style of GOV.UK: "2 January 2026 at 3:04pm".
func TimeText(t time.Time) string { return t.Format("2 January 2006 at 3:04pm") }

// DateText is a day in the style of GOV.UK: "2 January 2026".
func DateText(t time.Time) string { return t.Format("2 January 2006") }

// Ago is how long before now t was, roughly: "5 minutes ago".
func Ago(now, t time.Time) string {
	d, n, unit := now.Sub(t), 0, ""
	switch {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < 48*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	default:
		n, unit = int(d/(24*time.Hour)), "day"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s ago", n, unit)
}

// Count is a number with commas between thousands.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Capital begins s with a capital letter.
func Capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// LowerFirst begins s with a small letter, to stand within a sentence.
func LowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}

// Words is an id of definitions in words: "council-tax-review" is "council tax review".
func Words(id string) string {
	return strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(id))
}

// FieldText is a JSON Pointer in words: "/deceased/dateOfBirth" is "deceased, date of birth".
func FieldText(pointer string) string {
	if strings.Trim(pointer, "/") == "" {
		return "everything"
	}
	var b strings.Builder
	for i, part := range strings.Split(strings.Trim(pointer, "/"), "/") {
		if i > 0 {
			b.WriteString(", ")
		}
		low := true
		for _, r := range Words(strings.NewReplacer("~1", "/", "~0", "~").Replace(part)) {
			if low && unicode.IsUpper(r) {
				b.WriteByte(' ')
			}
			low = unicode.IsLower(r)
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func classTone(c reeve.Class) string {
	switch c {
	case reeve.Public:
		return "govuk-tag--green"
	case reeve.Internal:
		return "govuk-tag--grey"
	case reeve.Confidential:
		return "govuk-tag--orange"
	}
	return "govuk-tag--red"
}

type zoneKey struct{}

// WithZone makes [Time] show moments in the local time of loc.
func WithZone(ctx context.Context, loc *time.Location) context.Context {
	return context.WithValue(ctx, zoneKey{}, loc)
}

// local is t in the zone of ctx, or in its own.
func local(ctx context.Context, t time.Time) time.Time {
	if loc, ok := ctx.Value(zoneKey{}).(*time.Location); ok {
		return t.In(loc)
	}
	return t
}
