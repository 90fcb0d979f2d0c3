// Package backstage reads the catalogue of a developer portal: catalog-info.yaml
// files as Backstage keeps them, one or a folder of them.
//
// What is guaranteed: every entity is taken, left out with its kind counted, or told
// with its line; an entity is found again by its kind, namespace and name. YAML is
// read within the bounds of definitions.
//
// What not to assume: that what an entity refers to elsewhere ($text, a location) is
// fetched. Only the files given are read.
package backstage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

const name = "backstage"

// Source is the catalogue of a developer portal.
var Source = importer.Source{
	Name: name, Title: "Backstage catalogue", Becomes: "capabilities, systems, components, interfaces and organisations", Unit: "entity", Folder: true,
	Doc:   "catalog-info.yaml files, one or a folder of them. Domains become capabilities; systems systems; components parts of their system, or systems where they have none; APIs interfaces; groups organisations.",
	Files: []string{".yaml", ".yml", ".zip"}, Read: read,
	Detect: func(head []byte, _ string) bool {
		return strings.Contains(string(head), "backstage.io/v1")
	},
}

const (
	maxFile  = 4 << 20
	maxFiles = 5_000
)

// entity is one document of a catalogue.
type entity struct {
	kind, namespace, name string
	meta, spec            map[string]any
	file                  string
	line                  int
}

func (e *entity) ref() string { return strings.ToLower(e.kind + ":" + e.namespace + "/" + e.name) }

// title is what people call it.
func (e *entity) title() string {
	if t := text(e.meta["title"]); t != "" {
		return t
	}
	return e.name
}

func text(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return sheet.Clean(s)
	}
	return sheet.Clean(fmt.Sprint(v))
}

func texts(v any) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if s := text(x); s != "" {
				out = append(out, s)
			}
		}
	case string:
		out = append(out, v)
	}
	return out
}

// reader turns entities into definitions.
type reader struct {
	r        *importer.Reading
	entities []*entity
	byRef    map[string]*entity
	ids      map[string]string // kind of definition and id, by ref: "System/sys-a"
	used     map[string]bool
	other    map[string]int
}

func read(_ context.Context, in importer.Input) (*importer.Reading, error) {
	b := &reader{r: &importer.Reading{File: in.Name}, byRef: map[string]*entity{}, ids: map[string]string{}, used: map[string]bool{}, other: map[string]int{}}
	if in.Folder == nil {
		data, err := io.ReadAll(io.LimitReader(in.Reader, maxFile+1))
		if err != nil {
			return nil, err
		}
		if len(data) > maxFile {
			return nil, reeve.E(reeve.TooLarge, "import", "%s is larger than %d MB", in.Name, maxFile>>20)
		}
		b.file("", data)
	} else if err := b.folder(in.Folder); err != nil {
		return nil, err
	}
	if b.r.Rows == 0 {
		return nil, reeve.E(reeve.Invalid, "import", "%s holds no entity of a Backstage catalogue: they begin with apiVersion: backstage.io/v1alpha1", in.Name)
	}
	b.place()
	for _, e := range b.entities {
		b.take(e)
	}
	if len(b.other) > 0 {
		var parts []string
		for _, k := range slices.SortedFunc(maps.Keys(b.other), func(x, y string) int { return cmp.Or(b.other[y]-b.other[x], cmp.Compare(x, y)) }) {
			parts = append(parts, fmt.Sprintf("%d %s", b.other[k], k))
		}
		b.r.Note("Left out, because there is no place for them here: %s. People are imported as a list of people.", strings.Join(parts, ", "))
	}
	b.r.Sort()
	return b.r, nil
}

func (b *reader) folder(fsys fs.FS) error {
	files := 0
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml":
			return nil
		}
		if files++; files > maxFiles {
			return reeve.E(reeve.TooLarge, "import", "the folder has more than %d YAML files", maxFiles)
		}
		f, err := fsys.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), "backstage.io/v1") {
			return nil
		}
		if len(data) > maxFile {
			b.r.Rows++
			b.r.Fail(0, name, "the file is larger than %d MB", maxFile>>20)
			return nil
		}
		b.file(name, data)
		return nil
	})
}

// file reads the documents of a file.
func (b *reader) file(name string, data []byte) {
	all, bad := yamldoc.Readable(data)
	if bad != nil {
		b.r.Rows++
		b.r.Fail(bad.Line, name, "%s", bad.Message)
		return
	}
	source := strings.Split(all, "\n")
	for _, doc := range yamldoc.Split(all) {
		b.r.Rows++
		var first *yamldoc.Problem
		root := yamldoc.Parse(doc.Text(), doc.Before, source, func(p yamldoc.Problem) {
			if first == nil {
				first = &p
			}
		})
		if root == nil || root.Kind != yamldoc.Map {
			p := yamldoc.Problem{Line: doc.Before + 1, Message: "this is not an entity"}
			if first != nil {
				p = *first
			}
			b.r.Fail(p.Line, name, "%s", p.Message)
			continue
		}
		v, _ := root.Plain().(map[string]any)
		meta, _ := v["metadata"].(map[string]any)
		spec, _ := v["spec"].(map[string]any)
		e := &entity{kind: text(v["kind"]), namespace: cmp.Or(text(meta["namespace"]), "default"), name: text(meta["name"]), meta: meta, spec: spec, file: name, line: root.Line}
		switch old := b.byRef[e.ref()]; {
		case !strings.HasPrefix(text(v["apiVersion"]), "backstage.io/"):
			b.r.Skipped++
			b.other["document of another sort"]++
		case e.kind == "" || e.name == "":
			b.r.Fail(e.line, name, "the entity has no kind or no metadata.name")
		case old != nil:
			b.r.Fail(e.line, name, "%s is in line %d%s already, which counts", e.ref(), old.line, of(old.file))
		default:
			b.byRef[e.ref()] = e
			b.entities = append(b.entities, e)
		}
	}
}

func of(file string) string {
	if file == "" {
		return ""
	}
	return " of " + file
}

// resolve finds the entity that a reference names: [kind:][namespace/]name.
func (b *reader) resolve(ref, kind string, from *entity) *entity {
	namespace := from.namespace
	if k, rest, ok := strings.Cut(ref, ":"); ok {
		kind, ref = k, rest
	}
	if n, rest, ok := strings.Cut(ref, "/"); ok {
		namespace, ref = n, rest
	}
	return b.byRef[strings.ToLower(kind+":"+namespace+"/"+ref)]
}

// place settles what each entity becomes, and under which id.
func (b *reader) place() {
	for _, e := range b.entities {
		kind, prefix := "", ""
		switch strings.ToLower(e.kind) {
		case "domain":
			kind, prefix = "Capability", "cap-"
		case "system":
			kind, prefix = "System", "sys-"
		case "component", "resource":
			kind, prefix = "Component", "cmp-"
			if text(e.spec["system"]) == "" && strings.EqualFold(e.kind, "component") && text(e.spec["subcomponentOf"]) == "" {
				kind, prefix = "System", "sys-"
			}
		case "api":
			kind, prefix = "Interface", "if-"
		case "group":
			kind, prefix = "Organisation", "org-"
		default:
			continue
		}
		try := prefix + sheet.Slug(e.name)
		for n := 2; b.used[kind+"/"+try]; n++ {
			try = fmt.Sprintf("%s%s-%d", prefix, sheet.Slug(e.name), n)
		}
		b.used[kind+"/"+try] = true
		b.ids[e.ref()] = kind + "/" + try
	}
}

// id is the id of the definition that a reference leads to, if it is of the kind.
func (b *reader) id(ref, entityKind, kind string, from *entity) string {
	if ref == "" {
		return ""
	}
	if e := b.resolve(ref, entityKind, from); e != nil {
		if k, id, _ := strings.Cut(b.ids[e.ref()], "/"); k == kind {
			return id
		}
	}
	return ""
}
