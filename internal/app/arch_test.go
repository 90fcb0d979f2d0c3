package app_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

const module = "github.com/reeve-civic/reeve"

// kernels, lower first: each imports only those before it.
var kernels = []string{"store", "seal", "journal", "log", "bus", "rules", "policy", "def", "web"}

// testKits are packages that only tests and tools may import.
var testKits = []string{"internal/kernel/store/storetest", "internal/kernel/web/webtest", "internal/estate/estatetest", "connector/connectortest", "connector/connectortest/sshd"}

// sizes of a room: beyond these a new room is asked for.
const (
	maxPackage  = 2500
	maxFile     = 800
	maxFunction = 100
)

// TestArchitecture keeps the house standing. The rules:
//
//	reeve (root)     imports only the standard library
//	kernel/x         imports reeve and the kernels before it, never a block
//	block/room       imports reeve, kernel/x and rooms of its own block;
//	                 never another block and never the Kernel bag
//	block            its own package may take the Kernel; imports only its own rooms
//	app              imports every block; nothing but cmd and tests imports app
//	app/offline      imports every block, too, but not app: what commands do with a folder
//	connector,client import reeve and nothing else of ours
//	demo             imports client, connector and reeve
//	web*.go          are the only files of a room that may handle HTTP or import kernel/web
//	store*.go        are the only files of a room that may run SQL, and only on the
//	                 tables that the room's own migrations create, however the SQL is put together
//	time.Now, init   only cmd and app may read the wall clock; nobody has an init function
//	sizes            a package, a file and a function stay readable
func TestArchitecture(t *testing.T) {
	for _, v := range inspect(os.DirFS("../..")) {
		t.Error(v)
	}
}

// TestArchitectureCatches plants one violation of every rule and sees it named.
func TestArchitectureCatches(t *testing.T) {
	files, err := fs.Glob(os.DirFS("testdata/planted"), "*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no planted violations", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f, ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile("testdata/planted/" + f)
			if err != nil {
				t.Fatal(err)
			}
			fsys, err := txtar.FS(a)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimSpace(string(a.Comment))
			got := inspect(fsys)
			if want == "nothing" {
				if len(got) > 0 {
					t.Errorf("found %q in a tree without fault", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], want) {
				t.Errorf("found %q, want one violation that says %q", got, want)
			}
		})
	}
}

// house is one inspection of a tree.
type house struct {
	fsys  fs.FS
	found []string
	lines map[string]int // of a package, without tests and generated files
}

func inspect(fsys fs.FS) []string {
	h := &house{fsys: fsys, lines: map[string]int{}}
	err := fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			return h.file(file)
		}
		return nil
	})
	if err != nil {
		h.found = append(h.found, err.Error())
	}
	for dir, n := range h.lines {
		if n > maxPackage {
			h.say("%s has %d lines: over %d asks for a new room", dir, n, maxPackage)
		}
	}
	slices.Sort(h.found)
	return h.found
}

func (h *house) say(format string, args ...any) {
	h.found = append(h.found, fmt.Sprintf(format, args...))
}

// place is where a file stands: its folder, block and room.
type place struct {
	file, dir, base string
	at              []string // below internal/
}

func (p place) inside() bool { return strings.HasPrefix(p.dir, "internal/") }
func (p place) block() string {
	if p.inside() {
		return p.at[0]
	}
	return ""
}
func (p place) room() bool {
	return p.inside() && p.block() != "kernel" && p.block() != "app" && len(p.at) > 1
}
func (p place) web() bool {
	return strings.HasPrefix(p.base, "web") || strings.HasSuffix(p.base, "_templ.go")
}
func (p place) store() bool {
	return strings.HasPrefix(p.base, "store") || p.dir == "internal/kernel/store"
}

func (h *house) file(file string) error {
	b, err := fs.ReadFile(h.fsys, file)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	src, err := parser.ParseFile(fset, file, b, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(file)
	p := place{file: file, dir: dir, base: path.Base(file), at: strings.Split(strings.TrimPrefix(dir, "internal/"), "/")}
	kit := slices.Contains(testKits, dir)
	for _, spec := range src.Imports {
		if imp, _ := strconv.Unquote(spec.Path.Value); !kit || imp != module+"/internal/kernel/web" {
			h.imports(p, imp)
		}
	}
	if kit {
		return nil
	}
	h.clock(p, src)
	h.http(p, src)
	h.sql(p, src)
	if !ast.IsGenerated(src) {
		h.size(p, fset, src, strings.Count(string(b), "\n"))
	}
	return nil
}

func (h *house) size(p place, fset *token.FileSet, src *ast.File, lines int) {
	h.lines[p.dir] += lines
	if lines > maxFile {
		h.say("%s has %d lines: a file stays below %d", p.file, lines, maxFile)
	}
	for _, d := range src.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line; n > maxFunction {
				h.say("%s: func %s has %d lines: a function stays below %d", p.file, f.Name.Name, n, maxFunction)
			}
		}
	}
}

func (h *house) imports(p place, imp string) {
	bad := func(why string) { h.say("%s imports %s: %s", p.file, imp, why) }
	if imp == module+"/internal/kernel/web" && p.room() && !p.web() {
		bad("only web.go may know the front door")
	}
	mine, ours := strings.CutPrefix(imp, module)
	if !ours {
		if p.dir == "." && strings.Contains(strings.Split(imp, "/")[0], ".") {
			bad("the vocabulary imports only the standard library")
		}
		return
	}
	mine = strings.TrimPrefix(mine, "/")
	to := strings.Split(strings.TrimPrefix(mine, "internal/"), "/")
	internal := strings.HasPrefix(mine, "internal/")
	if slices.Contains(testKits, mine) && !slices.Contains(testKits, p.dir) && !strings.HasPrefix(p.dir, "tools/") {
		bad("only tests may use a test kit")
	}
	switch {
	case p.dir == ".":
		bad("the vocabulary imports nothing of ours")
	case mine == "":
	case p.dir == "internal/app":
	case p.dir == "internal/app/offline":
		if mine == "internal/app" {
			bad("what works without a running program knows none")
		}
	case strings.HasPrefix(p.dir, "tools/"):
	case strings.HasPrefix(p.dir, "cmd/"):
		if internal && mine != "internal/app" && mine != "internal/app/offline" {
			bad("cmd sees the house through app")
		}
	case p.dir == "connector" || strings.HasPrefix(p.dir, "connector/") || p.dir == "client":
		if internal || to[0] != strings.Split(p.dir, "/")[0] {
			bad("a public package imports only the vocabulary")
		}
	case strings.HasPrefix(p.dir, "examples/"):
		if internal {
			bad("an example stands on what is public")
		}
	case p.dir == "demo" || strings.HasPrefix(p.dir, "demo/"):
		if internal {
			bad("the demo uses Reeve from outside, like everybody else")
		}
	case !internal:
		if to[0] != "connector" || p.block() != "exchange" {
			bad("only exchange uses connectors, and nobody inside uses the client or the demo")
		}
	case p.block() == "kernel":
		h.kernel(p, to, bad)
	case to[0] == "app":
		bad("nothing but cmd imports app")
	case to[0] == "kernel":
		if len(to) == 1 && p.room() {
			bad("the Kernel goes no deeper than a block's Open")
		}
	case to[0] != p.block():
		bad("blocks meet only in app")
	}
}

func (h *house) kernel(p place, to []string, bad func(string)) {
	if to[0] != "kernel" {
		bad("the kernel knows no block")
		return
	}
	if len(p.at) < 2 {
		return // the Kernel bag holds them all
	}
	if len(to) < 2 {
		bad("a kernel does not know the bag it is in")
		return
	}
	if to[1] != p.at[1] && slices.Index(kernels, to[1]) >= slices.Index(kernels, p.at[1]) {
		bad("kernels import only the kernels before them: " + strings.Join(kernels, ", "))
	}
}

// clock keeps the wall clock and start-up side effects out of the house.
func (h *house) clock(p place, src *ast.File) {
	free := p.dir == "internal/app" || strings.HasPrefix(p.dir, "cmd/") || strings.HasPrefix(p.dir, "demo") || strings.HasPrefix(p.dir, "tools/") || p.dir == "client"
	ast.Inspect(src, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				h.say("%s has an init function: register in app, where it can be seen", p.file)
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && !free {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since") {
					h.say("%s calls time.%s: the clock is injected", p.file, sel.Sel.Name)
				}
			}
		}
		return true
	})
}

// http keeps handlers in web.go. A room may call out with http types.
func (h *house) http(p place, src *ast.File) {
	if !p.room() || p.web() {
		return
	}
	ast.Inspect(src, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "http" && slices.Contains([]string{"ResponseWriter", "Handler", "HandlerFunc", "ServeMux", "Handle", "HandleFunc"}, sel.Sel.Name) {
				h.say("%s uses http.%s: only web.go answers requests", p.file, sel.Sel.Name)
			}
		}
		return true
	})
}

var (
	created   = regexp.MustCompile(`(?i)create table (?:if not exists )?(\w+)`)
	statement = regexp.MustCompile(`(?is)^\s*(select|insert|update|delete|with)\s`)
	named     = regexp.MustCompile(`(?is)(?:\b(?:from|into|join)|^\s*update)\s+(\w+\??)`)
	with      = regexp.MustCompile(`(?is)(?:\bwith\s+(?:recursive\s+)?|\),\s*)(\w+)(?:\s*\([^)]*\))?\s+as\s*\(`)
)

// sql keeps each table in its own room.
func (h *house) sql(p place, src *ast.File) {
	if p.dir == "internal/kernel/store" || !p.inside() || p.block() == "app" {
		return
	}
	if !p.store() {
		ast.Inspect(src, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Exec", "Query", "QueryRow", "ExecContext", "QueryContext", "QueryRowContext"}, sel.Sel.Name) && !urlQuery(call, sel) {
					h.say("%s runs SQL: only store.go may", p.file)
				}
			}
			return true
		})
		return
	}
	own := map[string]bool{}
	sqls, _ := fs.Glob(h.fsys, path.Join(p.dir, "*.sql"))
	for _, f := range sqls {
		b, _ := fs.ReadFile(h.fsys, f)
		for _, m := range created.FindAllStringSubmatch(string(b), -1) {
			own[strings.ToLower(m[1])] = true
		}
	}
	ast.Inspect(src, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := fold(e)
		if !ok || !statement.MatchString(text) {
			return true
		}
		mine := own
		if cte := with.FindAllStringSubmatch(text, -1); cte != nil {
			mine = map[string]bool{}
			for k := range own {
				mine[k] = true
			}
			for _, m := range cte {
				mine[strings.ToLower(m[1])] = true
			}
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if t := strings.ToLower(m[1]); t != "select" && !owned(mine, t) {
				h.say("%s uses table %s, which another room owns", p.file, t)
			}
		}
		return false
	})
}

// owned reports whether the table is among the room's own. A name that code puts
// together, "delivery_?", must begin like one of them.
func owned(own map[string]bool, table string) bool {
	prefix, open := strings.CutSuffix(table, "?")
	if !open {
		return own[table]
	}
	for t := range own {
		if prefix != "" && strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}

// urlQuery tells r.URL.Query() from a database's Query.
func urlQuery(call *ast.CallExpr, sel *ast.SelectorExpr) bool {
	return sel.Sel.Name == "Query" && len(call.Args) == 0 || sel.Sel.Name == "Exec" && len(call.Args) == 0
}

// fold puts a string together from its concatenated parts; a part that is not a
// literal becomes a question mark.
func fold(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		}
	case *ast.ParenExpr:
		return fold(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		l, lok := fold(e.X)
		r, rok := fold(e.Y)
		if !lok && !rok {
			return "", false
		}
		if !lok {
			l = "?"
		}
		if !rok {
			r = "?"
		}
		return l + r, true
	}
	return "", false
}
