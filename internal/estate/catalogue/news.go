package catalogue

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// News is a service that is new, changed or withdrawn.
type News struct {
	At       time.Time
	What     string // new, changed, withdrawn
	ID, Name string
	Audience string
	Changed  []string // what of it, in words
	set      string
}

// entry is what is announced of a service.
type entry struct {
	name, audience, withdrawn string
	offered                   bool
	facts                     [7]string
}

var factNames = [7]string{"its name", "what it does", "how to ask for it", "how to reach it", "where to get help", "its hours", "its owner"}

func brief(set *def.Set, on def.Date) map[string]entry {
	out := map[string]entry{}
	for _, s := range def.All[Spec](set) {
		c := s.Spec.Channels
		e := entry{name: s.Name, audience: s.Spec.Audience, offered: Offered(s, on)}
		if w := s.Spec.Withdrawn; w != nil {
			e.withdrawn = w.String()
		}
		e.facts = [7]string{s.Name, s.Spec.Description, s.Spec.Request, fmt.Sprint(c.Online, known(c.Phone), known(c.Paper), known(c.Counter)), s.Spec.Support, s.Spec.Hours, s.Spec.Owner}
		out[s.ID] = e
	}
	return out
}

func known(b *bool) string {
	if b == nil {
		return "?"
	}
	return fmt.Sprint(*b)
}

// newsSets bounds how far back is looked, in sets of definitions.
const newsSets = 40

// News is what changed in the catalogue with each set of definitions, newest
// first. What was there in the oldest set is not news.
func (k *Keeper) News(ctx context.Context, audiences ...string) (out []News, err error) {
	if k.o.Sets == nil || k.o.Earlier == nil {
		return nil, nil
	}
	acts, err := k.o.Sets(ctx, newsSets)
	if err != nil {
		return nil, err
	}
	for i := range len(acts) - 1 {
		now, err := k.briefOf(ctx, acts[i])
		if err != nil {
			return nil, err
		}
		before, err := k.briefOf(ctx, acts[i+1])
		if err != nil {
			return nil, err
		}
		var of []News
		for id, e := range now {
			if n, ok := differs(before, id, e); ok && slices.Contains(audiences, e.audience) {
				n.At, n.ID, n.Name, n.Audience, n.set = acts[i].At, id, or(e.name, id), e.audience, acts[i].Hash
				of = append(of, n)
			}
		}
		for id, e := range before {
			if _, still := now[id]; !still && e.offered && slices.Contains(audiences, e.audience) {
				of = append(of, News{At: acts[i].At, What: "withdrawn", ID: id, Name: or(e.name, id), Audience: e.audience, set: acts[i].Hash})
			}
		}
		slices.SortFunc(of, func(a, b News) int { return strings.Compare(a.ID, b.ID) })
		out = append(out, of...)
	}
	return out, nil
}

// differs says how a service differs from what it was.
func differs(before map[string]entry, id string, e entry) (n News, ok bool) {
	old, was := before[id]
	switch {
	case !e.offered && was && old.offered, e.withdrawn != "" && was && old.withdrawn == "":
		n.What = "withdrawn"
		if e.withdrawn != "" {
			n.Changed = []string{"from " + e.withdrawn}
		}
	case !e.offered:
		return n, false
	case !was || !old.offered:
		n.What = "new"
	default:
		n.What = "changed"
		for i, f := range e.facts {
			if f != old.facts[i] {
				n.Changed = append(n.Changed, factNames[i])
			}
		}
		return n, len(n.Changed) > 0
	}
	return n, true
}

func (k *Keeper) briefOf(ctx context.Context, a def.Activation) (map[string]entry, error) {
	key := a.Hash + a.At.String()
	k.mu.Lock()
	b, ok := k.brief[key]
	k.mu.Unlock()
	if ok {
		return b, nil
	}
	set, err := k.o.Earlier(ctx, a.Hash)
	if err != nil {
		return nil, err
	}
	b = brief(set, def.DateOf(a.At.In(k.o.Zone)))
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.brief) > 2*newsSets {
		clear(k.brief)
	}
	k.brief[key] = b
	return b, nil
}

// Text is the news in a sentence.
func (n News) Text() string {
	switch {
	case n.What == "new":
		return "It is new."
	case n.What == "withdrawn" && len(n.Changed) > 0:
		return "It is withdrawn " + n.Changed[0] + "."
	case n.What == "withdrawn":
		return "It is no longer offered."
	}
	return "Changed: " + strings.Join(n.Changed, ", ") + "."
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Links   []atomLink  `xml:"link"`
	Author  atomAuthor  `xml:"author"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomAuthor struct {
	Name string `xml:"name"`
}

type atomEntry struct {
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Summary string   `xml:"summary"`
}

// Atom writes news as an Atom feed (RFC 4287). base is how people reach this
// program, body its name.
func Atom(news []News, base, body string, now time.Time) ([]byte, error) {
	base = strings.TrimSuffix(base, "/")
	f := atomFeed{ID: base + "/services/feed.atom", Title: "Services of " + body + ": what is new", Updated: now.UTC().Format(time.RFC3339), Author: atomAuthor{body},
		Links: []atomLink{{"self", base + "/services/feed.atom"}, {"", base + "/services/whats-new"}}}
	if len(news) > 0 {
		f.Updated = news[0].At.UTC().Format(time.RFC3339)
	}
	for _, n := range news[:min(len(news), 100)] {
		at := n.At.UTC().Format(time.RFC3339)
		f.Entries = append(f.Entries, atomEntry{ID: base + "/services/" + url.PathEscape(n.ID) + "#" + strings.TrimPrefix(n.set, "sha256:")[:12] + "-" + n.At.UTC().Format("20060102150405"),
			Title: n.Name + ": " + n.What, Updated: at, Link: atomLink{"", base + "/services/" + url.PathEscape(n.ID)}, Summary: n.Text()})
	}
	b, err := xml.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
