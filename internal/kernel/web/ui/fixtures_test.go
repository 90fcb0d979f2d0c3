package ui

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// fixtures are where npm ci puts govuk-frontend's fixtures.
const fixtures = "../../../../node_modules/govuk-frontend/dist/govuk/components"

// render makes a component from a fixture's options.
func render[T any](fn func(T) templ.Component) func(map[string]any) (templ.Component, error) {
	return func(options map[string]any) (templ.Component, error) {
		var o T
		if err := fill(reflect.ValueOf(&o).Elem(), options, "", true); err != nil {
			return nil, err
		}
		return fn(o), nil
	}
}

var components = map[string]func(map[string]any) (templ.Component, error){
	"back-link":           render(BackLink),
	"breadcrumbs":         render(Breadcrumbs),
	"button":              render(Button),
	"checkboxes":          render(Checkboxes),
	"date-input":          render(DateInput),
	"details":             render(Details),
	"error-message":       render(ErrorMessage),
	"error-summary":       render(ErrorSummary),
	"fieldset":            render(Fieldset),
	"hint":                render(Hint),
	"input":               render(Input),
	"inset-text":          render(InsetText),
	"label":               render(Label),
	"notification-banner": render(NotificationBanner),
	"pagination":          render(Pagination),
	"panel":               render(Panel),
	"phase-banner":        render(PhaseBanner),
	"radios":              render(Radios),
	"select":              render(Select),
	"service-navigation":  render(ServiceNavigation),
	"skip-link":           render(SkipLink),
	"summary-list":        render(SummaryList),
	"table":               render(Table),
	"tabs":                render(Tabs),
	"tag":                 render(Tag),
	"task-list":           render(TaskList),
	"textarea":            render(Textarea),
	"warning-text":        render(WarningText),
}

// skipped are the fixtures that use an option we deliberately do not have.
var skipped = map[string]string{
	"checkboxes/with falsy values":              "a value is a string: there is no false or 0 among them",
	"radios/with falsy items":                   noFalsy,
	"task-list/with empty values":               noFalsy,
	"select/without values":                     noValue,
	"select/without values with selected value": noValue,
	"date-input/day and month":                  dateItems,
	"date-input/month and year":                 dateItems,
	"date-input/with field value and items":     dateItems,
}

const (
	noFalsy   = "a list of Go has no empty items that would count"
	noValue   = "an option always has a value, so that an empty one can be meant"
	dateItems = "to leave a field out or to order them, use Items, which say it all"
)

// TestFixtures holds every component to govuk-frontend's own fixtures.
func TestFixtures(t *testing.T) {
	if _, err := os.Stat(fixtures); err != nil {
		t.Skip("govuk-frontend is not installed: run `npm ci --ignore-scripts` first (make test does)")
	}
	total := 0
	for _, name := range sortedKeys(components) {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(fixtures, name, "fixtures.json"))
			if err != nil {
				t.Fatal(err)
			}
			var file struct {
				Fixtures []struct {
					Name    string
					Options map[string]any
					HTML    string
				}
			}
			if err := json.Unmarshal(raw, &file); err != nil {
				t.Fatal(err)
			}
			for _, f := range file.Fixtures {
				t.Run(f.Name, func(t *testing.T) {
					if why := skipped[name+"/"+f.Name]; why != "" {
						t.Skip(why)
					}
					c, err := components[name](f.Options)
					if err != nil {
						t.Fatal(err)
					}
					var b strings.Builder
					if err := c.Render(t.Context(), &b); err != nil {
						t.Fatal(err)
					}
					got, want := normal(t, b.String()), normal(t, f.HTML)
					if got != want {
						t.Errorf("not the fixture's HTML\n got:\n%s\nwant:\n%s", got, want)
					}
				})
				total++
			}
		})
	}
	for key := range skipped {
		name, _, _ := strings.Cut(key, "/")
		if components[name] == nil {
			t.Errorf("%s is skipped, but there is no such component", key)
		}
	}
	t.Logf("%d fixtures, %d skipped", total, len(skipped))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// renamed are the options that have another name in Go.
var renamed = map[string]string{"Part.visuallyHiddenText": "prefix"}

// fill sets the fields of v from a fixture's options, by name. It fails on an
// option that v does not have: then the component lacks something.
func fill(v reflect.Value, from any, path string, top bool) error {
	switch v.Type() {
	case reflect.TypeFor[templ.Component]():
		c, err := component(from)
		if c != nil {
			v.Set(reflect.ValueOf(c))
		}
		return err
	case reflect.TypeFor[templ.Attributes]():
		a := templ.Attributes{}
		m, ok := from.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: attributes as %T", path, from)
		}
		for k, x := range m {
			if om, ok := x.(map[string]any); ok { // {value, optional}
				if om["value"] == nil || om["value"] == false {
					continue
				}
				if x = om["value"]; x == true {
					a[k] = true
					continue
				}
			}
			a[k] = fmt.Sprint(x)
		}
		v.Set(reflect.ValueOf(a))
		return nil
	}
	if from == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint(from))
	case reflect.Int:
		n, ok := from.(float64)
		if !ok {
			if _, err := fmt.Sscan(fmt.Sprint(from), &n); err != nil {
				return fmt.Errorf("%s: %v is no number", path, from)
			}
		}
		v.SetInt(int64(n))
	case reflect.Bool:
		b, _ := from.(bool)
		v.SetBool(b)
	case reflect.Pointer:
		if from == false && v.Type().Elem().Kind() == reflect.Struct {
			return nil
		}
		p := reflect.New(v.Type().Elem())
		if err := fill(p.Elem(), from, path, false); err != nil {
			return err
		}
		v.Set(p)
	case reflect.Slice:
		list, ok := from.([]any)
		if !ok {
			return fmt.Errorf("%s: a list as %T", path, from)
		}
		for i, x := range list {
			if m, ok := x.(map[string]any); x == nil || x == false || x == "" || ok && len(m) == 0 { // skipped by the templates
				continue
			}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := fill(e, x, fmt.Sprintf("%s[%d]", path, i), false); err != nil {
				return err
			}
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for k, x := range from.(map[string]any) {
			v.SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(fmt.Sprint(x)))
		}
	case reflect.Struct:
		return fillStruct(v, from, path)
	}
	return nil
}

func fillStruct(v reflect.Value, from any, path string) error {
	m, ok := from.(map[string]any)
	if !ok {
		if from == false {
			return nil
		}
		if f := v.FieldByName("HTML"); f.IsValid() {
			return fill(f, from, path, false)
		}
		return fmt.Errorf("%s: %s as %T", path, v.Type(), from)
	}
	for k, x := range m {
		name := k
		if r := renamed[v.Type().Name()+"."+k]; r != "" {
			name = r
		}
		f := v.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, name) })
		if !f.IsValid() {
			return fmt.Errorf("%s.%s: %s has no such option", path, k, v.Type())
		}
		if err := fill(f, x, path+"."+k, false); err != nil {
			return err
		}
	}
	return nil
}

// component is a piece of HTML in the options: a string, or an object with html.
func component(from any) (templ.Component, error) {
	switch x := from.(type) {
	case nil, bool:
		return nil, nil
	case string:
		if x == "" {
			return nil, nil
		}
		return templ.Raw(x), nil
	case map[string]any:
		if len(x) > 1 || len(x) == 1 && x["html"] == nil {
			return nil, fmt.Errorf("html as %v", x)
		}
		return component(x["html"])
	}
	return nil, fmt.Errorf("html as %T", from)
}

// normal prints HTML as a tree with sorted attributes and classes, and without
// the white space that does not show.
func normal(t *testing.T, s string) string {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader(s), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, n := range nodes {
		print(&b, n, 0)
	}
	return b.String()
}

func print(b *strings.Builder, n *html.Node, depth int) {
	indent := strings.Repeat("  ", depth)
	switch n.Type {
	case html.TextNode:
		if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
			fmt.Fprintf(b, "%s%q\n", indent, text)
		}
		return
	case html.ElementNode:
		var as []string
		for _, a := range n.Attr {
			if a.Key == "class" {
				words := strings.Fields(a.Val)
				slices.Sort(words)
				a.Val = strings.Join(words, " ")
			}
			as = append(as, fmt.Sprintf(" %s=%q", a.Key, a.Val))
		}
		slices.Sort(as)
		fmt.Fprintf(b, "%s<%s%s>\n", indent, n.Data, strings.Join(as, ""))
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		print(b, c, depth+1)
	}
}
