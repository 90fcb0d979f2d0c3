// Package ui holds the GOV.UK Frontend components as templ functions, and the
// few components of our own. Each GOV.UK component takes an options struct with
// the names of the Nunjucks macro's options and is held by a test to the exact
// HTML of govuk-frontend's own fixtures.
//
// Text is always escaped; HTML is a templ component and wins over Text. A zero
// options field means that the option is not given. Nothing here knows about
// requests, actors or data: pages gather those and pass plain values.
package ui

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

// Part is a piece of content with the options that the small components share:
// a label, hint, legend, error message, tag, inset text and so on.
type Part struct {
	Text          string           // escaped
	HTML          templ.Component  // wins over Text
	ID            string           // where the component has one
	Classes       string           // added to the component's own
	Attributes    templ.Attributes // added to the component's own element
	For           string           // of a label
	IsPageHeading bool             // of a label or legend: wraps it in the page's h1
	Prefix        *string          // of an error message: the hidden word before it; nil means "Error"
}

// Text is a Part of plain text: ui.InputOptions{Label: ui.Text("First name")}.
func Text(s string) Part { return Part{Text: s} }

// Textf is a Part of formatted plain text.
func Textf(format string, args ...any) Part { return Part{Text: fmt.Sprintf(format, args...)} }

// Heading is a label or legend that is the page's h1, in the large size.
func Heading(s, classes string) Part {
	return Part{Text: s, Classes: classes, IsPageHeading: true}
}

// HTML is a Part holding a component.
func HTML(c templ.Component) Part { return Part{HTML: c} }

func (p Part) given() bool { return p.Text != "" || p.HTML != nil }

func (p Part) content() templ.Component { return content(p.Text, p.HTML) }

// with returns p with own classes before its classes, and an id.
func (p Part) with(classes, id string) Part {
	p.Classes = join(classes, p.Classes)
	if id != "" {
		p.ID = id
	}
	return p
}

// content is html where there is one, otherwise the escaped text.
func content(text string, html templ.Component) templ.Component {
	if html != nil {
		return html
	}
	return templ.Raw(templ.EscapeString(text))
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// join joins the words that are not empty with spaces: class names, and ids in
// aria-describedby.
func join(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		if w == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

func when(cond bool, s string) string {
	if cond {
		return s
	}
	return ""
}

// attrs gathers attributes: pairs of a name and a value, then more. An empty
// string, nil and false are left out; true gives the bare name; a *bool gives
// "true" or "false".
func attrs(more templ.Attributes, pairs ...any) templ.Attributes {
	a := make(templ.Attributes, len(more)+len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				a[name] = v
			}
		case bool:
			if v {
				a[name] = true
			}
		case *bool:
			if v != nil {
				a[name] = fmt.Sprint(*v)
			}
		case int:
			if v != 0 {
				a[name] = fmt.Sprint(v)
			}
		default:
			panic(fmt.Sprintf("ui: attribute %s of type %T", name, v))
		}
	}
	for k, v := range more {
		a[k] = v
	}
	return a
}
