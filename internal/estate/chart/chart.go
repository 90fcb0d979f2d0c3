// Package chart draws the estate's charts on the server as SVG.
//
// A chart is a pure function of its numbers: the same numbers give the same
// picture. Every one has a title and a description for those who do not see it,
// text that can be read on a phone, and no style of its own (the classes are in
// the program's stylesheet). What is not known is left open, never drawn as
// nothing. A chart never stands alone: the page that shows it has its table.
package chart

import (
	"context"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// Head is what every chart has.
type Head struct {
	ID    string // unique on its page
	Title string // what it shows: "Tickets closed within five days"
	Desc  string // what it says, in a sentence or two
}

// pen writes SVG.
type pen struct{ strings.Builder }

// open begins a picture of w by h units; class adds to its class.
func open(head Head, class string, w, h int) *pen {
	p := new(pen)
	id := html.EscapeString(head.ID)
	p.addf(`<svg xmlns="http://www.w3.org/2000/svg" class="app-chart %s" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`, class, w, h, id, id)
	p.addf(`<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`, id, esc(head.Title), id, esc(head.Desc))
	return p
}

// group begins a picture whose parts are links, so that it is not one image.
func group(head Head, class string, w, h int) *pen {
	p := open(head, class, w, h)
	s := strings.Replace(p.String(), `role="img"`, `role="group"`, 1)
	p.Reset()
	p.WriteString(s)
	return p
}

func (p *pen) addf(format string, args ...any) { fmt.Fprintf(&p.Builder, format, args...) }

// text writes s at (x, y); anchor is start, middle or end.
func (p *pen) text(x, y float64, anchor, class, s string) {
	p.addf(`<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`, num(x), num(y), anchor, class, esc(s))
}

func (p *pen) line(x1, y1, x2, y2 float64, class string) {
	p.addf(`<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`, num(x1), num(y1), num(x2), num(y2), class)
}

func (p *pen) rect(x, y, w, h float64, class string) {
	p.addf(`<rect x="%s" y="%s" width="%s" height="%s" class="%s"/>`, num(x), num(y), num(w), num(h), class)
}

// done ends the picture.
func (p *pen) done() templ.Component {
	p.WriteString("</svg>")
	s := p.String()
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	})
}

func esc(s string) string { return html.EscapeString(s) }

// num writes a coordinate with at most one decimal.
func num(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
}

// Number writes a number as people do: 1,234 or 12.5.
func Number(v float64) string {
	decimals := 0
	if a := math.Abs(v); a < 100 && v != math.Trunc(v) {
		decimals = 1
		if a < 1 {
			decimals = 2
		}
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		whole += "." + rest
	}
	if v < 0 && whole != "0" {
		return "−" + whole
	}
	return whole
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}

// scale is an axis: from, to, and the steps between.
type scale struct{ from, to, step float64 }

// axis finds a scale of about n steps that holds all of min to max. It begins at
// nought unless the values lie close together far from it.
func axis(min, max float64, n int) scale {
	if min > 0 && min < max*0.7 || min == max && min > 0 {
		min = 0
	}
	if max < 0 {
		max = 0
	}
	if min == max {
		max = min + 1
	}
	rough := (max - min) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := power * 10
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= rough {
			step = f * power
			break
		}
	}
	return scale{math.Floor(min/step) * step, math.Ceil(max/step) * step, step}
}

// at is where v lies between nought and one.
func (s scale) at(v float64) float64 { return (v - s.from) / (s.to - s.from) }

func (s scale) ticks() (out []float64) {
	for i := 0; s.from+float64(i)*s.step <= s.to+s.step/2 && i < 50; i++ {
		out = append(out, s.from+float64(i)*s.step)
	}
	return out
}
