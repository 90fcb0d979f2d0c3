package chart

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

// Mark is a thing in a [Quadrant].
type Mark struct {
	X, Y float64 // 0 to 100
	Name string
	Key  string // short: the number of its row in the table
	Href string
}

// Quadrant is a square cut in four at 50.
type Quadrant struct {
	Head
	Across, Up string // what the axes say, from low to high
	// Names of the quarters: low-low, high across, high up, high-high.
	LowLow, Right, Top, TopRight string
	Marks                        []Mark
}

const (
	square = 480
	inset  = 30 // room for the words of the axes, and for the names of the quarters
	cells  = 14 // marks in the same cell are drawn as one, at its middle, so that none lies on another; even, so that none lies on the cross
)

// DrawQuadrant draws the marks. Those that would lie on each other become one
// that says how many they are.
func DrawQuadrant(c Quadrant) templ.Component {
	p := group(c.Head, "app-chart--quadrant", square+inset, square+3*inset)
	half := float64(square) / 2
	p.rect(inset, inset, square, square, "app-chart__frame")
	for i, q := range []struct {
		x, y float64
		name string
	}{{inset, inset + half, c.LowLow}, {inset + half, inset + half, c.Right}, {inset, inset, c.Top}, {inset + half, inset, c.TopRight}} {
		if i%3 != 0 {
			p.rect(q.x, q.y, half, half, "app-chart__shade")
		}
		at := float64(inset + square + 20) // outside, where no mark is
		if i > 1 {
			at = inset - 10
		}
		p.text(q.x+half/2, at, "middle", "app-chart__quarter", q.name)
	}
	p.line(inset+half, inset, inset+half, inset+square, "app-chart__axis")
	p.line(inset, inset+half, inset+square, inset+half, "app-chart__axis")
	p.text(inset+half, square+2*inset+15, "middle", "app-chart__label", c.Across+" →")
	p.addf(`<text transform="translate(18 %s) rotate(-90)" text-anchor="middle" class="app-chart__label">%s</text>`, num(inset+half), esc(c.Up+" →"))

	groups, order := map[[2]int][]Mark{}, [][2]int(nil)
	for _, m := range c.Marks {
		cell := [2]int{min(int(m.X*cells/100), cells-1), min(int(m.Y*cells/100), cells-1)}
		if groups[cell] == nil {
			order = append(order, cell)
		}
		groups[cell] = append(groups[cell], m)
	}
	for _, cell := range order {
		ms := groups[cell]
		names := make([]string, 0, len(ms))
		for i, m := range ms {
			if i < 12 {
				names = append(names, m.Name)
			}
		}
		if more := len(ms) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		at := func(cell int) float64 { return 16 + (float64(cell)+.5)*(square-32)/cells }
		px, py, class, key, href := inset+at(cell[0]), inset+square-at(cell[1]), "app-chart__mark", ms[0].Key, ms[0].Href
		if len(ms) > 1 {
			class, key, href = "app-chart__mark app-chart__mark--many", fmt.Sprintf("%d×", len(ms)), "#"+c.ID+"-table"
		}
		title := strings.Join(names, ", ")
		p.addf(`<a href="%s" aria-label="%s"><circle cx="%s" cy="%s" r="15" class="%s"><title>%s</title></circle>`, esc(href), esc(key+" "+title), num(px), num(py), class, esc(title))
		p.text(px, py+5, "middle", "app-chart__key", key)
		p.WriteString("</a>")
	}
	return p.done()
}
