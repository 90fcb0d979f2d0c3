// Package lines is an example of a connector: for systems that one talks to with lines
// of text over TCP, as older ones do.
//
//	PUT <id> <record as JSON>     OK, BUSY, or NO and why
//	GET <after> <most>            <number> <record as JSON>, line by line, then END
//
// What is guaranteed. A record counts as delivered when the system said OK. Nothing that
// the system says stands in a message: it may repeat a value of the record.
//
// What not to assume. The connection is not encrypted: it is for this machine, or for a
// network that nobody else is in.
package lines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/format"
)

// Settings is what an Interface says about its system, under settings.lines.
type Settings struct {
	Most int `json:"most,omitempty" def:"min=1,max=10000" doc:"Records that are asked for at once. Default 1000."`
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "lines", Schemes: []string{"lines"},
	Doc: "Systems that speak lines of text over TCP: lines://host:port.",
	Promise: connector.Promise{
		Order:  "Out: several at once; records of one key one after the other where the record type is strict. In: by the system's own numbers.",
		Repeat: "Out: the system knows a record by its id; say repeat: key. In: it goes on after the last number that was taken.",
		Ack:    "A record counts as delivered when the system says OK. Nothing is told to a system that is asked.",
	},
	Settings: new(Settings),
	Check: func(c connector.Config, problem func(path, message string)) {
		if c.Address == "" { // it stands in the environment
			return
		}
		if _, _, err := net.SplitHostPort(host(c)); err != nil {
			problem("", "the address looks like lines://host:port")
		}
	},
	Source: func(c connector.Config) (connector.Source, error) { return &source{talker(c)}, nil },
	Sink:   func(c connector.Config) (connector.Sink, error) { return &sink{talker(c)}, nil },
}

func host(c connector.Config) string { return strings.TrimPrefix(c.Address, "lines://") }

// talk is what source and sink have in common.
type talk struct {
	c    connector.Config
	most int
	dial dial.Dialer
}

func talker(c connector.Config) talk {
	t := talk{c: c, most: 1000, dial: dial.Dialer{Address: c.Host.Address, Declared: []string{host(c)}}}
	if s := c.Settings.(*Settings); s.Most > 0 {
		t.most = s.Most
	}
	if t.c.Timeout <= 0 {
		t.c.Timeout = 15 * time.Second
	}
	return t
}

const maxLine = 16 << 20

// open connects. An error of it is for sure: nothing was said yet. When ctx ends the
// connection does.
func (t *talk) open(ctx context.Context) (net.Conn, *bufio.Scanner, error) {
	conn, err := t.dial.DialContext(ctx, "tcp", host(t.c))
	if err != nil {
		return nil, nil, errors.New("the system cannot be reached") // not err: it holds the address
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // what counts was said
	in := bufio.NewScanner(conn)
	in.Buffer(nil, maxLine) // a hostile system ends here, not in our memory
	return conn, in, nil
}

type sink struct{ talk }

// Whole is false: each record stands for itself.
func (s *sink) Whole() bool { return false }

// Send implements [connector.Sink].
func (s *sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	return connector.Each(ctx, items, s.c.InFlight, s.c.Ordered, s.one)
}

func (s *sink) one(ctx context.Context, it connector.Item) connector.Result {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), s.c.Timeout) // what was begun is finished
	defer end()
	conn, in, err := s.open(ctx)
	if err != nil {
		return connector.Result{Outcome: connector.Later, Message: err.Error()}
	}
	line := bytes.Join([][]byte{[]byte("PUT"), []byte(it.ID), bytes.ReplaceAll(it.Body, []byte("\n"), []byte(" "))}, []byte(" "))
	if _, err := conn.Write(append(line, '\n')); err != nil || !in.Scan() {
		// It may have been taken: the answer is what is missing.
		return connector.Result{Outcome: connector.Unclear, Message: "the connection broke before the system answered"}
	}
	switch word, _, _ := strings.Cut(in.Text(), " "); word {
	case "OK":
		return connector.Result{Outcome: connector.Delivered}
	case "BUSY":
		return connector.Result{Outcome: connector.Later, Message: "the system is busy"}
	case "NO":
		return connector.Result{Outcome: connector.Refused, Message: "the system does not take it"}
	}
	return connector.Result{Outcome: connector.Unclear, Message: "the system answered something else than OK, BUSY or NO"}
}

type source struct{ talk }

// Close implements [connector.Source]: a connection is only open during a look.
func (s *source) Close() error { return nil }

// Read implements [connector.Source].
func (s *source) Read(ctx context.Context, after string, take func(connector.Portion) error) error {
	for {
		rows, err := s.page(ctx, after)
		if err != nil || len(rows) == 0 {
			return err
		}
		p := connector.Portion{Size: -1, Total: -1, Open: func(context.Context) (format.Reader, error) { return &page{rows: rows}, nil }}
		if err := take(p); err != nil {
			return err
		}
		if after = rows[len(rows)-1].Position; len(rows) < s.most {
			return nil
		}
	}
}

// page asks for the records after one. A page that does not end is not used.
func (s *source) page(ctx context.Context, after string) (rows []format.Row, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	look, end := context.WithTimeout(ctx, s.c.Timeout)
	defer end()
	conn, in, err := s.open(look)
	if err != nil {
		return nil, err
	}
	if after == "" {
		after = "0"
	}
	if _, err := fmt.Fprintf(conn, "GET %s %d\n", after, s.most); err != nil {
		return nil, errors.New("the connection broke")
	}
	for in.Scan() {
		if in.Text() == "END" {
			return rows, nil
		}
		number, body, _ := strings.Cut(in.Text(), " ")
		row := format.Row{Number: int64(len(rows) + 1), At: "number " + number, Position: number}
		if strings.HasPrefix(body, "{") {
			row.Body = []byte(body)
		} else {
			row.Problem = "this is not a record: it should be a JSON object"
		}
		rows = append(rows, row)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, errors.New("the connection broke in the middle of the records")
}

// page is a [format.Reader] of rows that are here.
type page struct {
	rows []format.Row
	next int
}

func (p *page) Next() (format.Row, error) {
	if p.next == len(p.rows) {
		return format.Row{}, io.EOF
	}
	p.next++
	return p.rows[p.next-1], nil
}

func (p *page) Close() error { return nil }
