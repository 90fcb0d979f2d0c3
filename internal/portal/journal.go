package portal

import (
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// line is an entry of the journal as people read it.
type line struct {
	journal.Entry
	Who, Did, About, Href string
	More                  []string // details, a sentence each
}

// lines are entries as people read them, newest first.
func (p *Portal) lines(es []journal.Entry) (out []line) {
	for _, e := range es {
		out = append(out, p.line(e))
	}
	slices.Reverse(out)
	return out
}

func (p *Portal) line(e journal.Entry) line {
	l := line{Entry: e, Who: p.who(e.Actor), Did: p.named(e.Verb)}
	if word, ok := verbs[e.Verb]; ok {
		l.Did = word
	}
	l.About, l.Href = p.about(string(e.About))
	if kind, _, _ := strings.Cut(string(e.About), "/"); kind != "" { // "opened case" "case 9"
		l.Did = strings.TrimSuffix(l.Did, " "+ui.Words(kind))
	}
	if word, ok := received[e.Verb]; ok && strings.HasPrefix(e.Actor, "token/") {
		l.Did = word
	}
	if e.Purpose != "" {
		l.More = append(l.More, "For "+ui.Words(string(e.Purpose))+".")
	}
	why := e.Why
	if strings.HasPrefix(e.Actor, "flow/") && len(why) >= 3 && (e.Verb == "disclosing" || e.Verb == "delivered") {
		l.More = append(l.More, "Under \u201c"+p.asks.Name(why[0])+"\u201d, to "+p.asks.Name(why[1])+", through "+p.asks.Name(why[2])+".")
		why = why[3:]
	}
	var fields, others []string
	for _, w := range why {
		if strings.HasPrefix(w, "/") {
			fields = append(fields, ui.FieldText(w))
		} else {
			others = append(others, p.named(w))
		}
	}
	if len(others) > 0 {
		l.More = append(l.More, ui.Capital(strings.Join(others, "; "))+".")
	}
	if len(fields) > 0 {
		l.More = append(l.More, "Fields: "+strings.Join(fields, " \u00b7 ")+".")
	}
	return l
}

// verbs are words for what the journal says in its own.
var verbs = map[string]string{
	"disclosing": "is passing on",
	"activated":  "took up",
	"resuming":   "resumed",
}

// received are words for what became of what a partner sent.
var received = map[string]string{"accepted": "sent, and we accepted,", "refused": "sent, and we refused,", "held": "sent, and we held,"}

// actors are words for parts of the program that act by themselves.
var actors = map[string]string{
	"notify": "Messages", "lifeevent": "Life events", "casework": "Cases", "enrolment": "Enrolment", "eligibility": "Entitlements",
	"operator": "The operator", "reeve": "Reeve", "def": "Definitions", "person": "People", "": "Reeve",
}

// who is an actor in words. The journal has no names of people, nor does its page.
func (p *Portal) who(id string) string {
	if name, ok := actors[id]; ok {
		return name
	}
	kind, rest, _ := strings.Cut(id, "/")
	switch kind {
	case "staff":
		return "Member of staff " + rest
	case "token":
		return "A partner (token " + rest + ")"
	case "flow":
		return "The flow \u201c" + p.asks.Name(rest) + "\u201d"
	}
	return p.named(id)
}

// places are where what an entry is about can be looked at, and its word.
var places = map[string]struct{ word, href string }{
	"record":     {"record", "/staff/records/"},
	"message":    {"message", "/staff/messages/"},
	"case":       {"case", "/staff/cases/"},
	"life-event": {"life event", "/staff/life-events/"},
	"flow":       {"", "/staff/flows/"},
}

// about is what an entry is about, in words, and its page.
func (p *Portal) about(ref string) (text, href string) {
	kind, id, ok := strings.Cut(ref, "/")
	if !ok {
		return ref, ""
	}
	at, known := places[kind]
	switch {
	case kind == "set":
		return "the definitions " + short(id), ""
	case kind == "message":
		return "a message", at.href + id
	case kind == "flow":
		return "\u201c" + p.asks.Name(id) + "\u201d", at.href + id
	case known && kind == "record" && strings.HasPrefix(id, "x"):
		return "what was refused", ""
	case known:
		return at.word + " " + id, at.href + id
	}
	return ui.Words(kind) + " " + id, ""
}

// short is enough of a hash to tell it from others.
func short(hash string) string {
	if _, rest, ok := strings.Cut(hash, ":"); ok {
		hash = rest
	}
	return hash[:min(len(hash), 12)]
}

var idLike = regexp.MustCompile(`\b[a-z]+(?:-[a-z0-9.]+)+\b`)

// named puts names in place of the ids of definitions.
func (p *Portal) named(s string) string {
	return idLike.ReplaceAllStringFunc(s, p.asks.Name)
}
