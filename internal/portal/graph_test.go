package portal

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func sample() Map {
	return Map{
		Nodes: []Node{{"sys-a", "Register office system", "/staff/estate/systems/sys-a", "Register office", "API"}, {"sys-b", "Council tax", "", "Ashcombe", ""}, {"sys-c", `A "quoted" <name>`, "", "Ashcombe", "files"}},
		Links: []Link{
			{ID: "flow-1", From: "sys-a", To: "sys-b", Type: "Death registration", State: Flowing, Delivered: 116, Held: 2, LastSeen: time.Unix(1000, 0)},
			{ID: "flow-2", From: "sys-a", To: "sys-c", Type: "Death registration", State: Silent},
			{From: "sys-b", To: "sys-c", Type: "Something", State: Undeclared, Delivered: 3},
		},
	}
}

func TestMapIsDrawn(t *testing.T) {
	d := &drawer{}
	svg, err := d.draw(t.Context(), sample(), time.Unix(2000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if f := os.Getenv("MAP_OUT"); f != "" {
		os.WriteFile(f, []byte(svg), 0o644)
	}
	for _, want := range []string{`viewBox="`, "Register office system", "flow silent", "flow undeclared", "flow flowing", `href="/staff/estate/systems/sys-a"`, "2 held", "&lt;name&gt;"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	for _, bad := range []string{"<!--", "<?xml", "<title>", "style=\"", "xlink:", "aria-label=\"<"} {
		if strings.Contains(svg, bad) {
			t.Errorf("the drawing has %q, which a page may not", bad)
		}
	}
}

func TestLargeMapIsBounded(t *testing.T) {
	var m Map
	for i := range 60 {
		m.Nodes = append(m.Nodes, Node{ID: fmt.Sprint("s", i), Name: fmt.Sprint("System ", i), Organisation: fmt.Sprint("Org ", i%5)})
		for j := range 3 {
			m.Links = append(m.Links, Link{ID: fmt.Sprint("f", i, j), From: fmt.Sprint("s", i), To: fmt.Sprint("s", (i*7+j*3)%60), State: Flowing})
		}
	}
	if _, err := (&drawer{}).draw(t.Context(), m, time.Unix(2000, 0)); err != nil {
		t.Log("a dense map is given up, and the table stands:", err)
	}
}
