package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// svg draws c, and fails if it is not well-formed, has no title or description,
// has an inline style, or a coordinate that is no number.
func svg(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, b.String())
		}
	}
	for _, want := range []string{"<title id=", "<desc id=", "aria-labelledby="} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
	for _, wrong := range []string{"style=", "NaN", "Inf", "<script>"} {
		if strings.Contains(b.String(), wrong) {
			t.Errorf("%s in %s", wrong, b.String())
		}
	}
	return b.String()
}

func head(id string) chart.Head {
	return chart.Head{ID: id, Title: "A <script> & title", Desc: "What it says"}
}

func TestLineLeavesGapsOpen(t *testing.T) {
	target := 5.0
	got := svg(t, chart.Draw(chart.Line{Head: head("l"), Target: &target, Aim: "Target: 5", Points: []chart.Point{
		{Label: "Jan", Value: 4, Known: true}, {Label: "Feb", Value: 6, Known: true}, {Label: "Mar"}, {Label: "Apr", Value: 0, Known: true}, {Label: "May", Value: 7, Known: true},
	}}))
	if n := strings.Count(got, `class="app-chart__dot"`); n != 4 {
		t.Errorf("%d dots for four known values", n)
	}
	path := got[strings.Index(got, `<path d="`):]
	if path = path[:strings.Index(path, "/>")]; strings.Count(path, "M") != 2 {
		t.Errorf("the line does not stop at the gap: %s", path)
	}
	var b strings.Builder
	if err := chart.Draw(chart.Line{Points: []chart.Point{{Label: "Jan"}}}).Render(t.Context(), &b); err != nil || b.Len() > 0 {
		t.Errorf("a line of nothing known is drawn: %q, %v", b.String(), err)
	}
}

func TestChartsStandOddNumbers(t *testing.T) {
	for _, vs := range [][]float64{{0}, {0, 0}, {-5, 5}, {1e12, 2e12}, {0.001, 0.002}, {7}, {-3, -3}} {
		var ps []chart.Point
		var bs []chart.Bar
		for _, v := range vs {
			ps = append(ps, chart.Point{Label: "x", Value: v, Known: true})
			bs = append(bs, chart.Bar{Label: "x", Value: v, Known: true})
		}
		svg(t, chart.Draw(chart.Line{Head: head("l"), Points: ps}))
		svg(t, chart.DrawBars(chart.Bars{Head: head("b"), Items: append(bs, chart.Bar{Label: "not known"})}))
	}
	for v, want := range map[float64]string{1234567: "1,234,567", 0: "0", 12.5: "12.5", -1000: "−1,000", 0.05: "0.05", 99.99: "100", math.Copysign(0, -1): "0"} {
		if got := chart.Number(v); got != want {
			t.Errorf("Number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestQuadrantCountsMarksOnEachOther(t *testing.T) {
	got := svg(t, chart.DrawQuadrant(chart.Quadrant{Head: head("q"), Marks: []chart.Mark{
		{X: 10, Y: 10, Name: "A", Key: "1", Href: "/a"}, {X: 10.5, Y: 10, Name: "B", Key: "2", Href: "/b"}, {X: 100, Y: 100, Name: "C", Key: "3", Href: "/c"},
	}}))
	if !strings.Contains(got, ">2×<") || !strings.Contains(got, "A, B") || strings.Count(got, "<circle") != 2 {
		t.Error(got)
	}
}

func TestTimelineKeepsSpansInside(t *testing.T) {
	day := func(s string) def.Date { d, _ := def.ParseDate(s); return d }
	got := svg(t, chart.DrawTimeline(chart.Timeline{Head: head("t"), From: day("2026-01-01"), To: day("2026-12-31"), Today: day("2026-06-30"), Lanes: []chart.Lane{
		{Name: "Lane", Spans: []chart.Span{{ID: "a", Name: "Before it all", Starts: day("2020-01-01"), Ends: day("2026-03-01")}, {ID: "b", Name: "After it all", Starts: day("2026-11-01"), Ends: day("2031-01-01"), After: []string{"a", "gone"}}}},
	}}))
	if strings.Count(got, `class="app-chart__span"`) != 2 || strings.Count(got, `class="app-chart__wait"`) != 1 || !strings.Contains(got, "Today") {
		t.Error(got)
	}
}
