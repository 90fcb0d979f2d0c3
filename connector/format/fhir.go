package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
)

// Bounds of a Bundle: where each entry is must be known to those before it, so it is
// read twice, and a large one is kept on the disk meanwhile.
const (
	maxEntries = 250_000
	maxBundle  = 1 << 30 // bytes
)

// fhirReader gives the resources of a FHIR R4 Bundle, one a row. A reference to
// another of them by its fullUrl becomes the relative one, Patient/17, by which it is
// known once they are apart. What is no Bundle is read as resources that stand one a
// line, in a list or one after the other.
type fhirReader struct {
	*jsonReader
	spool *os.File
	known map[urlSum]string // fullUrl to Type/id
	body  []byte
}

// urlSum stands for a fullUrl, which may be of any length.
type urlSum [16]byte

func sumOf(url string) urlSum {
	sum := sha256.Sum256([]byte(url))
	return urlSum(sum[:16])
}

// maxName is how long Type/id may be: FHIR allows 64 characters for an id.
const maxName = 160

// entry is a part of a Bundle.
type entry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
}

// resource is what must be known of every resource.
type resource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
}

func newFHIR(spec Spec, r io.Reader, scratch string) (Reader, error) {
	return newFHIRWithin(maxBundle, spec, r, scratch)
}

// newFHIRWithin is newFHIR for Bundles of at most so many bytes.
func newFHIRWithin(most int64, spec Spec, r io.Reader, scratch string) (Reader, error) {
	text, _, err := base.Decoded(spec.Encoding, r)
	if err != nil {
		return nil, err
	}
	head := newInput(text)
	if head.space() && head.window()[0] == '<' {
		return nil, &Error{Message: "FHIR in XML is not read: ask for JSON"}
	}
	bundle, err := isBundle(head)
	if err != nil {
		return nil, err
	}
	spec.Encoding = ""
	whole := io.MultiReader(bytes.NewReader(bytes.Clone(head.window())), &rest{head})
	if !bundle {
		spec.Name = "json"
		single, err := newJSON(spec, whole)
		if err != nil {
			return nil, err
		}
		return &fhirReader{jsonReader: single}, nil
	}
	f := &fhirReader{known: map[urlSum]string{}}
	if err := f.look(&bounded{r: whole, most: most, left: most}, scratch); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// rest is what an input did not read yet, and the error that it met.
type rest struct{ in *input }

func (r *rest) Read(b []byte) (int, error) {
	if r.in.err != nil {
		return 0, r.in.err
	}
	return r.in.r.Read(b)
}

// bounded is a Bundle of at most so many bytes.
type bounded struct {
	r          io.Reader
	most, left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &Error{Message: fmt.Sprintf("the Bundle is larger than %d MiB, the most that is read of one: send its resources as NDJSON, which has no limit, or in several Bundles", b.most>>20)}
	}
	return n, err
}

// isBundle looks at the first megabyte for the keys of the outermost object, up to
// the entries. It takes nothing.
func isBundle(in *input) (bool, error) {
	if !in.has(0) || in.window()[0] != '{' {
		return false, in.failed()
	}
	for n := 0; n < MaxRecord && in.has(n); n = len(in.window()) {
	}
	look := &input{r: bytes.NewReader(nil), buf: in.window(), end: len(in.window()), line: 1, err: io.EOF}
	look.take(1)
	for {
		key := ""
		if _, err := look.key(func(k []byte) bool { key = string(k); return true }); err != nil {
			return false, nil
		}
		if key == "entry" {
			return true, nil // nothing but a Bundle has it at the top, save a List: its items are no resources
		}
		if !look.space() {
			return false, nil
		}
		raw, _, err := look.value(true)
		if err != nil {
			return false, nil
		}
		if key == "resourceType" {
			return string(unquoted(raw)) == "Bundle", nil
		}
	}
}

// look reads the Bundle for the first time, to know its resources by their fullUrl.
func (f *fhirReader) look(r io.Reader, scratch string) error {
	var kept bytes.Buffer
	n, err := io.CopyN(&kept, r, base.InMemory)
	if err != nil && !errors.Is(err, io.EOF) {
		return base.Stopped(err)
	}
	again := func() io.Reader { return bytes.NewReader(kept.Bytes()) }
	if n == base.InMemory {
		if f.spool, err = base.Spool(scratch, io.MultiReader(&kept, r)); err != nil {
			return err
		}
		again = func() io.Reader { return io.NewSectionReader(f.spool, 0, 1<<62) }
	}
	first, err := bundleEntries(again())
	if err != nil {
		return err
	}
	for entries := 0; ; entries++ {
		row, err := first.Next()
		if err != nil {
			break // the second reading tells it, after the rows before it
		}
		if entries == maxEntries {
			return &Error{At: row.At, Message: fmt.Sprintf("the Bundle has more than %d entries: send NDJSON, or several Bundles", maxEntries)}
		}
		var e entry
		var r resource
		if json.Unmarshal(row.Body, &e) != nil || e.FullURL == "" || json.Unmarshal(e.Resource, &r) != nil || r.ResourceType == "" {
			continue
		}
		if r.ID == "" {
			r.ID = idOf(e.FullURL)
		}
		if name := r.ResourceType + "/" + r.ID; r.ID != "" && e.FullURL != name && len(name) <= maxName {
			f.known[sumOf(e.FullURL)] = strings.Clone(name)
		}
	}
	f.jsonReader, err = bundleEntries(again())
	return err
}

func bundleEntries(r io.Reader) (*jsonReader, error) {
	j, err := newJSON(Spec{Record: "/entry"}, r)
	if j != nil {
		j.optional = true
	}
	return j, err
}

// idOf is the id that a fullUrl of the form urn:uuid: stands for.
func idOf(url string) string {
	id, ok := strings.CutPrefix(url, "urn:uuid:")
	if !ok || len(id) > 64 || strings.Trim(id, "0123456789abcdefABCDEF-") != "" {
		return ""
	}
	return id
}

// Close implements [Reader].
func (f *fhirReader) Close() error {
	if f.spool == nil {
		return nil
	}
	return f.spool.Close()
}

// Next implements [Reader].
func (f *fhirReader) Next() (Row, error) {
	row, err := f.jsonReader.Next()
	if err != nil || row.Problem != "" || f.known == nil {
		return row, err
	}
	row.At = "entry " + strconv.FormatInt(row.Number, 10)
	var e entry
	var r resource
	switch {
	case json.Unmarshal(row.Body, &e) != nil:
		row.Problem = "the entry is not good JSON"
	case len(e.Resource) == 0 || e.Resource[0] != '{':
		row.Problem, row.Field = "the entry holds no resource", "/resource"
	case json.Unmarshal(e.Resource, &r) != nil || r.ResourceType == "":
		row.Problem, row.Field = "the resource does not say what it is", "/resource/resourceType"
	}
	if row.Problem != "" {
		row.Body = nil
		return row, nil
	}
	f.body = f.body[:0]
	body := []byte(e.Resource)
	if id := idOf(e.FullURL); r.ID == "" && id != "" {
		f.body = append(f.body, `{"id":"`+id+`"`...)
		if body = bytes.TrimLeft(body[1:], " \t\r\n"); body[0] != '}' {
			f.body = append(f.body, ',')
		}
	}
	f.body = f.resolved(f.body, body)
	row.Body = f.body
	return row, nil
}

// resolved appends a resource whose references to others of the Bundle are relative.
func (f *fhirReader) resolved(dst, body []byte) []byte {
	const key = `"reference"`
	from := 0
	for i := 0; i < len(body); {
		if body[i] != '"' {
			i++
			continue
		}
		end := skipString(body, i)
		name := body[i:end]
		i = end
		if string(name) != key {
			continue
		}
		for i < len(body) && strings.IndexByte(" \t\r\n:", body[i]) >= 0 {
			i++
		}
		if i >= len(body) || body[i] != '"' {
			continue
		}
		end = skipString(body, i)
		if to, ok := f.known[sumOf(string(unquoted(body[i:end])))]; ok {
			dst = append(dst, body[from:i]...)
			dst = cell.AppendText(dst, []byte(to))
			from = end
		}
		i = end
	}
	return append(dst, body[from:]...)
}

// skipString returns the index after the string that opens at b[i].
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}

// fhirWriter writes a Bundle of the type collection.
type fhirWriter struct {
	jsonWriter
	some bool
}

func (w *fhirWriter) Write(body []byte) error {
	w.buf.Reset()
	if w.some {
		w.buf.WriteString("\n,")
	} else {
		w.buf.WriteString(`{"resourceType":"Bundle","type":"collection","entry":[` + "\n")
	}
	var r resource
	if err := json.Unmarshal(body, &r); err != nil || r.ResourceType == "" {
		return errors.New("a record is not a FHIR resource: it has no resourceType")
	}
	w.some = true
	w.buf.WriteString(`{"resource":`)
	if err := json.Compact(&w.buf, body); err != nil {
		return errors.New("a record is not JSON")
	}
	w.buf.WriteByte('}')
	_, err := w.w.Write(w.buf.Bytes())
	return err
}

func (w *fhirWriter) Close() error {
	end := "\n]}\n"
	if !w.some {
		end = `{"resourceType":"Bundle","type":"collection"}` + "\n"
	}
	_, err := io.WriteString(w.w, end)
	return err
}
