package diagram

import (
	"cmp"
	"math"
	"slices"
)

// The layout puts boxes into columns, from those that tell to those that are told,
// orders each column so that few lines cross, and leads lines past the boxes
// between. It is a few sweeps over the boxes, so its time is bounded
// whatever the estate looks like, and the same map is always drawn the same.

// spot is where something stands in a column: a box, or a lane for a line that
// passes the column.
type spot struct {
	box  int // -1 for a lane
	col  int
	y, h float64 // y of its middle
	next []*spot // what lines join it to
}

// chart is a layout.
type chart struct {
	cols   [][]*spot
	width  []float64 // of each column
	left   []float64 // of each column
	routes []route
	w, h   float64
}

// route is the way of a line: the spots that it joins.
type route struct {
	line  int
	spots []*spot
}

const (
	boxWidth   = 190
	rowGap     = 16
	laneHeight = 8
	headRoom   = 34
)

// arrange lays a map out.
func (d *Drawing) arrange() (c *chart, undrawn int) {
	gap := d.Gap
	c = &chart{}
	at := map[int]*spot{}
	for n, ids := range d.Columns {
		var col []*spot
		for _, i := range ids {
			s := &spot{box: i, col: n, h: d.Boxes[i].height()}
			at[i] = s
			col = append(col, s)
		}
		c.cols = append(c.cols, col)
		c.width = append(c.width, boxWidth)
		c.left = append(c.left, float64(n)*(boxWidth+gap))
	}
	for i, l := range d.Lines {
		a, b := at[l.From], at[l.To]
		if a == nil || b == nil || i >= mostLines {
			undrawn++
			continue
		}
		r := route{i, []*spot{a}}
		step := 1
		if b.col < a.col {
			step = -1
		}
		for n := a.col + step; a.col != b.col && n != b.col; n += step {
			lane := &spot{box: -1, col: n, h: laneHeight}
			c.cols[n] = append(c.cols[n], lane)
			r.spots = append(r.spots, lane)
		}
		r.spots = append(r.spots, b)
		for n := 1; n < len(r.spots); n++ {
			p, q := r.spots[n-1], r.spots[n]
			p.next, q.next = append(p.next, q), append(q.next, p)
		}
		c.routes = append(c.routes, r)
	}
	c.stack()
	for n := range 10 {
		c.sweep(n%2 == 0)
	}
	for range 8 {
		for _, col := range c.cols {
			settle(col)
		}
	}
	c.close()
	c.measure(gap)
	return c, undrawn
}

// close takes out room that no column uses: what nothing joins drifts apart.
func (c *chart) close() {
	all := slices.Concat(c.cols...)
	slices.SortStableFunc(all, func(a, b *spot) int { return cmp.Compare(a.y-a.h/2, b.y-b.h/2) })
	up, end := 0.0, math.Inf(-1)
	for i, s := range all {
		if free := s.y - s.h/2 - end - rowGap; i > 0 && free > 0 {
			up += free
		}
		end = max(end, s.y+s.h/2)
		s.y -= up
	}
}

// stack puts the spots of each column below each other.
func (c *chart) stack() {
	for _, col := range c.cols {
		y := 0.0
		for _, s := range col {
			s.y = y + s.h/2
			y += s.h + s.room()
		}
	}
}

// room is how far from a spot the next one stands.
func (s *spot) room() float64 {
	if s.box < 0 {
		return 2
	}
	return rowGap
}

// sweep orders each column by the middle of what its spots are joined to.
func (c *chart) sweep(forward bool) {
	for i := range c.cols {
		n := i
		if !forward {
			n = len(c.cols) - 1 - i
		}
		col := c.cols[n]
		want := map[*spot]float64{}
		for _, s := range col {
			want[s] = s.middle()
		}
		slices.SortStableFunc(col, func(a, b *spot) int { return cmp.Compare(want[a], want[b]) })
		y := 0.0
		for _, s := range col {
			s.y = y + s.h/2
			y += s.h + s.room()
		}
	}
}

// middle is where a spot would like to stand.
func (s *spot) middle() float64 {
	sum, n := 0.0, 0
	for _, o := range s.next {
		if o.col != s.col {
			sum += o.y
			n++
		}
	}
	if n == 0 {
		return s.y
	}
	return sum / float64(n)
}

// settle moves the spots of a column towards where they would like to stand,
// without changing their order or letting them touch.
func settle(col []*spot) {
	want, shift := make([]float64, len(col)), 0.0
	for i, s := range col {
		want[i] = s.middle()
		y := want[i]
		if i > 0 {
			y = max(y, col[i-1].y+(col[i-1].h+s.h)/2+min(s.room(), col[i-1].room()))
		}
		s.y = y
		shift += want[i] - y
	}
	for _, s := range col {
		s.y += shift / float64(len(col))
	}
}

// measure moves everything to begin at the top, and finds how large it is.
func (c *chart) measure(gap float64) {
	top := 0.0
	for i, col := range c.cols {
		for j, s := range col {
			if y := s.y - s.h/2; i+j == 0 || y < top {
				top = y
			}
		}
	}
	for _, col := range c.cols {
		for _, s := range col {
			s.y += headRoom - top
			c.h = max(c.h, s.y+s.h/2)
		}
	}
	c.w = float64(len(c.cols))*(boxWidth+gap) - gap
	if len(c.cols) == 0 {
		c.w = 4*(boxWidth+rowGap) - rowGap
	}
	for _, r := range c.routes { // a line within a column swings out to its right
		if a, b := r.spots[0], r.spots[len(r.spots)-1]; a.col == b.col && a.col == len(c.cols)-1 {
			c.w = max(c.w, c.left[a.col]+boxWidth+gap)
		}
	}
}
