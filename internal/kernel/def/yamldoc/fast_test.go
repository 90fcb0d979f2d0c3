package yamldoc

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// agree compares the quick reader with the other one and says whether the quick
// one read the document at all.
func agree(t *testing.T, text string) bool {
	t.Helper()
	clean, bad := Readable([]byte(text))
	if bad != nil {
		return false
	}
	lines := strings.Split(clean, "\n")
	read := false
	for _, d := range Split(clean) {
		var r Reader
		quick := r.quick(d)
		if quick == nil {
			continue
		}
		read = true
		var problems []Problem
		slow := Parse(d.Text(), d.Before, lines, func(p Problem) { problems = append(problems, p) })
		if slow == nil {
			t.Errorf("the quick reader reads what must be refused with %v:\n%q", problems, d.Text())
			continue
		}
		strip(slow)
		if !reflect.DeepEqual(quick, slow) {
			t.Errorf("%q\nquick %s\nslow  %s", d.Text(), show(quick), show(slow))
		}
	}
	return read
}

// strip takes off what only bounds are counted with.
func strip(n *Node) {
	n.size, n.height = 0, 0
	for _, x := range n.Items {
		strip(x)
	}
	for _, k := range n.Keys {
		strip(k.Val)
	}
}

func show(n *Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v@%d:%d", n.Kind, n.Line, n.Col)
	if n.Kind == Text || n.Text != "" {
		fmt.Fprintf(&b, "%c%q i%d", n.style, n.Text, n.Indent)
	}
	for _, x := range n.Items {
		b.WriteString(" -" + show(x))
	}
	for _, k := range n.Keys {
		fmt.Fprintf(&b, " {%s@%d:%d %s}", k.Name, k.Line, k.Col, show(k.Val))
	}
	return b.String()
}

// corpus is every YAML text of the project.
func corpus(t testing.TB) (texts []string) {
	t.Helper()
	root := filepath.Join("..", "..", "..", "..")
	for _, sub := range []string{"demo", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, sub), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			switch filepath.Ext(name) {
			case ".yaml", ".yml", ".txtar":
				b, err := os.ReadFile(name)
				if err == nil && len(b) < 1<<20 {
					for _, part := range strings.Split(string(b), "\n-- ") { // the files of a txtar
						if _, after, ok := strings.Cut(part, " --\n"); ok && filepath.Ext(name) == ".txtar" {
							part = after
						}
						texts = append(texts, part)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func TestBothReadersAgreeOnTheWholeProject(t *testing.T) {
	quick, all := 0, 0
	for _, text := range corpus(t) {
		for _, d := range Split(strings.ReplaceAll(text, "\r", "")) {
			all++
			if agree(t, d.Text()) {
				quick++
			}
		}
	}
	if all < 300 || quick*3 < all*2 {
		t.Errorf("the quick reader reads only %d of %d documents", quick, all)
	}
}

// TestBothReadersAgreeOnWhatMayBeWrong makes small changes to good documents, and
// puts together bits that have a meaning in YAML.
func TestBothReadersAgreeOnWhatMayBeWrong(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var docs []string
	for _, text := range corpus(t) {
		for _, d := range Split(strings.ReplaceAll(text, "\r", "")) {
			if s := d.Text(); len(s) < 3000 {
				docs = append(docs, s)
			}
		}
	}
	n := 6_000
	if testing.Short() {
		n = 1_000
	}
	read := 0
	for i := range n {
		s := docs[rnd.IntN(len(docs))]
		if i%2 == 0 {
			s = assemble(rnd)
		} else {
			for range 1 + rnd.IntN(3) {
				s = mutate(rnd, s)
			}
		}
		if agree(t, s) {
			read++
		}
		if t.Failed() {
			t.Fatalf("with document %d", i)
		}
	}
	if read < n/10 {
		t.Errorf("only %d of %d were read by both", read, n)
	}
}

var bits = []string{" ", "  ", "\n", "\n  ", "\n    ", "- ", ": ", ":", "#", " # c", "'", "\"", "{", "}", "[", "]", ", ", ",", "|", ">-", "&a", "*a", "!!str", "null", "~", "true", "True",
	"1", "-1", "007", "0x1F", "1.5", "1e5", ".5", "1_0", "2026-01-31", "a", "b", "key", "é", "😀", "<<", "%", "@", "?", "? ", "---", "...", "\t", "\\n", "\\", "http://x", "12:30", "£5", "+", ".inf", "(", ")", "=", "&& b"}

func mutate(rnd *rand.Rand, s string) string {
	at := rnd.IntN(len(s) + 1)
	switch rnd.IntN(4) {
	case 0:
		return s[:at] + s[min(at+1+rnd.IntN(3), len(s)):]
	case 1:
		lines := strings.SplitAfter(s, "\n")
		i, j := rnd.IntN(len(lines)), rnd.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return strings.Join(lines, "")
	}
	return s[:at] + bits[rnd.IntN(len(bits))] + s[at:]
}

// assemble makes a document of lines that are nearly right.
func assemble(rnd *rand.Rand) string {
	var b strings.Builder
	values := []string{"", "text", "a b", "1", "-5", "1.50", "007", "true", "null", "{}", "[]", "{a: 1, b: [x, 'y']}", "[a, {b: c}, \"d\"]", "'it''s'", "\"a\\\"b\\n\"", "|\n%s  one\n%s  two", ">-\n%s  one\n%s  two",
		"|-\n%s   one\n\n%s    two", ">\n%s  a: b", "a # c", "# c", "a#b", "x:y", "https://x.y/z?a=b", "{u: http://x, t: 12:30}", "[12:30]", "it's", "say \"x\"", "a, b", "a]b", "é and £5", "2026-01-31", "+5", "-", "- a", "(x)", "a - b", "{a: b c, d: e-f}", "[]  ", "x ", "'a' b", "{a: 'x'y}", "[a b , c]", "{a: }", "{a: , b: 1}", ".5", "1e3", "0", "0.10", "1_000", "~", "No", "&& x", "$x", "_y", "<a>", "=x", "^x", "%x", "!x", "a ? b : c"}
	indents := []int{0}
	for range 1 + rnd.IntN(8) {
		in := strings.Repeat(" ", indents[len(indents)-1])
		v := values[rnd.IntN(len(values))]
		v = strings.ReplaceAll(v, "%s", in)
		name := string(rune('a' + rnd.IntN(26)))
		switch rnd.IntN(7) {
		case 0:
			fmt.Fprintf(&b, "%s%s:\n", in, name)
			indents = append(indents, len(in)+2)
		case 1:
			fmt.Fprintf(&b, "%s%s:\n%s- %s: %s\n%s  %s: %s\n", in, name, in, name, v, in, name+"x", values[rnd.IntN(10)])
		case 2:
			fmt.Fprintf(&b, "%s%s:\n%s  - %s\n%s  - %s\n", in, name, in, strings.ReplaceAll(v, "\n", "\n  "), in, values[rnd.IntN(10)])
		case 3:
			if len(indents) > 1 {
				indents = indents[:len(indents)-1]
			}
			fallthrough
		default:
			in = strings.Repeat(" ", indents[len(indents)-1])
			fmt.Fprintf(&b, "%s%s: %s\n", in, name, v)
		}
		if rnd.IntN(6) == 0 {
			b.WriteString([]string{"\n", "# comment\n", "  # comment\n", "   \n", "      # deep\n"}[rnd.IntN(5)])
		}
	}
	return b.String()
}

func FuzzReaders(f *testing.F) {
	for i := range 50 {
		f.Add(assemble(rand.New(rand.NewPCG(uint64(i), 3))))
	}
	for _, text := range corpus(f) {
		if len(text) < 2000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 4000 {
			agree(t, text)
		}
	})
}
