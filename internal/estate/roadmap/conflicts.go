package roadmap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Conflict is where the plan does not go together, with itself or with the estate.
type Conflict struct {
	Kind  string   // one of the keys of [ConflictKinds]
	Items []string // ids of the items that it is about; none where there ought to be one
	About string   // name of what it is about
	Text  string   // what is the matter
	Fix   string   // what to do
	On    def.Date // the first day on which it hurts
	Key   string   // the same from one plan to the next
}

// ConflictKinds are the kinds of conflict, in words.
var ConflictKinds = map[string]string{
	"gap":       "Ends before what follows it is live",
	"notice":    "Notice must be given before it is decided",
	"pays-on":   "Paid for after it is retired",
	"order":     "Starts before what it waits for has ended",
	"needed":    "Still needed when it is retired",
	"differs":   "Two items change the same thing differently",
	"objective": "Due before its items have ended",
	"late":      "Should have ended, and is not done",
}

func (p *Plan) conflicts() {
	for _, x := range p.Systems {
		p.gap(x)
	}
	for i, item := range p.Items {
		if !Open(item) {
			continue
		}
		p.late(item)
		p.order(item)
		for _, c := range item.Spec.Changes {
			if x, ok := p.System(c.Subject); ok && c.Phase == "retired" {
				p.notice(item, x)
				p.needed(item, x)
			}
			for _, other := range p.Items[i+1:] {
				if Open(other) {
					p.differs(item, other, c)
				}
			}
		}
	}
	for _, o := range p.Objectives {
		p.objective(o)
	}
	slices.SortStableFunc(p.Conflicts, func(a, b Conflict) int {
		return cmp.Or(a.On.Compare(b.On), strings.Compare(a.Kind, b.Kind), strings.Compare(a.About, b.About))
	})
}

func (p *Plan) add(kind, about, key string, on def.Date, fix string, items []string, format string, args ...any) {
	p.Conflicts = append(p.Conflicts, Conflict{Kind: kind, Items: items, About: about, Text: fmt.Sprintf(format, args...), Fix: fix, On: on, Key: kind + "/" + key})
}

// gap finds a system whose technology, contract or plan ends before its successor
// is live.
func (p *Plan) gap(x register.System) {
	l := x.Spec.Lifecycle
	if l == nil || l.Successor == "" || !x.Spec.InUse() {
		return
	}
	next, ok := p.System(l.Successor)
	if !ok || next.Spec.Phase() == "live" {
		return
	}
	end, why := p.ends(x)
	if end.IsZero() {
		return
	}
	live, planned := p.liveFrom(next)
	items := ids(p.bySubject[next.ID])
	switch {
	case !planned:
		p.add("gap", x.Name, x.ID, end, "Put an item on the roadmap that brings "+next.Name+" into use before that day.", items,
			"%s ends on %s (%s), and nothing on the roadmap brings its successor %s into use.", x.Name, words.Date(end), why, next.Name)
	case end.AddDays(1).Before(live):
		p.add("gap", x.Name, x.ID, end, "Bring "+next.Name+" into use earlier, or have "+x.Name+" supported for longer.", items,
			"%s ends on %s (%s), %s before its successor %s is in use on %s.", x.Name, words.Date(end), why, words.Count(live.Sub(end), "day", "days"), next.Name, words.Date(live))
	}
}

// ends is the first day after which a system cannot be relied on, and why.
func (p *Plan) ends(x register.System) (end def.Date, why string) {
	sooner := func(d def.Date, because string) {
		if end.IsZero() || d.Before(end) {
			end, why = d, because
		}
	}
	table := p.Tables.Of("Component")
	for _, c := range p.ComponentsOf(x.ID) {
		if i := table.Find(c.ID); i >= 0 {
			if v, ok := table.Fact(i, "daysToEol"); ok {
				if days, ok := v.(int64); ok {
					sooner(p.Today.AddDays(int(days)), "support of "+c.Name+" ends")
				}
			}
		}
	}
	for _, k := range p.ContractsOf[x.ID] {
		if t := k.Spec.Term; t != nil && t.Ends != nil && p.InForce(k) && t.Renews != nil && !*t.Renews {
			sooner(*t.Ends, "the contract "+k.Name+" ends and does not renew")
		}
	}
	if l := x.Spec.Lifecycle; l != nil && l.End != nil {
		sooner(*l.End, "it is to be switched off")
	}
	for _, item := range p.bySubject[x.ID] {
		for _, c := range item.Spec.Changes {
			if c.Subject == x.ID && c.Phase == "retired" && Open(item) {
				sooner(item.Spec.Ends, item.Name+" retires it")
			}
		}
	}
	return end, why
}

// notice finds contracts of a system to be retired that must be ended before the
// item has been decided, or that go on after it.
func (p *Plan) notice(item Item, x register.System) {
	for _, k := range p.ContractsOf[x.ID] {
		t := k.Spec.Term
		if t == nil || t.Ends == nil || !p.InForce(k) || p.usedAfter(k, item.Spec.Ends) {
			continue
		}
		by, known := k.Spec.NoticeBy()
		renews := t.Renews == nil || *t.Renews
		switch {
		case known && renews && by.Before(p.Today) && t.Ends.Before(item.Spec.Ends.AddDays(366)):
			p.add("notice", k.Name, item.ID+"/"+k.ID, by, "Ask the supplier to end it early or to renew it for a shorter time.", []string{item.ID},
				"%s retires %s. The last day for notice under %s was %s, so it renews on %s.", item.Name, x.Name, k.Name, words.Date(by), words.Date(t.Ends.AddDays(1)))
		case known && renews && State(item) == "proposed" && by.Before(item.Spec.Starts):
			p.add("notice", k.Name, item.ID+"/"+k.ID, by, "Decide on "+item.Name+" by then, or the contract renews.", []string{item.ID},
				"%s is not decided and starts on %s; the last day for notice under %s is %s.", item.Name, words.Date(item.Spec.Starts), k.Name, words.Date(by))
		}
		if over := t.Ends.Sub(item.Spec.Ends); over > 31 {
			p.add("pays-on", k.Name, item.ID+"/"+k.ID, item.Spec.Ends, "End the contract earlier, or retire the system later.", []string{item.ID},
				"%s retires %s on %s, and %s is paid for until %s: %s for nothing.", item.Name, x.Name, words.Date(item.Spec.Ends), k.Name, words.Date(*t.Ends), words.Count(over, "day", "days"))
		}
	}
}

// usedAfter reports whether a contract pays for a system that is in use after a day.
func (p *Plan) usedAfter(k register.Contract, day def.Date) bool {
	return slices.ContainsFunc(p.Pays[k.ID], func(id string) bool {
		x, ok := p.System(id)
		if !ok || !x.Spec.InUse() {
			return false
		}
		for _, item := range p.bySubject[id] {
			for _, c := range item.Spec.Changes {
				if c.Subject == id && c.Phase == "retired" && State(item) != "stopped" && !item.Spec.Ends.After(day) {
					return false
				}
			}
		}
		return true
	})
}

// needed finds what still relies on a system when it is retired.
func (p *Plan) needed(item Item, x register.System) {
	var flows []string
	for _, f := range p.FlowsOf(x.ID) {
		flows = append(flows, words.Or(f.Name, f.ID))
	}
	services := p.servicesOf(x.ID)
	if len(flows)+len(services) == 0 {
		return
	}
	var parts []string
	if len(flows) > 0 {
		parts = append(parts, words.Count(len(flows), "flow", "flows")+" ("+words.Few(flows, 3)+")")
	}
	if len(services) > 0 {
		parts = append(parts, words.Count(len(services), "service", "services")+" ("+words.Few(services, 3)+")")
	}
	p.add("needed", x.Name, item.ID+"/"+x.ID, item.Spec.Ends, "Move them to what takes its place before that day.", []string{item.ID},
		"%s retires %s on %s, and %s still rely on it.", item.Name, x.Name, words.Date(item.Spec.Ends), words.List(parts))
}

// order finds an item that starts before what it waits for has ended.
func (p *Plan) order(item Item) {
	for _, id := range item.Spec.After {
		first, ok := p.item[id]
		if ok && Open(first) && item.Spec.Starts.Before(first.Spec.Ends.AddDays(1)) {
			p.add("order", item.Name, item.ID+"/"+id, item.Spec.Starts, "Start it after that, or say that it need not wait.", []string{item.ID, id},
				"%s starts on %s, and %s, which it waits for, ends on %s.", item.Name, words.Date(item.Spec.Starts), first.Name, words.Date(first.Spec.Ends))
		}
	}
}

func (p *Plan) late(item Item) {
	if item.Spec.Ends.Before(p.Today) {
		p.add("late", item.Name, item.ID, item.Spec.Ends, "Say that it is done or stopped, or give it a new end.", []string{item.ID},
			"%s was to end on %s, %s, and is %s.", item.Name, words.Date(item.Spec.Ends), words.Days(item.Spec.Ends.Sub(p.Today)), words.Value(State(item)))
	}
}

// differs finds a change of the same field of the same thing to something else at
// the same time.
func (p *Plan) differs(a, b Item, c Change) {
	if a.Spec.Ends.Before(b.Spec.Starts) || b.Spec.Ends.Before(a.Spec.Starts) {
		return
	}
	name, _ := p.subject(c.Subject)
	for _, d := range b.Spec.Changes {
		if d.Subject != c.Subject {
			continue
		}
		for _, f := range []struct{ what, a, b string }{
			{"the phase of its life", c.Phase, d.Phase}, {"where it runs", c.Hosting, d.Hosting}, {"its yearly cost", amount(c.Annual), amount(d.Annual)},
			{"what it does", strings.Join(c.Capabilities, ", "), strings.Join(d.Capabilities, ", ")},
		} {
			if f.a != "" && f.b != "" && f.a != f.b {
				p.add("differs", name, a.ID+"/"+b.ID+"/"+c.Subject+"/"+f.what, later(a.Spec.Starts, b.Spec.Starts), "Let one of the two go first, or agree on one of them.", []string{a.ID, b.ID},
					"%s and %s change %s of %s at the same time: %s, and %s.", a.Name, b.Name, f.what, name, words.Value(f.a), words.Value(f.b))
			}
		}
	}
}

func (p *Plan) objective(o Objective) {
	if o.Spec.Due == nil {
		return
	}
	for _, x := range p.Serving(o.ID) {
		if Open(x) && o.Spec.Due.Before(x.Spec.Ends) {
			p.add("objective", o.Name, o.ID+"/"+x.ID, *o.Spec.Due, "Bring the item forward, or move the day of the objective.", []string{x.ID},
				"“%s” is due on %s, and %s, which serves it, ends on %s.", o.Name, words.Date(*o.Spec.Due), x.Name, words.Date(x.Spec.Ends))
		}
	}
}

// ConflictsOf are the conflicts that an item has a part in.
func (p *Plan) ConflictsOf(item string) (out []Conflict) {
	for _, c := range p.Conflicts {
		if slices.Contains(c.Items, item) {
			out = append(out, c)
		}
	}
	return out
}

func ids(items []Item) (out []string) {
	for _, x := range items {
		out = append(out, x.ID)
	}
	return out
}

func later(a, b def.Date) def.Date {
	if a.Before(b) {
		return b
	}
	return a
}

func amount(v *int64) string {
	if v == nil {
		return ""
	}
	return register.Money(*v * 100).String()
}
