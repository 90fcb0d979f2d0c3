package connectortest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server of a test. While the test runs all names of this program are
// looked up there: such a test is not run beside others.
type DNS struct {
	mu    sync.Mutex
	names map[string][][]string // answers, one after the other; the last stays
	asked map[string]int
}

// NewDNS starts a name server that ends with the test. It knows nothing yet.
func NewDNS(t testing.TB) *DNS {
	d := &DNS{names: map[string][][]string{}, asked: map[string]int{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { d.serve(conn) })
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var nd net.Dialer
		return nd.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = conn.Close()
		wg.Wait()
	})
	return d
}

// Set says what a name resolves to: a list of addresses for each lookup, of which the
// last is for all that follow.
func (d *DNS) Set(name string, answers ...[]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name+"."], d.asked[name+"."] = answers, 0
}

func (d *DNS) serve(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer, err := d.answer(buf[:n]); err == nil {
			_, _ = conn.WriteTo(answer, from) // who asks asks again
		}
	}
}

func (d *DNS) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil || len(m.Questions) != 1 {
		return nil, err
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	addresses, known := d.next(strings.ToLower(q.Name.String()), q.Type)
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		ip := netip.MustParseAddr(a)
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return m.Pack()
}

// next is the answer for a lookup, which asks for IPv4 addresses once.
func (d *DNS) next(name string, kind dnsmessage.Type) ([]string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answers, ok := d.names[name]
	if !ok || len(answers) == 0 {
		return nil, false
	}
	i := min(d.asked[name], len(answers)-1)
	if kind == dnsmessage.TypeA {
		d.asked[name]++
	}
	return answers[i], true
}
