package delivery

import (
	"context"
	"io"
	"reflect"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
)

// sink is how a line's items reach their receiver.
type sink struct {
	line     *Line
	target   iface.Target
	config   connector.Config
	to       connector.Sink
	made     *Terms   // what to was made for, where a pack is one file
	receiver Receiver // a part of this program, in place of to
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
	if ln.sink != nil {
		ln.sink.close()
	}
	s := &sink{line: l, target: target}
	if target.Internal() {
		d.mu.Lock()
		s.receiver = d.receivers[target.Where]
		d.mu.Unlock()
		if s.receiver == nil {
			return nil, reeve.E(reeve.Invalid, "exchange.delivery", "no part of this program is called %q", target.Where)
		}
		ln.sink = s
		return s, nil
	}
	if target.Connector.Sink == nil {
		return nil, reeve.E(reeve.Invalid, "exchange.delivery", "the connector %s cannot write", target.Connector.Name)
	}
	s.config = l.Spec.Config(l.Interface, target, connector.Host{Secret: iface.Secret(d.o.Getenv), Address: d.o.Address, Now: d.o.Now})
	s.config.InFlight, s.config.Ordered, s.config.Timeout = inFlight, l.Ordered, d.o.Timeout
	if s.to, err = target.Connector.Sink(s.config); err != nil {
		return nil, reeve.E(reeve.Invalid, "exchange.delivery", "%v", err) // a connector's errors are for people
	}
	ln.sink = s
	return s, nil
}

func (s *sink) close() {
	if c, ok := s.to.(io.Closer); ok {
		_ = c.Close() // what was begun is finished; nothing else can be done about it
	}
}

// whole is the sink for a pack that is one file. Name and contents follow from
// what was frozen with the pack, not from today's definitions.
func (s *sink) whole(p *pack) (connector.Sink, error) {
	if s.made != nil && reflect.DeepEqual(*s.made, p.terms) {
		return s.to, nil
	}
	c := s.config
	c.ID = p.terms.Origin
	switch {
	case p.terms.Format != nil:
		c.Format = *p.terms.Format
	case len(p.terms.Columns) > 0: // frozen when CSV and NDJSON were all there was
		c.Format = format.Spec{Name: "csv", Columns: p.terms.Columns}
	default:
		c.Format = format.Spec{}
	}
	to, err := s.target.Connector.Sink(c)
	if err != nil {
		return nil, err
	}
	s.close()
	s.to, s.made = to, &p.terms
	return to, nil
}

// repeat is what the interface does with a repeat; "" for receivers that have
// each item once whatever happens: files, tables and parts of this program.
func (s *sink) repeat() string {
	if s.to == nil || s.target.Connector.Once {
		return ""
	}
	return s.config.Repeat
}

// doubts reports whether an attempt that is cut short leaves doubts behind.
func (s *sink) doubts() bool { return s.repeat() == "none" || s.repeat() == "lookup" }

// perCall is how many items go into one call. Where an attempt that is cut short
// cannot be repeated, few are put at risk.
func (s *sink) perCall() int {
	switch {
	case s.repeat() == "none":
		return inFlight
	case s.target.Connector.Batch > 0:
		return s.target.Connector.Batch
	}
	return perCall
}

// has asks the receiver whether it has an item.
func (s *sink) has(ctx context.Context, it connector.Item) (bool, error) {
	if l, ok := s.to.(connector.Looker); ok {
		return l.Lookup(ctx, it)
	}
	return false, reeve.E(reeve.Invalid, "exchange.delivery", "the connector %s cannot ask whether the system has a record: repeat: lookup is not for it", s.target.Connector.Name)
}
