package diagram

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	ink   = "#0b0c0c"
	quiet = "#484949"
	line  = "#b1b4b6"
	brand = "#1c4a40"
	alert = "#942514"
)

// svg is a drawing being written.
type svg struct {
	strings.Builder
	d      *Drawing
	taken  []labelBox // where labels stand
	labels strings.Builder
}

type labelBox struct{ x, y, w, h float64 }

// widest is up to how many pixels a drawing shrinks to the page it is on.
const widest = 1500

// SVG draws, and says how many lines were left out because there are too many.
func (d *Drawing) SVG() (text string, undrawn int) {
	c, undrawn := d.arrange()
	s, alone := &svg{d: d}, d.Alone
	w, h := c.w, c.h
	perRow := max(1, int((w+rowGap)/(boxWidth+rowGap)))
	aloneTop := h
	if len(alone) > 0 {
		if len(c.cols) > 0 {
			aloneTop += 2 * headRoom
		} else {
			aloneTop += headRoom
		}
		h = aloneTop
		for row := range slices.Chunk(alone, perRow) {
			h += d.tallest(row) + rowGap
		}
	}
	const margin = 8
	class := "reeve-map"
	if w > widest {
		class += " reeve-map--wide" // scrolls rather than shrinks
	}
	fmt.Fprintf(s, `<svg class="%s" xmlns="http://www.w3.org/2000/svg" viewBox="%d %d %.0f %.0f" width="%.0f" height="%.0f" font-family="arial, sans-serif" role="group" aria-label="%s">`,
		class, -margin, -margin, w+2*margin, h+2*margin, w+2*margin, h+2*margin, html.EscapeString(d.Title+". The table below says the same."))
	fmt.Fprintf(s, "<title>%s</title>", html.EscapeString(d.Title))
	for n, head := range d.Heads {
		if head != "" {
			fmt.Fprintf(s, `<text x="%.0f" y="14" font-size="14" fill="%s">%s</text>`, c.left[n], quiet, html.EscapeString(head))
		}
	}
	ports := c.ports()
	for _, r := range c.routes {
		s.route(c, r, ports[r.line])
	}
	fmt.Fprintf(s, `<g aria-hidden="true" pointer-events="none">%s</g>`, s.labels.String()) // above all lines; each line says the same to a screen reader
	for n, col := range c.cols {
		for _, spot := range col {
			if spot.box >= 0 {
				s.box(d.Boxes[spot.box], c.left[n], spot.y-spot.h/2)
			}
		}
	}
	if len(alone) > 0 {
		if len(c.cols) > 0 {
			fmt.Fprintf(s, `<text x="0" y="%.0f" font-size="14" fill="%s">No flow with others here</text>`, aloneTop-14, quiet)
		}
		y := aloneTop
		for row := range slices.Chunk(alone, perRow) {
			for i, b := range row {
				s.box(d.Boxes[b], float64(i)*(boxWidth+rowGap), y)
			}
			y += d.tallest(row) + rowGap
		}
	}
	s.WriteString("</svg>")
	return s.String(), undrawn
}

func (d *Drawing) tallest(row []int) (h float64) {
	for _, i := range row {
		h = max(h, d.Boxes[i].height())
	}
	return h
}

// port is where a line leaves a box, and where it comes in.
type port struct{ from, to float64 }

// ports spreads the lines of each side of a box over its height.
func (c *chart) ports() map[int]port {
	type end struct {
		line  int
		first bool
		other float64
	}
	type side struct {
		s     *spot
		right bool
	}
	ends := map[side][]end{}
	for _, r := range c.routes {
		a, b := r.spots[0], r.spots[len(r.spots)-1]
		x, y := r.spots[1], r.spots[len(r.spots)-2]
		ends[side{a, b.col >= a.col}] = append(ends[side{a, b.col >= a.col}], end{r.line, true, x.y})
		ends[side{b, a.col >= b.col}] = append(ends[side{b, a.col >= b.col}], end{r.line, false, y.y})
	}
	out := map[int]port{}
	for at, list := range ends {
		slices.SortFunc(list, func(a, b end) int { return cmp.Or(cmp.Compare(a.other, b.other), cmp.Compare(a.line, b.line)) })
		room := at.s.h - 16
		for i, e := range list {
			y := at.s.y
			if n := len(list); n > 1 {
				step := min(18, room/float64(n-1))
				y += (float64(i) - float64(n-1)/2) * step
			}
			p := out[e.line]
			if e.first {
				p.from = y
			} else {
				p.to = y
			}
			out[e.line] = p
		}
	}
	return out
}

// route draws a line with its label.
func (s *svg) route(c *chart, r route, p port) {
	l := s.d.Lines[r.line]
	a, b := r.spots[0], r.spots[len(r.spots)-1]
	right := func(n int) float64 { return c.left[n] + boxWidth }
	var path strings.Builder
	var lx, ly float64 // where the label stands
	head := 7.0
	if a.col == b.col {
		x, out := right(a.col), 40+min(40, math.Abs(a.y-b.y)/6)
		fmt.Fprintf(&path, "M%.0f %.1fC%.0f %.1f %.0f %.1f %.0f %.1f", x, p.from, x+out, p.from, x+out, p.to, x+head, p.to)
		lx, ly = x+out*.6+l.labelWidth()/2, (p.from+p.to)/2
		head = -head
	} else {
		step := 1
		if b.col < a.col {
			step = -1
		}
		edge := func(n int, leaving bool) float64 {
			if leaving == (step > 0) {
				return right(n)
			}
			return c.left[n]
		}
		x, y := edge(a.col, true), p.from
		fmt.Fprintf(&path, "M%.0f %.1f", x, y)
		for i, sp := range r.spots[1:] {
			toX, toY := edge(sp.col, false), sp.y
			last := i == len(r.spots)-2
			if last {
				toX, toY = toX-head*float64(step), p.to
			}
			mid := (x + toX) / 2
			fmt.Fprintf(&path, "C%.0f %.1f %.0f %.1f %.0f %.1f", mid, y, mid, toY, toX, toY)
			if near := len(a.next) < len(b.next); near == (i == 0) && (near || last) || len(r.spots) == 2 {
				t := .66
				if near {
					t = .34
				}
				lx, ly = curve(x, mid, mid, toX, t), curve(y, y, toY, toY, t)
				if half := l.labelWidth()/2 + 4; 2*half < math.Abs(toX-x) { // beside the boxes, not on them
					lx = min(max(lx, min(x, toX)+half), max(x, toX)-half)
				}
			}
			if x, y = toX, toY; !last {
				x = edge(sp.col, true)
				fmt.Fprintf(&path, "H%.0f", x)
			}
		}
		head *= float64(step)
	}
	s.open("flow", l.Href, l.Words)
	fmt.Fprintf(s, `<path d="%s" fill="none" stroke="%s" stroke-width="%.1f"`, path.String(), l.Look.Colour, l.Width)
	if l.Look.Dash != "" {
		fmt.Fprintf(s, ` stroke-dasharray="%s"`, l.Look.Dash)
	}
	s.WriteString("/>")
	s.tip(edgeOf(c, a, b), p.to, head, l.Look.Colour)
	if l.Both {
		back := edgeOf(c, b, a)
		if a.col == b.col {
			s.tip(back, p.from, head, l.Look.Colour)
		} else {
			s.tip(back, p.from, -head, l.Look.Colour)
		}
	}
	s.label(l, lx, ly)
	s.close(l.Href)
}

// tip draws the head of a line that comes from the left, or with a negative head
// from the right.
func (s *svg) tip(x, y, head float64, colour string) {
	fmt.Fprintf(s, `<path d="M%.0f %.1fl%.0f -5v10z" fill="%s"/>`, x, y, -head*1.3, colour)
}

// edgeOf is where a line from a touches b.
func edgeOf(c *chart, a, b *spot) float64 {
	if b.col > a.col {
		return c.left[b.col]
	}
	return c.left[b.col] + boxWidth // also within a column: such a line swings out to the right
}

// curve is a point of a Bézier curve, of one coordinate.
func curve(a, b, c, d, t float64) float64 {
	u := 1 - t
	return u*u*u*a + 3*u*u*t*b + 3*u*t*t*c + t*t*t*d
}

// label writes what stands on a line where there is room for it, or not at all.
func (s *svg) label(l Line, x, y float64) {
	if l.Label == "" {
		return
	}
	w, h := l.labelWidth()+8, 17.0
	if l.Note != "" {
		h += 14
	}
	for _, shift := range []float64{0, -14, 14, -26, 26, -38, 38} {
		at := labelBox{x - w/2, y + shift*h/17 - h/2, w, h}
		if slices.ContainsFunc(s.taken, func(o labelBox) bool {
			return at.x < o.x+o.w && o.x < at.x+at.w && at.y < o.y+o.h && o.y < at.y+at.h
		}) {
			continue
		}
		s.taken = append(s.taken, at)
		colour := ink
		if l.Alert {
			colour = alert
		}
		fmt.Fprintf(&s.labels, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="#fff" fill-opacity=".9"/>`, at.x, at.y, w, h)
		for i, text := range []string{l.Label, l.Note} {
			if text != "" {
				fmt.Fprintf(&s.labels, `<text x="%.0f" y="%.0f" font-size="12" text-anchor="middle" fill="%s">%s</text>`, x, at.y+13+14*float64(i), colour, html.EscapeString(text))
			}
		}
		return
	}
}

func (l Line) labelWidth() float64 { return max(textWidth(l.Label, 12), textWidth(l.Note, 12)) }

// box draws a box.
func (s *svg) box(b Box, x, y float64) {
	s.open("system", b.Href, b.words())
	h := b.height()
	fill, stroke, width := "#fff", "#505a5f", 1.0
	if b.Focus {
		fill, stroke, width = "#eef3f1", brand, 1.5
	}
	if b.Group { // more than one stands behind it
		fmt.Fprintf(s, `<rect x="%.0f" y="%.0f" width="%d" height="%.0f" rx="5" fill="#fff" stroke="%s"/>`, x+4, y+4, boxWidth, h, line)
	}
	fmt.Fprintf(s, `<rect x="%.0f" y="%.0f" width="%d" height="%.0f" rx="5" fill="%s" stroke="%s" stroke-width="%.1f"/>`, x, y, boxWidth, h, fill, stroke, width)
	at := y + 20
	for _, t := range wrap(b.Name, boxWidth-20, 14, 3) {
		fmt.Fprintf(s, `<text x="%.0f" y="%.0f" font-size="14" font-weight="700" fill="%s">%s</text>`, x+10, at, ink, html.EscapeString(t))
		at += 17
	}
	for _, t := range b.Notes {
		colour := quiet
		if t.Alert {
			colour = alert
		}
		fmt.Fprintf(s, `<text x="%.0f" y="%.0f" font-size="12" fill="%s">%s</text>`, x+10, at, colour, html.EscapeString(t.Text))
		at += 15
	}
	s.close(b.Href)
}

// words are what a screen reader says of a box.
func (b Box) words() string {
	out := b.Name
	for _, n := range b.Notes {
		out += ", " + n.Text
	}
	return out
}

func (b Box) height() float64 {
	return 14 + float64(len(wrap(b.Name, boxWidth-20, 14, 3)))*17 + float64(len(b.Notes))*15
}

func (s *svg) open(class, href, words string) {
	if s.d.Linked && href != "" {
		fmt.Fprintf(s, `<a class="%s" href="%s"><title>%s</title>`, class, html.EscapeString(href), html.EscapeString(words))
		return
	}
	fmt.Fprintf(s, `<g class="%s"><title>%s</title>`, class, html.EscapeString(words))
}

func (s *svg) close(href string) {
	if s.d.Linked && href != "" {
		s.WriteString("</a>")
		return
	}
	s.WriteString("</g>")
}

// wrap breaks a text into at most max lines that fit.
func wrap(text string, width, size float64, max int) (out []string) {
	for _, w := range strings.Fields(text) {
		if n := len(out) - 1; n >= 0 && textWidth(out[n]+" "+w, size) <= width {
			out[n] += " " + w
			continue
		}
		if len(out) == max {
			out[max-1] = short(out[max-1]+" …", width, size)
			return out
		}
		out = append(out, short(w, width, size))
	}
	return out
}

// short cuts a text to a width.
func short(text string, width, size float64) string {
	if textWidth(text, size) <= width {
		return text
	}
	r := []rune(strings.TrimSuffix(text, " …"))
	for len(r) > 1 && textWidth(string(r)+"…", size) > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// textWidth is about how wide a text is in Arial, rather more than less.
func textWidth(text string, size float64) float64 {
	w := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfr.,:;'|!()[] ", r):
			w += .34
		case strings.ContainsRune("mwMW@%—…", r):
			w += .92
		case unicode.IsUpper(r):
			w += .72
		default:
			w += .58
		}
	}
	return w * size
}
