package dial_test

import (
	"errors"
	"net"
	"testing"

	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/dial"
)

func TestCheck(t *testing.T) {
	const yes, no = true, false
	for _, c := range []struct {
		host, ip            string
		declared, elsewhere bool // whether it is connected to
	}{
		{"api.example.org", "93.184.216.34", yes, yes},
		{"api.example.org", "2606:2800:220:1:248:1893:25c8:1946", yes, yes},
		{"api.intern", "10.1.2.3", yes, no},
		{"api.intern", "172.16.0.9", yes, no},
		{"api.intern", "192.168.0.9", yes, no},
		{"api.intern", "fd12::1", yes, no},
		{"api.intern", "100.64.0.1", yes, no},
		{"api.intern", "198.18.0.1", yes, no},
		{"10.1.2.3", "10.1.2.3", yes, no},
		{"localhost", "127.0.0.1", yes, no},
		{"LOCALHOST.", "::1", yes, no},
		{"127.0.0.1", "127.0.0.1", yes, no},
		{"127.8.8.8", "127.8.8.8", yes, no},
		{"::1", "::1", yes, no},
		{"api.example.org", "127.0.0.1", no, no},
		{"api.example.org", "::1", no, no},
		{"api.example.org", "::ffff:127.0.0.1", no, no},
		{"api.example.org", "64:ff9b::7f00:1", no, no},
		{"api.example.org", "2002:7f00:1::", no, no},
		{"api.example.org", "::7f00:1", no, no},
		{"api.example.org", "::ffff:0:7f00:1", no, no},
		{"api.example.org", "169.254.169.254", no, no},
		{"169.254.169.254", "169.254.169.254", no, no},
		{"api.example.org", "::ffff:169.254.169.254", no, no},
		{"api.example.org", "64:ff9b::a9fe:a9fe", no, no},
		{"api.example.org", "64:ff9b::a01:203", yes, no},
		{"api.example.org", "fe80::1%eth0", no, no},
		{"api.example.org", "fd00:ec2::254", no, no},
		{"api.example.org", "100.100.100.200", no, no},
		{"api.example.org", "0.0.0.0", no, no},
		{"api.example.org", "::", no, no},
		{"api.example.org", "224.0.0.1", no, no},
		{"api.example.org", "ff02::1", no, no},
		{"api.example.org", "255.255.255.255", yes, no},
		{"api.example.org", "0.1.2.3", yes, no},
	} {
		for declared, want := range map[bool]bool{true: c.declared, false: c.elsewhere} {
			if err := dial.Check(c.host, declared, net.JoinHostPort(c.ip, "443")); (err == nil) != want {
				t.Errorf("%s at %s, declared %v: %v", c.host, c.ip, declared, err)
			}
		}
	}
	if dial.Check("x", true, "/run/socket") == nil {
		t.Error("a socket of this machine is connected to")
	}
}

// Names are looked up in a real name server, and somebody listens where they lead to.
func TestAfterDNS(t *testing.T) {
	dns := connectortest.NewDNS(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dns.Set("here.example.org", []string{"127.0.0.1"})
	dns.Set("mapped.example.org", []string{"::ffff:127.0.0.1"})
	dns.Set("meta.example.org", []string{"169.254.169.254"})
	dns.Set("both.example.org", []string{"169.254.169.254", "127.0.0.1"})
	dns.Set("rebind.example.org", []string{"203.0.113.7"}, []string{"127.0.0.1"})
	for _, name := range []string{"here", "mapped", "meta", "both"} {
		for _, declared := range []bool{true, false} {
			d := &dial.Dialer{}
			address := net.JoinHostPort(name+".example.org", port)
			if declared {
				d.Declared = []string{address}
			}
			c, err := d.DialContext(t.Context(), "tcp", address)
			if err == nil {
				c.Close()
			}
			var forbidden *dial.ForbiddenError
			if !errors.As(err, &forbidden) {
				t.Errorf("%s, declared %v: %v", name, declared, err)
			}
		}
	}
	// What was looked up before says nothing: the address of this connection counts.
	first := ""
	for n := 0; n < 20 && first != "203.0.113.7"; n++ { // on a busy machine a lookup may ask twice
		dns.Set("rebind.example.org", []string{"203.0.113.7"}, []string{"127.0.0.1"})
		ips, err := net.DefaultResolver.LookupHost(t.Context(), "rebind.example.org")
		if err != nil {
			t.Fatal(err)
		}
		first = ips[0]
	}
	if first != "203.0.113.7" {
		t.Fatal(first)
	}
	address := net.JoinHostPort("rebind.example.org", port)
	if c, err := (&dial.Dialer{Declared: []string{address}}).DialContext(t.Context(), "tcp", address); err == nil {
		c.Close()
		t.Error("a name that leads to this machine the second time is connected to")
	}
	select {
	case <-accepted:
		t.Error("a connection was made")
	default:
	}
	address = net.JoinHostPort("127.0.0.1", port)
	c, err := (&dial.Dialer{Declared: []string{address}}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	asked := ""
	d := &dial.Dialer{Declared: []string{address}, Address: func(_, a string) error { asked = a; return errors.New("secret reason") }}
	if _, err = d.DialContext(t.Context(), "tcp", address); err == nil || asked != address {
		t.Errorf("the program's own check: %v, asked about %q", err, asked)
	}
}
