package delivery

import (
	"reflect"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/csvfile"
	"github.com/reeve-civic/reeve/connector/httpjson"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
)

// sink is how a line's items reach their receiver.
type sink struct {
	line     *Line
	target   iface.Target
	http     *httpjson.Sink
	receiver Receiver
}

// sinkOf returns the lane's sink, made anew when the line changed.
func (d *Desk) sinkOf(ln *lane, l *Line) (*sink, error) {
	target, err := l.Spec.Target(d.o.Getenv)
	if err != nil {
		return nil, err
	}
	if ln.sink != nil && ln.sink.target == target && (ln.sink.line == l || reflect.DeepEqual(ln.sink.line, l)) {
		return ln.sink, nil
	}
	if ln.sink != nil && ln.sink.http != nil {
		ln.sink.http.Close()
	}
	s := &sink{line: l, target: target}
	switch target.Kind {
	case iface.HTTP:
		spec := l.Spec
		s.http, err = httpjson.New(httpjson.Options{
			URL: target.Where, Method: spec.HTTPMethod(), Path: spec.Path, Lookup: spec.Lookup,
			Bearer: spec.Token(d.o.Getenv), SendKey: spec.Repeat == "key", Known: spec.Repeat == "key" || spec.Repeat == "put",
			InFlight: inFlight, Ordered: l.Ordered, Timeout: d.o.Timeout, Address: d.o.Address,
		})
	case iface.Internal:
		d.mu.Lock()
		s.receiver = d.receivers[target.Where]
		d.mu.Unlock()
		if s.receiver == nil {
			err = reeve.E(reeve.Invalid, "exchange.delivery", "no part of this program is called %q", target.Where)
		}
	}
	if err != nil {
		return nil, err
	}
	ln.sink = s
	return s, nil
}

// whole is the sink for a pack that is one file. Name and contents follow from
// what was frozen with the pack, not from today's definitions.
func (s *sink) whole(p *pack) (connector.Sink, error) {
	return csvfile.New(csvfile.Options{Dir: s.target.Where, Prefix: p.terms.Origin, Columns: p.terms.Columns})
}

// repeat is what the interface does with a repeat; "" for receivers that have
// each item once whatever happens: files and parts of this program.
func (s *sink) repeat() string {
	switch {
	case s.http == nil:
		return ""
	case s.line.Spec.Repeat == "":
		return "none"
	}
	return s.line.Spec.Repeat
}

// perCall is how many items go into one call. Where an attempt that is cut short
// cannot be repeated, few are put at risk.
func (s *sink) perCall() int {
	if s.repeat() == "none" {
		return inFlight
	}
	return perCall
}
