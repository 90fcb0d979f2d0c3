package change

import (
	"fmt"
	"math"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
)

// most is how many lines of one sort the text lists; the JSON lists all.
const most = 25

// Text is the difference for people to read.
func (d *Difference) Text() string {
	var b strings.Builder
	if d.Same() {
		return "Nothing changes.\n"
	}
	p := printer{&b}
	d.definitionText(p)
	d.standardText(p)
	p.head("What would stop, or no longer fit together", len(d.Broken))
	for i, f := range d.Broken {
		p.line(i, len(d.Broken), "%s %s (%s): %s", f.Kind, f.Name, f.ID, f.Text)
	}
	p.head("What fits together again", len(d.Mended))
	for i, f := range d.Mended {
		p.line(i, len(d.Mended), "%s %s (%s): no longer true: %s", f.Kind, f.Name, f.ID, f.Text)
	}
	p.head("Who newly sees what", len(d.Disclosures))
	for i, x := range d.Disclosures {
		p.line(i, len(d.Disclosures), "%s", x)
	}
	p.head("Who no longer sees what", len(d.Withdrawn))
	for i, x := range d.Withdrawn {
		p.line(i, len(d.Withdrawn), "%s", x)
	}
	p.head("Capabilities that are provided differently", len(d.Capabilities))
	for i, c := range d.Capabilities {
		p.line(i, len(d.Capabilities), "%s: %s", c.Name, strings.Join(c.says(), "; "))
	}
	fmt.Fprintf(&b, "\nCost a year: %s before, %s after (%s of what is known).\n", d.Cost.Before, d.Cost.After, signed(d.Cost.Change))
	for i, x := range d.Cost.Systems {
		p.line(i, len(d.Cost.Systems), "%s: %s before, %s after", x.Name, x.Before, x.After)
	}
	if c := d.Carbon; c != nil {
		fmt.Fprintf(&b, "Carbon a year: %s before, %s after.\n", c.Before, c.After)
	}
	return b.String()
}

// Effects are what a change of definitions does beyond the definitions, a sentence
// each; none if it does nothing else.
func (d *Difference) Effects() (out []string) {
	say := func(i, n int, format string, args ...any) {
		switch {
		case i < most:
			out = append(out, fmt.Sprintf(format, args...))
		case i == most:
			out = append(out, fmt.Sprintf("and %d more", n-most))
		}
	}
	if n := d.NewlyFailing("must"); n > 0 {
		say(0, 1, "%d of the standards that must be met would newly not be met.", n)
	}
	for i, f := range d.Broken {
		say(i, len(d.Broken), "%s %s: %s", f.Kind, f.Name, f.Text)
	}
	for i, x := range d.Disclosures {
		say(i, len(d.Disclosures), "%s", x)
	}
	if d.Cost.Change != 0 {
		say(0, 1, "The estate would cost %s a year, %s of what is known.", d.Cost.After, signed(d.Cost.Change))
	}
	return out
}

type printer struct{ b *strings.Builder }

func (p printer) head(title string, n int) {
	if n > 0 {
		fmt.Fprintf(p.b, "\n%s: %d\n", title, n)
	}
}

func (p printer) line(i, n int, format string, args ...any) {
	switch {
	case i < most:
		fmt.Fprintf(p.b, "  "+format+"\n", args...)
	case i == most:
		fmt.Fprintf(p.b, "  and %d more\n", n-most)
	}
}

func (d *Difference) definitionText(p printer) {
	count := map[string]int{}
	for _, x := range d.Definitions {
		count[x.What]++
	}
	fmt.Fprintf(p.b, "Definitions: %d added, %d changed, %d removed.\n", count[Added], count[Changed], count[Removed])
	for i, x := range d.Definitions {
		sign := map[string]string{Added: "+", Changed: "~", Removed: "-"}[x.What]
		p.line(i, len(d.Definitions), "%s %s %s %s", sign, x.Kind, x.ID, x.Name)
		if i < most {
			for _, f := range x.Fields {
				fmt.Fprintf(p.b, "      %s: %s -> %s\n", f.Path, given(f.Before), given(f.After))
			}
		}
	}
	for i, f := range d.Files {
		p.line(i, len(d.Files), "%s the file %s", f.What, f.Name)
	}
}

func given(s string) string {
	if s == "" {
		return "(not given)"
	}
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

func (d *Difference) standardText(p printer) {
	for _, s := range d.Standards {
		what := ""
		switch s.What {
		case Added:
			what = ", new"
		case Removed:
			fmt.Fprintf(p.b, "\nStandard %s (%s) no longer holds.\n", s.Name, s.Severity)
			continue
		}
		fmt.Fprintf(p.b, "\nStandard %s (%s%s): %d newly not met, %d newly not known, %d newly waived, %d newly met\n", s.Name, s.Severity, what, len(s.NewlyFail), len(s.NewlyUnknown), len(s.NewlyWaived), len(s.NewlyPass))
		for i, e := range s.NewlyFail {
			p.line(i, len(s.NewlyFail), "not met: %s (%s). %s", e.Name, e.ID, s.Failing)
		}
		for i, e := range s.NewlyUnknown {
			p.line(i, len(s.NewlyUnknown), "not known: %s (%s)", e.Name, e.ID)
		}
		for i, e := range s.NewlyPass {
			p.line(i, len(s.NewlyPass), "met: %s (%s)", e.Name, e.ID)
		}
	}
}

// String is "Benefits (Revenues) sees /person/name of rec-death.v1, by flow-x under agr-y".
func (x Disclosure) String() string {
	who := x.Name
	if who == "" {
		who = x.System
	}
	if x.Organisation != "" {
		who += " (" + x.Organisation + ")"
	}
	what := strings.Join(x.Fields, ", ")
	if what == "/" {
		what = "the whole"
	}
	return fmt.Sprintf("%s: %s of %s, by %s under %s", who, what, x.Record, x.Flow, x.Agreement)
}

// says is what differs of a capability.
func (c Capability) says() (out []string) {
	if a, b := strings.Join(c.Before.Systems, ", "), strings.Join(c.After.Systems, ", "); a != b {
		out = append(out, fmt.Sprintf("by %s before, by %s after", none(a), none(b)))
	}
	if c.Before.Fail != c.After.Fail {
		out = append(out, fmt.Sprintf("standards not met %d before, %d after", c.Before.Fail, c.After.Fail))
	}
	if c.Before.Unknown != c.After.Unknown {
		out = append(out, fmt.Sprintf("not known %d before, %d after", c.Before.Unknown, c.After.Unknown))
	}
	was := map[string]string{}
	for _, a := range c.Before.Health {
		was[a.Name] = a.Level
	}
	for _, a := range c.After.Health {
		if was[a.Name] != a.Level {
			out = append(out, fmt.Sprintf("%s %s before, %s after", a.Name, level(was[a.Name]), level(a.Level)))
		}
	}
	return out
}

func none(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func level(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

func signed(m register.Money) string {
	if m > 0 {
		return "+" + m.String()
	}
	return m.String()
}

// String is "12 t CO2e (10 to 15), known of 4 of 9 systems".
func (c Carbon) String() string {
	if c.Covered == 0 {
		return "not known"
	}
	t := func(kg float64) string {
		if math.Abs(kg) < 1000 {
			return fmt.Sprintf("%.0f kg", kg)
		}
		return fmt.Sprintf("%.1f t", kg/1000)
	}
	return fmt.Sprintf("%s CO2e (%s to %s), known of %d of %d systems", t(c.Kg), t(c.Low), t(c.High), c.Covered, c.Of)
}
