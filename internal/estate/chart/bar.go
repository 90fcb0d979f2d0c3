package chart

import (
	"math"

	"github.com/a-h/templ"
)

// Bar is one of [Bars].
type Bar struct {
	Label string
	Value float64
	Known bool // false is said in words
	// Low and High are the range of the value, drawn as a whisker; both nought
	// for none.
	Low, High float64
	Text      string // in place of the formatted value
	Href      string // "" for no link
}

// Bars are horizontal bars, one below the other, each with its label above it.
type Bars struct {
	Head
	Items  []Bar
	Format func(float64) string // nil: [Number]
}

const barHeight = 48

// DrawBars draws bars from nought, as long as their values.
func DrawBars(c Bars) templ.Component {
	if len(c.Items) == 0 {
		return templ.NopComponent
	}
	if c.Format == nil {
		c.Format = Number
	}
	highest, lowest := 0.0, 0.0
	for _, b := range c.Items {
		if b.Known {
			highest, lowest = max(highest, b.Value, b.High), min(lowest, b.Value)
		}
	}
	span := highest - lowest
	if span == 0 {
		span = 1
	}
	x := func(v float64) float64 { return 1 + (width-2)*(v-lowest)/span }
	p := group(c.Head, "app-chart--bars", width, len(c.Items)*barHeight)
	for i, b := range c.Items {
		top := float64(i * barHeight)
		text := b.Text
		if text == "" {
			text = c.Format(b.Value)
			if !b.Known {
				text = "Not known"
			}
		}
		if b.Href != "" {
			p.addf(`<a href="%s">`, esc(b.Href))
		}
		room := 46 - len([]rune(text))
		p.text(0, top+17, "start", "app-chart__name", short(b.Label, max(room, 12)))
		if b.Href != "" {
			p.WriteString("</a>")
		}
		p.text(width, top+17, "end", "app-chart__value", text)
		if b.Known {
			from, to := min(x(0), x(b.Value)), max(x(0), x(b.Value))
			p.rect(from, top+24, math.Max(to-from, 1), 16, "app-chart__bar")
			if b.High > b.Low {
				p.line(x(b.Low), top+32, x(b.High), top+32, "app-chart__range")
				p.line(x(b.Low), top+27, x(b.Low), top+37, "app-chart__range")
				p.line(x(b.High), top+27, x(b.High), top+37, "app-chart__range")
			}
		} else {
			p.rect(1, top+24, width-2, 16, "app-chart__unknown")
		}
	}
	p.line(x(0), 20, x(0), float64(len(c.Items)*barHeight), "app-chart__axis")
	return p.done()
}
