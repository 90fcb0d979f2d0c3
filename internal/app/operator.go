package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// The operator is whoever may write the data folder. Commands such as `reeve
// token create` talk to the running program over a socket in that folder that
// only its owner can open; where no program runs, they open the house
// themselves and ask the same handler.

// socketName is the operator's door in the data folder.
const socketName = "reeve.sock"

// Operator carries out what only the owner of the data folder may do.
type Operator struct {
	do    func(*http.Request) (*http.Response, error)
	close func() error
}

// between is how long a program may hold the database and not answer the operator: it
// begins, or it ends.
const between = 30 * time.Second

// Operate returns an operator of the program that runs on c.Data or, if none
// does, of the data folder itself.
func Operate(ctx context.Context, c Config) (*Operator, error) {
	over := time.NewTimer(between)
	defer over.Stop()
	for {
		if o := dialOperator(filepath.Join(c.Data, socketName)); o != nil {
			return o, nil
		}
		o, err := operateAlone(ctx, c)
		if reeve.KindOf(err) != reeve.Conflict { // nobody else holds the database
			return o, err
		}
		select {
		case <-over.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		case <-time.After(between / 300):
		}
	}
}

// dialOperator returns an operator of the program that listens on a socket, nil if
// none does.
func dialOperator(socket string) *Operator {
	conn, err := net.DialTimeout("unix", socket, 2*time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	return &Operator{do: client.Do, close: func() error { client.CloseIdleConnections(); return nil }}
}

// operateAlone opens the data folder, on which no program runs.
func operateAlone(ctx context.Context, c Config) (*Operator, error) {
	if _, err := os.Stat(c.Data); errors.Is(err, fs.ErrNotExist) {
		return nil, reeve.E(reeve.NotFound, "app.Operate", "there is no data folder %s: give the one that the program uses with --data", c.Data)
	}
	if has, err := c.hasDatabase(); err != nil || has || c.Database != "" {
		if err != nil {
			return nil, err
		}
		c.Defs = noFolder{} // the set in force stays: a command changes no definitions
	}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	a, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Operator{close: a.Close, do: inProcess(a.operator())}, nil
}

// noFolder is a folder of definitions that is not there.
type noFolder struct{}

func (noFolder) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// inProcess asks h without a connection; the answer streams.
func inProcess(h http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		pr, pw := io.Pipe()
		w := &pipeWriter{header: http.Header{}, body: pw, started: make(chan int, 1)}
		go func() {
			defer func() {
				if p := recover(); p != nil { // as a server does: the answer is cut off
					w.WriteHeader(http.StatusInternalServerError)
					pw.CloseWithError(io.ErrUnexpectedEOF)
				}
			}()
			h.ServeHTTP(w, r)
			w.WriteHeader(http.StatusOK)
			pw.Close()
		}()
		status := <-w.started
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: w.header, Body: pr}, nil
	}
}

type pipeWriter struct {
	header  http.Header
	body    *io.PipeWriter
	started chan int
	wrote   bool
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = true
		w.started <- status
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Close lets go of the data folder or the connection.
func (o *Operator) Close() error { return o.close() }

// Call asks for an operation ("token/create") with the request in and decodes
// the answer into out, which may be an io.Writer for a stream.
func (o *Operator) Call(ctx context.Context, operation string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://operator/"+operation, bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := o.do(r)
	if err != nil {
		return reeve.E(reeve.Transient, operation, "the running program does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var p struct {
			Detail string     `json:"detail"`
			Kind   reeve.Kind `json:"kind"`
		}
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
			return fmt.Errorf("%s: the program answered %s", operation, resp.Status)
		}
		return reeve.E(p.Kind, operation, "%s", p.Detail)
	}
	if w, ok := out.(io.Writer); ok {
		_, err := io.Copy(w, resp.Body)
		return err
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// operation wraps a function as a handler that reads In and answers Out.
func operation[In, Out any](fn func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in)
		if err == nil {
			var out Out
			if out, err = fn(r.Context(), in); err == nil {
				_ = web.JSON(w, http.StatusOK, out)
				return
			}
		}
		operatorError(w, err)
	}
}

func operatorError(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadRequest)
	detail := reeve.Message(err)
	if detail == "" {
		detail = err.Error() // the operator may see what the log sees
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"detail": detail, "kind": reeve.KindOf(err)})
}

// serveOperator answers on the socket until ctx is done.
func (a *App) serveOperator(ctx context.Context) error {
	socket := filepath.Join(a.config.Data, socketName)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // a socket that a dead process left: the database's lock says that we are alone
	}
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("opening the operator's socket (paths over 107 characters do not work: choose a shorter data folder): %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{Handler: a.operator(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
