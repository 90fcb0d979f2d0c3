package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
)

// File is a file of records to send.
type File struct {
	Type string // record type
	Name string // without folders
	// Key makes the same file another one: a date, say. The same name, contents, key
	// and Format are one file, taken once however often it is sent.
	Key string
	// Format says how it is written; where it says nothing that is found out.
	Format Format
	Body   io.ReadSeeker // read from its beginning, more than once
	// Sent, if any, is told now and then how many bytes have left.
	Sent func(sent, size int64)
}

// Format says how a file is written.
type Format struct {
	Name      string   `json:"format,omitempty"`    // json, ndjson, csv, xml, xlsx, fhir
	Columns   []string `json:"columns,omitempty"`   // fields of the columns of CSV and XLSX, in place of headings
	Headings  *bool    `json:"headings,omitempty"`  // whether the first row holds headings; nil: it does
	Delimiter string   `json:"delimiter,omitempty"` // of CSV: a character, or tab
	Encoding  string   `json:"encoding,omitempty"`  // utf-8, windows-1252, iso-8859-1, utf-16
	RecordAt  string   `json:"recordAt,omitempty"`  // name of an XML element, or a JSON Pointer
	Sheet     string   `json:"sheet,omitempty"`     // of a workbook
}

// FileStatus is how far a file is taken, and what became of its rows. At its end
// Rows = Accepted + Held + Duplicate + Refused, which the server found by reading
// and by committing the rows, each by itself; Reconciled says that number and hash
// were the same.
type FileStatus struct {
	ID         string            `json:"id"`
	Type       reeve.RecordType  `json:"type"`
	Name       string            `json:"name"`
	State      string            `json:"state"` // receiving, complete, broken, expired
	Before     bool              `json:"before"`
	Rows       int64             `json:"rows"`
	Accepted   int64             `json:"accepted"`
	Held       int64             `json:"held"`
	Duplicate  int64             `json:"duplicate"`
	Refused    int64             `json:"refused"`
	Reconciled bool              `json:"reconciled"`
	Sums       map[string]string `json:"sums"`          // in hexadecimal: read, and those that add up to it
	Faults     int64             `json:"faults"`        // problems of rows that were held or refused
	Why        string            `json:"why,omitempty"` // why it is broken, or expired
	Began      time.Time         `json:"began"`
	Ended      *time.Time        `json:"ended,omitempty"`
}

// Fault is a row that was held or refused, and why.
type Fault struct {
	Row     int64          `json:"row"`
	At      string         `json:"at,omitempty"` // where it stands, for people
	Status  string         `json:"status"`
	ID      reeve.RecordID `json:"id,omitempty"`
	Field   string         `json:"field,omitempty"`
	Message string         `json:"message"`
}

// SendFile sends a file of any of the formats and size, and returns when every row
// has its outcome. Where the connection or the server fails it goes on at the row
// after the last that was taken, and so does a later call after this program was
// stopped. A file that was sent before is not sent again: then Before is set.
func (c *Client) SendFile(ctx context.Context, f File) (s *FileStatus, err error) {
	if _, err := f.Body.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("client: the file cannot be read: %w", err)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, onlyReader{ctx, f.Body})
	if err != nil {
		return nil, fmt.Errorf("client: the file cannot be read: %w", err)
	}
	announce, err := json.Marshal(struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
		Key    string `json:"key,omitempty"`
		Format
	}{f.Name, hex.EncodeToString(sum.Sum(nil)), size, f.Key, f.Format})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if s, err = c.file(ctx, http.MethodPost, "/v1/files/"+url.PathEscape(f.Type), announce); err != nil {
		return nil, err
	}
	if s.State != "receiving" {
		s.Before = true
		return s, nil
	}
	id := s.ID
	for try, rows := 1, s.Rows; ; try++ {
		next, err := c.pourFile(ctx, id, f, size)
		if err == nil {
			return next, nil
		}
		var again *retryError
		if !errors.As(err, &again) {
			return s, err
		}
		if now, serr := c.FileStatus(ctx, id); serr == nil {
			if s = now; s.State != "receiving" {
				return s, nil
			}
		}
		if s.Rows > rows { // it goes on
			try, rows = 1, s.Rows
		}
		if try >= max(c.Tries, 8) {
			return s, again.err
		}
		if werr := wait(ctx, again.after, try); werr != nil {
			return s, errors.Join(werr, again.err)
		}
	}
}

// pourFile sends all of a file; the server passes over what it has.
func (c *Client) pourFile(ctx context.Context, id string, f File, size int64) (*FileStatus, error) {
	if _, err := f.Body.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("client: the file cannot be read: %w", err)
	}
	body := &counted{r: f.Body, size: size, tell: f.Sent}
	req, err := c.request(ctx, http.MethodPost, "/v1/files/"+url.PathEscape(id)+"/rows", io.NopCloser(body))
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := c.do(req)
	body.leave() // the transport may still be at it
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		err = &retryError{err: err} // an earlier sending of it has not ended yet
	}
	if body.err != nil {
		err = fmt.Errorf("client: the file cannot be read: %w", body.err)
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return readStatus(res.Body)
}

// FileStatus asks how far a file is taken.
func (c *Client) FileStatus(ctx context.Context, id string) (*FileStatus, error) {
	return c.file(ctx, http.MethodGet, "/v1/files/"+url.PathEscape(id), nil)
}

// Faults hands over the problems of a file's rows, in the order of the rows.
func (c *Client) Faults(ctx context.Context, id string, fn func(Fault) error) error {
	req, err := c.request(ctx, http.MethodGet, "/v1/files/"+url.PathEscape(id)+"/faults", nil)
	if err != nil {
		return err
	}
	res, err := c.do(req)
	if err != nil {
		return plainError(err)
	}
	defer res.Body.Close()
	dec := json.NewDecoder(bufio.NewReader(res.Body))
	for {
		var f Fault
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return plainError(cutOff(err))
		}
		if err := fn(f); err != nil {
			return err
		}
	}
}

// file asks about a file, and tries again a few times.
func (c *Client) file(ctx context.Context, method, path string, body []byte) (*FileStatus, error) {
	for try := 1; ; try++ {
		req, err := c.request(ctx, method, path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := c.do(req)
		var again *retryError
		switch {
		case err == nil:
			defer res.Body.Close()
			return readStatus(res.Body)
		case !errors.As(err, &again):
			return nil, err
		case try >= max(c.Tries, 4):
			return nil, again.err
		}
		if werr := wait(ctx, again.after, try); werr != nil {
			return nil, errors.Join(werr, again.err)
		}
	}
}

func readStatus(r io.Reader) (*FileStatus, error) {
	s := new(FileStatus)
	if err := json.NewDecoder(r).Decode(s); err != nil {
		return nil, cutOff(err)
	}
	return s, nil
}

// plainError is what is wrong, without that it may be tried again.
func plainError(err error) error {
	var again *retryError
	if errors.As(err, &again) {
		return again.err
	}
	return err
}

// onlyReader reads until ctx ends.
type onlyReader struct {
	ctx context.Context
	r   io.Reader
}

func (o onlyReader) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	return o.r.Read(p)
}

// counted tells how much of a file was read, until it is left.
type counted struct {
	mu      sync.Mutex
	r       io.Reader
	n, size int64
	tell    func(sent, size int64)
	err     error
	left    bool
}

func (c *counted) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return 0, errLeft
	}
	n, err := c.r.Read(p)
	if c.n += int64(n); c.tell != nil && n > 0 {
		c.tell(c.n, c.size)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

func (c *counted) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
}

var errLeft = errors.New("client: the request has ended")
