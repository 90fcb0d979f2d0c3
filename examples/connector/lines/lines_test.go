package lines

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
)

// system is one of those that speak lines, and misbehaves on demand.
type system struct {
	t    *testing.T
	addr string
	wg   sync.WaitGroup

	mu      sync.Mutex
	ln      net.Listener
	mode    connectortest.Mode
	cut     bool
	effects []connectortest.Effect
	rows    []string
	quiet   chan struct{}
}

func start(t *testing.T) *system {
	s := &system{t: t, addr: connectortest.FreeAddress(t), quiet: make(chan struct{})} // it goes down, and listens there again
	s.listen()
	t.Cleanup(func() {
		close(s.quiet)
		s.down()
		s.wg.Wait()
	})
	return s
}

func (s *system) listen() {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ln, s.addr = ln, ln.Addr().String()
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() {
				defer conn.Close()
				s.serve(conn)
			})
		}
	})
}

func (s *system) down() {
	if s.ln != nil {
		s.ln.Close()
		s.ln = nil
	}
}

func (s *system) behave(m connectortest.Mode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
	if m == connectortest.Down {
		s.down()
	} else if s.ln == nil {
		s.listen()
	}
	return true
}

func (s *system) serve(conn net.Conn) {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
	s.mu.Lock()
	defer s.mu.Unlock()
	if words[0] == "GET" {
		s.give(conn, words[1], words[2])
		return
	}
	switch s.mode {
	case connectortest.Busy:
		fmt.Fprintln(conn, "BUSY")
	case connectortest.Refusing:
		fmt.Fprintln(conn, "NO I do not like", words[2])
	case connectortest.Broken:
		fmt.Fprintln(conn, "ARGH", words[2])
	default:
		s.take(connectortest.Effect{ID: words[1], Body: words[2]})
		switch s.mode {
		case connectortest.Healthy:
			fmt.Fprintln(conn, "OK")
		case connectortest.SilentAfterTake:
			s.mu.Unlock()
			<-s.quiet
			s.mu.Lock()
		}
	}
}

// take has one effect of each id.
func (s *system) take(e connectortest.Effect) {
	for _, old := range s.effects {
		if old.ID == e.ID {
			return
		}
	}
	s.effects = append(s.effects, e)
}

func (s *system) give(w io.Writer, after, most string) {
	var from, n int
	fmt.Sscan(after, &from)
	fmt.Sscan(most, &n)
	for i := from; i < min(len(s.rows), from+n); i++ {
		if s.cut {
			s.cut = false
			return
		}
		fmt.Fprintln(w, i+1, s.rows[i])
	}
	fmt.Fprintln(w, "END")
}

func (s *system) add(its []connector.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range its {
		s.rows = append(s.rows, string(it.Body))
	}
}

func (s *system) config() connector.Config {
	return connector.Config{ID: "if-x", Address: "lines://" + s.addr, Settings: &Settings{Most: 5}, Timeout: time.Minute, InFlight: 2}
}

func TestSink(t *testing.T) {
	connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
		s := start(t)
		sink := func(timeout time.Duration) connector.Sink {
			c := s.config()
			c.Timeout = timeout
			to, err := Connector.Sink(c)
			if err != nil {
				t.Fatal(err)
			}
			return to
		}
		return connectortest.Setup{Sink: sink(time.Minute), Hasty: sink(time.Second), Repeats: true, Behave: s.behave, Effects: func() []connectortest.Effect {
			s.mu.Lock()
			defer s.mu.Unlock()
			return append([]connectortest.Effect(nil), s.effects...)
		}}
	})
}

func TestSource(t *testing.T) {
	connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup {
		s := start(t)
		return connectortest.SourceSetup{
			Open: func(t *testing.T) connector.Source {
				from, err := Connector.Source(s.config())
				if err != nil {
					t.Fatal(err)
				}
				return from
			},
			Add:  func(_ *testing.T, its []connector.Item) { s.add(its) },
			Down: func(_ *testing.T, down bool) { s.behave(map[bool]connectortest.Mode{true: connectortest.Down}[down]) },
			Cut: func(*testing.T) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.cut = true
			},
			Bad: func(_ *testing.T, its []connector.Item) {
				s.add(its[:3])
				s.add([]connector.Item{{Body: []byte("Canary, 10.50")}})
				s.add(its[3:])
			},
		}
	})
}

func TestAddress(t *testing.T) {
	for address, want := range map[string]int{"": 0, "lines://host:99": 0, "lines://host": 1} {
		n := 0
		Connector.Check(connector.Config{Address: address, Settings: new(Settings)}, func(_, _ string) { n++ })
		if n != want {
			t.Errorf("%q has %d problems, want %d", address, n, want)
		}
	}
}
