package atlas

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/diagram"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// looks are how lines of each state are drawn.
var looks = map[State]diagram.Look{
	Seen:       {Colour: "#1d70b8", Dash: "", Width: 2},
	Silent:     {Colour: "#505a5f", Dash: "9 5", Width: 2},
	Never:      {Colour: "#505a5f", Dash: "2 6", Width: 2},
	Undeclared: {Colour: "#ca3535", Dash: "2 4", Width: 3},
	Elsewhere:  {Colour: "#6f777b", Dash: "14 4 2 4", Width: 1.5},
	Unwatched:  {Colour: "#6f777b", Dash: "", Width: 1.5},
}

// fewLines is up to how many lines a drawing names what they carry.
const fewLines = 24

// Draw draws a map. linked makes its boxes and lines lead to their pages; without
// it the drawing stands for itself, as a file.
func (v *View) Draw(linked bool) string {
	cols, heads, alone := columns(v)
	return v.draw(cols, heads, alone, linked)
}

func (v *View) draw(cols [][]int, heads []string, alone []int, linked bool) (text string) {
	d := diagram.Drawing{Title: "Map: " + v.Title, Columns: cols, Heads: heads, Alone: alone, Linked: linked, Gap: 120}
	if len(v.Lines) <= fewLines { // names of records need more
		d.Gap = 210
	}
	for _, b := range v.Boxes {
		group := !v.plain && (b.Kind == AtCapability || b.Kind == AtOrganisation || b.Kind == atMore)
		d.Boxes = append(d.Boxes, diagram.Box{Name: b.Name, Notes: b.notes(), Href: v.boxHref(b), Group: group, Focus: b.Focus})
	}
	lines := v.drawn()
	for _, l := range lines {
		k := looks[l.State()]
		out := diagram.Line{From: v.box[l.From], To: v.box[l.To], Look: k, Width: k.Width + min(2.5, math.Log10(float64(l.Total()))), Both: l.both,
			Label: l.label(len(lines) <= fewLines), Note: l.note(len(lines) <= fewLines, v.Now), Alert: l.State() == Undeclared || l.Held > 0, Words: lineWords(v, l), Href: v.lineHref(l)}
		if v.plain {
			out.Label, out.Note, out.Words, out.Href = l.what(1), "", v.name(l.To)+", "+l.what(1), ""
		}
		d.Lines = append(d.Lines, out)
	}
	text, v.Undrawn = d.SVG()
	return text
}

// columns sorts the boxes of a map into columns.
func columns(v *View) (cols [][]int, heads []string, alone []int) {
	var left, middle, right []int
	for i, b := range v.Boxes {
		switch {
		case b.sends+b.takes == 0 && (len(v.Lines) > 0 || !b.Focus || v.At.Kind != AtSystem):
			alone = append(alone, i)
		case v.At.Kind == AtSystem || v.At.Kind == AtInterface:
			switch {
			case b.Focus:
				middle = append(middle, i)
			case b.sends >= b.takes:
				left = append(left, i)
			default:
				right = append(right, i)
			}
		case b.takes == 0:
			left = append(left, i)
		case b.sends == 0:
			right = append(right, i)
		default:
			middle = append(middle, i)
		}
	}
	net := func(a, b int) int {
		x, y := &v.Boxes[a], &v.Boxes[b]
		return cmp.Or(cmp.Compare(y.sends-y.takes, x.sends-x.takes), strings.Compare(x.Name, y.Name), cmp.Compare(a, b))
	}
	slices.SortFunc(middle, net)
	words := [3]string{"Only tell others", "Tell and are told", "Are only told"}
	switch v.At.Kind {
	case AtSystem, AtInterface:
		words = [3]string{"Tell it", "Its interfaces", "Are told by it"}
	}
	if v.At.Kind == AtInterface {
		words[1] = "The interface"
	}
	add := func(ids []int, head string, most int) {
		if len(ids) == 0 {
			return
		}
		n := min(3, (len(ids)+most-1)/most)
		size := (len(ids) + n - 1) / n
		for part := range slices.Chunk(ids, size) {
			cols, heads = append(cols, part), append(heads, head)
			head = ""
		}
	}
	add(left, words[0], 16)
	if v.At.Kind == AtSystem || v.At.Kind == AtInterface {
		add(middle, words[1], 100)
	} else {
		add(middle, words[1], spread(len(middle)))
	}
	add(right, words[2], 16)
	return cols, heads, alone
}

// spread is how many boxes that tell and are told stand in one column: few, for
// lines between columns are clearer than lines within one.
func spread(n int) int {
	switch {
	case n <= 2:
		return 1
	case n <= 8:
		return (n + 1) / 2
	}
	return (n + 2) / 3
}

// drawn are the lines as they are drawn: where there are many, what goes both ways
// between two is one line.
func (v *View) drawn() []Line {
	if len(v.Lines) <= fewLines && v.At.Kind != "" || v.plain {
		return v.Lines
	}
	var out []Line
	at := map[[2]Place]int{}
	for _, l := range v.Lines {
		if i, ok := at[[2]Place{l.To, l.From}]; ok {
			l.Records = slices.Clone(l.Records)
			out[i].join(l)
			out[i].both = true
			continue
		}
		at[[2]Place{l.From, l.To}] = len(out)
		l.Records = slices.Clone(l.Records)
		out = append(out, l)
	}
	return out
}

// notes are the lines below a box's name.
func (b Box) notes() (out []diagram.Note) {
	for _, t := range diagram.WrapNote(b.Note, 2) {
		out = append(out, diagram.Note{Text: t})
	}
	switch {
	case b.Systems < 0:
	case b.Systems > 1 || b.Systems == 0 || b.Kind == AtCapability || b.Kind == AtOrganisation:
		out = append(out, diagram.Note{Text: words.Count(b.Systems, "system", "systems")})
		if b.Failing > 0 {
			out = append(out, diagram.Note{Text: comma(b.Failing) + " not up to standards", Alert: true})
		}
	case b.Kind == AtSystem && b.Failing > 0:
		out = append(out, diagram.Note{Text: "Not up to all standards", Alert: true})
	}
	if b.Held > 0 {
		out = append(out, diagram.Note{Text: ui.Count(b.Held) + " held, to be corrected", Alert: true})
	}
	if b.Within > 0 {
		out = append(out, diagram.Note{Text: words.Count(b.Within, "flow", "flows") + " inside"})
	}
	return out
}
