// Package client talks to a Reeve over its HTTP API, as a partner's program does.
//
// What is guaranteed. A receipt is handed over for every record, in order, once.
// Where an answer does not come, or says to try again, the same records are sent
// again under the same Idempotency-Key, so that nothing is told twice.
//
// What not to assume. A receipt that says accepted means that the record is kept,
// not that anybody has been told of it yet: ask for its trail.
package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
)

// Client sends as one partner. Its fields must not change while it is used; it may
// be used by many goroutines.
type Client struct {
	BaseURL string       // https://reeve.example.gov.uk
	Token   string       // the partner's bearer token
	HTTP    *http.Client // nil: http.DefaultClient
	Tries   int          // of one call; 0: 4
}

// Receipt says what became of a record.
type Receipt struct {
	ID       reeve.RecordID  `json:"id"`     // ask for its trail with it
	Seq      int64           `json:"seq"`    // its number in the order of all records; 0 if refused
	Status   string          `json:"status"` // accepted, held, duplicate, refused
	Problems []reeve.Problem `json:"problems"`
}

// Counts is how many records of a submission had which outcome.
type Counts struct {
	Records   int64 `json:"records"`
	Accepted  int64 `json:"accepted"`
	Held      int64 `json:"held"`
	Duplicate int64 `json:"duplicate"`
	Refused   int64 `json:"refused"`
}

// Error is an answer that is a problem document (RFC 9457).
type Error struct {
	Status   int             `json:"status"`
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Detail   string          `json:"detail"`
	Instance string          `json:"instance"` // the request's id, for whoever looks after the server
	Problems []reeve.Problem `json:"problems"`
	Counts   *Counts         `json:"counts"`   // of a submission that broke off
	Receipts string          `json:"receipts"` // where its receipts are, see Client.Receipts
	Refused  []Receipt       `json:"refused"`  // the receipts, where they are few
}

func (e *Error) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("%d %s: %s", e.Status, e.Title, e.Detail)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Title)
}

// Send sends records of a type and returns their receipts, in order. It makes up
// an Idempotency-Key, so that it can try again by itself.
func (c *Client) Send(ctx context.Context, recordType string, records []json.RawMessage) ([]Receipt, error) {
	var body bytes.Buffer
	for _, r := range records {
		if err := json.Compact(&body, r); err != nil {
			return nil, fmt.Errorf("client: a record is not JSON: %w", err)
		}
		body.WriteByte('\n')
	}
	out := make([]Receipt, 0, len(records))
	err := c.Stream(ctx, recordType, rand.Text(), bytes.NewReader(body.Bytes()), func(r Receipt) error {
		out = append(out, r)
		return nil
	})
	var e *Error
	if errors.As(err, &e) && len(e.Refused) == len(records) {
		return e.Refused, err
	}
	if err == nil && len(out) != len(records) {
		err = fmt.Errorf("client: %d receipts for %d records", len(out), len(records))
	}
	return out, err
}

// Stream sends the records in a body of any length (an object, a list, or one
// record a line) and hands over their receipts, in order. key is the
// Idempotency-Key of the whole, "" for none. It tries again by itself only with a
// key and a body that can be read again (an io.Seeker).
func (c *Client) Stream(ctx context.Context, recordType, key string, body io.Reader, fn func(Receipt) error) error {
	seeker, ok := body.(io.Seeker)
	tries := max(1, c.Tries)
	if c.Tries == 0 {
		tries = 4
	}
	if !ok || key == "" {
		tries = 1
	}
	given := int64(0) // receipts handed over
	for try := 1; ; try++ {
		err := c.stream(ctx, recordType, key, body, &given, fn)
		var again *retryError
		if !errors.As(err, &again) || try >= tries {
			if again != nil {
				err = again.err
			}
			return err
		}
		if err := wait(ctx, again.after, try); err != nil {
			return errors.Join(err, again.err)
		}
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			return errors.Join(err, again.err)
		}
	}
}

// retryError is a failure after which the same may be tried again.
type retryError struct {
	err   error
	after time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

func wait(ctx context.Context, after time.Duration, try int) error {
	if after == 0 {
		after = time.Duration(try*try) * 250 * time.Millisecond
	}
	t := time.NewTimer(min(after, 30*time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) stream(ctx context.Context, recordType, key string, body io.Reader, given *int64, fn func(Receipt) error) error {
	in := bufio.NewReader(body)
	contentType := "application/x-ndjson"
	for skip := 1; skip < 4096; skip++ {
		b, err := in.Peek(skip)
		if err != nil {
			break
		}
		if last := b[skip-1]; last == '[' {
			contentType = "application/json"
		} else if last == ' ' || last == '\t' || last == '\r' || last == '\n' {
			continue
		}
		break
	}
	// The body must not be closed by the transport: it is the caller's, and read again.
	req, err := c.request(ctx, http.MethodPost, "/v1/records/"+url.PathEscape(recordType), io.NopCloser(in))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return eachReceipt(res.Body, given, fn)
}

// eachReceipt reads receipts, one after another or in a list, passing over those
// that were handed over before.
func eachReceipt(body io.Reader, given *int64, fn func(Receipt) error) error {
	in := bufio.NewReaderSize(body, 64<<10)
	first, err := in.Peek(1)
	if err != nil {
		return cutOff(err)
	}
	dec := json.NewDecoder(in)
	list := first[0] == '['
	if list {
		if _, err := dec.Token(); err != nil {
			return cutOff(err)
		}
	}
	for n := int64(1); ; n++ {
		if list && !dec.More() {
			if _, err := dec.Token(); err != nil {
				return cutOff(err)
			}
			return nil
		}
		var r Receipt
		if err := dec.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) && !list {
				return nil
			}
			return cutOff(err)
		}
		if n <= *given {
			continue
		}
		*given = n
		if err := fn(r); err != nil {
			return err
		}
	}
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &retryError{err: fmt.Errorf("client: the answer broke off: %w", err)}
}

// Receipts hands over the receipts of an earlier submission, from the address that
// Error.Receipts gives.
func (c *Client) Receipts(ctx context.Context, address string, fn func(Receipt) error) error {
	req, err := c.request(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var given int64
	return eachReceipt(res.Body, &given, fn)
}

// Trail is what became of a record after it was sent.
type Trail struct {
	ID           reeve.RecordID   `json:"id"`
	Type         reeve.RecordType `json:"type"`
	Status       string           `json:"status"` // accepted, held, released, discarded, refused
	At           time.Time        `json:"at"`
	Replaces     reeve.RecordID   `json:"replaces"`
	ReleasedFrom reeve.RecordID   `json:"releasedFrom"`
	ForwardedTo  reeve.RecordID   `json:"forwardedTo"` // a held record went on under this id
	WaitsFor     reeve.RecordID   `json:"waitsFor"`
	Problems     []reeve.Problem  `json:"problems"`
	Reasons      []string         `json:"reasons"` // of a refusal
	Deliveries   []Delivery       `json:"deliveries"`
	Journal      []int64          `json:"journal"` // numbers of the journal's entries about it
}

// Delivery is what became of a record on one flow.
type Delivery struct {
	Flow         string        `json:"flow"`
	Organisation string        `json:"organisation"`
	System       string        `json:"system"`
	SystemName   string        `json:"systemName"`
	Agreement    string        `json:"agreement"`
	Purpose      reeve.Purpose `json:"purpose"`
	Fields       []string      `json:"fields"` // what the receiver may see
	State        string        `json:"state"`
	Why          string        `json:"why"`
	At           *time.Time    `json:"at"`
}

// Trail asks what became of a record.
func (c *Client) Trail(ctx context.Context, id reeve.RecordID) (*Trail, error) {
	req, err := c.request(ctx, http.MethodGet, "/v1/records/"+url.PathEscape(string(id)), nil)
	if err != nil {
		return nil, err
	}
	res, err := c.do(req)
	if err != nil {
		var again *retryError
		if errors.As(err, &again) {
			err = again.err
		}
		return nil, err
	}
	defer res.Body.Close()
	t := new(Trail)
	if err := json.NewDecoder(res.Body).Decode(t); err != nil {
		return nil, fmt.Errorf("client: the answer cannot be read: %w", err)
	}
	return t, nil
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.BaseURL, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/json, application/x-ndjson, application/problem+json")
	return req, nil
}

// do sends a request and returns an answer that is well; a *retryError where the
// same may be tried again.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(req)
	if err != nil {
		if req.Context().Err() != nil {
			return nil, err
		}
		return nil, &retryError{err: fmt.Errorf("client: %w", err)}
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	e := &Error{Status: res.StatusCode, Title: http.StatusText(res.StatusCode)}
	if b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20)); err == nil && strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(b, e); err != nil {
			e.Detail = "the answer cannot be read"
		}
	}
	e.Status = res.StatusCode
	if e.Status < 500 && e.Status != http.StatusTooManyRequests {
		return nil, e
	}
	again := &retryError{err: e}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		again.after = time.Duration(s) * time.Second
	}
	return nil, again
}
