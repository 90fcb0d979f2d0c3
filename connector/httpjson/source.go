package httpjson

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

const (
	maxPage     = 64 << 20 // bytes of one page; it is held in memory
	maxDocument = 64 << 30 // bytes of a document; it is put in a file
)

// Source asks a system for what is new. With cursor or next it goes from page to page
// and remembers, with every row, where to go on; otherwise the address holds one document,
// which is read again when its contents have changed.
//
// It is for one goroutine at a time.
type Source struct {
	c      connector.Config
	s      Settings
	client *httpclient.Client

	until time.Time // not to be asked before
	busy  string

	document tag    // of the last document that was taken
	sum      string // of its contents

	after string // how far rows were read, as Read was told
	ahead place  // where that was: pages without a row have no place of their own
}

// tag is how an answer names its own version.
type tag struct {
	ETag     string `json:"e,omitempty"`
	Modified string `json:"m,omitempty"`
}

// NewSource checks the config and returns a source.
func NewSource(c connector.Config) (*Source, error) {
	if err := inClear(c); err != nil {
		return nil, err
	}
	client, err := httpclient.New(c.Address, c.Auth, c.Host, 2, c.Timeout)
	if err != nil {
		return nil, err
	}
	if strings.Contains(c.Path, "{") {
		return nil, errors.New("http: the path of what is read must not have {id} or {key}")
	}
	return &Source{c: c, s: settings(c), client: client}, nil
}

// Close lets go of idle connections.
func (s *Source) Close() error { return s.client.Close() }

// Read implements [connector.Source].
func (s *Source) Read(ctx context.Context, after string, take func(connector.Portion) error) error {
	if now := s.c.Host.Now; now != nil && s.busy != "" {
		if left := s.until.Sub(now()); left > 0 && left <= time.Hour {
			return &BusyError{s.busy, left}
		}
		s.busy = ""
	}
	if s.s.Next == "" && s.s.Cursor == "" {
		return s.whole(ctx, take)
	}
	return s.pages(ctx, after, take)
}

// BusyError is that the system asks to be left alone for a while.
type BusyError struct {
	message string
	after   time.Duration
}

func (e *BusyError) Error() string { return e.message }

// RetryAfter is how long.
func (e *BusyError) RetryAfter() time.Duration { return e.after }

var accepts = map[string]string{"csv": "text/csv", "xml": "application/xml", "fhir": "application/fhir+json", "ndjson": "application/x-ndjson",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

// get asks once. nil without an error: nothing has changed since the version of the tag.
func (s *Source) get(ctx context.Context, path string, known tag) (*http.Response, error) {
	h := http.Header{"Accept": {cmp.Or(accepts[s.c.Format.Name], "application/json")}}
	if known.ETag != "" {
		h.Set("If-None-Match", known.ETag)
	}
	if known.Modified != "" {
		h.Set("If-Modified-Since", known.Modified)
	}
	resp, _, err := s.client.Do(ctx, httpclient.Request{Method: http.MethodGet, Path: path, Header: h, Follow: true, Idle: true})
	var auth *httpclient.AuthError
	switch {
	case ctx.Err() != nil:
		if err == nil {
			httpclient.Drain(resp)
		}
		return nil, ctx.Err()
	case errors.As(err, &auth):
		return nil, s.wait(auth.Error(), auth.After)
	case err != nil:
		return nil, errors.New(httpclient.Reason(err))
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	httpclient.Drain(resp)
	message := httpclient.Answered(resp.StatusCode)
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && known != (tag{}), code == http.StatusNoContent:
		return nil, nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return nil, errors.New(message + ": it does not accept our credentials")
	}
	return nil, s.wait(message, httpclient.RetryAfter(resp.Header))
}

// wait remembers that the system asks to be left alone, if it does.
func (s *Source) wait(message string, after time.Duration) error {
	if after <= 0 {
		return errors.New(message)
	}
	if s.c.Host.Now != nil {
		s.busy, s.until = message, s.c.Host.Now().Add(after)
	}
	return &BusyError{message, after}
}

func tagOf(h http.Header) tag { return tag{h.Get("ETag"), h.Get("Last-Modified")} }

// whole reads the one document of the address. It is put in a file first, so that a slow
// reader does not hold the system's connection, and a crash can go on in the same contents.
func (s *Source) whole(ctx context.Context, take func(connector.Portion) error) error {
	resp, err := s.get(ctx, s.c.Path, s.document)
	if resp == nil || err != nil {
		return err
	}
	defer httpclient.Drain(resp)
	f, err := os.CreateTemp(s.c.Host.Scratch, "http-*")
	if err != nil {
		return errors.New("the answer cannot be kept: no file can be made in the folder for files of a moment")
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // a leftover is of no consequence
	}()
	contents := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, contents), io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return errors.New("its answer broke off: " + httpclient.Reason(err))
	case n > maxDocument:
		return errors.New("its answer is larger than 64 GiB")
	case resp.ContentLength >= 0 && n != resp.ContentLength:
		return errors.New("its answer broke off")
	}
	sum, now := hex.EncodeToString(contents.Sum(nil)), tagOf(resp.Header)
	if sum == s.sum {
		s.document = now
		return nil
	}
	version := sha256.Sum256([]byte(sum + "\n" + now.Modified))
	err = take(connector.Portion{Name: s.name(), Version: hex.EncodeToString(version[:]), Size: n, Total: -1,
		Open: func(context.Context) (format.Reader, error) {
			file, err := os.Open(f.Name())
			if err != nil {
				return nil, errors.New("the kept answer cannot be read")
			}
			r, err := format.NewReader(s.c.Format, file, s.c.Host.Scratch)
			if err != nil {
				_ = file.Close() // nothing was written
				return nil, err
			}
			return &fileReader{r, file}, nil
		}})
	if err == nil {
		s.document, s.sum = now, sum
	}
	return err
}

// name is that of the document: the last part of its address.
func (s *Source) name() string {
	u, err := url.Parse(s.c.Address + s.c.Path)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return cmp.Or(s.c.ID, "document")
	}
	return path.Base(u.Path)
}

type fileReader struct {
	format.Reader
	file *os.File
}

func (r *fileReader) Close() error { return errors.Join(r.Reader.Close(), r.file.Close()) }

// place is where to go on, as the Position of a row says it.
type place struct {
	Link   string `json:"l,omitempty"` // path and query of the page, where the system gave it
	Cursor string `json:"c,omitempty"` // else the cursor of the page
	Ties   string `json:"t,omitempty"` // hashes of what was taken with this very cursor
	Rows   int64  `json:"n,omitempty"` // rows of the page that were taken
	Hash   string `json:"h,omitempty"` // of these
	tag           // of the page, once all of it was taken
}

// page names the page, and start is the place before its first row.
func (p place) page() place  { return place{Link: p.Link, Cursor: p.Cursor} }
func (p place) start() place { return place{Link: p.Link, Cursor: p.Cursor, Ties: p.Ties} }

// maxTies is how many records of one cursor are remembered; beyond, they come twice.
const maxTies = 500

// tied reports whether a row was taken with the same cursor before.
func (p place) tied(row format.Row) bool {
	return p.Ties != "" && row.Problem == "" && strings.Contains(p.Ties, tie(row))
}

func tie(row format.Row) string {
	h := sha256.Sum256(row.Body)
	return hex.EncodeToString(h[:8]) + "."
}

func (p place) String() string {
	b, _ := json.Marshal(p)
	return string(b)
}

// path is what is asked for.
func (s *Source) path(p place) string {
	if p.Link != "" {
		return p.Link
	}
	c := s.s.First
	if p.Cursor != "" {
		c = s.s.Prefix + p.Cursor
	}
	if s.s.Cursor == "" || c == "" {
		return s.c.Path
	}
	sep := "?"
	if strings.Contains(s.c.Path, "?") {
		sep = "&"
	}
	return s.c.Path + sep + url.QueryEscape(s.s.Cursor) + "=" + url.QueryEscape(c)
}

// pages goes from page to page.
func (s *Source) pages(ctx context.Context, after string, take func(connector.Portion) error) error {
	var at place
	switch {
	case after == s.after && s.ahead != (place{}):
		at = s.ahead
	case after != "" && json.Unmarshal([]byte(after), &at) != nil:
		at = place{} // of another time: what was taken before is recognised
	}
	seen := map[place]bool{}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		seen[at.page()] = true
		p, err := s.page(ctx, at)
		if p == nil || err != nil {
			return err
		}
		if p.fresh > 0 {
			if err := take(p.portion()); err != nil {
				return err
			}
			after = p.end.String()
		}
		s.after, s.ahead = after, p.end
		if p.end.page() == at.page() {
			return nil
		}
		if at = p.end; seen[at.page()] {
			if at.Link == "" && s.s.From != "" {
				return nil // all of its pages were of one value
			}
			return errors.New("its pages lead in a circle: see next, cursor and from in settings.http")
		}
	}
}

// page is one page that was fetched.
type page struct {
	s     *Source
	start place
	body  []byte
	rows  int64 // in it
	skip  int64 // that were taken before
	fresh int64 // that were not, and are no ties
	end   place // where to go on after its last row
}

// page fetches one; nil if it has not changed.
func (s *Source) page(ctx context.Context, at place) (*page, error) {
	known := at.tag
	if s.s.Next == "link" {
		known = tag{} // an ETag speaks of the body: a next page would be overlooked
	}
	resp, err := s.get(ctx, s.path(at), known)
	if resp == nil || err != nil {
		return nil, err
	}
	defer httpclient.Drain(resp)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, errors.New("its answer broke off: " + httpclient.Reason(err))
	case len(body) > maxPage:
		return nil, errors.New("a page is larger than 64 MiB: ask for fewer records a page, in the path")
	}
	p := &page{s: s, start: at.start(), body: body}
	c, err := p.count(at)
	if err != nil {
		return nil, err
	}
	p.end = p.start
	p.end.Rows, p.end.Hash, p.end.tag = p.rows, c.hash, tagOf(resp.Header)
	next, err := s.next(at, resp.Header, body, c.cursor)
	if err != nil {
		return nil, err
	}
	if next != (place{}) && next.page() != at.page() {
		p.end = next
		if s.s.From != "" {
			p.end.Ties = at.Ties // of pages without a row
			if c.cursor != "" {
				p.end.Ties = c.ties
			}
		}
	}
	return p, nil
}

// counted is what is known of a page once all of its rows were read.
type counted struct {
	hash   string // of all
	cursor string // of the last that has one
	ties   string // of those with this cursor
}

func (p *page) count(at place) (c counted, err error) {
	r, err := p.reader()
	if err != nil {
		return c, err
	}
	defer r.Close()
	from := p.s.s.From
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return c, err
		}
		p.rows++
		if !at.tied(row) {
			p.fresh++
		}
		if c.hash = chain(c.hash, row); p.rows == at.Rows && c.hash == at.Hash {
			p.skip, p.fresh = p.rows, 0
		}
		if v, ok := scalar(row.Body, from); ok {
			if v != c.cursor {
				if c.cursor, c.ties = v, ""; v == at.Cursor {
					c.ties = at.Ties
				}
			}
			if t := tie(row); len(c.ties) < maxTies*len(t) && !strings.Contains(c.ties, t) {
				c.ties += t
			}
		}
	}
	if from != "" && c.cursor == "" && p.fresh > 0 {
		return c, &format.Error{Message: "no record has a text or number at " + from + " (settings.http.from), so nobody knows where to go on"}
	}
	return c, nil
}

func chain(hash string, row format.Row) string {
	h := sha256.New()
	h.Write([]byte(hash))
	h.Write(row.Body)
	h.Write([]byte(row.Problem))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (p *page) reader() (format.Reader, error) {
	return format.NewReader(p.s.c.Format, bytes.NewReader(p.body), p.s.c.Host.Scratch)
}

func (p *page) portion() connector.Portion {
	sum := sha256.Sum256(p.body)
	return connector.Portion{Version: hex.EncodeToString(sum[:]), Size: int64(len(p.body)), Total: -1,
		Open: func(context.Context) (format.Reader, error) {
			r, err := p.reader()
			if err != nil {
				return nil, err
			}
			return &pageReader{Reader: r, p: p}, nil
		}}
}

// pageReader gives the rows that are new, each with its place.
type pageReader struct {
	format.Reader
	p     *page
	n     int64 // rows of the page
	given int64
	hash  string
}

func (r *pageReader) Next() (format.Row, error) {
	for {
		row, err := r.Reader.Next()
		if err != nil {
			return row, err
		}
		r.n++
		if r.hash = chain(r.hash, row); r.n <= r.p.skip || r.p.start.tied(row) {
			continue
		}
		at := r.p.start
		at.Rows, at.Hash = r.n, r.hash
		if r.given++; r.given == r.p.fresh {
			at = r.p.end
		}
		row.Position, row.Number = at.String(), r.given
		return row, nil
	}
}

// next is the page after one; the zero place if there is none. last is the cursor of the
// last row, "" without one.
func (s *Source) next(at place, h http.Header, body []byte, last string) (place, error) {
	link := ""
	switch s.s.Next {
	case "":
	case "link":
		link = relNext(h)
	case "fhir":
		var bundle struct {
			Link []struct{ Relation, URL string }
		}
		_ = json.Unmarshal(body, &bundle) // what is no Bundle was told by its reader
		for _, l := range bundle.Link {
			if l.Relation == "next" {
				link = l.URL
			}
		}
	default:
		v, _ := scalar(body, s.s.Next)
		if s.s.Cursor != "" {
			return place{Cursor: v}, nil
		}
		link = v
	}
	cursor := ""
	if s.s.From != "" {
		cursor = cmp.Or(last, at.Cursor)
	}
	if link == "" {
		return place{Cursor: cursor}, nil
	}
	path, ok := s.client.Within(s.path(at), link)
	if !ok {
		return place{}, errors.New("the next page is at another address than this one, which is not followed")
	}
	return place{Link: path, Cursor: cursor}, nil
}

// relNext finds rel=next in Link headers (RFC 8288).
func relNext(h http.Header) string {
	for _, value := range h.Values("Link") {
		for value != "" {
			_, rest, ok := strings.Cut(value, "<")
			target, params, found := strings.Cut(rest, ">")
			if !ok || !found {
				break
			}
			end := endOf(params)
			for _, p := range strings.Split(params[:end], ";") {
				name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") {
					for _, rel := range strings.Fields(strings.Trim(strings.TrimSpace(v), `"`)) {
						if strings.EqualFold(rel, "next") {
							return target
						}
					}
				}
			}
			value = params[end:]
		}
	}
	return ""
}

// endOf is where the parameters of a link end: at a comma outside quotes.
func endOf(params string) int {
	quoted := false
	for i := range len(params) {
		switch {
		case params[i] == '"':
			quoted = !quoted
		case params[i] == ',' && !quoted:
			return i
		}
	}
	return len(params)
}

// scalar is the text or number at a JSON Pointer.
func scalar(body []byte, pointer string) (string, bool) {
	if pointer == "" {
		return "", false
	}
	at := json.RawMessage(body)
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var object map[string]json.RawMessage
		if json.Unmarshal(at, &object) != nil {
			return "", false
		}
		at = object[step]
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(at))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}
