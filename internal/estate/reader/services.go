package reader

import (
	"cmp"
	"fmt"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

func (v *view) offered() Card {
	public := 0
	for _, x := range v.services {
		if x.Spec.Audience == "public" {
			public++
		}
	}
	return Card{"What do we offer?", words.Count(len(v.services), "service", "services"), v.href("/staff/services"), fmt.Sprintf("%d of them for residents.", public), ""}
}

func (v *view) asking() Card {
	t := v.s.Tables.Of("Service")
	broken, unknown := 0, 0
	for _, x := range v.services {
		switch ok, known := t.Fact(max(t.Find(x.ID), 0), "requestLinkOk"); {
		case !known:
			unknown++
		case ok == false:
			broken++
		}
	}
	return Card{"Can they be asked for?", fmt.Sprintf("%d cannot", broken), v.href("/staff/services?show=broken"), nobody(unknown, "For %s nobody has tried the link.", "service", "services"), tone(broken)}
}

func (v *view) stale() Card {
	n := 0
	for _, x := range v.services {
		if x.Spec.Updated == nil || v.s.Today.Sub(*x.Spec.Updated) > 183 {
			n++
		}
	}
	c := Card{Question: "Which entries were not gone through for half a year?", Answer: words.Count(n, "service", "services"), Href: v.href("/staff/services?show=old")}
	if n > 0 {
		c.Tone = ui.Waiting
	}
	return c
}

func (v *view) behind() Card {
	n, silent := 0, 0
	for _, x := range v.services {
		if len(x.Spec.Systems) == 0 {
			silent++
		}
		for _, id := range x.Spec.Systems {
			if v.failingBy[v.s.Set.Present("System", id)] > 0 {
				n++
				break
			}
		}
	}
	return Card{"Which rest on a system that does not meet what is required?", words.Count(n, "service", "services"), v.href("/staff/services"), nobody(silent, "Of %s nobody has said which systems are behind it.", "service", "services"), tone(n)}
}

func (v *view) listened() Card {
	n := 0
	for _, x := range v.services {
		if r := x.Spec.Research; r != nil && v.s.Today.Sub(r.Last) <= 730 {
			n++
		}
	}
	c := Card{Question: "Did we listen to those who use them?", Answer: fmt.Sprintf("For %d of %d within two years", n, len(v.services)), Href: v.href("/staff/services")}
	if n < len(v.services) {
		c.Tone = ui.Waiting
	}
	return c
}

func (v *view) paper() Card {
	n, unknown := 0, 0
	for _, x := range v.services {
		switch p := x.Spec.Channels.Paper; {
		case p == nil:
			unknown++
		case *p:
			n++
		}
	}
	return Card{"Which still need paper?", words.Count(n, "service", "services"), v.href("/staff/services"), nobody(unknown, "Of %s it is not known.", "service", "services"), ""}
}

// shared is the system with which most services would stop.
func (v *view) shared() Card {
	by := map[string]int{}
	for _, x := range v.services {
		for _, id := range x.Spec.Systems {
			by[v.s.Set.Present("System", id)]++
		}
	}
	best := ""
	for id, n := range by {
		if best == "" || cmp.Or(cmp.Compare(n, by[best]), cmp.Compare(best, id)) > 0 {
			best = id
		}
	}
	c := Card{Question: "What would stop most of them?", Answer: "Not known", Href: v.href("/staff/services")}
	if best != "" {
		c.Answer, c.Note, c.Href = gate.SystemName(v.s, best), words.Count(by[best], "service rests", "services rest")+" on it.", v.href(words.SystemHref(best))
	}
	return c
}

// Plain is an amount in words that need no table: "about £3.3 million".
func Plain(m register.Money) string {
	pounds := int64(m) / 100
	switch {
	case pounds >= 1_000_000:
		return fmt.Sprintf("about £%.1f million", float64(pounds)/1e6)
	case pounds >= 10_000:
		return "about " + register.Money((pounds+500)/1000*1000*100).String()
	}
	return register.Money(pounds * 100).String()
}

// member is for those whom people elected: no jargon.
func (v *view) member() []Card {
	return []Card{v.memberCost(), v.memberBetter(), v.memberOnline(), v.memberSafe(), v.memberRules(), v.memberEnds(), v.memberDecided()}
}

func (v *view) memberCost() Card {
	c := Card{Question: "What do we spend on technology?", Answer: "Not known", Href: v.href("/staff/estate/spend"), Note: "Nobody has said what our contracts cost."}
	y := v.s.Yearly
	if !y.Sure {
		return c
	}
	c.Answer = ui.Capital(Plain(y.Known)) + " a year"
	c.Note = "That is " + Plain(y.Known/52) + " a week, for " + words.Count(len(v.ours), "computer system", "computer systems") + "."
	if y.Lacks {
		c.Answer = "At least " + Plain(y.Known) + " a year"
		c.Note += fmt.Sprintf(" For %s we do not know the price, so the true sum is higher.", words.Count(len(v.s.NoCost), "contract", "contracts"))
	}
	return c
}

// memberBetter compares with a quarter ago.
func (v *view) memberBetter() Card {
	c := Card{Question: "Is it getting better or worse?", Answer: "We cannot say yet", Href: v.href("/staff/estate/changes"), Note: "There is nothing from three months ago to compare with."}
	if v.before == nil {
		return c
	}
	then := newView(v.before, nil, "")
	if then.judged == 0 {
		return c
	}
	switch d := v.fail["must"] - then.fail["must"]; {
	case d < 0:
		c.Answer, c.Tone = "Better", ui.Good
		c.Note = fmt.Sprintf("Three months ago we broke our own rules %s more than today.", words.Count(-d, "time", "times"))
	case d > 0:
		c.Answer, c.Tone = "Worse", ui.Bad
		c.Note = fmt.Sprintf("We break our own rules %s more than three months ago.", words.Count(d, "time", "times"))
	default:
		c.Answer, c.Note = "The same", "We keep to our own rules as often as three months ago."
	}
	if n := len(v.ours) - len(then.ours); n != 0 {
		c.Note += fmt.Sprintf(" We run %d computer systems; then it was %d.", len(v.ours), len(then.ours))
	}
	if a, b := v.s.Yearly, v.before.Yearly; a.Sure && b.Sure && a.Known != b.Known {
		c.Note += " Known costs were " + Plain(b.Known) + " a year then."
	}
	return c
}

func (v *view) memberOnline() Card {
	n, of := 0, 0
	for _, x := range catalogue.Find(v.s.Set, v.s.Today, "", "public") {
		of++
		if x.Spec.Channels.Online != "" || x.Spec.Request != "" {
			n++
		}
	}
	c := Card{Question: "Can residents do it online?", Answer: "Not known", Href: v.href("/staff/services?audience=public"), Note: "No services for residents are listed yet."}
	if of > 0 {
		c.Answer, c.Note = fmt.Sprintf("%d of %d services", n, of), "The rest can only be had by phone, on paper or in person, or nobody has said how."
		if n == of {
			c.Note = ""
		}
	}
	return c
}

func (v *view) memberSafe() Card {
	n, unknown := weakSignIn(v.s, v.ours)
	c := Card{Question: "Is people’s information safe?", Href: v.href("/staff/estate/for/security"), Tone: tone(n), Answer: "No weak lock is known"}
	if n > 0 {
		c.Answer = fmt.Sprintf("%d of %d systems need a stronger lock", n, len(v.ours))
	}
	if unknown > 0 {
		c.Note = fmt.Sprintf("For %d we do not know how well they are locked.", unknown)
	}
	return c
}

func (v *view) memberRules() Card {
	c := Card{Question: "Do we keep our own rules?", Answer: "Not known", Href: v.href("/staff/estate/standards")}
	if known := v.judged - v.unknown; known > 0 {
		c.Answer = "In " + words.Percent(v.passed, known) + " of the cases that we could check"
		c.Note = fmt.Sprintf("We could not check %s, because we do not know enough.", words.Count(v.unknown, "case", "cases"))
	}
	return c
}

func (v *view) memberEnds() Card {
	n := 0
	var cost register.Cost
	for _, k := range v.s.Contracts {
		if t := k.Spec.Term; t != nil && t.Ends != nil && v.s.InForce(k) && t.Ends.Sub(v.s.Today) <= 183 {
			n++
			cost = add(cost, register.CostOf(k))
		}
	}
	c := Card{Question: "Which contracts end within six months?", Answer: words.Count(n, "contract", "contracts"), Href: v.href("/staff/estate/spend")}
	if n > 0 && cost.Sure {
		c.Note = "Together they cost " + Plain(cost.Known) + " a year."
	}
	return c
}

func (v *view) memberDecided() Card {
	n, approved, refused := 0, 0, 0
	for _, r := range v.requests {
		if r.Waits() {
			n++
		}
		if d := r.Spec.Decided; d != nil && v.s.Today.Sub(d.On) <= 90 {
			switch d.Outcome {
			case "approved":
				approved++
			case "refused":
				refused++
			}
		}
	}
	return Card{"What is being decided?", words.Count(n, "request waits", "requests wait") + " for an answer", v.href("/staff/requests"),
		fmt.Sprintf("In the last three months, yes was said to %d and no to %d.", approved, refused), ""}
}
