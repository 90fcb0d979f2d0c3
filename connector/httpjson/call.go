package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

// maxAnswer is how large the answer to a question may be.
const maxAnswer = 1 << 20

// Call implements [connector.Caller]. An answer without a body is null.
func (s *Sink) Call(ctx context.Context, it connector.Item) ([]byte, connector.Result) {
	if ctx.Err() != nil {
		return nil, connector.Result{}
	}
	path, err := fill(s.c.Path, it)
	if err != nil {
		return nil, connector.Result{Outcome: connector.Refused, Message: err.Error()}
	}
	method, body := s.c.Method, it.Body
	if s.s.Get {
		method, body = http.MethodGet, nil
		if path, err = ask(path, it.Body); err != nil {
			return nil, connector.Result{Outcome: connector.Refused, Message: err.Error()}
		}
	}
	resp, r := s.do(ctx, method, path, it.ID, body)
	var b []byte
	if resp != nil {
		defer httpclient.Drain(resp)
		if r = s.judge(answerOf(resp), it.Body); r.Outcome == connector.Delivered {
			b, r = read(resp)
		}
	}
	if query(method) && r.Outcome == connector.Unclear {
		r.Outcome = connector.Later // a question has no effect
	}
	return b, r
}

// read takes the answer of a system that has taken the item.
func read(resp *http.Response) ([]byte, connector.Result) {
	unclear := func(message string) ([]byte, connector.Result) {
		return nil, connector.Result{Outcome: connector.Unclear, Message: message}
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch b = bytes.TrimSpace(b); {
	case err != nil:
		return unclear("its answer broke off: " + httpclient.Reason(err))
	case len(b) > maxAnswer:
		return unclear("its answer is larger than 1 MiB")
	case resp.StatusCode == http.StatusConflict: // it had the item, and answers with something else than it did then
		return unclear("it had this already and does not say again what it answered")
	case len(b) == 0:
		return []byte("null"), connector.Result{Outcome: connector.Delivered}
	case !json.Valid(b):
		return unclear("its answer is not JSON")
	}
	return b, connector.Result{Outcome: connector.Delivered}
}

// ask puts the fields of a record into a query.
func ask(path string, body []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return "", fmt.Errorf("the record is not a JSON object")
	}
	q := url.Values{}
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			q.Set(name, v)
		case json.Number, bool:
			q.Set(name, fmt.Sprint(v))
		case nil:
		default:
			return "", fmt.Errorf("the field %s is a list or an object: only text, numbers, true and false can stand in a query", name)
		}
	}
	if len(q) == 0 {
		return path, nil
	}
	if strings.Contains(path, "?") {
		return path + "&" + q.Encode(), nil
	}
	return path + "?" + q.Encode(), nil
}
