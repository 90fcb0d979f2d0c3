package connectortest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between a connector and a server, and lets connections break.
type Proxy struct {
	Addr string // host:port, to be connected to in place of the server

	to string
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	down  bool
	left  int64 // bytes from the server until everything breaks; negative: all
	seen  func() bool
	quiet bool
	conns map[net.Conn]bool
	total atomic.Int64
}

// NewProxy starts a proxy to a server at host:port that stops with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, l: l, left: -1, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Break()
		p.wg.Wait()
	})
	return p
}

// Down breaks every connection and lets no new one through, or lets them through again.
func (p *Proxy) Down(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.Break()
	}
}

// Break resets every connection now.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

// CutAfter breaks, once, the connections when so many bytes more came from the server.
func (p *Proxy) CutAfter(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.seen = bytes, nil
}

// CutWhen asks seen before anything of the server's is passed on. When it says yes the
// connections break, once; or, with quiet, nothing more comes from the server.
func (p *Proxy) CutWhen(seen func() bool, quiet bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.seen, p.quiet = -1, seen, quiet
}

// Bytes that came from the server so far.
func (p *Proxy) Bytes() int64 { return p.total.Load() }

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		reset(c)
		return
	}
	defer s.Close()
	p.mu.Lock()
	if p.down {
		p.mu.Unlock()
		reset(c)
		return
	}
	p.conns[c], p.conns[s] = true, true
	p.mu.Unlock()
	p.wg.Go(func() {
		defer s.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := c.Read(buf)
			if n > 0 {
				if _, werr := s.Write(buf[:n]); werr != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	buf := make([]byte, 16<<10)
	for {
		n, err := s.Read(buf)
		if n > 0 {
			p.total.Add(int64(n))
			if n, ok := p.pass(n); ok {
				if _, werr := c.Write(buf[:n]); werr != nil {
					return
				}
			} else if n == 0 {
				continue // silence
			} else {
				p.Break()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass says how many of n bytes to hand on; not ok with 0: swallow them, else break.
func (p *Proxy) pass(n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.seen != nil && p.seen():
		if p.quiet {
			return 0, false
		}
		p.seen = nil
		return -1, false
	case p.left >= 0:
		if p.left -= int64(n); p.left < 0 {
			return -1, false
		}
	}
	return n, true
}

func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
