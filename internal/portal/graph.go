package portal

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-graphviz"
)

// State says how what was declared compares with what was seen.
type State string

// The states of a link on the map.
const (
	Flowing    State = "flowing"    // declared, and seen within the time expected
	Silent     State = "silent"     // declared, but not seen, or later than expected
	Undeclared State = "undeclared" // seen, but nothing declares it
)

// Node is a system on the map.
type Node struct {
	ID, Name     string
	Organisation string // its name; systems of one organisation are drawn together
}

// Link is a flow between two systems, declared or only seen.
type Link struct {
	ID, Name         string // of the flow; "" when undeclared
	From, To         string // systems
	FromName, ToName string
	FromIf, ToIf     string // interfaces
	Type             string // record type
	Agreement        string
	State            State
	Why              string // of a state that is not Flowing, in plain words
	Delivered        int64
	Waiting, Held    int64
	LastSeen         time.Time // zero: never
}

// Map is the systems that tell each other things, and how much.
type Map struct {
	Nodes []Node
	Links []Link
	Alone int // systems that no flow touches, not drawn
}

// drawer lays maps out; graphviz runs in process and one at a time.
type drawer struct {
	mu   sync.Mutex
	gv   *graphviz.Graphviz
	last string // dot of the last drawing
	svg  string
}

// layoutLimit bounds the time of one layout: a dense graph can take for ever.
const layoutLimit = 5 * time.Second

// svg draws m. The same map is drawn once. On a failure the table still says all.
func (d *drawer) draw(ctx context.Context, m Map, now time.Time) (string, error) {
	dot := m.dot(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	if dot == d.last {
		return d.svg, nil
	}
	ctx, cancel := context.WithTimeout(ctx, layoutLimit)
	defer cancel()
	if d.gv == nil {
		gv, err := graphviz.New(context.WithoutCancel(ctx))
		if err != nil {
			return "", fmt.Errorf("starting the layout engine: %w", err)
		}
		d.gv = gv
	}
	g, err := graphviz.ParseBytes([]byte(dot))
	if err != nil {
		return "", fmt.Errorf("reading the map's own graph: %w", err)
	}
	defer g.Close()
	var buf bytes.Buffer
	if err := d.gv.Render(ctx, g, graphviz.SVG, &buf); err != nil {
		return "", fmt.Errorf("laying out the map: %w", err)
	}
	d.last, d.svg = dot, tidy(buf.String())
	return d.svg, nil
}

// dot writes m in the language of graphviz, in an order that does not change.
func (m Map) dot(now time.Time) string {
	var b strings.Builder
	b.WriteString("digraph map {\n rankdir=LR; bgcolor=transparent; nodesep=0.35; ranksep=1.4; compound=true; fontname=\"Arial\";\n" +
		" node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Arial\", fontsize=13, margin=\"0.16,0.1\"];\n edge [fontname=\"Arial\", fontsize=11, arrowsize=0.8];\n")
	byOrg, order := map[string][]Node{}, []string{}
	for _, n := range m.Nodes {
		if byOrg[n.Organisation] == nil {
			order = append(order, n.Organisation)
		}
		byOrg[n.Organisation] = append(byOrg[n.Organisation], n)
	}
	for i, org := range order {
		fmt.Fprintf(&b, " subgraph cluster_%d { label=%s; labeljust=l; fontsize=12; class=\"org\"; style=\"rounded\"; color=\"#b1b4b6\"; fontcolor=\"#505a5f\";\n", i, quote(wrap(org, 28)))
		for _, n := range byOrg[org] {
			fmt.Fprintf(&b, "  %s [label=%s, class=\"system\", URL=%s, tooltip=%s];\n", quote(n.ID), quote(wrap(n.Name, 22)), quote("/staff/estate/systems/"+n.ID), quote(n.Name))
		}
		b.WriteString(" }\n")
	}
	for _, l := range m.Links {
		style := map[State]string{Flowing: "solid", Silent: "dashed", Undeclared: "dotted"}[l.State]
		colour := map[State]string{Flowing: "#1d70b8", Silent: "#505a5f", Undeclared: "#d4351c"}[l.State]
		url := "/staff/flows/" + l.ID
		if l.ID == "" {
			url = "#undeclared"
		}
		fmt.Fprintf(&b, " %s -> %s [label=%s, class=%s, style=%s, color=%s, fontcolor=\"#0b0c0c\", penwidth=%.1f, URL=%s, tooltip=%[9]s, edgetooltip=%[9]s, labeltooltip=%[9]s];\n",
			quote(l.From), quote(l.To), quote(l.label()), quote("flow "+string(l.State)), style, quote(colour),
			1+math.Min(3, math.Log10(1+float64(l.Delivered))), quote(url), quote(l.sentence(now)))
	}
	b.WriteString("}\n")
	return b.String()
}

// label is what stands on the line: the record type and how many.
func (l Link) label() string {
	s := wrap(l.Type, 24) + "\n" + fmt.Sprint(l.Delivered)
	if l.State == Undeclared {
		s += " seen"
	} else {
		s += " sent"
	}
	if l.Waiting > 0 {
		s += fmt.Sprintf(", %d waiting", l.Waiting)
	}
	if l.Held > 0 {
		s += fmt.Sprintf(", %d held", l.Held)
	}
	if l.State == Silent {
		s += ", silent"
	}
	return s
}

func (l Link) sentence(now time.Time) string {
	seen := "never seen"
	if !l.LastSeen.IsZero() {
		seen = "last seen " + Ago(now, l.LastSeen)
	}
	return fmt.Sprintf("%s to %s: %s, %s, %d sent, %d waiting, %d held, %s", l.FromName, l.ToName, l.Type, l.State, l.Delivered, l.Waiting, l.Held, seen)
}

// Ago says how long before now t was, for people.
func Ago(now, t time.Time) string {
	d := now.Sub(t)
	n, unit := 0, ""
	switch {
	case d < time.Minute:
		return "less than a minute ago"
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

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "").Replace(s) + `"`
}

// wrap breaks s into lines of about width characters, at spaces.
func wrap(s string, width int) string {
	var b strings.Builder
	n := 0
	for i, w := range strings.Fields(s) {
		if i > 0 {
			if n+1+len(w) > width {
				b.WriteByte('\n')
				n = 0
			} else {
				b.WriteByte(' ')
				n++
			}
		}
		b.WriteString(w)
		n += len(w)
	}
	return b.String()
}

var (
	prologue = regexp.MustCompile(`(?s)^.*?<svg[^>]*?viewBox="([^"]*)"[^>]*>`)
	comments = regexp.MustCompile(`(?s)<!--.*?-->\n?`)
	titles   = regexp.MustCompile(`(?s)<title>[^<]*</title>\n?`)
	ids      = regexp.MustCompile(` id="[^"]*"`)
)

// tidy turns graphviz's document into an element for a page: no prologue, no
// ids that could clash, links without the old name space.
func tidy(svg string) string {
	box := prologue.FindStringSubmatch(svg)
	if box == nil {
		return ""
	}
	svg = svg[len(box[0]):]
	svg = comments.ReplaceAllString(svg, "")
	svg = titles.ReplaceAllString(svg, "")
	svg = ids.ReplaceAllString(svg, "")
	svg = strings.ReplaceAll(svg, "xlink:title=", "aria-label=")
	svg = strings.ReplaceAll(svg, "xlink:href=", "href=")
	var w, h float64
	fmt.Sscanf(box[1], "%*f %*f %f %f", &w, &h)
	return `<svg class="reeve-map" xmlns="http://www.w3.org/2000/svg" viewBox="` + html.EscapeString(box[1]) + `" role="group" aria-label="Map of systems and flows; the table below says the same">` + svg
}
