package app_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/html"
)

// What the stories do with pages, as a browser without scripts would.

// follow opens the first link of the last page that has this text.
func (s *story) follow(ts *testscript.TestScript, args []string) error {
	doc, err := html.Parse(bytes.NewReader(s.page))
	if err != nil {
		return err
	}
	for n := range doc.Descendants() {
		if href, ok := attr(n, "href"); ok && n.Data == "a" && text(n) == args[0] {
			u, err := s.at.Parse(href)
			if err != nil {
				return err
			}
			return s.request(ts, http.MethodGet, u.String(), "", nil, nil)
		}
	}
	return fmt.Errorf("the page %s has no link %q", s.at, args[0])
}

// press presses a button of the last page: its form is sent as it stands there,
// with the fields set that are given.
func (s *story) press(ts *testscript.TestScript, args []string) error {
	where, sets := "", args[1:]
	if len(sets) > 0 && strings.HasPrefix(sets[0], "/") {
		where, sets = sets[0], sets[1:]
	}
	doc, err := html.Parse(bytes.NewReader(s.page))
	if err != nil {
		return err
	}
	for n := range doc.Descendants() {
		if n.Data != "button" || text(n) != args[0] {
			continue
		}
		form := n.Parent
		for form != nil && form.Data != "form" {
			form = form.Parent
		}
		action, _ := attr(form, "action")
		if form == nil || !strings.Contains(action, where) {
			continue
		}
		f, err := fill(form, sets)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", args[0], s.at, err)
		}
		if name, ok := attr(n, "name"); ok {
			value, _ := attr(n, "value")
			f.values.Add(name, value)
		}
		if other, ok := attr(n, "formaction"); ok {
			action = other
		}
		to, err := s.at.Parse(action)
		if err != nil {
			return err
		}
		method, _ := attr(form, "method")
		return s.submit(ts, strings.ToUpper(cmp.Or(method, "get")), to, f)
	}
	return fmt.Errorf("the page %s has no button %q", s.at, args[0])
}

func (s *story) submit(ts *testscript.TestScript, method string, to *url.URL, f filled) error {
	if method == http.MethodGet {
		to.RawQuery = f.values.Encode()
		return s.request(ts, method, to.String(), "", nil, nil)
	}
	if f.files == nil {
		return s.request(ts, method, to.String(), "", strings.NewReader(f.values.Encode()), nil)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, values := range f.values {
		for _, v := range values {
			if err := w.WriteField(name, v); err != nil {
				return err
			}
		}
	}
	for name, file := range f.files {
		part, err := w.CreateFormFile(name, filepath.Base(file))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(ts.MkAbs(file))
		if err != nil {
			return err
		}
		if _, err := part.Write(b); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.request(ts, method, to.String(), "", &body, map[string]string{"Content-Type": w.FormDataContentType()})
}

// filled is a form as it is sent.
type filled struct {
	values url.Values
	files  map[string]string // of its inputs for files; nil where it has none
}

// fill takes a form as it stands on its page, and sets fields of it.
func fill(form *html.Node, sets []string) (f filled, err error) {
	f.values = url.Values{}
	options := map[string][]string{} // what can be chosen, by field
	free := map[string]bool{}
	for n := range form.Descendants() {
		name, ok := attr(n, "name")
		if !ok || n.Type != html.ElementNode {
			continue
		}
		value, _ := attr(n, "value")
		kind, _ := attr(n, "type")
		_, checked := attr(n, "checked")
		switch {
		case n.Data == "textarea":
			free[name] = true
			f.values.Add(name, strings.ReplaceAll(whole(n), "\n", "\r\n"))
		case n.Data == "select":
			chosen, first := "", true
			for o := range n.Descendants() {
				if o.Data != "option" {
					continue
				}
				v, ok := attr(o, "value")
				if !ok {
					v = text(o)
				}
				options[name] = append(options[name], v)
				if _, selected := attr(o, "selected"); selected || first {
					chosen, first = v, false
				}
			}
			f.values.Add(name, chosen)
		case n.Data == "input" && kind == "file":
			if f.files == nil {
				f.files = map[string]string{}
			}
			free[name] = true
		case n.Data == "input" && (kind == "checkbox" || kind == "radio"):
			options[name] = append(options[name], value)
			if checked {
				f.values.Add(name, value)
			}
		case n.Data == "input" && kind != "submit":
			free[name] = kind != "hidden"
			f.values.Add(name, value)
		}
	}
	for _, set := range sets {
		name, value, _ := strings.Cut(set, "=")
		file, isFile := strings.CutPrefix(value, "@")
		switch {
		case isFile && f.files != nil && free[name]:
			f.files[name] = file
		case free[name] || slices.Contains(options[name], value):
			f.values.Set(name, value)
		default:
			return f, fmt.Errorf("its form has no field %s that takes %q; it has %q", name, value, options[name])
		}
	}
	return f, nil
}

func attr(n *html.Node, name string) (string, bool) {
	if n == nil {
		return "", false
	}
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// whole is all text in a node, text the same with single spaces.
func whole(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func text(n *html.Node) string { return strings.Join(strings.Fields(whole(n)), " ") }

// read shows what a person reads on the last page, a line a block of text.
func (s *story) read(ts *testscript.TestScript, args []string) error {
	doc, err := html.Parse(bytes.NewReader(s.page))
	if err != nil {
		return err
	}
	var line strings.Builder
	end := func() {
		if l := strings.Join(strings.Fields(line.String()), " "); l != "" {
			fmt.Fprintln(ts.Stdout(), l)
		}
		line.Reset()
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Data {
		case "script", "style", "head", "option":
			return
		}
		if n.Type == html.TextNode {
			line.WriteString(n.Data)
		}
		block := slices.Contains([]string{"p", "tr", "li", "h1", "h2", "h3", "h4", "div", "dt", "table", "ul", "section", "label", "legend", "summary", "button", "form", "title"}, n.Data)
		if block {
			end()
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
			if c.Type == html.ElementNode && (c.Data == "td" || c.Data == "th" || c.Data == "dd" || c.Data == "dt") {
				line.WriteString(" | ")
			}
		}
		if block {
			end()
		}
	}
	walk(doc)
	end()
	return nil
}

// bring imports a file on the page for that, and looks at what it would change first.
func (s *story) bring(ts *testscript.TestScript, args []string) error {
	if err := s.get(ts, []string{"/staff/estate/import"}); err != nil {
		return err
	}
	if err := s.press(ts, []string{"Show what it would change", "source=" + args[0], "file=@" + args[1]}); err != nil {
		return err
	}
	if s.last != http.StatusOK {
		return fmt.Errorf("%s cannot be imported: the answer was %d", args[1], s.last)
	}
	if err := s.press(ts, append([]string{"Import"}, args[2:]...)); err != nil {
		return err
	}
	if !bytes.Contains(s.page, []byte("was imported")) && !bytes.Contains(s.page, []byte("is here already")) {
		return fmt.Errorf("%s was not imported: the answer was %d", args[1], s.last)
	}
	return nil
}

// unzip shows the names in the last answer, which is a zip, or one file of it.
func (s *story) unzip(ts *testscript.TestScript, args []string) error {
	z, err := zip.NewReader(bytes.NewReader(s.page), int64(len(s.page)))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		for _, f := range z.File {
			fmt.Fprintln(ts.Stdout(), f.Name)
		}
		return nil
	}
	f, err := z.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(ts.Stdout(), f)
	return err
}

// upstream makes an empty repository where changes are to be agreed.
func (s *story) upstream(ts *testscript.TestScript, args []string) error {
	s.proposals = ts.MkAbs(args[0])
	_, err := git.PlainInit(s.proposals, true)
	return err
}

// commits shows the commits of a folder's repository, or of a branch there, the
// newest first: author <email>: message.
func (s *story) commits(ts *testscript.TestScript, args []string) error {
	ts.Stdout()
	r, err := git.PlainOpen(ts.MkAbs(args[0]))
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil
	} else if err != nil {
		return err
	}
	o := &git.LogOptions{}
	if len(args) > 1 {
		ref, err := r.Reference(plumbing.NewBranchReferenceName(args[1]), true)
		if err != nil {
			return fmt.Errorf("branch %s: %w", args[1], err)
		}
		o.From = ref.Hash()
	}
	log, err := r.Log(o)
	if err != nil {
		return err
	}
	return log.ForEach(func(c *object.Commit) error {
		fmt.Fprintf(ts.Stdout(), "%s <%s>: %s\n", c.Author.Name, c.Author.Email, strings.ReplaceAll(strings.TrimSpace(c.Message), "\n", " "))
		return nil
	})
}
