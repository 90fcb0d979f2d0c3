package catalogue

import (
	"context"
	"encoding/csv"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// internet answers for every host with one handler, and keeps what was asked.
type internet struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	now   map[string]int // questions under way, by host
	most  map[string]int
}

func newInternet(t *testing.T, h func(w http.ResponseWriter, r *http.Request)) *internet {
	t.Helper()
	n := &internet{now: map[string]int{}, most: map[string]int{}}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.asked = append(n.asked, r.Method+" "+r.Host+r.URL.Path)
		n.now[r.Host]++
		n.most[r.Host] = max(n.most[r.Host], n.now[r.Host])
		if lasts(r) {
			n.now[r.Host]-- // the asker gives it up, and may ask the next before we see that
		}
		n.mu.Unlock()
		defer func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			if !lasts(r) {
				n.now[r.Host]--
			}
		}()
		h(w, r)
	}))
	t.Cleanup(n.Server.Close)
	return n
}

func lasts(r *http.Request) bool {
	return r.URL.Path == "/slow" || r.URL.Path == "/endless" && r.Method == http.MethodGet
}

func (n *internet) checker() *Checker {
	return &Checker{Pause: time.Millisecond, Limit: time.Minute, Agent: "reeve-test", Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "nowhere.") {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", n.Listener.Addr().String())
	}}
}

func TestCheckerAgainstSitesThatMisbehave(t *testing.T) {
	n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fine", "/new", "/", "/where":
		case "/moved":
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		case "/for-now":
			http.Redirect(w, r, "/new", http.StatusFound)
		case "/slash":
			http.Redirect(w, r, "http://"+strings.TrimPrefix(r.Host, "www.")+"/slash/", http.StatusMovedPermanently)
		case "/front":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "http://www.else.org.uk/where", http.StatusMovedPermanently)
		case "/part":
			http.Redirect(w, r, "http://forms.town.gov.uk/where", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/ftp":
			w.Header().Set("Location", "ftp://town.gov.uk/x")
			w.WriteHeader(302)
		case "/silent":
			w.WriteHeader(302)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/closed":
			w.WriteHeader(http.StatusForbidden)
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/no-head":
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
		case "/head-404":
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusNotFound)
			}
		case "/hangs-up":
			if r.Method == http.MethodHead {
				panic(http.ErrAbortHandler)
			}
		case "/endless":
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		case "/headers":
			for i := range 2000 {
				w.Header().Set("X-"+strings.Repeat("a", i%30)+string(rune('a'+i%26))+strings.Repeat("b", i/30), strings.Repeat("c", 1000))
			}
		case "/slow":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	})
	c := n.checker()
	const town = "http://www.town.gov.uk"
	want := map[string]LinkState{
		town + "/fine": LinkOK, town + "/fine#part": LinkOK, town + "/moved": LinkMoved, town + "/for-now": LinkOK, town + "/slash": LinkGone, town + "/front": LinkMoved,
		town + "/elsewhere": LinkElsewhere, town + "/part": LinkOK, town + "/round": LinkGone, town + "/file": LinkUnchecked, town + "/ftp": LinkUnchecked, town + "/silent": LinkUnchecked,
		town + "/gone": LinkGone, town + "/nothing": LinkGone, town + "/closed": LinkUnchecked, town + "/busy": LinkUnchecked, town + "/broken": LinkUnchecked,
		town + "/no-head": LinkOK, town + "/head-404": LinkOK, town + "/hangs-up": LinkOK, town + "/endless": LinkOK, town + "/headers": LinkUnchecked, town + "/slow": LinkUnchecked,
		"http://nowhere.gov.uk/x": LinkGone, "javascript:alert(1)": LinkGone, "http://": LinkGone, "http://me:secret@town.gov.uk/": LinkGone, "http://[::1": LinkGone,
	}
	var urls []string
	for u := range want {
		if u != town+"/slow" {
			urls = append(urls, u)
		}
	}
	got := c.Check(t.Context(), urls)
	c.Limit = time.Second // for the one that never answers
	got = append(got, c.Check(t.Context(), []string{town + "/slow"})...)
	if len(got) != len(want) {
		t.Errorf("%d answers about %d links", len(got), len(want))
	}
	for _, l := range got {
		if l.State != want[l.URL] {
			t.Errorf("%s: %s (%d, %s), want %s", l.URL, l.State, l.Status, l.Why, want[l.URL])
		}
		if (l.State == LinkMoved || l.State == LinkElsewhere) != (l.To != "" && l.State != LinkUnchecked && l.State != LinkGone && l.State != LinkOK) {
			t.Errorf("%s: %s leads to %q", l.URL, l.State, l.To)
		}
		if l.State != LinkOK && l.Why == "" {
			t.Errorf("%s: %s without a reason", l.URL, l.State)
		}
	}
	for host, most := range n.most {
		if most > 1 {
			t.Errorf("%s was asked %d things at once", host, most)
		}
	}
}

// TestCheckerStaysOutside asks for addresses that lead inside: nothing is asked.
func TestCheckerStaysOutside(t *testing.T) {
	n := newInternet(t, func(http.ResponseWriter, *http.Request) {})
	inside := n.URL + "/secret"
	for _, l := range (&Checker{Pause: time.Millisecond, Limit: time.Minute}).Check(t.Context(), []string{inside, strings.Replace(inside, "127.0.0.1", "localhost", 1), "http://169.254.169.254/latest/meta-data/"}) {
		if l.State != LinkUnchecked || !strings.Contains(l.Why, "private network") && !strings.Contains(l.Why, "port") {
			t.Errorf("%s: %s %s", l.URL, l.State, l.Why)
		}
	}
	if len(n.asked) > 0 {
		t.Error("it was asked:", n.asked)
	}
	// A site outside cannot lead it inside.
	port := netip.MustParseAddrPort(n.Listener.Addr().String()).Port()
	asked := 0
	c := &Checker{Pause: time.Millisecond, Limit: time.Minute, Allow: func(ap netip.AddrPort) error {
		if asked++; asked == 1 && ap.Port() == port {
			return nil
		}
		return PublicOnly(ap)
	}}
	evil := newInternet(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, http.StatusFound) })
	port = netip.MustParseAddrPort(evil.Listener.Addr().String()).Port()
	got := c.Check(t.Context(), []string{evil.URL + "/x"})
	if len(got) != 1 || got[0].State != LinkUnchecked || len(n.asked) > 0 || len(evil.asked) != 1 {
		t.Error(got, n.asked, evil.asked)
	}
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:80": true, "93.184.216.34:22": false, "10.0.0.1:80": false, "192.168.1.1:443": false, "172.16.0.1:80": false, "127.0.0.1:80": false, "[::1]:80": false,
		"[::ffff:10.0.0.1]:80": false, "100.64.0.1:80": false, "169.254.169.254:80": false, "[fe80::1]:80": false, "[fd00::1]:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false, "[64:ff9b::a00:1]:80": false, "[2002:a00:1::]:80": false, "255.255.255.255:80": false,
		"[64:ff9b::a00:1%eth0]:80": false, "[fec0::1]:80": false, "[::10.0.0.1]:80": false, "[2001:0:a00:1::1]:80": false, "192.88.99.1:80": false, "[2001:4860:4860::8888]:443": true,
	} {
		if got := PublicOnly(netip.MustParseAddrPort(address)) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// TestRealLinks follows links that councils gave, with every host answered for
// here: where they point elsewhere than the council's own site, they are right.
func TestRealLinks(t *testing.T) {
	f, err := os.Open("testdata/real/services/links.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	urls := map[string]bool{}
	other := 0
	for _, r := range rows[1:] {
		home, err := url.Parse(r[1])
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(r[2])
		if err != nil {
			t.Fatal(err)
		}
		if !urls[r[2]] && site(home.Hostname()) != site(link.Hostname()) {
			other++
		}
		urls[r[2]], hosts[link.Hostname()] = true, true
	}
	n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {})
	c := n.checker()
	dial := c.Dial
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded} // no certificates here
		}
		return dial(ctx, network, address)
	}
	var list []string
	for u := range urls {
		list = append(list, strings.Replace(u, "https://", "http://", 1))
	}
	got := map[LinkState]int{}
	for _, l := range c.Check(t.Context(), list) {
		got[l.State]++
	}
	if got[LinkOK] != len(list) || len(list) < 300 || other < 40 {
		t.Errorf("%v of %d links at %d hosts, %d of them not the council's own", got, len(list), len(hosts), other)
	}
}

func TestSites(t *testing.T) {
	for host, want := range map[string]string{"www.barnet.gov.uk": "barnet.gov.uk", "forms.barnet.gov.uk.": "barnet.gov.uk", "www.example.org.uk": "example.org.uk", "127.0.0.1": "127.0.0.1", "localhost": "localhost"} {
		if got := site(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}
