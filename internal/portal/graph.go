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

	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// State says how what was declared compares with what was seen.
type State string

// The states of a link on the map.
const (
	Flowing    State = "flowing"    // declared, and seen within the time expected
	Silent     State = "silent"     // declared, but not seen, or later than expected
	Undeclared State = "undeclared" // seen, but nothing declares it
	Beside     State = "beside"     // declared, but not carried by Reeve, which cannot see it
)

// Node is a system on the map.
type Node struct {
	ID, Name     string
	Href         string // its page, "" for none
	Organisation string // its name; systems of one organisation are drawn together
	Interfaces   string // the kinds of interface that its flows use: "API, files"
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

// page is the page of a system, "" for none.
func (m Map) page(id string) string {
	for _, n := range m.Nodes {
		if n.ID == id {
			return n.Href
		}
	}
	return ""
}

// part is the links that keep keeps, and the systems that they join.
func (m Map) part(keep func(Link) bool) (out Map) {
	joined := map[string]bool{}
	for _, l := range m.Links {
		if keep(l) {
			out.Links = append(out.Links, l)
			joined[l.From], joined[l.To] = true, true
		}
	}
	for _, n := range m.Nodes {
		if joined[n.ID] {
			out.Nodes = append(out.Nodes, n)
		}
	}
	return out
}

// carried are the links that pass, or should pass, through Reeve.
func carried(l Link) bool { return l.State != Beside }

func beside(l Link) bool { return l.State == Beside }

// drawer lays maps out; graphviz runs in process and one at a time.
type drawer struct {
	mu   sync.Mutex
	gv   *graphviz.Graphviz
	done map[string]string // the last drawings by their dot
}

// maxDrawings is how many drawings are kept.
const maxDrawings = 4

// layoutLimit bounds the time of one layout: a dense graph can take for ever.
const layoutLimit = 5 * time.Second

// svg draws m. The same map is drawn once. On a failure the table still says all.
func (d *drawer) draw(ctx context.Context, m Map, now time.Time) (string, error) {
	dot := m.dot(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	if svg, ok := d.done[dot]; ok {
		return svg, nil
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
	if len(d.done) >= maxDrawings || d.done == nil {
		d.done = map[string]string{}
	}
	d.done[dot] = tidy(buf.String())
	return d.done[dot], nil
}

// dot writes m in the language of graphviz, in an order that does not change.
func (m Map) dot(now time.Time) string {
	var b strings.Builder
	b.WriteString("digraph map {\n rankdir=LR; bgcolor=transparent; nodesep=0.22; ranksep=2.4; compound=true; fontname=\"Arial\";\n" +
		" node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#0b0c0c\", fontname=\"Arial\", fontsize=13, margin=\"0.16,0.1\"];\n edge [fontname=\"Arial\", fontsize=11, arrowsize=0.8];\n")
	byOrg, order := map[string][]Node{}, []string{}
	for _, n := range m.Nodes {
		if byOrg[n.Organisation] == nil {
			order = append(order, n.Organisation)
		}
		byOrg[n.Organisation] = append(byOrg[n.Organisation], n)
	}
	for i, org := range order {
		fmt.Fprintf(&b, " subgraph cluster_%d { label=%s; labeljust=l; fontsize=12; class=\"org\"; style=\"rounded\"; color=\"#b1b4b6\"; fontcolor=\"#484949\";\n", i, quote(wrap(org, 28)))
		for _, n := range byOrg[org] {
			name := lines(wrap(n.Name, 24))
			if n.Interfaces != "" {
				name += newline + `<FONT POINT-SIZE="10" COLOR="#484949">` + lines(wrap(n.Interfaces, 28)) + `</FONT>`
			}
			url := ""
			if n.Href != "" {
				url = ", URL=" + quote(n.Href)
			}
			fmt.Fprintf(&b, "  %s [label=<%s>, class=\"system\"%s];\n", quote(n.ID), name, url)
		}
		b.WriteString(" }\n")
	}
	for _, l := range m.Links {
		style := map[State]string{Flowing: "solid", Silent: "dashed", Undeclared: "dotted", Beside: "solid"}[l.State]
		colour := map[State]string{Flowing: "#1d70b8", Silent: "#505a5f", Undeclared: "#ca3535", Beside: "#858686"}[l.State]
		width := 1 + math.Min(3, math.Log10(1+float64(l.Delivered)))
		switch l.State {
		case Silent:
			width = 2.2
		case Undeclared:
			width = 3
		}
		url := "/staff/flows/" + l.ID
		if l.ID == "" {
			url = "#undeclared"
		}
		fmt.Fprintf(&b, " %s -> %s [label=<%s>, class=%s, style=%s, color=%s, fontcolor=\"#0b0c0c\", penwidth=%.1f, labelURL=%s];\n",
			quote(l.From), quote(l.To), l.label(now), quote("flow "+string(l.State)), style, quote(colour), width, quote(url))
	}
	b.WriteString("}\n")
	return b.String()
}

// label is what stands on the line: the record type, how many, how many stand
// still, and when the last one went.
func (l Link) label(now time.Time) string {
	s := lines(wrap(l.Type, 26)) + newline
	if l.State == Beside {
		return s + quiet(l.Why) + gap
	}
	how := " sent"
	if l.State == Undeclared {
		how = " seen"
	}
	text := ui.Count(l.Delivered) + how
	if l.Waiting > 0 {
		text += ", " + ui.Count(l.Waiting) + " waiting"
	}
	s += html.EscapeString(text)
	if l.Held > 0 {
		s += `, <FONT COLOR="#a52a2a">` + ui.Count(l.Held) + ` held</FONT>`
	}
	switch {
	case l.LastSeen.IsZero():
		s += quiet(", never seen")
	case l.State == Silent:
		s += quiet(", silent since " + ui.Ago(now, l.LastSeen))
	default:
		s += quiet(", " + ui.Ago(now, l.LastSeen))
	}
	return s + gap
}

const (
	newline = `<BR/><FONT POINT-SIZE="3"> </FONT><BR/>` // with some room between the lines
	gap     = `<BR/><FONT POINT-SIZE="5"> </FONT>`      // keeps a label off its line
)

// lines escapes text of some lines for a label of graphviz.
func lines(s string) string { return strings.ReplaceAll(html.EscapeString(s), "\n", newline) }

// quiet is text of less weight.
func quiet(s string) string { return `<FONT COLOR="#484949">` + html.EscapeString(s) + `</FONT>` }

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
	hints    = regexp.MustCompile(` xlink:title="[^"]*"`)
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
	svg = hints.ReplaceAllString(svg, "") // what a link is called is what it reads
	svg = strings.ReplaceAll(svg, "xlink:href=", "href=")
	var x, y, w, h float64
	width := ""
	if _, err := fmt.Sscan(box[1], &x, &y, &w, &h); err == nil {
		width = fmt.Sprintf(` width="%.0f"`, w*pointsToPixels)
	}
	return `<svg class="reeve-map" xmlns="http://www.w3.org/2000/svg" viewBox="` + html.EscapeString(box[1]) + `"` + width + ` role="group" aria-label="Map of systems and flows; the table below says the same">` + svg
}

// pointsToPixels turns graphviz's points into CSS pixels, so that its small print reads like a page's.
const pointsToPixels = 1.5
