// Package httpclient makes the requests of connectors: it signs in, checks where a
// request goes, and says afterwards whether anything of it may have arrived.
//
// What is guaranteed. Every address is checked after DNS, at every redirect
// (package dial). Credentials go to the declared scheme, host and port and nowhere else,
// and to no one any more once a redirect has led elsewhere. No proxy of the environment is
// used: behind one the check would see the proxy only. Certificates, keys and tokens are
// read anew when they are used, so that a rotation needs no restart. Errors are for
// people and hold no secret and no address.
package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// Client makes requests to one declared address.
type Client struct {
	base    *url.URL
	auth    connector.Auth
	host    connector.Host
	timeout time.Duration
	client  *http.Client
	oauth   *tokens
}

// New makes a client for the address, an http or https URL without a query.
func New(address string, auth connector.Auth, host connector.Host, inFlight int, timeout time.Duration) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("http: the address must be an http or https URL")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("http: the address must not have a query; put it in the path")
	}
	if u.User != nil {
		return nil, errors.New("http: a user or password must not stand in an address: use auth")
	}
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	c := &Client{base: u, auth: auth, host: host, timeout: timeout}
	c.client = c.make(hostPort(u), max(inFlight, 1))
	if auth.OAuth.TokenURL != "" {
		c.oauth = &tokens{c: c}
	}
	return c, nil
}

// make returns a client that gives our certificate to the declared host only.
func (c *Client) make(declared string, inFlight int) *http.Client {
	timeout := min(c.timeout, 10*time.Second)
	d := &dial.Dialer{Address: c.host.Address, Declared: []string{declared}, Timeout: timeout}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext,
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := d.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return c.handshake(ctx, conn, address, strings.EqualFold(address, declared), timeout)
			},
			MaxIdleConns:           inFlight, // the default of two a host costs more than half of the speed
			MaxIdleConnsPerHost:    inFlight,
			MaxConnsPerHost:        inFlight,
			MaxResponseHeaderBytes: 256 << 10,
			IdleConnTimeout:        60 * time.Second,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (c *Client) handshake(ctx context.Context, conn net.Conn, address string, declared bool, timeout time.Duration) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	config, err := TLS(c.auth, c.host, declared)
	if err != nil {
		_ = conn.Close() // it was never used
		return nil, err
	}
	config.ServerName, config.NextProtos = host, []string{"h2", "http/1.1"}
	tc := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return tc, nil
}

// TLS is what to connect with: the authority that auth names and, where ours is asked
// for, our certificate. Secrets are looked up now.
func TLS(auth connector.Auth, host connector.Host, ours bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, Time: host.Now}
	if auth.Authority != "" && ours {
		text, err := host.Secret(auth.Authority)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(text)) {
			return nil, fmt.Errorf("auth.authority: %s holds no certificate (PEM)", auth.Authority)
		}
	}
	if auth.Certificate != "" && ours {
		cert, err := host.Secret(auth.Certificate)
		if err != nil {
			return nil, err
		}
		key, err := host.Secret(auth.Key)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			return nil, fmt.Errorf("auth.certificate and auth.key: %s and %s are not a certificate and its key (PEM)", auth.Certificate, auth.Key)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Close lets go of idle connections.
func (c *Client) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// Request is one request.
type Request struct {
	Method string
	Path   string // added to the address, with its query
	Header http.Header
	Body   []byte // nil: none
	// Follow follows redirects, of a GET: five at most, none from https to http.
	Follow bool
	// Idle counts the time-out anew with every byte of the answer: for what may be long.
	Idle bool
}

// Do makes a request. wrote tells whether anything of it may have reached the
// receiver. A request that was begun is finished though ctx ends, within the time-out:
// an ordinary stop of the program must not leave unclear outcomes behind. Only a GET
// ends with its ctx. The answer's body must be closed; it ends with the time-out, too.
func (c *Client) Do(ctx context.Context, r Request) (resp *http.Response, wrote bool, err error) {
	resp, wrote, err = c.once(ctx, r)
	if c.oauth == nil || err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, wrote, err
	}
	// The token was refused, so nothing was taken: once more with a new one.
	Drain(resp)
	c.oauth.forget()
	return c.once(ctx, r)
}

func (c *Client) once(ctx context.Context, r Request) (*http.Response, bool, error) {
	if r.Method != http.MethodGet {
		ctx = context.WithoutCancel(ctx)
	}
	if r.Idle {
		return c.patient(ctx, r)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	var begun atomic.Bool
	resp, err := c.hops(ctx, r, &begun)
	if err != nil {
		cancel()
		return nil, begun.Load(), err
	}
	resp.Body = &cancelBody{resp.Body, cancel}
	return resp, true, nil
}

// patient makes a request whose time-out is one between two bytes.
func (c *Client) patient(ctx context.Context, r Request) (*http.Response, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &patientBody{cancel: cancel, timeout: c.timeout}
	p.timer = time.AfterFunc(c.timeout, func() { p.late.Store(true); cancel() })
	var begun atomic.Bool
	resp, err := c.hops(ctx, r, &begun)
	if err != nil {
		p.timer.Stop()
		cancel()
		return nil, begun.Load(), p.why(err)
	}
	p.ReadCloser, resp.Body = resp.Body, p
	return resp, true, nil
}

type patientBody struct {
	io.ReadCloser
	cancel  context.CancelFunc
	timeout time.Duration
	timer   *time.Timer
	late    atomic.Bool
}

func (p *patientBody) why(err error) error {
	if p.late.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (p *patientBody) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		p.timer.Reset(p.timeout)
	}
	if err != nil && err != io.EOF {
		err = p.why(err)
	}
	return n, err
}

func (p *patientBody) Close() error {
	p.timer.Stop()
	defer p.cancel()
	return p.ReadCloser.Close()
}

const maxRedirects = 5

func (c *Client) hops(ctx context.Context, r Request, begun *atomic.Bool) (*http.Response, error) {
	at, err := url.Parse(c.base.String() + r.Path)
	if err != nil {
		return nil, errors.New("the path cannot be part of an address")
	}
	left := false // the declared origin was left
	for hop := 0; ; hop++ {
		left = left || !sameOrigin(at, c.base)
		req, err := c.request(ctx, at, r, !left, begun)
		if err != nil {
			return nil, err
		}
		resp, err := c.client.Do(req)
		if err != nil || !r.Follow || !redirect(resp.StatusCode) {
			return resp, err
		}
		next, err := resp.Location()
		Drain(resp)
		switch {
		case err != nil:
			return nil, errors.New("it redirects to nowhere that can be read")
		case hop == maxRedirects:
			return nil, fmt.Errorf("it redirects more than %d times", maxRedirects)
		case next.Scheme != "http" && next.Scheme != "https", next.User != nil:
			return nil, errors.New("it redirects to something else than a web address")
		case at.Scheme == "https" && next.Scheme == "http":
			return nil, errors.New("it redirects from https to http, which is not followed")
		case left && c.auth.Certificate != "" && sameOrigin(next, c.base): // a connection there is signed in with our certificate
			return nil, errors.New("it redirects elsewhere and from there back, which is not followed where we sign in with a certificate")
		}
		at = next
	}
}

// request makes one. Our credentials go with it where trusted.
func (c *Client) request(ctx context.Context, at *url.URL, r Request, trusted bool, begun *atomic.Bool) (*http.Request, error) {
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { begun.Store(true) },
		WroteHeaders:     func() { begun.Store(true) },
	})
	req, err := http.NewRequestWithContext(traced, r.Method, at.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if r.Body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "reeve")
	if trusted {
		return req, c.sign(ctx, req) // not traced: what is written for a token does not count
	}
	return req, nil
}

// sign puts our credentials on a request.
func (c *Client) sign(ctx context.Context, req *http.Request) error {
	a := c.auth
	if a.APIKey.Value != "" {
		v, err := c.secret(a.APIKey.Value)
		if err != nil {
			return err
		}
		req.Header.Set(a.APIKey.Header, v)
	}
	switch {
	case a.Bearer != "":
		v, err := c.secret(a.Bearer)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+v)
	case c.oauth != nil:
		v, err := c.oauth.token(ctx)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+v)
	case a.User != "":
		user, err := c.maybe(a.User)
		if err != nil {
			return err
		}
		password, err := c.secret(a.Password)
		if err != nil {
			return err
		}
		req.SetBasicAuth(user, password)
	}
	return nil
}

// secret looks one up that is to stand in a header.
func (c *Client) secret(r connector.Ref) (string, error) {
	v, err := c.host.Secret(r)
	if err == nil && strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", fmt.Errorf("the secret %s cannot stand in a header: it has a line break or another sign that is not a letter", r)
	}
	return v, err
}

// maybe is a value, or that of the reference env:NAME.
func (c *Client) maybe(v string) (string, error) {
	if strings.HasPrefix(v, "env:") {
		return c.host.Secret(connector.Ref(v))
	}
	return v, nil
}

func redirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(hostPort(a), hostPort(b))
}

// Within is the path and query of a link in an answer, to be asked for with
// [Request].Path; false if it leads to another origin or out of the address.
func (c *Client) Within(from, link string) (string, bool) {
	base, err := url.Parse(c.base.String() + from)
	if err != nil {
		return "", false
	}
	u, err := base.Parse(link)
	if err != nil || u.User != nil || !sameOrigin(u, c.base) {
		return "", false
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath())
	if !ok || path != "" && path[0] != '/' {
		return "", false
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path, true
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return net.JoinHostPort(u.Hostname(), u.Port())
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// Drain reads what is left of a small answer, so that the connection is used again.
func Drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

// Answered says in words what it answered.
func Answered(code int) string {
	return strings.TrimSpace(fmt.Sprintf("it answered %d %s", code, http.StatusText(code)))
}

// Reason puts an error of Do in plain words, without the address.
func Reason(err error) string { return plain.Reason(err) }

// RetryAfter reads how long the receiver asks to be left alone: seconds, or a date,
// which is measured by the receiver's own clock; at most an hour.
func RetryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		if now, err := http.ParseTime(h.Get("Date")); err == nil {
			d = at.Sub(now)
		}
	}
	return min(max(d, 0), time.Hour)
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// Check looks for what is wrong with how we sign in. Paths are under auth.
func Check(a connector.Auth, problem func(path, message string)) {
	if (a.APIKey.Value != "") != (a.APIKey.Header != "") {
		problem("apiKey", "an API key needs both: header, its name, and value, a reference to it")
	}
	if h := a.APIKey.Header; h != "" && (!headerName.MatchString(h) || ours(h)) {
		problem("apiKey.header", "this cannot be the name of the header of a key: write it like X-API-Key")
	}
	ways := 0
	for _, given := range []bool{a.Bearer != "", a.OAuth.TokenURL != "", a.User != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		problem("", "choose one of bearer, oauth and user: they use the same header")
	}
	if (a.User != "") != (a.Password != "") {
		problem("password", "user and password go together")
	}
	if (a.Certificate != "") != (a.Key != "") {
		problem("certificate", "mutual TLS needs both: certificate and key")
	}
	o := a.OAuth
	if o == (connector.OAuth{}) {
		return
	}
	if o.TokenURL == "" || o.Client == "" || o.Secret == "" {
		problem("oauth", "OAuth needs tokenUrl, client and secret")
	}
	if o.TokenURL != "" && !strings.HasPrefix(o.TokenURL, "env:") {
		if _, err := tokenURL(o.TokenURL); err != nil {
			problem("oauth.tokenUrl", err.Error())
		}
	}
}

// InClear reports whether what goes to a web address can be read on its way: it is
// not encrypted, and leaves this machine.
func InClear(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	here := strings.EqualFold(u.Hostname(), "localhost") || err == nil && ip.IsLoopback()
	return u.Scheme == "http" && !here
}

// SignsIn reports whether a request carries a credential.
func SignsIn(a connector.Auth) bool {
	return a.Bearer != "" || a.APIKey.Value != "" || a.OAuth.TokenURL != "" || a.User != ""
}

// ours are headers that say something else already.
func ours(header string) bool {
	switch http.CanonicalHeaderKey(header) {
	case "Host", "Content-Type", "Content-Length", "Idempotency-Key", "Accept", "User-Agent", "Transfer-Encoding", "Connection", "If-None-Match", "If-Modified-Since":
		return true
	}
	return false
}
