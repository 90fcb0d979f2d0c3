package files

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// State is what stands under the name of a file that is to be written.
type State int

// The states.
const (
	Absent State = iota
	Same         // these very contents
	Other        // something else
)

// Outbox is a folder that files are written to. The text of its errors keeps the
// promises of [connector.Result].
type Outbox interface {
	// Look compares what stands under a name with contents, and makes sure that what
	// is the same stays.
	Look(ctx context.Context, name string, content []byte) (State, error)
	// Put writes a file that appears under its name complete, or not at all, and that
	// stays. It may refuse to write over another. With ErrUnclear it may have appeared.
	Put(ctx context.Context, name string, content []byte) error
}

// ErrUnclear tells that a file may have been written or not.
var ErrUnclear = errors.New("the file may have been written or not")

// Sink writes the items of a call as one file, whose name and contents follow from the
// items alone: sending them again makes the same file.
type Sink struct {
	out    Outbox
	prefix string
	format format.Spec
}

// NewSink makes one. The id of c begins the names.
func NewSink(out Outbox, c connector.Config) (*Sink, error) {
	if c.ID == "" {
		return nil, errors.New("what writes files needs an id: their names begin with it")
	}
	spec := c.Format
	if spec.Name == "" && len(spec.Columns) > 0 {
		spec.Name = "csv" // columns alone meant CSV when NDJSON was all else there was
	}
	return &Sink{out, Plain(c.ID), spec}, nil
}

// Whole is true: the items of one call are one file.
func (s *Sink) Whole() bool { return true }

// Close ends what the writing needed: a connection.
func (s *Sink) Close() error {
	if c, ok := s.out.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Name of the file that items make: the prefix, the first and the last id.
func (s *Sink) Name(items []connector.Item) string {
	return s.prefix + "." + Plain(items[0].ID) + "." + Plain(items[len(items)-1].ID) + format.Extension(s.format)
}

// Send implements [connector.Sink].
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	rs := make([]connector.Result, len(items))
	if len(items) == 0 || ctx.Err() != nil {
		return rs
	}
	r := s.send(context.WithoutCancel(ctx), items)
	for i := range rs {
		rs[i] = r
	}
	return rs
}

func (s *Sink) send(ctx context.Context, items []connector.Item) connector.Result {
	content, err := s.render(items)
	if err != nil {
		return connector.Result{Outcome: connector.Refused, Message: err.Error()}
	}
	name := s.Name(items)
	state, err := s.out.Look(ctx, name, content)
	if err == nil && state == Absent {
		if err = s.out.Put(ctx, name, content); err != nil && !errors.Is(err, ErrUnclear) {
			// It may stand there all the same: of an attempt whose answer was lost.
			if now, lerr := s.out.Look(ctx, name, content); lerr == nil && now == Same {
				return connector.Result{Outcome: connector.Delivered}
			}
		}
	}
	switch {
	case errors.Is(err, ErrUnclear):
		return connector.Result{Outcome: connector.Unclear, Message: Reason(err)}
	case err != nil:
		return connector.Result{Outcome: connector.Later, Message: "the file cannot be written: " + Reason(err)}
	case state == Other:
		return connector.Result{Outcome: connector.Later, Message: "a file of the same name with other contents is in the folder: move it away"}
	}
	return connector.Result{Outcome: connector.Delivered}
}

func (s *Sink) render(items []connector.Item) ([]byte, error) {
	var buf bytes.Buffer
	w, err := format.NewWriter(s.format, &buf)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if err := w.Write(it.Body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
