package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/bits"
	"net/http"
	"regexp"
	"strconv"
	"sync"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/httpclient"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// batches sends many items in a request. With strict order no two of a key are in one
// batch, and none goes after one of its key that was not delivered.
func (s *Sink) batches(ctx context.Context, items []connector.Item) []connector.Result {
	b := &batch{s: s, items: items, results: make([]connector.Result, len(items))}
	var todo []int
	for i := range items {
		body, err := s.element(items[i])
		if err != "" {
			b.results[i] = connector.Result{Outcome: connector.Refused, Message: err}
		} else {
			todo = append(todo, i)
		}
		b.bodies = append(b.bodies, body)
	}
	blocked := map[string]bool{}
	if s.c.Ordered {
		for i, r := range b.results {
			blocked[items[i].Key] = blocked[items[i].Key] || r.Outcome == connector.Refused && items[i].Key != ""
		}
	}
	for len(todo) > 0 && ctx.Err() == nil && !b.stopped() {
		round, rest := todo, []int(nil)
		if s.c.Ordered {
			round, rest = b.firsts(todo, blocked)
		}
		b.round(ctx, round)
		for _, i := range round {
			blocked[items[i].Key] = s.c.Ordered && items[i].Key != "" && b.results[i].Outcome != connector.Delivered
		}
		todo = rest
	}
	return b.results
}

// batch is one call of Send.
type batch struct {
	s       *Sink
	items   []connector.Item
	bodies  [][]byte
	results []connector.Result // each is written by one goroutine

	mu   sync.Mutex
	stop bool
}

func (b *batch) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop
}

func (b *batch) halt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = true
}

// firsts takes the first of every key that is not blocked; the rest waits.
func (b *batch) firsts(todo []int, blocked map[string]bool) (round, rest []int) {
	seen := map[string]bool{}
	for _, i := range todo {
		switch k := b.items[i].Key; {
		case blocked[k]:
		case k != "" && seen[k]:
			rest = append(rest, i)
		default:
			seen[k] = true
			round = append(round, i)
		}
	}
	return round, rest
}

// round sends items side by side in requests of the size that the system takes.
func (b *batch) round(ctx context.Context, is []int) {
	next := make(chan []int)
	var wg sync.WaitGroup
	for range b.s.c.InFlight {
		wg.Go(func() {
			for part := range next {
				if ctx.Err() == nil && !b.stopped() {
					b.isolate(ctx, part)
				}
			}
		})
	}
	for len(is) > 0 {
		n := min(b.s.s.Batch, len(is))
		next <- is[:n]
		is = is[n:]
	}
	close(next)
	wg.Wait()
}

// isolate sends a batch and, if it is refused as a whole, its halves, and so on, until
// those to blame are found. One that fails inside the system is divided only where a
// repeat is recognised, and not for ever: then the system is taken to be down.
func (b *batch) isolate(ctx context.Context, is []int) {
	limit, failed := bits.Len(uint(len(is)))+1, 0
	var divide func(is []int)
	divide = func(is []int) {
		code := b.request(ctx, is)
		switch outcome := b.results[is[0]].Outcome; {
		case code/100 == 2, outcome == connector.Delivered:
			failed = 0
			return
		case outcome == connector.Refused:
		case outcome == connector.Unclear && code != 0 && b.s.known():
			if failed++; failed >= limit {
				b.halt()
				return
			}
		default:
			b.halt()
			return
		}
		if len(is) == 1 {
			return
		}
		for _, half := range [][]int{is[:len(is)/2], is[len(is)/2:]} {
			if !b.stopped() && ctx.Err() == nil {
				divide(half)
			} else if b.results[half[0]].Outcome == connector.Refused {
				b.set(half, connector.Result{Outcome: connector.Later, Message: "it was in a batch that was refused, and is yet to be sent alone"})
			}
		}
	}
	divide(is)
}

func (b *batch) set(is []int, r connector.Result) {
	for _, i := range is {
		b.results[i] = r
	}
}

// request sends items in one request and sets their results. It returns the status, 0
// if there was no answer.
func (b *batch) request(ctx context.Context, is []int) int {
	var array bytes.Buffer
	for n, i := range is {
		array.WriteByte("[,"[min(n, 1)])
		array.Write(b.bodies[i])
	}
	array.WriteByte(']')
	resp, failed := b.s.do(ctx, b.s.c.Method, b.s.c.Path, "", array.Bytes())
	if resp == nil {
		b.set(is, failed)
		return 0
	}
	defer httpclient.Drain(resp)
	if resp.StatusCode == http.StatusMultiStatus {
		b.each(is, resp)
		return resp.StatusCode
	}
	a := answerOf(resp)
	text := a.said()
	a.said = func() string { return text }
	r := b.s.judge(a, array.Bytes())
	if len(is) > 1 && a.code == http.StatusConflict {
		r = connector.Result{Outcome: connector.Refused, Message: httpclient.Answered(a.code)} // it may have one of them, not all
	}
	b.set(is, r)
	return resp.StatusCode
}

const maxAnswers = 8 << 20

// each takes an answer of one status for every item.
func (b *batch) each(is []int, resp *http.Response) {
	unclear := connector.Result{Outcome: connector.Unclear, Message: "it answered 207 without one {status} for each record"}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswers))
	list, ok := statuses(text)
	if err != nil || !ok || len(list) != len(is) {
		b.set(is, unclear)
		b.halt()
		return
	}
	for n, i := range is {
		switch code := list[n].code(); {
		case code < 200 || code > 599:
			b.results[i] = unclear
		default:
			b.results[i] = b.s.judge(answer{code, nil, func() string { return explained(list[n].raw) }}, b.bodies[i])
			if b.results[i].Outcome == connector.Later && code != http.StatusFailedDependency {
				b.results[i].RetryAfter = httpclient.RetryAfter(resp.Header)
			}
		}
		if b.results[i].RetryAfter > 0 {
			b.halt()
		}
	}
}

// status is an entry of a 207: a number, or an object with status or code.
type status struct{ raw json.RawMessage }

func (s *status) UnmarshalJSON(b []byte) error {
	s.raw = bytes.Clone(b)
	return nil
}

var leading = regexp.MustCompile(`^\s*"?(\d{3})\b`)

func (s status) code() int {
	text := s.raw
	var object struct{ Status, Code json.RawMessage }
	if json.Unmarshal(s.raw, &object) == nil {
		if text = object.Status; text == nil {
			text = object.Code
		}
	}
	if m := leading.FindSubmatch(text); m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	return 0
}

// statuses finds the list in an answer: the answer itself, or its results, items,
// responses or data.
func statuses(text []byte) (list []status, ok bool) {
	if json.Unmarshal(text, &list) == nil {
		return list, true
	}
	var o struct{ Results, Items, Responses, Data *[]status }
	if json.Unmarshal(text, &o) != nil {
		return nil, false
	}
	for _, l := range []*[]status{o.Results, o.Items, o.Responses, o.Data} {
		if l != nil {
			return *l, true
		}
	}
	return nil, false
}

// element is an item as it stands in a batch: with its id, where the system wants one.
// problem says why it cannot stand there.
func (s *Sink) element(it connector.Item) (body []byte, problem string) {
	if s.s.BatchID == "" {
		return it.Body, ""
	}
	body = bytes.TrimLeft(it.Body, " \t\r\n")
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return nil, "the record is not a JSON object"
	}
	if _, there := fields[s.s.BatchID]; there {
		return nil, plain.Clip("the record has a field " + s.s.BatchID + " already, which is where the system expects our id: choose another batchId")
	}
	name, _ := json.Marshal(s.s.BatchID)
	id, _ := json.Marshal(it.ID)
	out := append([]byte{'{'}, name...)
	out = append(append(out, ':'), id...)
	if len(fields) > 0 {
		out = append(out, ',')
	}
	return append(out, body[1:]...), ""
}
