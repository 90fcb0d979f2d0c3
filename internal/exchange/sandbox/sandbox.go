// Package sandbox runs maps that a person typed into a page, or that were kept
// from there, where they can do no harm: in a process of their own.
//
// What is guaranteed. A map runs in the environment of [mapping], which reads
// nothing but the record. What that leaves open, how long it takes and how much it
// makes (reading a map already calculates with its literals), is bounded here: a process that calculates too long or takes too much memory ends
// itself, and one that does not answer is ended by its parent. Neither disturbs this program. It is calculating that counts, not waiting: on a
// machine that is busy with something else a map may take longer.
//
// What not to assume. Without a Command a Box runs maps in this process and leaves
// one that does not end running; that is for tests of other things.
package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// Bounds of one call.
const (
	MaxSource = 8 << 10         // bytes of a map
	perCall   = 5 * time.Second // of calculating
	patience  = time.Minute     // until an answer
	quickly   = 10 * time.Second
	perBatch  = 200       // records in one call of the process
	batchSize = 4 << 20   // bytes in one, about
	memory    = 384 << 20 // that the process may come to
	addresses = 4 << 30   // of address space, should it come there faster than it looks
	idle      = time.Minute
)

// Box runs maps. The zero Box runs them in this process.
type Box struct {
	Command []string // the program that calls Serve, and its arguments
	Timeout time.Duration
	// Quick maps are kept from being slow: others wait for what they make. They may
	// calculate for a fifth of a second, and a little for each record.
	Quick bool

	mu    sync.Mutex
	p     *process
	timer *time.Timer
}

// Result is what a map made of one record: a body, or why there is none, in words
// that hold no value of the record.
type Result struct {
	Body  json.RawMessage `json:"body,omitempty"`
	Error string          `json:"error,omitempty"`
}

type request struct {
	Source    string            `json:"source"`
	Bodies    []json.RawMessage `json:"bodies"`
	Calculate time.Duration     `json:"calculate,omitempty"` // at most, if less than perCall
}

type answer struct {
	Error   string   `json:"error,omitempty"` // of the map itself
	Results []Result `json:"results,omitempty"`
}

// Run applies a map to bodies, one by one. The error is of kind Invalid when the map
// does not compile, TooLarge when it takes too long or too much memory.
func (b *Box) Run(ctx context.Context, source string, bodies []json.RawMessage) ([]Result, error) {
	const op = "sandbox.Run"
	if len(source) > MaxSource {
		return nil, reeve.E(reeve.Invalid, op, "the correction has %d bytes: at most %d are read", len(source), MaxSource)
	}
	out := make([]Result, 0, len(bodies))
	for first := true; first || len(bodies) > 0; first = false { // of no records, the map is read all the same
		n, size := 0, 0
		for n < len(bodies) && n < perBatch && (n == 0 || size+len(bodies[n]) <= batchSize) {
			size += len(bodies[n])
			n++
		}
		in := request{Source: source, Bodies: bodies[:n]}
		if b.Quick {
			in.Calculate = 200*time.Millisecond + time.Duration(n)*time.Millisecond + time.Duration(size)*250
		}
		a, err := b.call(ctx, in)
		switch {
		case err != nil:
			return nil, err
		case a.Error != "":
			return nil, reeve.E(reeve.Invalid, op, "%s", a.Error)
		case len(a.Results) != n:
			return nil, fmt.Errorf("%s: %d results for %d records", op, len(a.Results), n)
		}
		out, bodies = append(out, a.Results...), bodies[n:]
	}
	return out, nil
}

// errSlow is no fault of the map: the machine does not come to it.
var errSlow = reeve.E(reeve.Transient, "sandbox.Run", "the machine is too busy at the moment to carry the correction out: try again")

var errBounds = reeve.E(reeve.TooLarge, "sandbox.Run", "the correction takes too long or makes too much: it was stopped")

func (b *Box) timeout() time.Duration {
	switch {
	case b.Timeout > 0:
		return b.Timeout
	case b.Quick:
		return quickly
	}
	return patience
}

func (b *Box) call(ctx context.Context, in request) (answer, error) {
	if len(b.Command) == 0 {
		return b.here(ctx, in)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.p != nil
	a, err := b.ask(ctx, in)
	if used && errors.Is(err, errBounds) { // what was run in it before may be why: the map is judged by itself
		a, err = b.ask(ctx, in)
	}
	return a, err
}

// ask asks the process, or a new one where there is none. The caller holds the lock.
func (b *Box) ask(ctx context.Context, in request) (answer, error) {
	if b.p == nil {
		p, err := start(b.Command)
		if err != nil {
			return answer{}, fmt.Errorf("sandbox: starting %s: %w", b.Command[0], err)
		}
		b.p = p
	}
	type reply struct {
		a   answer
		err error
	}
	p, done := b.p, make(chan reply, 1)
	go func() {
		var r reply
		if r.err = p.enc.Encode(in); r.err == nil {
			r.err = p.dec.Decode(&r.a)
		}
		done <- r
	}()
	timer := time.NewTimer(b.timeout())
	defer timer.Stop()
	select {
	case r := <-done:
		if r.err != nil { // it ended: it does so when it takes too much
			b.end()
			return answer{}, errBounds
		}
		b.rest()
		return r.a, nil
	case <-timer.C:
		b.end()
		<-done
		return answer{}, errSlow
	case <-ctx.Done():
		b.end()
		<-done
		return answer{}, ctx.Err()
	}
}

// rest ends the process after a while in which nothing was asked of it.
func (b *Box) rest() {
	if b.timer != nil {
		b.timer.Stop()
	}
	p := b.p
	b.timer = time.AfterFunc(idle, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.p == p {
			b.end()
		}
	})
}

func (b *Box) end() {
	if b.p != nil {
		b.p.stop()
		b.p = nil
	}
}

// Close ends the process.
func (b *Box) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.end()
}

// here runs a map in this process.
func (b *Box) here(ctx context.Context, in request) (answer, error) {
	done := make(chan answer, 1)
	go func() { done <- new(server).answer(in) }()
	timer := time.NewTimer(cmp.Or(b.Timeout, patience)) // of waiting: what it calculates is not known here
	defer timer.Stop()
	select {
	case a := <-done:
		return a, nil
	case <-timer.C:
		return answer{}, errBounds
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// process is a running sandbox.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

func start(command []string) (*process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"GOMAXPROCS=2"} // none of ours: it holds secrets
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()
}

// server is the other side.
type server struct {
	env    *mapping.Environment
	source string
	m      *mapping.Map
}

// Serve is what the process of a Box does: it answers requests until there are no
// more. It gives up everything that it does not need for that.
func Serve(in io.Reader, out io.Writer) error {
	debug.SetMemoryLimit(memory / 2)
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: addresses, Max: addresses})
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // records would be in it
	var until atomic.Int64
	go watch(&until)
	s, dec, enc := &server{env: mapping.NewEnvironment()}, json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := dec.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		limit := perCall
		if r.Calculate > 0 {
			limit = min(limit, r.Calculate)
		}
		until.Store(int64(calculated() + limit))
		a := s.answer(r)
		until.Store(0)
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
}

// calculated is the processor's time that this process has used.
func calculated() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watch ends the process when it has too much memory, or has calculated until then:
// nothing else can stop a map.
func watch(until *atomic.Int64) {
	runtime.LockOSThread()
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		metrics.Read(sample)
		if sample[0].Value.Uint64()-sample[1].Value.Uint64() > memory {
			os.Exit(3)
		}
		if end := until.Load(); end > 0 && int64(calculated()) > end {
			os.Exit(4)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (s *server) answer(r request) answer {
	if s.env == nil {
		s.env = mapping.NewEnvironment()
	}
	if s.m == nil || s.source != r.Source {
		m, err := s.env.Compile(r.Source)
		if err != nil {
			return answer{Error: err.Error()}
		}
		s.source, s.m = r.Source, m
	}
	out := make([]Result, len(r.Bodies))
	for i, body := range r.Bodies {
		out[i] = s.one(body)
	}
	return answer{Results: out}
}

func (s *server) one(body []byte) (res Result) {
	defer func() {
		if recover() != nil {
			res = Result{Error: "the correction failed on this record"}
		}
	}()
	doc, err := rawjson.Decode(body)
	if err != nil {
		return Result{Error: "the record is not well-formed JSON"}
	}
	made, err := s.m.Run(doc, mapping.Meta{})
	switch {
	case errors.Is(err, mapping.ErrDeleted):
		return Result{Error: "the correction deletes the record: to discard it, give a reason on its page"}
	case err != nil:
		return Result{Error: reeve.Message(err)}
	case len(made) == 0 || made[0] != '{':
		return Result{Error: "the correction makes no object of it"}
	}
	return Result{Body: made}
}
