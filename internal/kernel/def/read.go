package def

import (
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// reader reads the definitions of a file.
type reader struct {
	reg  *Registry
	yaml *yamldoc.Reader

	file     string
	lines    func() []string // of the file, made when somebody asks
	d        decoder
	problems []Problem
	objects  []*loaded
	lost     []string
}

// readAll reads the files, several at a time, in the order of their names.
func (l *loader) readAll(names []string) {
	texts := make([][]byte, len(names))
	results := make([]*reader, len(names))
	for i, name := range names {
		b, err := l.file(name)
		if err != nil {
			l.report(Problem{File: name, Message: "this file cannot be read: " + reason(err)})
			continue
		}
		texts[i] = b
	}
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		work.Go(func() {
			yaml := &yamldoc.Reader{Reuse: true}
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				if texts[i] != nil {
					results[i] = &reader{reg: l.reg, yaml: yaml, file: names[i]}
					results[i].read(texts[i])
				}
			}
		})
	}
	work.Wait()
	for _, r := range results {
		if r == nil {
			continue
		}
		for _, p := range r.problems {
			l.report(p)
		}
		for _, id := range r.lost {
			l.lost[id] = true
		}
		l.objects = append(l.objects, r.objects...)
	}
}

var anID = regexp.MustCompile(`\bid:\s*["']?([A-Za-z0-9.-]+)`)

func (r *reader) report(p Problem) { r.problems = append(r.problems, p) }

func (r *reader) read(b []byte) {
	at := func(p yamldoc.Problem) { r.report(Problem{r.file, p.Line, p.Col, p.Message}) }
	text, bad := yamldoc.Readable(b)
	if bad != nil {
		at(*bad)
		return
	}
	r.lines = sync.OnceValue(func() []string { return strings.Split(text, "\n") })
	r.d.out = r.report
	for _, doc := range yamldoc.Split(text) {
		root, own := r.yaml.Read(doc, r.lines, at)
		if root == nil {
			for _, m := range anID.FindAllStringSubmatch(doc.Text(), 5) {
				r.lost = append(r.lost, m[1])
			}
			continue
		}
		if root.Kind == yamldoc.Map && root.Get("kind") == nil && (root.Get("openapi") != nil || root.Get("swagger") != nil || root.Get("asyncapi") != nil) {
			continue
		}
		r.object(doc, root, own)
	}
}

// object reads the envelope and the spec of one definition.
func (r *reader) object(doc yamldoc.Doc, root *yamldoc.Node, own bool) {
	o := &loaded{Object: &Object{File: r.file, Line: root.Line, doc: doc, lines: r.lines}}
	if own {
		o.root.Store(root)
	}
	d := &r.d
	d.obj = o
	if root.Kind != yamldoc.Map {
		d.problem(root, "a definition is a group of fields: apiVersion, kind, metadata and spec")
		return
	}
	envelope := []string{"apiVersion", "kind", "metadata", "spec"}
	for _, k := range root.Keys {
		switch {
		case k.Name == "status":
			d.problemAt(k, "status is worked out by the program and never written: remove it")
		case !contains(envelope, k.Name):
			d.problemAt(k, "a definition has no field %q%s", k.Name, rules.DidYouMean(k.Name, envelope))
		}
	}
	if k := root.Get("apiVersion"); k == nil {
		d.problem(root, "apiVersion is missing: write apiVersion: %s", APIVersion)
	} else if k.Val.Text != APIVersion {
		d.problem(k.Val, "apiVersion is %s: write %s", d.what(k.Val), APIVersion)
	}
	kind := -1
	if k := root.Get("kind"); k == nil {
		d.problem(root, "kind is missing%s", rules.DidYouMean("", r.reg.names()))
	} else if i, ok := r.reg.byName[k.Val.Text]; !ok || k.Val.Kind != yamldoc.Text {
		d.problem(k.Val, "there is no kind %s%s", d.what(k.Val), rules.DidYouMean(k.Val.Text, r.reg.names()))
	} else {
		kind, o.kind, o.Kind = i, i, r.reg.kinds[i].Name
	}
	r.metadata(o, root)
	if kind < 0 {
		r.lost = append(r.lost, o.ID)
	} else {
		r.spec(o, root, kind)
		r.objects = append(r.objects, o)
	}
}

func (r *reader) spec(o *loaded, root *yamldoc.Node, kind int) {
	s := r.reg.shapes[kind]
	spec := reflect.New(s.typ)
	o.Spec = spec.Interface()
	r.d.begin("spec")
	k := root.Get("spec")
	if k == nil || k.Val.Kind == yamldoc.Null {
		at, empty := root, &yamldoc.Node{Kind: yamldoc.Map, Line: root.Line, Col: root.Col}
		if k != nil {
			at, empty.Line, empty.Col = &yamldoc.Node{Line: k.Line, Col: k.Col}, k.Line, k.Col
		}
		before := o.bad
		r.d.fields(empty, s, spec.Elem())
		if k == nil && before == o.bad && len(s.fields) > 0 {
			r.d.problem(at, "spec is missing: write spec: {} if there is nothing to say")
		}
		return
	}
	r.d.value(k.Val, s, nil, spec.Elem(), false)
}

// metadata is how every definition begins.
type metadata struct {
	ID       string            `json:"id" def:"required,max=100" doc:"the name that everything else refers to it by, for ever: letters, digits, dots and dashes"`
	Name     string            `json:"name" def:"max=200" doc:"what people call it"`
	Formerly []string          `json:"formerly" doc:"ids it had before, oldest first; its history stays with it"`
	Labels   map[string]string `json:"labels" doc:"anything, for searching and grouping"`
}

func (r *reader) metadata(o *loaded, root *yamldoc.Node) {
	d := &r.d
	k := root.Get("metadata")
	if k == nil {
		d.problem(root, "metadata is missing: write metadata: {id: ..., name: ...}")
		return
	}
	if k.Val.Kind == yamldoc.Null {
		d.problemAt(*k, "metadata is empty: write metadata: {id: ..., name: ...}")
		return
	}
	m := new(metadata)
	d.begin("metadata")
	d.value(k.Val, r.reg.meta, nil, reflect.ValueOf(m).Elem(), false)
	o.ID, o.Name, o.Formerly, o.Labels = m.ID, m.Name, m.Formerly, m.Labels
	if o.Name == "" {
		o.Name = o.ID
	}
	for i := -1; i < len(m.Formerly); i++ {
		id, p := m.ID, "metadata.id"
		if i >= 0 {
			id, p = m.Formerly[i], fmt.Sprintf("metadata.formerly[%d]", i)
		}
		if badInID(id) >= 0 {
			n, _ := o.find(p)
			d.problem(n, "%s %q may only hold letters, digits, dots and dashes, and begins with a letter or digit", p, id)
		}
	}
}

// badInID is the offset of the first byte that cannot be in an id, or -1.
func badInID(id string) int {
	for i := 0; i < len(id); i++ {
		c := id[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '.')
		if !ok {
			return i
		}
	}
	return -1
}
