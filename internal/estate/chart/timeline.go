package chart

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Span is something that lasts from one day to another.
type Span struct {
	ID, Name     string
	Starts, Ends def.Date
	Href         string
	Class        string   // "bad" draws it to the eye, "done" quietly
	After        []string // ids of spans that it waits for
}

// Lane is a row of a [Timeline] with its spans.
type Lane struct {
	Name  string
	Spans []Span
}

// Timeline is lanes over the quarters of years.
type Timeline struct {
	Head
	Lanes    []Lane
	From, To def.Date
	Today    def.Date
}

const (
	timeWidth = 1000
	rowHeight = 34
	timeTop   = 48
)

// placed is where a span lies.
type placed struct{ x1, x2, y float64 }

// DrawTimeline draws every span in a row of its own below its lane's name.
func DrawTimeline(c Timeline) templ.Component {
	rows := 0
	for _, l := range c.Lanes {
		rows += len(l.Spans) + 1
	}
	height := timeTop + rows*rowHeight + 8
	p := group(c.Head, "app-chart--time", timeWidth, height)
	days := float64(max(c.To.Sub(c.From), 1))
	x := func(d def.Date) float64 {
		return min(max(float64(d.Sub(c.From))/days, 0), 1) * timeWidth
	}
	c.quarters(p, x, float64(height))
	if !c.Today.Before(c.From) && !c.To.Before(c.Today) {
		p.line(x(c.Today), 24, x(c.Today), float64(height), "app-chart__today")
		anchor := "middle"
		if x(c.Today) < 30 {
			anchor = "start"
		}
		p.text(x(c.Today), 20, anchor, "app-chart__label app-chart__label--today", "Today")
	}
	at, y := map[string]placed{}, float64(timeTop)
	for _, l := range c.Lanes {
		y += rowHeight
		for _, s := range l.Spans {
			at[s.ID] = placed{x(s.Starts), max(x(s.Ends.AddDays(1)), x(s.Starts)+6), y}
			y += rowHeight
		}
	}
	y = timeTop
	for _, l := range c.Lanes {
		p.text(2, y+22, "start", "app-chart__lane", l.Name)
		p.line(0, y, timeWidth, y, "app-chart__grid")
		y += rowHeight
		for _, s := range l.Spans {
			for _, id := range s.After {
				if from, ok := at[id]; ok {
					to := at[s.ID]
					p.addf(`<path d="M%s %sC%s %s %s %s %s %s" class="app-chart__wait"/>`, num(from.x2), num(from.y+15), num(from.x2+24), num(from.y+15), num(to.x1-24), num(to.y+15), num(to.x1), num(to.y+15))
				}
			}
			c.span(p, s, at[s.ID])
			y += rowHeight
		}
	}
	return p.done()
}

func (c Timeline) span(p *pen, s Span, at placed) {
	class := "app-chart__span"
	if s.Class != "" {
		class += " app-chart__span--" + s.Class
	}
	p.addf(`<a href="%s"><title>%s</title>`, esc(s.Href), esc(fmt.Sprintf("%s: %s to %s", s.Name, s.Starts, s.Ends)))
	p.rect(at.x1, at.y+4, at.x2-at.x1, 22, class)
	name := short(s.Name, 60)
	switch long := 8.2 * float64(len([]rune(name))); {
	case long < at.x2-at.x1-12:
		p.text(at.x1+6, at.y+20, "start", "app-chart__inside", name)
	case at.x2+8+long < timeWidth:
		p.text(at.x2+6, at.y+20, "start", "app-chart__name", name)
	case at.x1-8-long > 0:
		p.text(at.x1-6, at.y+20, "end", "app-chart__name", name)
	default:
		p.text(at.x1+6, at.y+20, "start", "app-chart__inside", short(name, max(4, int((at.x2-at.x1-12)/8.2))))
	}
	p.WriteString("</a>")
}

// quarters draws a line for each quarter, with its name where there is room.
func (c Timeline) quarters(p *pen, x func(def.Date) float64, height float64) {
	total := c.To.Sub(c.From)
	for year := c.From.Year; year <= c.To.Year; year++ {
		for q := range 4 {
			d := def.Date{Year: year, Month: time.Month(q*3 + 1), Day: 1}
			if d.Before(c.From) || c.To.Before(d) {
				continue
			}
			p.line(x(d), 36, x(d), height, "app-chart__grid")
			if q == 0 || total < 1300 {
				label := fmt.Sprintf("%s %d", []string{"Jan", "Apr", "Jul", "Oct"}[q], year)
				if x(d) < timeWidth-60 {
					p.text(x(d)+4, 42, "start", "app-chart__label", label)
				}
			}
		}
	}
}
