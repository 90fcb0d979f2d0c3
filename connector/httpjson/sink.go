// Package httpjson carries records over HTTP: out as JSON, one request for each or
// many in one; in by asking a system again and again; and it verifies what a system
// sends by itself.
//
// What is guaranteed. A sink follows no redirect. A source follows some, and each hop is
// checked like the first (package httpclient). An outcome is Later only where nothing can
// have been taken.
//
// What not to assume. An array that is refused as a whole, with 4xx, had no effect in
// part: the connector then sends its halves, to find the record that is to blame.
package httpjson

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/httpclient"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// Sink delivers by HTTP. It follows no redirect.
type Sink struct {
	c      connector.Config
	s      Settings
	client *httpclient.Client
}

// New checks the config and returns a sink. Call Close when it is done with.
func New(c connector.Config) (*Sink, error) {
	if c.Method == "" {
		c.Method = http.MethodPost
	}
	if err := inClear(c); err != nil {
		return nil, err
	}
	c.InFlight = max(c.InFlight, 1)
	client, err := httpclient.New(c.Address, c.Auth, c.Host, c.InFlight, c.Timeout)
	if err != nil {
		return nil, err
	}
	return &Sink{c, settings(c), client}, nil
}

// Close lets go of idle connections.
func (s *Sink) Close() error { return s.client.Close() }

// Whole is false: each item stands for itself.
func (s *Sink) Whole() bool { return false }

// Send implements [connector.Sink].
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	if s.s.Batch > 1 {
		return s.batches(ctx, items)
	}
	return connector.Each(ctx, items, s.c.InFlight, s.c.Ordered, s.one)
}

func (s *Sink) one(ctx context.Context, it connector.Item) connector.Result {
	path, err := fill(s.c.Path, it)
	if err != nil {
		return connector.Result{Outcome: connector.Refused, Message: err.Error()}
	}
	resp, failed := s.do(ctx, s.c.Method, path, it.ID, it.Body)
	if resp == nil {
		return failed
	}
	defer httpclient.Drain(resp)
	return s.judge(answerOf(resp), it.Body)
}

// known tells that the receiver recognises a repeat.
func (s *Sink) known() bool { return s.c.Repeat == "key" || s.c.Repeat == "put" }

// answer is what a system said about one item.
type answer struct {
	code   int
	header http.Header   // nil for an item of a batch
	said   func() string // its own explanation, "" if none
}

func answerOf(resp *http.Response) answer {
	return answer{resp.StatusCode, resp.Header, func() string { return said(resp) }}
}

// judge says what an answer means for an item.
func (s *Sink) judge(a answer, body []byte) connector.Result {
	r := connector.Result{Message: httpclient.Answered(a.code)}
	switch {
	case a.code/100 == 2:
		return connector.Result{Outcome: connector.Delivered}
	case a.code == http.StatusConflict && s.known():
		return connector.Result{Outcome: connector.Delivered, Message: "it had this already"}
	case a.code/100 == 3:
		r.Outcome, r.Message = connector.Later, r.Message+": redirects are not followed, correct the address"
	case a.code == http.StatusUnauthorized, a.code == http.StatusProxyAuthRequired:
		r.Outcome, r.Message = connector.Later, r.Message+": it does not accept our credentials"
	case a.code == http.StatusRequestTimeout, a.code == http.StatusMisdirectedRequest, a.code == http.StatusTooEarly,
		a.code == http.StatusTooManyRequests, a.code == http.StatusServiceUnavailable, a.code == http.StatusNotImplemented,
		a.code == http.StatusHTTPVersionNotSupported, a.code == http.StatusFailedDependency:
		r.Outcome = connector.Later
	case a.code/100 == 4:
		r.Outcome = connector.Refused
		if said := plain.Clip(plain.WithoutValues(a.said(), body)); said != "" {
			r.Message += ": " + said
		}
	default:
		r.Outcome = connector.Unclear
	}
	if r.Outcome == connector.Later {
		r.RetryAfter = httpclient.RetryAfter(a.header)
	}
	return r
}

// Lookup implements [connector.Looker] where a lookup path was given.
func (s *Sink) Lookup(ctx context.Context, it connector.Item) (bool, error) {
	if s.c.Lookup == "" {
		return false, errors.New("no lookup path is defined")
	}
	path, err := fill(s.c.Lookup, it)
	if err != nil {
		return false, err
	}
	resp, failed := s.do(ctx, http.MethodGet, path, "", nil)
	if resp == nil {
		return false, errors.New(failed.Message)
	}
	defer httpclient.Drain(resp)
	switch {
	case resp.StatusCode/100 == 2:
		return true, nil
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return false, nil
	}
	return false, errors.New(httpclient.Answered(resp.StatusCode) + " when asked whether it has the record")
}

// fill puts an item's id and key into a path. An error is for people.
func fill(template string, it connector.Item) (string, error) {
	out := template
	for _, v := range []struct{ name, value string }{{"{id}", it.ID}, {"{key}", it.Key}} {
		if !strings.Contains(template, v.name) {
			continue
		}
		if v.value == "" || v.value == "." || v.value == ".." {
			return "", errors.New("the record has no " + strings.Trim(v.name, "{}") + " that can stand in the address " + template)
		}
		out = strings.ReplaceAll(out, v.name, url.PathEscape(v.value))
	}
	return out, nil
}

// do makes one request. Without an answer it says what that means.
func (s *Sink) do(ctx context.Context, method, path, id string, body []byte) (*http.Response, connector.Result) {
	h := http.Header{"Accept": {"application/json"}}
	if body != nil {
		h.Set("Content-Type", "application/json")
		if s.c.Repeat == "key" && id != "" {
			h.Set("Idempotency-Key", id)
		}
	}
	resp, wrote, err := s.client.Do(ctx, httpclient.Request{Method: method, Path: path, Header: h, Body: body})
	var auth *httpclient.AuthError
	switch {
	case errors.As(err, &auth):
		return nil, connector.Result{Outcome: connector.Later, Message: auth.Error(), RetryAfter: auth.After}
	case err != nil && !wrote:
		return nil, connector.Result{Outcome: connector.Later, Message: httpclient.Reason(err)}
	case err != nil:
		return nil, connector.Result{Outcome: connector.Unclear, Message: "no answer: " + httpclient.Reason(err)}
	}
	return resp, connector.Result{}
}

// said takes the receiver's own explanation out of a refusal: the title, detail,
// message or error of a JSON answer, or the first line of a plain one.
func said(resp *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case strings.HasSuffix(kind, "json"):
		return explained(b)
	case kind == "text/plain":
		text, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		return text
	}
	return ""
}

func explained(b []byte) string {
	var m map[string]any
	if json.Unmarshal(b, &m) != nil {
		return ""
	}
	for _, f := range []string{"detail", "message", "error", "title"} {
		if s, ok := m[f].(string); ok && s != "" {
			return s
		}
	}
	return ""
}
