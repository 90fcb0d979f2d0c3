package catalogue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/publicsuffix"
)

// LinkState is what became of a link when it was last followed.
type LinkState string

// The states of a link. Only a link that is gone is broken.
const (
	LinkOK        LinkState = "ok"
	LinkMoved     LinkState = "moved"       // it leads to another address of the same site, for good
	LinkElsewhere LinkState = "elsewhere"   // it leads on to another site, which may well be right
	LinkGone      LinkState = "gone"        // nothing is there any more
	LinkUnchecked LinkState = "not checked" // never, or the site did not let us tell
)

// Link is a web address of the catalogue and what became of it.
type Link struct {
	URL     string
	State   LinkState
	Status  int    // of the last answer, 0 for none
	To      string // where it leads, if elsewhere than it says
	Why     string // in words
	Checked time.Time
}

// Checker follows links politely: one question at a time to a host, with a pause
// between two, and never into our own network.
type Checker struct {
	// Allow says which addresses may be asked; nil: [PublicOnly]. It is asked
	// about what a name resolves to, also after each redirect.
	Allow func(netip.AddrPort) error
	Pause time.Duration // between two questions to a host; 0: a second
	Limit time.Duration // for one question; 0: ten seconds
	Agent string        // who we say we are
	// Dial opens connections in place of the network's own; with it, Allow is not
	// asked. For tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	maxRedirects = 5
	maxHosts     = 4 // asked at the same time
)

// Check follows the links, in any order of hosts. What ctx leaves no time for is
// not in the answer.
func (c *Checker) Check(ctx context.Context, urls []string) []Link {
	hosts := map[string][]string{}
	for _, u := range urls {
		host := ""
		if p, err := url.Parse(u); err == nil {
			host = strings.ToLower(p.Host)
		}
		hosts[host] = append(hosts[host], u)
	}
	client := c.client()
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var out []Link
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxHosts)
	for _, list := range hosts {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for i, u := range list {
				if i > 0 && !wait(ctx, c.pause()) {
					return
				}
				l := c.follow(ctx, client, u)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				out = append(out, l)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b Link) int { return strings.Compare(a.URL, b.URL) })
	return out
}

func (c *Checker) pause() time.Duration {
	if c.Pause == 0 {
		return time.Second
	}
	return c.Pause
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errRefused says that an address is one that must not be asked.
type errRefused struct{ why error }

func (e errRefused) Error() string { return e.why.Error() }

func (c *Checker) client() *http.Client {
	allow, limit := c.Allow, c.Limit
	if allow == nil {
		allow = PublicOnly
	}
	if limit == 0 {
		limit = 10 * time.Second
	}
	dialer := &net.Dialer{Timeout: limit, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err == nil {
			err = allow(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		}
		if err != nil {
			return errRefused{err}
		}
		return nil
	}}
	dial := dialer.DialContext
	if c.Dial != nil {
		dial = c.Dial
	}
	return &http.Client{
		Timeout: limit,
		Transport: &http.Transport{ // no proxy: it would be asked for us, wherever the address leads
			DialContext: dial, TLSHandshakeTimeout: limit, ResponseHeaderTimeout: limit,
			MaxResponseHeaderBytes: 64 << 10, MaxConnsPerHost: 1, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// PublicOnly lets only the public internet be asked, at the ports of the web: not
// this machine, not our own network, not what only looks public.
func PublicOnly(ap netip.AddrPort) error {
	a := ap.Addr().Unmap().WithZone("") // a prefix holds no address with a zone
	if ap.Port() != 80 && ap.Port() != 443 {
		return fmt.Errorf("the port %d is not one of the web", ap.Port())
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return errors.New("the name leads into a private network")
	}
	return nil
}

var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

// follow follows one link to its end.
func (c *Checker) follow(ctx context.Context, client *http.Client, link string) Link {
	l := Link{URL: link, State: LinkUnchecked}
	at, err := webAddress(link)
	if err != nil {
		l.State, l.Why = LinkGone, err.Error()
		return l
	}
	first, forGood := at, false
	for range maxRedirects + 1 {
		status, to, err := ask(ctx, client, at, c.Agent)
		if err != nil {
			l.State, l.Why = explain(err)
			return l
		}
		l.Status = status
		if to == "" || status < 300 || status > 399 {
			c.settle(&l, first, at, forGood)
			return l
		}
		next, err := at.Parse(to)
		if err == nil {
			next, err = webAddress(next.String())
		}
		if err != nil {
			l.Why = "it leads on to something that is not a web address"
			return l
		}
		forGood = forGood || status == http.StatusMovedPermanently || status == http.StatusPermanentRedirect
		at, l.To = next, next.String()
	}
	l.State, l.Why = LinkGone, fmt.Sprintf("it leads on more than %d times", maxRedirects)
	return l
}

func webAddress(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("it is not a web address")
	case u.User != nil:
		return nil, errors.New("it holds a user name")
	}
	u.Fragment = ""
	return u, nil
}

// ask asks for an address without its content: some sites know only GET.
func ask(ctx context.Context, client *http.Client, u *url.URL, agent string) (status int, to string, err error) {
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return 0, "", err
		}
		if agent != "" {
			req.Header.Set("User-Agent", agent)
		}
		resp, err := client.Do(req)
		if err != nil {
			if method == http.MethodHead && !unreachable(err) {
				continue // it could not answer HEAD
			}
			return 0, "", err
		}
		resp.Body.Close() // whatever it holds, nobody reads it
		status, to = resp.StatusCode, resp.Header.Get("Location")
		if status < 400 || status == http.StatusTooManyRequests {
			break
		}
	}
	return status, to, nil
}

// unreachable reports whether there is no use in asking again another way.
func unreachable(err error) bool {
	var refused errRefused
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &refused) || errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func explain(err error) (LinkState, string) {
	var refused errRefused
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &refused):
		return LinkUnchecked, refused.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return LinkGone, "there is no such site"
	case errors.As(err, &cert):
		return LinkUnchecked, "its certificate is not one that browsers trust"
	case errors.As(err, &timeout) && timeout.Timeout():
		return LinkUnchecked, "it did not answer in time"
	}
	return LinkUnchecked, "it could not be reached"
}

// settle says what the last answer means.
func (c *Checker) settle(l *Link, first, last *url.URL, forGood bool) {
	switch s := l.Status; {
	case s == http.StatusNotFound || s == http.StatusGone:
		l.State, l.Why = LinkGone, "the site says that the page is not there"
	case s == http.StatusUnauthorized || s == http.StatusForbidden || s == http.StatusTooManyRequests || s == http.StatusUnavailableForLegalReasons:
		l.Why = "the site does not let programs look"
	case s >= 500:
		l.Why = fmt.Sprintf("the site answered %d: it may be out of order for a while", s)
	case s >= 400:
		l.Why = fmt.Sprintf("the site answered %d", s)
	case s >= 300:
		l.Why = fmt.Sprintf("the site answered %d and did not say where to go", s)
	case site(first.Hostname()) != site(last.Hostname()):
		l.State, l.Why = LinkElsewhere, "it leads on to "+last.Hostname()
	case same(first, last):
		l.State, l.To = LinkOK, ""
	case first.Path != "" && first.Path != "/" && (last.Path == "" || last.Path == "/") && last.RawQuery == "":
		l.State, l.Why = LinkMoved, "it leads to the front page now: look whether what it was for is still there"
	case forGood:
		l.State, l.Why = LinkMoved, "the site says that it moved for good"
	default:
		l.State = LinkOK
	}
}

// same reports whether two addresses differ only in ways that nobody minds:
// https for http, with or without www, a slash at the end.
func same(a, b *url.URL) bool {
	norm := func(u *url.URL) string {
		return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") + strings.TrimSuffix(u.EscapedPath(), "/") + "?" + u.RawQuery
	}
	return norm(a) == norm(b)
}

// site is the part of a host's name that somebody owns: barnet.gov.uk of
// www.barnet.gov.uk.
func site(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if s, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return s
	}
	return host
}
