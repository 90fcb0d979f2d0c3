// Package httpjson delivers each item as one HTTP request with a JSON body.
package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reeve-civic/reeve/connector"
)

// Options says where and how. Zero values choose the defaults named.
type Options struct {
	URL      string                 // base address, http or https
	Method   string                 // POST
	Path     string                 // added to URL; {id} and {key} stand for the item's, escaped
	Lookup   string                 // path that answers 200 if the receiver has the item, 404 if not; "" = none
	Bearer   func() (string, error) // token for each request, read anew each time; nil = none
	SendKey  bool                   // send the item's ID as Idempotency-Key
	Known    bool                   // the receiver recognises repeats: 409 means that it has the item
	InFlight int                    // requests at once; 1
	Ordered  bool                   // items of one key one after the other
	Timeout  time.Duration          // of one request; 30 s
	// Address is asked about every address, after DNS, before it is connected to.
	Address func(network, address string) error
}

// Sink delivers by HTTP. It follows no redirect.
type Sink struct {
	o      Options
	client *http.Client
}

// New checks the options and returns a sink. Call Close when it is done with.
func New(o Options) (*Sink, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("httpjson: the address must be an http or https URL")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("httpjson: the address must not have a query; put it in the path")
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.Method == "" {
		o.Method = http.MethodPost
	}
	o.InFlight = max(o.InFlight, 1)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	d := &net.Dialer{Timeout: min(o.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	if o.Address != nil {
		d.Control = func(network, address string, _ syscall.RawConn) error { return o.Address(network, address) }
	}
	return &Sink{o, &http.Client{
		Transport: &http.Transport{
			DialContext:         d.DialContext,
			MaxIdleConns:        o.InFlight, // the default of two a host costs more than half of the speed
			MaxIdleConnsPerHost: o.InFlight,
			MaxConnsPerHost:     o.InFlight,
			IdleConnTimeout:     60 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close lets go of idle connections.
func (s *Sink) Close() error { s.client.CloseIdleConnections(); return nil }

// Whole is false: each item stands for itself.
func (s *Sink) Whole() bool { return false }

// Send implements [connector.Sink].
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	return connector.Each(ctx, items, s.o.InFlight, s.o.Ordered, s.one)
}

func (s *Sink) one(ctx context.Context, it connector.Item) connector.Result {
	resp, wrote, err := s.do(ctx, s.o.Method, s.o.Path, it, it.Body)
	var bad pathError
	switch {
	case errors.As(err, &bad):
		return connector.Result{Outcome: connector.Refused, Message: err.Error()}
	case err != nil && !wrote:
		return connector.Result{Outcome: connector.Later, Message: reason(err)}
	case err != nil:
		return connector.Result{Outcome: connector.Unclear, Message: "no answer: " + reason(err)}
	}
	defer drain(resp)
	return s.judge(resp, it)
}

// judge says what an answer means for the item.
func (s *Sink) judge(resp *http.Response, it connector.Item) connector.Result {
	code := resp.StatusCode
	r := connector.Result{Message: answered(resp)}
	switch {
	case code/100 == 2:
		return connector.Result{Outcome: connector.Delivered}
	case code == http.StatusConflict && s.o.Known:
		return connector.Result{Outcome: connector.Delivered, Message: "it had this already"}
	case code/100 == 3:
		r.Outcome, r.Message = connector.Later, r.Message+": redirects are not followed, correct the address"
	case code == http.StatusUnauthorized, code == http.StatusProxyAuthRequired:
		r.Outcome, r.Message = connector.Later, r.Message+": it does not accept our credentials"
	case code == http.StatusRequestTimeout, code == http.StatusMisdirectedRequest, code == http.StatusTooEarly,
		code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable, code == http.StatusNotImplemented,
		code == http.StatusHTTPVersionNotSupported:
		r.Outcome = connector.Later
	case code/100 == 5:
		r.Outcome = connector.Unclear
	default:
		r.Outcome = connector.Refused
		if said := said(resp, it.Body); said != "" {
			r.Message += ": " + said
		}
	}
	if r.Outcome == connector.Later {
		r.RetryAfter = retryAfter(resp.Header)
	}
	return r
}

// Lookup implements [connector.Looker] where a lookup path was given.
func (s *Sink) Lookup(ctx context.Context, it connector.Item) (bool, error) {
	if s.o.Lookup == "" {
		return false, errors.New("no lookup path is defined")
	}
	resp, _, err := s.do(ctx, http.MethodGet, s.o.Lookup, it, nil)
	if err != nil {
		return false, errors.New(reason(err))
	}
	defer drain(resp)
	switch {
	case resp.StatusCode/100 == 2:
		return true, nil
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return false, nil
	}
	return false, errors.New(answered(resp) + " when asked whether it has the record")
}

// pathError is an item whose key cannot stand in the address.
type pathError string

func (e pathError) Error() string { return string(e) }

func (s *Sink) path(template string, it connector.Item) (string, error) {
	for _, v := range []struct{ name, value string }{{"{id}", it.ID}, {"{key}", it.Key}} {
		if !strings.Contains(template, v.name) {
			continue
		}
		if v.value == "" || v.value == "." || v.value == ".." {
			return "", pathError("the record has no " + strings.Trim(v.name, "{}") + " that can stand in the address " + template)
		}
		template = strings.ReplaceAll(template, v.name, url.PathEscape(v.value))
	}
	return s.o.URL + template, nil
}

// do makes one request. wrote tells whether anything of it may have reached the
// receiver. A request that was begun is finished though ctx ends: an ordinary
// stop of the program must not leave unclear outcomes behind.
func (s *Sink) do(ctx context.Context, method, path string, it connector.Item, body []byte) (resp *http.Response, wrote bool, err error) {
	target, err := s.path(path, it)
	if err != nil {
		return nil, false, err
	}
	var begun atomic.Bool
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { begun.Store(true) },
		WroteHeaders:     func() { begun.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, false, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "reeve")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.o.SendKey && body != nil {
		req.Header.Set("Idempotency-Key", it.ID)
	}
	if s.o.Bearer != nil {
		token, err := s.o.Bearer()
		if err != nil {
			cancel()
			return nil, false, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err = s.client.Do(req)
	if err != nil {
		cancel()
		return nil, begun.Load(), err
	}
	resp.Body = &cancelBody{resp.Body, cancel}
	return resp, true, nil
}

type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// drain reads what is left of a small answer, so that the connection is used again.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

func answered(resp *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

// reason puts a transport error in plain words, without the address: a path
// may hold a key.
func reason(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var dns *net.DNSError
	var ne net.Error
	switch {
	case errors.As(err, &dns):
		return "its name cannot be found"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return "it did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it cannot be reached: connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke"
	}
	return clip(err.Error())
}

// said takes the receiver's own explanation out of a refusal: the title, detail,
// message or error of a JSON answer, or the first line of a plain one. Any
// value of the body that it echoes is taken out.
func said(resp *http.Response, body []byte) string {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var text string
	switch {
	case strings.HasSuffix(kind, "json"):
		var m map[string]any
		if json.Unmarshal(b, &m) != nil {
			return ""
		}
		for _, f := range []string{"detail", "message", "error", "title"} {
			if s, ok := m[f].(string); ok && s != "" {
				text = s
				break
			}
		}
	case kind == "text/plain":
		text, _, _ = strings.Cut(strings.TrimSpace(string(b)), "\n")
	}
	return clip(withoutValues(text, body))
}

// withoutValues takes every value of body, of three bytes or more, out of text.
func withoutValues(text string, body []byte) string {
	if text == "" {
		return ""
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	depth, field := []bool{}, true // whether each level is an object; whether the next string is a field's name
	for {
		tok, err := d.Token()
		if err != nil {
			return text
		}
		v := ""
		switch tok := tok.(type) {
		case json.Delim:
			switch tok {
			case '{', '[':
				depth, field = append(depth, tok == '{'), true
				continue
			}
			depth = depth[:len(depth)-1]
		case string:
			if len(depth) > 0 && depth[len(depth)-1] && field {
				field = false
				continue
			}
			v = tok
		case json.Number:
			v = tok.String()
		}
		field = true
		if len(v) >= 3 {
			text = strings.ReplaceAll(text, v, "…")
		}
	}
}

func clip(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "�")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// retryAfter reads seconds or a date, which it measures by the receiver's own
// clock; at most an hour.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		if now, err := http.ParseTime(h.Get("Date")); err == nil {
			d = at.Sub(now)
		}
	}
	return min(max(d, 0), time.Hour)
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "http", Schemes: []string{"http", "https"},
	Doc: "Requests to a web address, with JSON.",
	Promise: connector.Promise{
		Order:  "Several requests are under way at once; records of one key go one after the other where the record type is strict.",
		Repeat: "As the interface says with repeat: an Idempotency-Key, the same address, a question first, or a person decides.",
		Ack:    "A record counts as delivered when the system answers 2xx.",
	},
	Sink: func(c connector.Config) (connector.Sink, error) {
		o := Options{URL: c.Address, Method: c.Method, Path: c.Path, Lookup: c.Lookup, SendKey: c.Repeat == "key", Known: c.Repeat == "key" || c.Repeat == "put",
			InFlight: c.InFlight, Ordered: c.Ordered, Timeout: c.Timeout, Address: c.Host.Address}
		if c.Auth.Bearer != "" {
			o.Bearer = func() (string, error) { return c.Host.Secret(c.Auth.Bearer) }
		}
		return New(o)
	},
}
