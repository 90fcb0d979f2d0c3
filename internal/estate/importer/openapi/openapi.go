// Package openapi reads the documents in which APIs describe themselves: OpenAPI
// 3.x, Swagger 2.0 and AsyncAPI, one or a folder of them.
//
// What is guaranteed: every document becomes an interface or is told with its file
// and the reason; the document itself is kept beside the definitions as it came.
// Nothing that a document refers to is fetched.
//
// What not to assume: that the document is right. Only what it says of itself as a
// whole is read.
package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

const name = "openapi"

// Source is a folder of API documents.
var Source = importer.Source{
	Name: name, Title: "OpenAPI documents", Becomes: "interfaces, with the document kept", Unit: "document", Folder: true,
	Doc:      "OpenAPI, Swagger or AsyncAPI documents, one or a folder of them, as YAML or JSON. Each becomes an interface; without a system named, each makes one of its own.",
	Files:    []string{".yaml", ".yml", ".json", ".zip"},
	Settings: []importer.Setting{{Name: "system", Label: "Id of the system whose interfaces these are", Hint: "For example sys-housing. If empty, each document makes a system by its title."}},
	Detect: func(head []byte, _ string) bool {
		return says(head) && !bytes.Contains(head, []byte("backstage.io/"))
	},
	Read: read,
}

const (
	maxFile     = 4 << 20
	maxFiles    = 2_000
	maxTogether = 48 << 20 // a folder of definitions holds no more than 64 MB
	maxDepth    = 200
)

// says reports whether a text says that it is such a document, within a few lines.
func says(head []byte) bool {
	for _, line := range bytes.SplitN(head[:min(len(head), 4096)], []byte("\n"), 60) {
		t := bytes.TrimLeft(bytes.TrimSpace(line), `{"' `)
		for _, word := range []string{"openapi", "swagger", "asyncapi"} {
			if rest, ok := bytes.CutPrefix(t, []byte(word)); ok && bytes.HasPrefix(bytes.TrimLeft(rest, `"' `), []byte(":")) {
				return true
			}
		}
	}
	return false
}

// document is what a document says of itself.
type document struct {
	form, title, version, description, server string
	style                                     string
}

type reader struct {
	r       *importer.Reading
	system  string
	used    map[string]bool
	systems map[string]bool
	size    int
}

func read(_ context.Context, in importer.Input) (*importer.Reading, error) {
	b := &reader{r: &importer.Reading{File: in.Name, Attached: map[string][]byte{}}, system: strings.TrimSpace(in.Settings["system"]), used: map[string]bool{}, systems: map[string]bool{}}
	if in.Folder == nil {
		data, err := io.ReadAll(io.LimitReader(in.Reader, maxFile+1))
		if err != nil {
			return nil, err
		}
		b.file(in.Name, data)
	} else if err := b.folder(in.Folder); err != nil {
		return nil, err
	}
	if b.r.Rows == 0 {
		return nil, reeve.E(reeve.Invalid, "import", "%s holds no OpenAPI, Swagger or AsyncAPI document", in.Name)
	}
	return b.r, nil
}

func (b *reader) folder(fsys fs.FS) error {
	files := 0
	return fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file)):
			return nil
		}
		if files++; files > maxFiles {
			return reeve.E(reeve.TooLarge, "import", "the folder has more than %d YAML and JSON files", maxFiles)
		}
		f, err := fsys.Open(file)
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
		if says(data) {
			b.file(file, data)
		}
		return nil
	})
}

func (b *reader) file(file string, data []byte) {
	b.r.Rows++
	if len(data) > maxFile {
		b.r.Fail(0, file, "the document is larger than %d MB", maxFile>>20)
		return
	}
	if b.size += len(data); b.size > maxTogether {
		b.r.Fail(0, file, "the documents are larger than %d MB together; this one was left out: import them in parts", maxTogether>>20)
		return
	}
	d, row, err := parse(data)
	if err != nil {
		b.r.Fail(row, file, "%v", err)
		return
	}
	if d.title == "" {
		d.title = sheet.Clean(strings.TrimSuffix(path.Base(file), path.Ext(file)))
		b.r.Problem(0, file, "info.title is empty; the name of the file was taken")
	}
	stem := strings.TrimSuffix(file, path.Ext(file))
	kept := sheet.Slug(stem) + path.Ext(file)
	if kept == sheet.Slug(stem)+".yml" {
		kept = sheet.Slug(stem) + ".yaml"
	}
	b.r.Attached[kept] = data
	owner := b.system
	if owner == "" {
		owner = "sys-" + sheet.Slug(d.title)
		if !b.systems[owner] {
			b.systems[owner] = true
			s := importer.Define("System", owner, d.title, 0, system.Spec{Description: d.description, API: "documented"})
			s.Minor = true
			b.r.Definitions = append(b.r.Definitions, s)
		}
	}
	id := "if-" + sheet.Slug(d.title)
	for n := 2; b.used[id]; n++ {
		id = fmt.Sprintf("if-%s-%d", sheet.Slug(d.title), n)
	}
	b.used[id] = true
	x := importer.Definition{Kind: "Interface", ID: id, Name: d.title, Spec: map[string]any{
		"system": owner, "style": d.style, "definition": path.Join(importer.PlaceOf(name).Attached(), kept),
	}}
	if b.system == "" {
		x.Default = []string{"spec.system"}
	}
	if d.description != "" {
		x.Spec["description"] = d.description
	}
	x.Label("import/openapi", file)
	for k, v := range map[string]string{"version": d.version, "form": d.form, "server": d.server} {
		if v != "" {
			x.Labels[k] = v
		}
	}
	b.r.Definitions = append(b.r.Definitions, x)
	b.r.Taken++
}

// parse reads what a document says of itself. row is the line of a mistake.
func parse(data []byte) (d document, row int, err error) {
	var v map[string]any
	if t := bytes.TrimSpace(data); len(t) > 0 && t[0] == '{' {
		if err := shallow(t); err != nil {
			return d, 0, err
		}
		if err := json.Unmarshal(t, &v); err != nil {
			return d, 0, fmt.Errorf("it cannot be read as JSON: %w", err)
		}
	} else {
		all, bad := yamldoc.Readable(data)
		if bad != nil {
			return d, bad.Line, errors.New(bad.Message)
		}
		docs := yamldoc.Split(all)
		if len(docs) != 1 {
			return d, 0, fmt.Errorf("the file holds %d documents; one is read", len(docs))
		}
		var first *yamldoc.Problem
		root := yamldoc.Parse(docs[0].Text(), docs[0].Before, strings.Split(all, "\n"), func(p yamldoc.Problem) {
			if first == nil {
				first = &p
			}
		})
		if root == nil || root.Kind != yamldoc.Map {
			if first == nil {
				return d, 1, errors.New("it is not an API document")
			}
			return d, first.Line, errors.New(first.Message)
		}
		v, _ = root.Plain().(map[string]any)
	}
	for form, style := range map[string]string{"openapi": "api", "swagger": "api", "asyncapi": "event"} {
		if x, ok := v[form]; ok {
			d.form, d.style = fmt.Sprintf("%s %v", form, x), style
		}
	}
	if d.form == "" {
		return d, 1, errors.New("it does not say openapi, swagger or asyncapi")
	}
	info, _ := v["info"].(map[string]any)
	d.title, d.version = word(info["title"], 200), word(info["version"], 100)
	d.description = word(info["description"], 1000)
	if servers, ok := v["servers"].([]any); ok && len(servers) > 0 {
		if s, ok := servers[0].(map[string]any); ok {
			d.server = word(s["url"], 300)
		}
	} else if host := word(v["host"], 200); host != "" {
		d.server = "https://" + host + word(v["basePath"], 100)
	}
	return d, 0, nil
}

func word(v any, most int) string {
	if v == nil {
		return ""
	}
	s := sheet.Clean(fmt.Sprint(v))
	if r := []rune(s); len(r) > most {
		s = strings.TrimSpace(string(r[:most])) + "…"
	}
	return s
}

// shallow refuses JSON that is nested too deep.
func shallow(data []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("it is nested more than %d levels deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Good reports whether a text can stand beside definitions as a document of an API.
func Good(data []byte) error {
	if !says(data) {
		return errors.New("it does not begin as an OpenAPI, Swagger or AsyncAPI document")
	}
	_, _, err := parse(data)
	return err
}
