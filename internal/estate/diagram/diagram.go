// Package diagram draws boxes in columns and the lines between them, as SVG: of
// systems that tell each other things, or of what depends on what.
//
// What is guaranteed: the same drawing is the same text; its time is bounded by
// the number of boxes and lines; and colours are attributes, so that it needs no
// inline style and stands for itself as a file.
package diagram

// Drawing is what is drawn.
type Drawing struct {
	Title   string
	Boxes   []Box
	Lines   []Line   // those that matter most first
	Columns [][]int  // which boxes stand in each
	Heads   []string // what stands above each column
	Alone   []int    // boxes that no line touches, drawn below
	Gap     float64  // room between columns
	Linked  bool     // boxes and lines lead to their pages
}

// Box is a box.
type Box struct {
	Name  string
	Notes []Note // lines below its name
	Href  string
	Group bool // more than one stands behind it
	Focus bool
}

// Note is a line below a name.
type Note struct {
	Text  string
	Alert bool
}

// Look is how a line is drawn. The dashes tell lines apart without colours.
type Look struct {
	Colour, Dash string
	Width        float64
}

// Line is a line between two boxes, by their places.
type Line struct {
	From, To int
	Look     Look
	Width    float64
	Both     bool   // it goes both ways
	Label    string // what stands on it, if there is room
	Note     string // below the label
	Alert    bool   // they are of something wrong
	Words    string // what it says to a screen reader, and under a pointer
	Href     string
}

// mostLines is how many lines are drawn: of more, none can be followed.
const mostLines = 90

// WrapNote breaks a note into at most max lines that fit into a box.
func WrapNote(text string, max int) []string { return wrap(text, boxWidth-20, 12, max) }
