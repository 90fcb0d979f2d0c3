package app

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// mount adds the routes for whoever runs the program.
func (a *App) mount() {
	m := a.k.Web
	m.Handle("GET /healthz", "ops.health", func(w http.ResponseWriter, r *http.Request) error {
		return web.JSON(w, http.StatusOK, map[string]string{"status": "up"})
	})
	m.Handle("GET /readyz", "ops.health", a.ready)
	m.Handle("GET /metrics", "ops.metrics", a.showMetrics)
}

// ready says whether the database answers and definitions are in force.
func (a *App) ready(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.k.Log.Last(r.Context()); err != nil {
		return reeve.E(reeve.Transient, "app.ready", "the database does not answer: %w", err)
	}
	return web.JSON(w, http.StatusOK, map[string]string{"status": "ready", "definitions": a.k.Defs.Set().Hash()})
}

// showMetrics answers the machine itself and the networks of trusted proxies:
// the numbers hold no personal data, but say what a body runs.
func (a *App) showMetrics(w http.ResponseWriter, r *http.Request) error {
	nets, err := a.config.proxies()
	if err != nil {
		return err
	}
	trusted := func(ip netip.Addr) bool {
		return slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(ip) })
	}
	ip, peer := web.ClientIP(r.Context()), netip.Addr{}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = ap.Addr().Unmap()
	}
	// With these headers it came through a proxy. If nobody named that one in
	// trusted_proxies, or it does not say for whom, anybody may be behind it.
	known := trusted(peer) && r.Header.Get("X-Forwarded-For") != ""
	proxied := slices.ContainsFunc([]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}, func(h string) bool { return len(r.Header[h]) > 0 })
	if proxied && !known || !ip.IsLoopback() && !trusted(ip) {
		return reeve.E(reeve.Forbidden, "app.metrics", "metrics are given to this machine and to the networks in trusted_proxies only")
	}
	a.metrics.handler().ServeHTTP(w, r)
	return nil
}

// outbound is asked about every address that a delivery is about to connect to,
// after names were looked up. Systems of a body stand in private networks, so
// those are open; what answers on link-local addresses is the machine's host,
// which hands out its credentials there.
func outbound(network, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return reeve.E(reeve.Forbidden, "app.outbound", "records are not delivered to such an address")
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip == netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x54}) {
		return reeve.E(reeve.Forbidden, "app.outbound", "records are not delivered to link-local, multicast or unspecified addresses")
	}
	return nil
}

// listenTLS wraps ln when a certificate is configured. A renewed certificate is
// taken up without a restart.
func (a *App) listenTLS(ln net.Listener) (net.Listener, error) {
	if a.config.TLS.Certificate == "" {
		return ln, nil
	}
	c := &certificate{cert: a.config.TLS.Certificate, key: a.config.TLS.Key}
	if _, err := c.get(nil); err != nil {
		return nil, reeve.E(reeve.Invalid, "app.TLS", "the certificate cannot be used: %w", err)
	}
	return tls.NewListener(ln, &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// certificate reads a key pair again when its file has changed.
type certificate struct {
	cert, key string
	mu        sync.Mutex
	read      time.Time
	pair      *tls.Certificate
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	i, err := os.Stat(c.cert)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && (c.pair == nil || i.ModTime().After(c.read)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.pair, c.read = &pair, i.ModTime()
		}
	}
	if c.pair == nil {
		return nil, err
	}
	return c.pair, nil // a broken renewal leaves the old one in use
}
