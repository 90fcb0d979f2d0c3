package sheet

import (
	"fmt"
	"testing"
)

func TestDates(t *testing.T) {
	for text, want := range map[string]string{
		"2027-03-31": "2027-03-31", "2027/3/1": "2027-03-01", "2027-03-31T00:00:00Z": "2027-03-31", "2027-03-31 00:00:00": "2027-03-31",
		"31/03/2027": "2027-03-31", "1/4/27": "2027-04-01", "01.04.2027": "2027-04-01", "1-4-2027": "2027-04-01", "31/12/99": "1999-12-31", "31/03/2027 09:30": "2027-03-31",
		"31 March 2027": "2027-03-31", "31st Mar 2027": "2027-03-31", "31-Mar-27": "2027-03-31", "March 31, 2027": "2027-03-31", "Wed 31 March 2027": "2027-03-31",
		"46477": "2027-03-31", "46477.5": "2027-03-31", "Mar-27": "2027-03-31, noted", "February 2028": "2028-02-29, noted",
		"03/31/2027": "error", "30/02/2027": "error", "2027": "error", "soon": "error", "Q2 2027": "error", "0": "error", "-5": "error", "99999999999": "error", "1e9": "error", "NaN": "error",
	} {
		d, note, err := Date(text, false, false, true)
		got := d.String()
		if note != "" {
			got += ", noted"
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
	if d, _, err := Date("03/04/2027", true, false, false); err != nil || d.String() != "2027-03-04" {
		t.Error("month first:", d, err)
	}
	if d, _, err := Date("45015", false, true, false); err != nil || d.String() != "2027-03-31" {
		t.Error("counted from 1904:", d, err)
	}
	if d, _, err := Date("Mar-27", false, false, false); err != nil || d.String() != "2027-03-01" {
		t.Error("the start of a month:", d, err)
	}
	if d, note, err := Date("2003", false, false, false); err != nil || d.String() != "2003-01-01" || note == "" {
		t.Error("the start of a year:", d, note, err)
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]string{
		"£12,000.50": "1200050", "12000": "1200000", "12,000": "1200000", "GBP 12,000": "1200000", "12k": "1200000", "£1.2m": "120000000", "£1.25 million": "125000000",
		"12000.1": "1200010", "12000.100000000001": "1200010", "1.2E+4": "1200000", "£500 p.a.": "50000", "500 per year": "50000", "£500 + VAT": "50000", "0": "0", "free": "0", "Nil": "0", "£0.05": "5",
		"-5": "error", "(500)": "error", "€500": "error", "$500": "error", "12.000,50": "error", "12,34": "error", "1.234": "error", "ask": "error", "12 or 13": "error", "1e99": "error", "9999999999999": "error", "NaN": "error", "Inf": "error",
	} {
		minor, err := Money(text, 1)
		got := fmt.Sprint(minor)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
	if minor, err := Money("225.5", 1000); err != nil || minor != 22_550_000 {
		t.Error("in thousands:", minor, err)
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"90": "90", "90 days": "90", "2 weeks": "14", "3 months": "92", "6 months": "183", "12 months": "365", "1 year": "365", "48 hours": "2",
		"36 hours": "error", "a while": "error", "-1": "error",
	} {
		n, err := Span(text, "day")
		got := fmt.Sprint(n)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
	if n, err := Span("2 days", "hour"); err != nil || n != 48 {
		t.Error("hours:", n, err)
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Council tax": "council-tax", "Café & Bar": "cafe-and-bar", "  --X--  ": "x", "Children's system (2024)": "childrens-system-2024", "100% Online!": "100-online",
	} {
		if got := Slug(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if a, b := Slug("系统"), Slug("制度"); a == b || a == "" {
		t.Error("names without a letter of ours must still differ:", a, b)
	}
	long := "A system with a name that goes on and on and on and on and on and on"
	if a, b := Slug(long+" one"), Slug(long+" two"); a == b || len(a) > 60 {
		t.Error("long names must still differ:", a, b)
	}
}
