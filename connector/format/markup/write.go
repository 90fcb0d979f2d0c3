package markup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/connector/format/base"
)

// Writer writes records as they are read: a field is an element, a list one that
// comes again, a field named @x an attribute, #text the text beside them.
type Writer struct {
	w    io.Writer
	name string
	buf  bytes.Buffer
	some bool
}

var xmlName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_.-]*$`)

// NewWriter writes to w; record is the name of the element of each.
func NewWriter(w io.Writer, encoding, record string) (*Writer, error) {
	out := &Writer{w: w, name: cmp.Or(record, "record")}
	if !xmlName.MatchString(out.name) {
		return nil, &base.Error{Message: "recordAt of XML is the name of an element"}
	}
	if enc, err := base.EncodingOf(encoding); err != nil || enc != nil {
		return nil, &base.Error{Message: "XML is written in utf-8"}
	}
	return out, nil
}

// Write writes a record.
func (w *Writer) Write(body []byte) error {
	w.buf.Reset()
	w.begin()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil || doc == nil {
		return errors.New("a record is not a JSON object")
	}
	if err := w.element(w.name, doc, 0); err != nil {
		return err
	}
	w.buf.WriteByte('\n')
	_, err := w.w.Write(w.buf.Bytes())
	return err
}

func (w *Writer) begin() {
	if !w.some {
		w.some = true
		w.buf.WriteString(xml.Header + "<records>\n")
	}
}

// Close ends the document.
func (w *Writer) Close() error {
	w.buf.Reset()
	w.begin()
	w.buf.WriteString("</records>\n")
	_, err := w.w.Write(w.buf.Bytes())
	return err
}

func (w *Writer) element(name string, v any, depth int) error {
	if !xmlName.MatchString(name) || depth > maxDepth {
		return fmt.Errorf("the field %q cannot be the name of an XML element", name)
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		for _, item := range v {
			if _, ok := item.([]any); ok {
				return fmt.Errorf("the field %q is a list of lists, which XML has no form for", name)
			}
			if err := w.element(name, item, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		return w.object(name, v, depth)
	}
	s, err := scalar(v)
	if err != nil {
		return err
	}
	w.buf.WriteString("<" + name + ">")
	if err := w.text(s); err != nil {
		return err
	}
	w.buf.WriteString("</" + name + ">")
	return nil
}

func (w *Writer) object(name string, v map[string]any, depth int) error {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	w.buf.WriteString("<" + name)
	for _, k := range keys {
		attr, ok := strings.CutPrefix(k, "@")
		if !ok || v[k] == nil {
			continue
		}
		s, err := scalar(v[k])
		if err != nil || !xmlName.MatchString(attr) {
			return fmt.Errorf("the field %q cannot be an XML attribute", k)
		}
		w.buf.WriteString(" " + attr + `="`)
		if err := w.text(s); err != nil {
			return err
		}
		w.buf.WriteByte('"')
	}
	w.buf.WriteByte('>')
	for _, k := range keys {
		switch {
		case k == "#text":
			s, err := scalar(v[k])
			if err != nil {
				return err
			}
			if err := w.text(s); err != nil {
				return err
			}
		case !strings.HasPrefix(k, "@"):
			if err := w.element(k, v[k], depth+1); err != nil {
				return err
			}
		}
	}
	w.buf.WriteString("</" + name + ">")
	return nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", errors.New("a text was expected where the record has a list or an object")
}

func (w *Writer) text(s string) error { return Text(&w.buf, s) }

// Text escapes a text. It refuses the characters that XML does not have: nothing is lost unseen.
func Text(buf *bytes.Buffer, s string) error {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return errors.New("a record holds a control character, which XML cannot hold")
		}
	}
	return xml.EscapeText(buf, []byte(s))
}
