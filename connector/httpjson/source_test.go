package httpjson_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/connector/httpjson"
)

// register is a system that gives its records page by page.
type register struct {
	style string
	size  int
	mu    sync.Mutex
	rows  []string // as they stand in a page
	asked []string
	same  int // answers 304
}

func (r *register) add(its []connector.Item, bad bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, it := range its {
		if bad && i == 2 {
			r.rows = append(r.rows, `17`)
		}
		// Two after the other have one time of change, as in life.
		extra := fmt.Sprintf(`{"resourceType":"Basic","seq":%d,"meta":{"lastUpdated":"2026-03-01T10:00:%02dZ"},`, len(r.rows)+1, len(r.rows)/2)
		r.rows = append(r.rows, strings.Replace(string(it.Body), "{", extra, 1))
	}
}

func (r *register) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, req.URL.RequestURI())
	q := req.URL.Query()
	if q.Get("kind") != "death" || req.Header.Get("Authorization") != "Bearer s3cret" {
		w.WriteHeader(400)
		return
	}
	from := 0
	switch r.style {
	case "exclusive", "inclusive", "links and cursor":
		since, _ := strconv.Atoi(q.Get("since"))
		if from = since; r.style == "inclusive" {
			from = max(0, since-1)
		}
		page, _ := strconv.Atoi(q.Get("page"))
		from += page * r.size
	default:
		from, _ = strconv.Atoi(q.Get("page"))
	}
	from = min(from, len(r.rows))
	to := min(from+r.size, len(r.rows))
	list := "[" + strings.Join(r.rows[from:to], ",") + "]"
	more := to < len(r.rows)
	var body string
	next := func(page int) string {
		v := url.Values{"kind": {"death"}, "page": {strconv.Itoa(page)}}
		if s := q.Get("since"); s != "" {
			v.Set("since", s)
		}
		return "http://" + req.Host + req.URL.Path + "?" + v.Encode()
	}
	switch r.style {
	case "exclusive", "inclusive":
		body = list
	case "links":
		if body = list; more {
			w.Header().Add("Link", `<https://x.example/?a=1,2>; rel="prev first", <`+next(to)+`>; title="a, b"; rel="last NEXT"`)
		}
	case "links and cursor":
		if body = list; more {
			page, _ := strconv.Atoi(q.Get("page"))
			w.Header().Set("Link", "<"+next(page+1)+">; rel=next")
		}
	case "token": // one to go on with stands in every answer, also in the last
		body = fmt.Sprintf(`{"meta":{"next":%d},"data":{"people":%s}}`, to, list)
	case "pointer":
		body = fmt.Sprintf(`{"data":{"people":%s}}`, list)
		if more {
			body = fmt.Sprintf(`{"data":{"people":%s},"next":%q}`, list, next(to))
		}
	case "fhir":
		var entries []string
		for _, row := range r.rows[from:to] {
			entries = append(entries, `{"resource":`+row+`}`)
		}
		link := `[{"relation":"self","url":"x"}]`
		if more {
			link = fmt.Sprintf(`[{"relation":"self","url":"x"},{"relation":"next","url":%q}]`, next(to))
		}
		body = fmt.Sprintf(`{"resourceType":"Bundle","type":"searchset","link":%s,"entry":[%s]}`, link, strings.Join(entries, ","))
	}
	tag := fmt.Sprintf(`"%x"`, len(body))
	w.Header().Set("ETag", tag)
	if req.Header.Get("If-None-Match") == tag {
		r.same++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, body)
}

var styles = map[string]struct {
	s httpjson.Settings
	f format.Spec
}{
	"exclusive":        {httpjson.Settings{Cursor: "since", From: "/seq", First: "0"}, format.Spec{}},
	"inclusive":        {httpjson.Settings{Cursor: "since", From: "/seq"}, format.Spec{}},
	"links":            {httpjson.Settings{Next: "link"}, format.Spec{}},
	"links and cursor": {httpjson.Settings{Next: "link", Cursor: "since", From: "/seq"}, format.Spec{}},
	"token":            {httpjson.Settings{Next: "/meta/next", Cursor: "page"}, format.Spec{Record: "/data/people"}},
	"pointer":          {httpjson.Settings{Next: "/next"}, format.Spec{Record: "/data/people"}},
	"fhir":             {httpjson.Settings{Next: "fhir"}, format.Spec{Name: "fhir"}},
}

var scratch string // of the last source

func source(t *testing.T, address string, s httpjson.Settings, f format.Spec, now func() time.Time) *httpjson.Source {
	t.Helper()
	host := secrets(map[connector.Ref]string{"env:T": "s3cret"})
	scratch = t.TempDir()
	host.Now, host.Scratch = now, scratch
	src, err := httpjson.NewSource(connector.Config{Address: address, Path: "/v1/people?kind=death", Auth: connector.Auth{Bearer: "env:T"}, Format: f, Settings: &s, Host: host, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func TestSourceKit(t *testing.T) {
	for style, c := range styles {
		t.Run(style, func(t *testing.T) {
			connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup {
				r := &register{style: style, size: 4}
				srv := httptest.NewServer(r)
				t.Cleanup(srv.Close)
				p := connectortest.NewProxy(t, strings.TrimPrefix(srv.URL, "http://"))
				setup := connectortest.SourceSetup{
					Open: func(t *testing.T) connector.Source {
						return source(t, "http://"+p.Addr, c.s, c.f, nil)
					},
					Add:     func(_ *testing.T, its []connector.Item) { r.add(its, false) },
					Down:    func(_ *testing.T, down bool) { p.Down(down) },
					Cut:     func(*testing.T) { p.CutAfter(100) },
					Secrets: []string{"s3cret"},
				}
				if style != "fhir" { // what is no resource is left out of a Bundle by its reader or told, as it sees fit
					setup.Bad = func(_ *testing.T, its []connector.Item) { r.add(its, true) }
				}
				return setup
			})
		})
	}
}

// A program that has just started asks whether the page where it stands has changed,
// and gets no page if it has not.
func TestNotModified(t *testing.T) {
	for style, c := range styles {
		if c.s.Next == "link" {
			continue
		}
		r := &register{style: style, size: 4}
		srv := httptest.NewServer(r)
		r.add(connectortest.Items(10), false)
		l := connectortest.NewLedger()
		if err := l.Read(t.Context(), t, source(t, srv.URL, c.s, c.f, nil)); err != nil {
			t.Errorf("%s: %v", style, err)
		}
		same, asked := r.same, len(r.asked)
		src := source(t, srv.URL, c.s, c.f, nil)
		for range 3 {
			if err := l.Read(t.Context(), t, src); err != nil {
				t.Errorf("%s: %v", style, err)
			}
		}
		if r.same-same < 2 || len(r.asked)-asked > 4 || len(l.Bodies) != 10 {
			t.Errorf("%s: %d of %d not changed, %d records", style, r.same-same, len(r.asked)-asked, len(l.Bodies))
		}
		srv.Close()
	}
}

// A page that changed before the place where reading goes on is read from its start:
// records come twice, none is missing.
func TestPageThatChanged(t *testing.T) {
	r := &register{style: "links", size: 10}
	srv := httptest.NewServer(r)
	defer srv.Close()
	r.add(connectortest.Items(5), false)
	l := connectortest.NewLedger()
	l.Crash = 3
	_ = l.Read(t.Context(), t, source(t, srv.URL, styles["links"].s, format.Spec{}, nil))
	r.mu.Lock()
	r.rows = r.rows[1:] // the first was removed: three rows on would be one too many
	r.mu.Unlock()
	l.Crash = -1
	if err := l.Read(t.Context(), t, source(t, srv.URL, styles["links"].s, format.Spec{}, nil)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, b := range l.Bodies {
		seen[string(b)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 records were read", len(seen))
	}
}

func TestPagesThatMislead(t *testing.T) {
	next, calls := "", 0
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		if calls++; calls > 50 {
			w.WriteHeader(500)
			return
		}
		to := next
		if next == "circle" {
			to = map[string]string{"": "?p=1", "1": "?p=2", "2": "?p=1"}[req.URL.Query().Get("p")]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{map[string]int{"a": 1}}, "next": to})
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, to := range []string{"circle", "http://169.254.169.254/", "https://evil.example/", "//evil.example/", "file:///etc/passwd", "http://u:p@" + srv.Listener.Addr().String() + "/"} {
		next, calls = to, 0
		src := source(t, srv.URL, httpjson.Settings{Next: "/next"}, format.Spec{Record: "/items"}, nil)
		err := src.Read(t.Context(), "", func(connector.Portion) error { return nil })
		if err == nil || calls > 5 {
			t.Errorf("%s: %v after %d requests", to, err, calls)
		}
	}
}

func TestSourceAnswers(t *testing.T) {
	code, body, calls := 200, "", 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	defer srv.Close()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	src := source(t, srv.URL, httpjson.Settings{Next: "link"}, format.Spec{}, func() time.Time { return now })
	read := func() error {
		return src.Read(t.Context(), "", func(connector.Portion) error { t.Error("taken"); return nil })
	}
	code = 503
	var busy *httpjson.BusyError
	if err := read(); !errors.As(err, &busy) || busy.RetryAfter() != 30*time.Second {
		t.Errorf("%v", err)
	}
	now = now.Add(20 * time.Second)
	if err := read(); !errors.As(err, &busy) || busy.RetryAfter() != 10*time.Second || calls != 1 {
		t.Errorf("asked again too early: %v, %d requests", err, calls)
	}
	now = now.Add(11 * time.Second)
	code = 204
	if err := read(); err != nil || calls != 2 {
		t.Errorf("%v, %d requests", err, calls)
	}
	for _, c := range []int{301, 401, 403, 404, 410, 500} {
		if code = c; read() == nil {
			t.Errorf("%d is no error", c)
		}
		now = now.Add(time.Minute)
	}
	code, body = 200, "<html>Canary"
	if err := read(); err == nil || strings.Contains(err.Error(), "Canary") {
		t.Errorf("not JSON: %v", err)
	}
	from := source(t, srv.URL, httpjson.Settings{Cursor: "since", From: "/at"}, format.Spec{}, nil)
	if body = `[{"a":"Canary"}]`; from.Read(t.Context(), "", func(connector.Portion) error { return nil }) == nil {
		t.Error("no record has the cursor, and nobody is told")
	}
}

// One document: read again when it has changed, gone on with at the next row.
func TestDocument(t *testing.T) {
	text, modified, gets, same := "id,name\n1,Åse\n2,Bo\n", "", 0, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		gets++
		if modified != "" {
			w.Header().Set("Last-Modified", modified)
		}
		tag := fmt.Sprintf(`W/"%d"`, len(text))
		w.Header().Set("ETag", tag)
		if req.Header.Get("If-None-Match") == tag {
			same++
			w.WriteHeader(304)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	defer srv.Close()
	src := source(t, srv.URL, httpjson.Settings{}, format.Spec{Name: "csv"}, nil)
	l := connectortest.NewLedger()
	l.Crash = 1
	if err := l.Read(t.Context(), t, src); err == nil {
		t.Fatal("no error of take")
	}
	l.Crash = -1
	for range 2 {
		if err := l.Read(t.Context(), t, src); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Read(t.Context(), t, source(t, srv.URL, httpjson.Settings{}, format.Spec{Name: "csv"}, nil)); err != nil {
		t.Fatal(err)
	}
	if len(l.Bodies) != 2 || gets != 4 || same != 1 {
		t.Errorf("%d records, %d requests, %d not changed", len(l.Bodies), gets, same)
	}
	text += "3,Cy\n"
	var names []string
	err := src.Read(t.Context(), "", func(p connector.Portion) error {
		names = append(names, fmt.Sprintf("%s %d", p.Name, p.Size))
		return nil
	})
	if err != nil || len(names) != 1 || names[0] != "people 25" {
		t.Errorf("%q %v", names, err)
	}
	left, err := os.ReadDir(scratch)
	if err != nil || len(left) != 0 {
		t.Errorf("files left: %v %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := src.Read(ctx, "", func(connector.Portion) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
