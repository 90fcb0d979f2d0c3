package spend

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// What happens on a day of the calendar.
const (
	NoticeDay = "notice" // the last day for notice
	EndDay    = "end"    // the last day of the term
)

// Event is a day in the life of a supplier contract.
type Event struct {
	On       def.Date
	What     string
	Contract register.Contract
	Supplier string // name, "" if not known
	Cost     register.Cost
	Decided  bool
	Days     int // until then, negative when past
}

// Title is what happens, in words.
func (e Event) Title() string {
	switch {
	case e.What == NoticeDay:
		return "Last day for notice: " + e.Contract.Name
	case e.renews():
		return "Renews unless notice was given: " + e.Contract.Name
	}
	return "Ends: " + e.Contract.Name
}

// renews reports whether the contract goes on after its term by itself, and
// nobody has decided otherwise.
func (e Event) renews() bool {
	t := e.Contract.Spec.Term
	if d := e.Contract.Spec.Decision; e.Decided && d.What != "renew" {
		return false
	}
	return t != nil && (t.Renews != nil && *t.Renews || t.Renews == nil && t.NoticeDays != nil)
}

// Events are the days on which notice can last be given and on which terms end,
// from a day on, the earliest first.
func Events(s *register.Snapshot, from def.Date) []Event {
	var out []Event
	for _, k := range s.Contracts {
		t := k.Spec.Term
		if t == nil || t.Ends == nil {
			continue
		}
		e := Event{Contract: k, Cost: register.CostOf(k), Decided: k.Spec.Decided(s.Today)}
		if k.Spec.Supplier != "" {
			e.Supplier = s.OrganisationName(k.Spec.Supplier)
		}
		if by, ok := k.Spec.NoticeBy(); ok && !by.Before(from) {
			n := e
			n.On, n.What, n.Days = by, NoticeDay, by.Sub(s.Today)
			out = append(out, n)
		}
		if !t.Ends.Before(from) {
			e.On, e.What, e.Days = *t.Ends, EndDay, t.Ends.Sub(s.Today)
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Event) int {
		return cmp.Or(a.On.Compare(b.On), strings.Compare(a.Contract.ID, b.Contract.ID), strings.Compare(b.What, a.What))
	})
	return out
}

// span is what the calendar shows: what is ahead for some months, or all of it.
type span struct {
	Show   string // "", "undecided", "year" or "all"
	Events []Event
	All    int // how many there are in all
}

// near and far are how many days are shown unless all are asked for.
const (
	near = 92
	far  = 366
)

// ahead are the events from the first of this month on that show asks for: of
// three months, of a year, all, or the notices for which nothing was decided.
func ahead(s *register.Snapshot, show string) span {
	all := Events(s, def.Date{Year: s.Today.Year, Month: s.Today.Month, Day: 1})
	out := span{Show: show, All: len(all)}
	if !slices.Contains([]string{"undecided", "year", "all"}, show) {
		out.Show = ""
	}
	for _, e := range all {
		fits := e.Days <= near
		switch out.Show {
		case "undecided":
			fits = e.What == NoticeDay && !e.Decided && e.Days <= far
		case "year":
			fits = e.Days <= far
		case "all":
			fits = true
		}
		if fits {
			out.Events = append(out.Events, e)
		}
	}
	return out
}

// spans are what can be shown, in words.
var spans = []struct{ Show, Text string }{{"", "The next 3 months"}, {"undecided", "Notices to decide about, for a year"}, {"year", "The next 12 months"}, {"all", "All"}}

// alarms are how many days before the last day for notice a calendar program
// reminds.
var alarms = []int{60, 14}

// Calendar writes events as iCalendar (RFC 5545). The uid of an event stays the
// same when its day moves, so that a program that reads the calendar again moves
// the event.
func Calendar(body, host string, events []Event, at time.Time) ([]byte, error) {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropProductID, "-//Reeve//Supplier contracts//EN")
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText("NAME", "Supplier contracts of "+body)
	cal.Props.SetText("X-WR-CALNAME", "Supplier contracts of "+body)
	refresh := ical.NewProp("REFRESH-INTERVAL")
	refresh.SetDuration(24 * time.Hour)
	refresh.Params.Set("VALUE", "DURATION")
	cal.Props.Set(refresh)
	for _, e := range events {
		v := ical.NewEvent()
		v.Props.SetText(ical.PropUID, e.Contract.ID+"-"+e.What+"@"+host)
		v.Props.SetDateTime(ical.PropDateTimeStamp, at.UTC().Truncate(time.Second))
		v.Props.SetDate(ical.PropDateTimeStart, e.On.Time(time.UTC))
		v.Props.SetDate(ical.PropDateTimeEnd, e.On.AddDays(1).Time(time.UTC))
		v.Props.SetText(ical.PropSummary, e.Title())
		v.Props.SetText(ical.PropTransparency, "TRANSPARENT")
		v.Props.SetText(ical.PropClass, "CONFIDENTIAL")
		v.Props.SetText(ical.PropDescription, describe(e))
		about := ical.NewProp(ical.PropCategories)
		about.SetTextList([]string{"Supplier contract", map[string]string{NoticeDay: "Notice", EndDay: "End of term"}[e.What]})
		v.Props.Set(about)
		if e.What == NoticeDay && !e.Decided {
			for _, days := range alarms {
				a := ical.NewComponent(ical.CompAlarm)
				a.Props.SetText(ical.PropAction, "DISPLAY")
				a.Props.SetText(ical.PropDescription, fmt.Sprintf("%d days left: %s", days, e.Title()))
				trigger := ical.NewProp(ical.PropTrigger)
				trigger.SetDuration(-time.Duration(days) * 24 * time.Hour)
				a.Props.Set(trigger)
				v.Children = append(v.Children, a)
			}
		}
		cal.Children = append(cal.Children, v.Component)
	}
	if len(events) == 0 { // RFC 5545 wants a component
		return empty(cal)
	}
	return encode(cal)
}

// encode writes a calendar with its lines folded at 75 octets, as RFC 5545 asks
// for and the encoder does not.
func encode(cal *ical.Calendar) ([]byte, error) {
	var b, out bytes.Buffer
	if err := ical.NewEncoder(&b).Encode(cal); err != nil {
		return nil, err
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(b.Bytes(), []byte("\r\n")), []byte("\r\n")) {
		for room := 75; len(line) > room; room = 74 {
			at := room
			for !utf8.RuneStart(line[at]) {
				at--
			}
			out.Write(line[:at])
			out.WriteString("\r\n ")
			line = line[at:]
		}
		out.Write(line)
		out.WriteString("\r\n")
	}
	return out.Bytes(), nil
}

// empty is a calendar with nothing in it but its time zone.
func empty(cal *ical.Calendar) ([]byte, error) {
	zone, standard := ical.NewComponent(ical.CompTimezone), ical.NewComponent(ical.CompTimezoneStandard)
	zone.Props.SetText(ical.PropTimezoneID, "UTC")
	standard.Props.SetDateTime(ical.PropDateTimeStart, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, name := range []string{ical.PropTimezoneOffsetFrom, ical.PropTimezoneOffsetTo} {
		p := ical.NewProp(name)
		p.Value = "+0000"
		standard.Props.Set(p)
	}
	zone.Children = append(zone.Children, standard)
	cal.Children = append(cal.Children, zone)
	return encode(cal)
}

func describe(e Event) string {
	parts := []string{}
	if e.Supplier != "" {
		parts = append(parts, "Supplier: "+e.Supplier+".")
	}
	parts = append(parts, "Cost a year: "+e.Cost.String()+".")
	switch {
	case e.Decided:
		parts = append(parts, "Decided: "+e.Contract.Spec.Decision.What+".")
	case e.What == NoticeDay:
		parts = append(parts, "Nothing was decided yet. After this day it goes on for another term.")
	}
	return strings.Join(parts, "\n")
}
