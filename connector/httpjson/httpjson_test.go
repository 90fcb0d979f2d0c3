package httpjson_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/httpjson"
)

func sink(t *testing.T, o httpjson.Options) *httpjson.Sink {
	t.Helper()
	s, err := httpjson.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestKit(t *testing.T) {
	for name, o := range map[string]httpjson.Options{
		"key":    {SendKey: true, Known: true, InFlight: 8},
		"put":    {Method: http.MethodPut, Path: "/deaths/{id}", Known: true, InFlight: 8, Ordered: true},
		"lookup": {Lookup: "/has/{id}"},
		"none":   {InFlight: 8},
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
				r := connectortest.NewReceiver(t)
				r.Recognise = o.Known
				o.URL, o.Timeout = r.Server.URL, 300*time.Millisecond
				return connectortest.Setup{Sink: sink(t, o), Effects: r.Effects, Behave: r.Behave, Repeats: o.Known}
			})
		})
	}
}

func TestDownAndElsewhere(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	rs := sink(t, httpjson.Options{URL: gone.URL}).Send(t.Context(), connectortest.Items(1))
	if rs[0].Outcome != connector.Later || strings.Contains(rs[0].Message, "127.0.0.1") {
		t.Errorf("nobody listens: %+v", rs[0])
	}
	r := connectortest.NewReceiver(t)
	o := httpjson.Options{URL: r.Server.URL, Address: func(string, string) error { return errors.New("not an address we may call") }}
	if rs = sink(t, o).Send(t.Context(), connectortest.Items(1)); rs[0].Outcome != connector.Later || r.Requests() != 0 {
		t.Errorf("forbidden address: %+v, %d requests", rs[0], r.Requests())
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		code  int
		head  string
		known bool
		want  connector.Outcome
		after time.Duration
	}{
		{200, "", false, connector.Delivered, 0},
		{204, "", false, connector.Delivered, 0},
		{302, "", false, connector.Later, 0},
		{400, "", false, connector.Refused, 0},
		{401, "", false, connector.Later, 0},
		{409, "", true, connector.Delivered, 0},
		{409, "", false, connector.Refused, 0},
		{429, "7", false, connector.Later, 7 * time.Second},
		{503, "99999999", false, connector.Later, time.Hour},
		{503, "-1", false, connector.Later, 0},
		{503, "soon", false, connector.Later, 0},
		{500, "", false, connector.Unclear, 0},
		{504, "", false, connector.Unclear, 0},
	} {
		hits := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			hits++
			if got := req.Header.Get("Authorization"); got != "Bearer s3cret" {
				t.Errorf("authorization %q", got)
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", c.head)
			w.WriteHeader(c.code)
		}))
		s := sink(t, httpjson.Options{URL: srv.URL, Known: c.known, Bearer: func() (string, error) { return "s3cret", nil }})
		r := s.Send(t.Context(), connectortest.Items(1))[0]
		if r.Outcome != c.want || r.RetryAfter != c.after || hits != 1 || strings.Contains(r.Message, "s3cret") {
			t.Errorf("%d %s: %+v after %d requests", c.code, c.head, r, hits)
		}
		srv.Close()
	}
}

func TestPaths(t *testing.T) {
	r := connectortest.NewReceiver(t)
	s := sink(t, httpjson.Options{URL: r.Server.URL + "/base/", Method: http.MethodPut, Path: "/d/{key}"})
	rs := s.Send(t.Context(), []connector.Item{{ID: "1", Key: "a/../b?c#d", Body: []byte(`{}`)}, {ID: "2", Key: "..", Body: []byte(`{}`)}, {ID: "3", Body: []byte(`{}`)}})
	if rs[0].Outcome != connector.Delivered || rs[1].Outcome != connector.Refused || rs[2].Outcome != connector.Refused {
		t.Errorf("%+v", rs)
	}
	if p := r.Paths(); len(p) != 1 || p[0] != "PUT /base/d/a%2F..%2Fb%3Fc%23d" {
		t.Errorf("paths %q", p)
	}
	for _, bad := range []string{"", "ftp://x", "http://", "http://x/?q", "::"} {
		if _, err := httpjson.New(httpjson.Options{URL: bad}); err == nil {
			t.Errorf("%q is taken as an address", bad)
		}
	}
}
