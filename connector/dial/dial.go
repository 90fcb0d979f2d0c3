// Package dial connects to systems, and only to those that may be connected to.
//
// What is guaranteed. The address that is connected to is the one that was checked:
// the check stands after DNS, at the socket, so that a name that resolves to another
// address a moment later gains nothing. It is asked for every address that a name has
// and for every connection, also those of a redirect.
//
// Three checks, beside the program's own (Host.Address):
//
//   - A loopback address is connected to only where a definition says so in so many
//     words: localhost, 127.0.0.1, [::1]. A name on the internet that resolves to this
//     machine is somebody else's way in.
//   - An address of link-local networks (metadata of clouds) is never connected to.
//   - A host that no definition names (of a redirect, of a link in an answer) must have
//     a public address: an answer does not lead us into the body's own network.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ForbiddenError is an address that is not connected to.
type ForbiddenError struct{ why string }

func (e *ForbiddenError) Error() string { return e.why }

// Dialer connects.
type Dialer struct {
	// Address is the program's own check (Host.Address); nil allows all.
	Address func(network, address string) error
	// Declared are the hosts that a definition names, as host:port. All others must be
	// public.
	Declared []string
	Timeout  time.Duration // of one connection, DNS included; 10 s
}

// DialContext connects to host:port.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &ForbiddenError{"the address has no port"}
	}
	declared := slices.ContainsFunc(d.Declared, func(s string) bool { return strings.EqualFold(s, address) })
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	nd := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: func(network, address string, _ syscall.RawConn) error {
		if err := Check(host, declared, address); err != nil {
			return err
		}
		if d.Address == nil {
			return nil
		}
		if err := d.Address(network, address); err != nil {
			return &ForbiddenError{"its address is one that may not be connected to"}
		}
		return nil
	}}
	return nd.DialContext(ctx, network, address)
}

// Check says why address, which host has been resolved to, is not connected to; nil
// if it is. declared tells that a definition names the host.
func Check(host string, declared bool, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &ForbiddenError{"its address is not one of the internet"}
	}
	ip := plainIP(ap.Addr())
	switch {
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), ip.IsLinkLocalUnicast(), slices.Contains(metadata, ip):
		return &ForbiddenError{"its address is link-local, multicast or that of a cloud's metadata: such are never connected to"}
	case ip.IsLoopback() && !(declared && local(host)):
		return &ForbiddenError{fmt.Sprintf("the name leads to this machine itself: only localhost, 127.0.0.1 and [::1] in a definition may (%s)", kind(declared))}
	case !declared && !Public(ip):
		return &ForbiddenError{"it leads to an address of a private network that no definition names"}
	}
	return nil
}

func kind(declared bool) string {
	if declared {
		return "it is the interface's address"
	}
	return "it comes from an answer"
}

// local reports whether a host says in so many words that it is this machine.
func local(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && plainIP(ip).IsLoopback()
}

var (
	metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16")}
	// reserved are the networks of RFC 6890 and its kin that are not of the internet.
	reserved = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10")
	// embedding are the IPv6 networks whose addresses hold an IPv4 address in their last four bytes.
	embedding = prefixes("::/96", "64:ff9b::/96", "::ffff:0:0:0/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

func prefixes(list ...string) (ps []netip.Prefix) {
	for _, s := range list {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

// plainIP is the address that packets go to in the end: an IPv4 address out of those
// IPv6 ones that only wrap it.
func plainIP(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() || ip.IsLoopback() || ip.IsUnspecified() {
		return ip
	}
	b := ip.As16()
	for _, p := range embedding {
		if p.Contains(ip) {
			return netip.AddrFrom4([4]byte(b[12:]))
		}
	}
	if sixToFour.Contains(ip) {
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}

// Public reports whether an address is one of the internet at large.
func Public(ip netip.Addr) bool {
	ip = plainIP(ip)
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback() && !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}
