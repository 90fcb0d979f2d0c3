// Package reader answers the first questions of five readers of the estate: the
// architect, the chief information officer, the security officer, the owner of
// services and the elected member. All see the same facts; each begins elsewhere.
//
// What nobody declared, imported or observed is said to be not known, here too.
package reader

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Card is a question with its answer, and the page behind it.
type Card struct {
	Question, Answer, Href, Note string
	Tone                         ui.Tone // "" for none
}

// Reader is somebody with first questions.
type Reader struct{ ID, Name, Intro string }

// Readers are all of them.
var Readers = []Reader{
	{"architect", "Architect", "How the estate fits together, where it does not meet our standards, and what is not known."},
	{"cio", "Chief information officer", "What it costs, what has to be decided and when, and what could go wrong."},
	{"security", "Security officer", "Where sensitive data is, how well it is guarded, and what is open."},
	{"owner", "Service owner", "Whether your services can be asked for, what is behind them, and what could stop them."},
	{"member", "Elected member", "What the council’s technology costs, whether it serves people, and whether it is getting better."},
}

// Find finds a reader.
func Find(id string) (Reader, bool) {
	i := slices.IndexFunc(Readers, func(r Reader) bool { return r.ID == id })
	if i < 0 {
		return Reader{}, false
	}
	return Readers[i], true
}

// view is a snapshot counted once.
type view struct {
	s      *register.Snapshot
	before *register.Snapshot // a quarter ago; nil: not known
	owner  string             // of services, "" for all

	ours      []register.System
	requests  []*gate.Request
	services  []catalogue.Service
	fail      map[string]int // by severity
	unknown   int
	judged    int
	passed    int
	failingBy map[string]int // "must" standards not met, by system
}

func newView(s, before *register.Snapshot, owner string) *view {
	v := &view{s: s, before: before, owner: owner, fail: map[string]int{}, failingBy: map[string]int{}, requests: gate.Requests(s)}
	for _, x := range s.Systems {
		if s.Ours(x.Spec.Organisation) && x.Spec.InUse() {
			v.ours = append(v.ours, x)
		}
	}
	v.services = catalogue.Find(s.Set, s.Today, "", "public", "staff", "partner")
	if owner != "" {
		v.services = slices.DeleteFunc(v.services, func(x catalogue.Service) bool { return x.Spec.Owner != owner })
	}
	if s.Outcome == nil {
		return v
	}
	for i := range s.Outcome.Standings {
		st := &s.Outcome.Standings[i]
		v.fail[st.Spec.Severity] += st.Fail
		v.unknown += st.Unknown
		v.judged += st.Pass + st.Fail + st.Unknown + st.Waived
		v.passed += st.Pass
		if st.Spec.Severity == "must" {
			for _, f := range st.Findings(0, standard.Fail) {
				if f.Kind == "System" {
					v.failingBy[f.ID]++
				}
			}
		}
	}
	return v
}

// cards are the questions of a reader, answered.
func (v *view) cards(reader string) []Card {
	switch reader {
	case "architect":
		return []Card{v.have(), v.standards(), v.notKnown(), v.twice(), v.ending(), v.around(), v.waiting()}
	case "cio":
		return []Card{v.cost(), v.notices(), v.broken(), v.owners(), v.restores(), v.waiting(), v.boards()}
	case "security":
		return []Card{v.sensitive(), v.weak(), v.exploited(), v.restores(), v.lost(), v.around(), v.emerging()}
	case "owner":
		return []Card{v.offered(), v.asking(), v.stale(), v.behind(), v.listened(), v.paper(), v.shared()}
	case "member":
		return v.member()
	}
	return nil
}

func (v *view) href(path string) string { return register.Href(v.s, path) }

// tone is bad where there is any.
func tone(n int) ui.Tone {
	if n > 0 {
		return ui.Bad
	}
	return ui.Good
}

func (v *view) have() Card {
	n := 0
	for _, x := range v.ours {
		if len(x.Spec.Capabilities) == 0 {
			n++
		}
	}
	return Card{"What do we have?", words.Count(len(v.ours), "system in use", "systems in use"), v.href("/staff/estate/map"),
		fmt.Sprintf("%s and %s are declared.%s", words.Count(len(v.s.Interfaces), "interface", "interfaces"), words.Count(len(v.s.Flows), "flow", "flows"), nobody(n, " Of %s nobody has said what it does.", "system", "systems")), ""}
}

func (v *view) standards() Card {
	return Card{"Where do we not meet our standards?", words.Count(v.fail["must"], "required check is not met", "required checks are not met"), v.href("/staff/estate/standards"),
		fmt.Sprintf("And %d of those that are only recommended.", v.fail["should"]), tone(v.fail["must"])}
}

func (v *view) notKnown() Card {
	c := Card{Question: "What do we not know?", Answer: "Nothing is judged yet", Href: v.href("/staff/estate/standards")}
	if v.judged > 0 {
		c.Answer = words.Percent(v.unknown, v.judged) + " of all checks"
		c.Note = fmt.Sprintf("%d of %d checks cannot be made, because nobody declared, imported or observed what they need.", v.unknown, v.judged)
		if v.unknown*10 > v.judged {
			c.Tone = ui.Waiting
		}
	}
	return c
}

// nobody is a sentence on how many are not told, "" if there are none.
func nobody(n int, sentence, one, many string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(sentence, words.Count(n, one, many))
}

func (v *view) twice() Card {
	n, most, name := 0, 0, ""
	for _, c := range v.s.Capabilities {
		if max, have := c.Spec.Max(), len(v.s.Providers[c.ID]); max > 0 && have > max {
			n++
			if have-max > most {
				most, name = have-max, c.Name
			}
		}
	}
	c := Card{Question: "What do we have more than once?", Answer: words.Count(n, "capability", "capabilities"), Href: v.href("/staff/estate/capabilities")}
	if n > 0 {
		c.Tone, c.Note = ui.Waiting, fmt.Sprintf("Most of all %s: %d more than we need.", name, most)
	}
	return c
}

// soon is how many days ahead counts as soon.
const soon = 365

func (v *view) ending() Card {
	n, loose := 0, 0
	for _, x := range v.ours {
		l := x.Spec.Lifecycle
		if l == nil || l.End == nil || l.End.Sub(v.s.Today) > soon {
			continue
		}
		n++
		if l.Successor == "" {
			loose++
		}
	}
	c := Card{Question: "What ends within a year?", Answer: words.Count(n, "system", "systems"), Href: v.href("/staff/estate/roadmap")}
	if loose > 0 {
		c.Tone, c.Note = ui.Waiting, fmt.Sprintf("Of these, nobody has said what comes after %d.", loose)
	}
	return c
}

func (v *view) around() Card {
	c := Card{Question: "What goes around what is declared?", Href: v.href("/staff/estate/map?show=undeclared"), Answer: "Not known"}
	if v.s.Past {
		c.Note = "What was observed is not kept by day."
		return c
	}
	manual := 0
	for _, f := range v.s.Flows {
		if f.Via == "manual" || f.Via == "direct" {
			manual++
		}
	}
	c.Answer = words.Count(len(v.s.Undeclared), "record type is sent", "record types are sent") + " that no flow carries"
	c.Tone, c.Note = tone(len(v.s.Undeclared)), fmt.Sprintf("%d of %d declared flows do not go through the exchange, so nobody sees what they carry.", manual, len(v.s.Flows))
	return c
}

func (v *view) waiting() Card {
	n, most, name := 0, -1, ""
	for _, r := range v.requests {
		if r.Waits() {
			n++
			if d := r.Waited(v.s.Today); d > most {
				most, name = d, cmp.Or(r.Name, r.ID)
			}
		}
	}
	c := Card{Question: "Which requests wait?", Answer: words.Count(n, "request", "requests"), Href: v.href("/staff/requests")}
	if n > 0 {
		c.Note = fmt.Sprintf("Longest: %s, for %s.", name, words.Count(most, "day", "days"))
	}
	return c
}

func (v *view) cost() Card {
	c := Card{Question: "What does it cost a year?", Answer: ui.Capital(v.s.Yearly.String()), Href: v.href("/staff/estate/spend"), Note: "By the contracts in force, each counted once."}
	if n := len(v.s.NoCost); n > 0 {
		c.Tone, c.Note = ui.Waiting, fmt.Sprintf("Of %s nobody has said what it costs.", words.Count(n, "contract", "contracts"))
	}
	return c
}

func (v *view) notices() Card {
	n, missed := 0, 0
	var cost register.Cost
	for _, k := range v.s.Contracts {
		by, ok := k.Spec.NoticeBy()
		if !ok || !v.s.InForce(k) || k.Spec.Decided(v.s.Today) {
			continue
		}
		switch days := by.Sub(v.s.Today); {
		case days < 0:
			missed++
		case days <= 90:
			n++
			cost = add(cost, register.CostOf(k))
		}
	}
	c := Card{Question: "What must we decide within 90 days?", Answer: words.Count(n, "contract", "contracts"), Href: v.href("/staff/estate/spend")}
	if n > 0 {
		c.Tone, c.Note = ui.Waiting, "Worth "+cost.String()+" a year. After the notice date it goes on as it is."
	}
	if missed > 0 {
		c.Note = strings.TrimSpace(c.Note + fmt.Sprintf(" The notice date of %d has passed.", missed))
	}
	return c
}

// add adds costs of which the first may be of nothing yet.
func add(sum, c register.Cost) register.Cost {
	if !sum.Sure && !sum.Lacks {
		return c
	}
	return sum.Plus(c)
}

func (v *view) broken() Card {
	worst, name := 0, ""
	for _, x := range v.ours {
		if n := v.failingBy[x.ID]; n > worst {
			worst, name = n, cmp.Or(x.Name, x.ID)
		}
	}
	n := 0
	for _, x := range v.ours {
		if v.failingBy[x.ID] > 0 {
			n++
		}
	}
	c := Card{Question: "Which systems do not meet what is required?", Answer: fmt.Sprintf("%d of %d", n, len(v.ours)), Href: v.href("/staff/estate/standards"), Tone: tone(n)}
	if worst > 0 {
		c.Note = fmt.Sprintf("Most of all %s: %s.", name, words.Count(worst, "standard", "standards"))
	}
	return c
}

func (v *view) owners() Card {
	n, deputies := 0, 0
	for _, x := range v.ours {
		if x.Spec.Owner == "" {
			n++
		}
		if x.Spec.Deputy == "" {
			deputies++
		}
	}
	return Card{"What has no owner?", words.Count(n, "system", "systems"), v.href("/staff/estate/owners"), fmt.Sprintf("%d have no deputy.", deputies), tone(n)}
}

func (v *view) restores() Card {
	old, never := 0, 0
	for _, x := range v.ours {
		switch c := x.Spec.Continuity; {
		case c == nil || c.RestoreTested == nil:
			never++
		case v.s.Today.Sub(*c.RestoreTested) > 365:
			old++
		}
	}
	c := Card{Question: "Could we get it back?", Answer: fmt.Sprintf("Shown for %d of %d systems", len(v.ours)-old-never, len(v.ours)), Href: v.href("/staff/estate/systems"),
		Note: fmt.Sprintf("For %d a restore was last tried more than a year ago; for %d that is not known.", old, never)}
	if old+never > 0 {
		c.Tone = ui.Waiting
	}
	return c
}

func (v *view) boards() Card {
	c := Card{Question: "How long do decisions take?", Answer: "Not known", Href: v.href("/staff/boards"), Note: "No board has decided anything here yet."}
	slow, of := 0, 0
	for _, b := range def.All[gate.BoardSpec](v.s.Set) {
		f := gate.Measure(b, v.requests, v.s.Today)
		if f.Decisions == 0 {
			continue
		}
		of++
		if t := b.Spec.TargetDays; t != nil && f.MedianWait > *t {
			slow++
		}
	}
	if of > 0 {
		c.Answer, c.Note, c.Tone = fmt.Sprintf("%d of %s", slow, words.Count(of, "board takes longer than it means to", "boards take longer than they mean to")), "By the wait in the middle of all waits of a year.", tone(slow)
		if slow == 0 {
			c.Answer = "No board takes longer than it means to"
		}
	}
	return c
}

func (v *view) sensitive() Card {
	n, unknown := 0, 0
	for _, x := range v.ours {
		class, ok := v.s.ClassOf(x.ID)
		switch {
		case !ok:
			unknown++
		case class >= reeve.Confidential:
			n++
		}
	}
	return Card{"Where is sensitive data?", words.Count(n, "system", "systems"), v.href("/staff/estate/systems"), nobody(unknown, "Of %s nobody has said what data it holds.", "system", "systems"), ""}
}

// weakSignIn counts systems whose sign-in is weaker than their data needs, and those
// of which that is not known.
func weakSignIn(s *register.Snapshot, systems []register.System) (weak, unknown int) {
	t := s.Tables.Of("System")
	for _, x := range systems {
		i := t.Find(x.ID)
		if i < 0 {
			continue
		}
		need, ok := t.Fact(i, "requiredAuthn")
		a := x.Spec.Auth
		n, isInt := need.(int64)
		switch {
		case !ok || !isInt || a == nil || a.Authn == nil:
			unknown++
		case int64(*a.Authn) < n:
			weak++
		}
	}
	return weak, unknown
}

func (v *view) weak() Card {
	n, unknown := weakSignIn(v.s, v.ours)
	return Card{"Where is sign-in too weak?", words.Count(n, "system", "systems"), v.href("/staff/estate/standards"), "For the data that they hold." + nobody(unknown, " Of %s it is not known.", "system", "systems"), tone(n)}
}

func (v *view) exploited() Card {
	c := Card{Question: "What is exploited and not mended in time?", Answer: "Not known", Href: v.href("/staff/estate/risk"), Note: "No list of exploited vulnerabilities was matched with our components yet."}
	t, n, of := v.s.Tables.Of("Component"), 0, 0
	for i := range t.IDs {
		if x, ok := t.Fact(i, "kevOpenPastDue"); ok {
			of++
			if k, ok := x.(int64); ok && k > 0 {
				n++
			}
		}
	}
	if of > 0 {
		c.Answer, c.Note, c.Tone = words.Count(n, "component", "components"), fmt.Sprintf("Known for %d of %d components.", of, len(t.IDs)), tone(n)
	}
	return c
}

func (v *view) lost() Card {
	c := Card{Question: "Which devices are lost?", Answer: "Not known", Href: v.href("/staff/estate/assets"), Note: "No list of devices was imported yet."}
	if len(v.s.Assets) == 0 {
		return c
	}
	lost, unseen := 0, 0
	for _, a := range v.s.Assets {
		switch {
		case a.State == "lost" || a.State == "stolen":
			lost++
		case a.State == "in-use" && !a.LastSeen.IsZero() && v.s.Today.Sub(a.LastSeen) > 45:
			unseen++
		}
	}
	c.Answer, c.Tone = fmt.Sprintf("%d of %d", lost, len(v.s.Assets)), tone(lost)
	c.Note = fmt.Sprintf("%d in use have not been seen for 45 days.", unseen)
	return c
}

func (v *view) emerging() Card {
	n, open := 0, 0
	for _, r := range v.requests {
		if r.Emerging() {
			n++
			if r.Privacy.Measure == "" {
				open++
			}
		}
	}
	c := Card{Question: "Where do we try what is new?", Answer: words.Count(n, "request", "requests"), Href: v.href("/staff/requests/emerging")}
	if open > 0 {
		c.Tone, c.Note = ui.Waiting, fmt.Sprintf("For %d nobody has said what is done about the risks.", open)
	}
	return c
}
