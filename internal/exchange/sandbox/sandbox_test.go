package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "map-worker" {
		if err := sandbox.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func box(t *testing.T) *sandbox.Box {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &sandbox.Box{Command: []string{self, "map-worker"}, Timeout: 10 * time.Minute} // what counts is calculating, and a busy machine takes long to come to it
	t.Cleanup(b.Close)
	return b
}

func TestRun(t *testing.T) {
	for name, b := range map[string]*sandbox.Box{"process": box(t), "here": {}} {
		t.Run(name, func(t *testing.T) {
			var in []json.RawMessage
			for i := range 450 {
				in = append(in, json.RawMessage(fmt.Sprintf(`{"n":%d,"big":12345678901234567890.10}`, i)))
			}
			out, err := b.Run(t.Context(), "root = this\nroot.n = this.n + 1", in)
			if err != nil || len(out) != 450 || string(out[449].Body) != `{"big":12345678901234567890.10,"n":450}` {
				t.Fatal(err, len(out), string(out[len(out)-1].Body))
			}
			out, err = b.Run(t.Context(), `root = if this.n == 1 { deleted() } else { this.n.uppercase() }`, in[:2])
			if err != nil || out[0].Error == "" || !strings.Contains(out[1].Error, "discard") {
				t.Fatal(err, out)
			}
			if _, err := b.Run(t.Context(), "root = env(\"HOME\")", in[:1]); reeve.KindOf(err) != reeve.Invalid || !strings.Contains(err.Error(), "line 1") {
				t.Fatal(err)
			}
			if _, err := b.Run(t.Context(), "root = ", nil); reeve.KindOf(err) != reeve.Invalid {
				t.Fatal(err)
			}
			if _, err := b.Run(t.Context(), "root = this # "+strings.Repeat("x", sandbox.MaxSource), in[:1]); reeve.KindOf(err) != reeve.Invalid {
				t.Fatal(err)
			}
		})
	}
}

// A process that ends between two maps is not the second one's fault.
func TestProcessThatEnds(t *testing.T) {
	b := box(t)
	in := []json.RawMessage{json.RawMessage(`{"a":"x"}`)}
	for range 3 {
		if out, err := b.Run(t.Context(), "root = this", in); err != nil || string(out[0].Body) != `{"a":"x"}` {
			t.Fatal(err, out)
		}
		b.Kill()
	}
}

// Maps that take for ever or make without end are stopped, and the next one works.
func TestHostile(t *testing.T) {
	b := box(t)
	in := []json.RawMessage{json.RawMessage(`{"a":"x","list":[0,1,2,3,4,5,6,7,8,9]}`)}
	long := "let l0 = this.list\n"
	for i := range 8 {
		long += fmt.Sprintf("let l%d = $l%d.map_each(x -> this.list).flatten()\n", i+1, i)
	}
	for name, src := range map[string]string{
		"doubling":  "root.a = this.a\n" + strings.Repeat("root.a = root.a + root.a\n", 60),
		"variables": "let v = this.a\n" + strings.Repeat("let v = $v + $v\n", 60) + "root.a = $v.length()",
		"literals":  `root.a = "` + strings.Repeat("a", 200) + `"` + strings.Repeat(`.replace_all("a", "`+strings.Repeat("a", 200)+`")`, 6) + ".length()",
		"recursion": "map f {\n  root = this.apply(\"f\").string() + this.apply(\"f\").string()\n}\nroot.a = this.list.apply(\"f\")",
		"nested":    "root.a = this.list" + strings.Repeat(".map_each(x -> this.list", 1) + ")\n" + long + "root.b = $l8.length()",
		"text":      "let a = this.list.map_each(i -> \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\").join(\"a\")\n" + strings.Repeat("let a = $a.replace_all(\"a\", $a)\n", 5) + "root.a = $a.length()",
	} {
		t.Run(name, func(t *testing.T) {
			out, err := b.Run(t.Context(), src, in)
			if err == nil && out[0].Error == "" {
				t.Fatalf("it went well: %.100s", out[0].Body)
			}
			if err != nil && reeve.KindOf(err) != reeve.TooLarge {
				t.Fatal(err)
			}
			if out, err := b.Run(t.Context(), "root = this", in); err != nil || len(out[0].Body) == 0 {
				t.Fatal("the next one", err)
			}
		})
	}
}

// A map that others wait for may calculate far less: what takes a second is stopped
// there, and one of many records is not.
func TestQuick(t *testing.T) {
	b := box(t)
	b.Quick = true
	many := make([]json.RawMessage, 200)
	for i := range many {
		many[i] = json.RawMessage(`{"a":"` + strings.Repeat("x", 1000) + `"}`)
	}
	if out, err := b.Run(t.Context(), "root = this\nroot.a = this.a.uppercase()", many); err != nil || len(out) != 200 || out[199].Error != "" {
		t.Fatal(err)
	}
	slow := "root = this\nroot.n = this.a.split(\"\").map_each(x -> this.a.split(\"\").length()).sum()\nroot.m = this.a.split(\"\").map_each(x -> this.a.split(\"\").map_each(y -> y + x).length()).sum()"
	if _, err := b.Run(t.Context(), strings.Repeat(slow+"\n", 8), many[:1]); reeve.KindOf(err) != reeve.TooLarge {
		t.Errorf("%v", err)
	}
}

// What a map throws may be a value: that it gave up is told, and where.
func TestThrownValuesAreNotTold(t *testing.T) {
	rs, err := new(sandbox.Box).Run(t.Context(), "root = this\nroot.a = throw(\"it is \" + this.name)", []json.RawMessage{json.RawMessage(`{"name":"Quillfeather"}`)})
	if err != nil || len(rs) != 1 || rs[0].Error == "" || strings.Contains(rs[0].Error, "Quill") || !strings.Contains(rs[0].Error, "line 2") {
		t.Errorf("%+v %v", rs, err)
	}
}
