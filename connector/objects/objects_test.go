//go:build objects

package objects

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/files"
	"github.com/reeve-civic/reeve/connector/format"
)

func TestMain(m *testing.M) { connectortest.Main(m) }

// store is as much of S3 as is used, on 127.0.0.1.
type store struct {
	*httptest.Server
	plainOnly bool // it knows no conditional writes and deletes

	mu      sync.Mutex
	objects map[string]object
	n       int64
	mode    connectortest.Mode
	down    bool
	cut     bool // the next object that is read breaks off in its middle
	quiet   chan struct{}
}

type object struct {
	content []byte
	tag     string
	date    time.Time
}

func newStore(t *testing.T) *store {
	s := &store{objects: map[string]object{}, quiet: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { close(s.quiet); s.CloseClientConnections(); s.Close() })
	return s
}

func (s *store) put(key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	sum := md5.Sum([]byte(content))
	s.objects[key] = object{[]byte(content), `"` + hex.EncodeToString(sum[:]) + `"`, time.Unix(1700000000+s.n, 0).UTC()}
}

func (s *store) hangUp(w http.ResponseWriter) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = c.Close()
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>canary-words</Message></Error>", code)
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	mode, down, cut := s.mode, s.down, s.cut
	s.mu.Unlock()
	key, _ := strings.CutPrefix(r.URL.Path, "/bucket")
	key = strings.TrimPrefix(key, "/")
	body, _ := io.ReadAll(r.Body)
	switch {
	case down:
		s.hangUp(w)
		return
	case !strings.Contains(r.Header.Get("Authorization"), "Credential=S3RVER/"):
		fail(w, 403, "InvalidAccessKeyId")
		return
	case mode == connectortest.Busy:
		fail(w, 503, "SlowDown")
		return
	case r.Method == "GET" && key == "":
		s.list(w, r.URL.Query())
		return
	}
	s.mu.Lock()
	o, there := s.objects[key]
	s.mu.Unlock()
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case s.plainOnly && r.Method != "GET" && (match != "" || none != ""):
		fail(w, 501, "NotImplemented")
	case !there && r.Method != "PUT":
		fail(w, 404, "NoSuchKey")
	case match != "" && match != o.tag, none == "*" && there:
		fail(w, 412, "PreconditionFailed")
	case r.Method == "PUT" && mode == connectortest.Broken:
		fail(w, 500, "InternalError")
	case r.Method == "PUT":
		if from := r.Header.Get("X-Amz-Copy-Source"); from != "" {
			s.copy(w, from, r.Header.Get("X-Amz-Copy-Source-If-Match"), key)
			return
		}
		s.put(key, string(body))
		switch mode {
		case connectortest.DyingAfterTake:
			s.hangUp(w)
		case connectortest.SilentAfterTake:
			select {
			case <-s.quiet:
			case <-r.Context().Done():
			}
		}
	case r.Method == "DELETE":
		s.mu.Lock()
		delete(s.objects, key)
		s.mu.Unlock()
		w.WriteHeader(204)
	default:
		w.Header().Set("ETag", o.tag)
		w.Header().Set("Last-Modified", o.date.Format(http.TimeFormat))
		w.Header().Set("Content-Length", fmt.Sprint(len(o.content)))
		if r.Method == "HEAD" {
			return
		}
		if cut {
			s.mu.Lock()
			s.cut = false
			s.mu.Unlock()
			_, _ = w.Write(o.content[:len(o.content)/2])
			w.(http.Flusher).Flush()
			s.hangUp(w)
			return
		}
		_, _ = w.Write(o.content)
	}
}

func (s *store) copy(w http.ResponseWriter, from, match, to string) {
	from, _ = url.PathUnescape(from)
	_, from, _ = strings.Cut(from, "/")
	s.mu.Lock()
	o, ok := s.objects[from]
	s.mu.Unlock()
	switch {
	case !ok:
		fail(w, 404, "NoSuchKey")
	case match != "" && match != o.tag:
		fail(w, 412, "PreconditionFailed")
	default:
		s.put(to, string(o.content))
		fmt.Fprintf(w, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>", o.tag)
	}
}

// list gives two objects at a time.
func (s *store) list(w http.ResponseWriter, q url.Values) {
	type content struct {
		Key          string
		Size         int
		ETag         string
		LastModified time.Time
	}
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []content
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for k := range s.objects {
		rest, ok := strings.CutPrefix(k, q.Get("prefix"))
		if ok && !strings.Contains(rest, "/") && k > q.Get("continuation-token") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if len(keys) > 2 {
		keys = keys[:2]
		out.IsTruncated, out.NextContinuationToken = true, keys[1]
	}
	for _, k := range keys {
		o := s.objects[k]
		out.Contents = append(out.Contents, content{k, len(o.content), o.tag, o.date})
	}
	_ = xml.NewEncoder(w).Encode(out)
}

func config(s *store, settings files.Settings) connector.Config {
	return connector.Config{ID: "flow-x", Address: "s3://bucket/in", Format: format.Spec{Name: "ndjson"}, Settings: &Settings{Settings: settings, Endpoint: s.URL},
		Auth: connector.Auth{User: "S3RVER", Password: "env:KEY"}, Timeout: time.Minute,
		Host: connector.Host{Now: time.Now, Secret: func(r connector.Ref) (string, error) {
			if r == "env:KEY" {
				return "S3RVER", nil
			}
			return "", fmt.Errorf("give %s", r)
		}}}
}

func TestSourceKit(t *testing.T) {
	for _, after := range []string{"keep", "move", "delete"} {
		for _, plainOnly := range []bool{false, true} {
			t.Run(fmt.Sprint(after, plainOnly), func(t *testing.T) {
				connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup {
					s, n := newStore(t), 0
					s.plainOnly = plainOnly
					next := func() string { n++; return fmt.Sprintf("in/deaths %03d+ä.ndjson", n) }
					return connectortest.SourceSetup{
						Open: func(t *testing.T) connector.Source {
							src, err := Connector.Source(config(s, files.Settings{After: after}))
							if err != nil {
								t.Fatal(err)
							}
							return src
						},
						Add:     func(t *testing.T, its []connector.Item) { s.put(next(), connectortest.Lines(its)) },
						Down:    func(_ *testing.T, down bool) { s.mu.Lock(); s.down = down; s.mu.Unlock() },
						Cut:     func(*testing.T) { s.mu.Lock(); s.cut = true; s.mu.Unlock() },
						Secrets: []string{"canary", "S3RVER"},
					}
				})
			})
		}
	}
}

func TestSinkKit(t *testing.T) {
	for _, plainOnly := range []bool{false, true} {
		t.Run(fmt.Sprint(plainOnly), func(t *testing.T) {
			connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
				s := newStore(t)
				s.plainOnly = plainOnly
				var to [2]connector.Sink
				for i, timeout := range []time.Duration{time.Minute, 2 * time.Second} {
					c := config(s, files.Settings{})
					c.Timeout = timeout
					var err error
					if to[i], err = Connector.Sink(c); err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { to[i].(io.Closer).Close() })
				}
				return connectortest.Setup{Sink: to[0], Hasty: to[1], Repeats: true,
					Effects: func() (es []connectortest.Effect) {
						s.mu.Lock()
						defer s.mu.Unlock()
						for _, o := range s.objects {
							es = append(es, connectortest.EffectsOf(t, string(o.content))...)
						}
						return es
					},
					Behave: func(m connectortest.Mode) bool {
						s.mu.Lock()
						defer s.mu.Unlock()
						if s.mode = m; m == connectortest.SilentAfterTake {
							clear(s.objects) // of the mode before
						}
						return m != connectortest.Down && m != connectortest.Refusing
					}}
			})
		})
	}
}

// A store of the outside: REEVE_S3=http://127.0.0.1:5000 with a bucket called bucket.
func TestRealStore(t *testing.T) {
	at := os.Getenv("REEVE_S3")
	if at == "" {
		t.Skip("REEVE_S3 names no store")
	}
	for _, after := range []string{"move", "delete", "keep"} {
		c := config(&store{Server: &httptest.Server{URL: at}}, files.Settings{After: after})
		c.Address = "s3://bucket/" + after
		to, err := Connector.Sink(c)
		if err != nil {
			t.Fatal(err)
		}
		its := connectortest.Items(30)
		for range 2 {
			if rs := to.Send(t.Context(), its); rs[0].Outcome != connector.Delivered {
				t.Fatalf("%+v", rs[0])
			}
		}
		other := slices.Clone(its)
		other[3].Body = []byte(`{"other":true}`)
		if rs := to.Send(t.Context(), other); rs[0].Outcome != connector.Later {
			t.Errorf("written over: %+v", rs[0])
		}
		l := connectortest.NewLedger()
		for range 2 {
			src, err := Connector.Source(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Read(t.Context(), t, src); err != nil || len(l.Bodies) != 30 {
				t.Errorf("%s: %v, %d records", after, err, len(l.Bodies))
			}
		}
		to.(io.Closer).Close()
	}
	c := config(&store{Server: &httptest.Server{URL: at}}, files.Settings{})
	c.Address = "s3://no-such-bucket/x"
	to, _ := Connector.Sink(c)
	rs := to.Send(t.Context(), connectortest.Items(1))
	t.Logf("no such bucket: %+v", rs[0])
	to.(io.Closer).Close()
}

func TestWrongKey(t *testing.T) {
	s := newStore(t)
	c := config(s, files.Settings{})
	c.Auth.User = "OTHER"
	src, err := Connector.Source(c)
	if err != nil {
		t.Fatal(err)
	}
	err = src.Read(t.Context(), "", func(connector.Portion) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "does not allow it") || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
	src.Close()
}
