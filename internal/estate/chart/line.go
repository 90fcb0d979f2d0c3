package chart

import (
	"math"
	"strings"

	"github.com/a-h/templ"
)

// Point is a value of a series.
type Point struct {
	Label string // on the axis: "Mar 2026"
	Value float64
	Known bool // false leaves a gap in the line
}

// Line is a series over time, with what is aimed at.
type Line struct {
	Head
	Points []Point
	Target *float64
	Aim    string               // words at the line of the target: "Target: 5 days or less"
	Format func(float64) string // nil: [Number]
}

// The measures of line and bar charts, in units of which a phone shows about 0.7
// pixels each.
const (
	width   = 480
	lineTop = 26
	lineLow = 232 // the horizontal axis
)

// Draw draws the line; nothing if no value is known.
func Draw(c Line) templ.Component {
	if c.Format == nil {
		c.Format = Number
	}
	lowest, highest, known := math.Inf(1), math.Inf(-1), 0
	for _, pt := range c.Points {
		if pt.Known {
			lowest, highest, known = min(lowest, pt.Value), max(highest, pt.Value), known+1
		}
	}
	if known == 0 {
		return templ.NopComponent
	}
	if c.Target != nil {
		lowest, highest = min(lowest, *c.Target), max(highest, *c.Target)
	}
	s := axis(lowest, highest, 4)
	ticks := s.ticks()
	left := 12.0
	for _, v := range ticks {
		left = max(left, 14+8.4*float64(len([]rune(c.Format(v)))))
	}
	right := float64(width - 16)
	x := func(i int) float64 {
		if len(c.Points) == 1 {
			return (left + right) / 2
		}
		return left + 8 + (right-left-16)*float64(i)/float64(len(c.Points)-1)
	}
	y := func(v float64) float64 { return lineLow - (lineLow-lineTop)*s.at(v) }

	p := open(c.Head, "app-chart--line", width, 272)
	for _, v := range ticks {
		p.line(left, y(v), right, y(v), "app-chart__grid")
		p.text(left-6, y(v)+5, "end", "app-chart__label", c.Format(v))
	}
	every := max(1, (len(c.Points)+2)/3)
	for i := 0; i < len(c.Points); i += every {
		anchor := "middle"
		if i == 0 {
			anchor = "start"
		} else if x(i) > right-40 {
			anchor = "end"
		}
		p.line(x(i), lineLow, x(i), lineLow+6, "app-chart__axis")
		p.text(x(i), lineLow+24, anchor, "app-chart__label", c.Points[i].Label)
	}
	p.line(left, lineLow, right, lineLow, "app-chart__axis")
	if c.Target != nil {
		at := y(*c.Target)
		p.line(left, at, right, at, "app-chart__target")
		p.text(right, 16, "end", "app-chart__label app-chart__label--target", c.Aim)
	}
	var path strings.Builder
	down := false
	for i, pt := range c.Points {
		if !pt.Known {
			down = false
			continue
		}
		if down {
			path.WriteString("L")
		} else {
			path.WriteString("M")
		}
		path.WriteString(num(x(i)) + " " + num(y(pt.Value)))
		down = true
	}
	p.addf(`<path d="%s" class="app-chart__line"/>`, path.String())
	for i, pt := range c.Points {
		if pt.Known {
			p.addf(`<circle cx="%s" cy="%s" r="%s" class="app-chart__dot"><title>%s</title></circle>`, num(x(i)), num(y(pt.Value)), dot(len(c.Points)), esc(pt.Label+": "+c.Format(pt.Value)))
		}
	}
	return p.done()
}

func dot(points int) string {
	if points > 40 {
		return "2"
	}
	return "4"
}
