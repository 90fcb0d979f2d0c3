package iface

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Givers are the organisations in whose name records may come from an interface:
// that of its system, and what it is a part of, up to one that decides for itself.
func Givers(s *def.Set, ifc string) (orgs []string) {
	io, ok := s.Lookup("Interface", ifc)
	if !ok {
		return nil
	}
	so, ok := s.Lookup("System", io.Spec.(*Spec).System)
	if !ok {
		return nil
	}
	org, _ := so.Value()["spec"].(map[string]any)["organisation"].(string)
	for range 20 {
		o, ok := s.Lookup("Organisation", org)
		if !ok {
			break
		}
		orgs = append(orgs, o.ID)
		spec, _ := o.Value()["spec"].(map[string]any)
		if sep, _ := spec["controller"].(bool); sep {
			break
		}
		org, _ = spec["parent"].(string)
	}
	return orgs
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// ParseSchedule reads a schedule (cron: minute hour day month weekday) in a zone.
func ParseSchedule(s string, zone *time.Location) (cron.Schedule, error) {
	// The parser knows a zone in front, too; there is one for the whole body.
	sched, err := cron.Schedule(nil), error(nil)
	if !strings.Contains(s, "=") {
		sched, err = parser.Parse(s)
	}
	if err != nil || sched == nil {
		return nil, fmt.Errorf("%q is not a schedule: five fields for minute, hour, day, month and weekday, as in \"0 6 * * 1-5\" for six o'clock on working days", s)
	}
	return inZone{sched, zone}, nil
}

type inZone struct {
	cron.Schedule
	zone *time.Location
}

func (z inZone) Next(t time.Time) time.Time {
	next := z.Schedule.Next(t.In(z.zone))
	if next.IsZero() { // the 30th of February
		return t.AddDate(1000, 0, 0)
	}
	return next.UTC()
}
