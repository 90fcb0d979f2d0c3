package httpjson_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/httpjson"
)

func sink(t *testing.T, c connector.Config) *httpjson.Sink {
	t.Helper()
	s, err := httpjson.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// secrets looks references up in a map.
func secrets(m map[connector.Ref]string) connector.Host {
	return connector.Host{Secret: func(r connector.Ref) (string, error) {
		if v, ok := m[r]; ok {
			return v, nil
		}
		return "", errors.New("a secret is not set: give " + string(r))
	}}
}

func TestKit(t *testing.T) {
	for name, c := range map[string]connector.Config{
		"key":    {Repeat: "key", InFlight: 8},
		"put":    {Repeat: "put", Method: http.MethodPut, Path: "/deaths/{id}", InFlight: 8, Ordered: true},
		"lookup": {Repeat: "lookup", Lookup: "/has/{id}"},
		"none":   {Repeat: "none", InFlight: 8},
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
				r := connectortest.NewReceiver(t)
				r.Recognise = c.Repeat == "key" || c.Repeat == "put"
				c.Address, c.Timeout = r.Server.URL, time.Minute
				hasty := c
				hasty.Timeout = time.Second
				return connectortest.Setup{Sink: sink(t, c), Hasty: sink(t, hasty), Effects: r.Effects, Behave: r.Behave, Repeats: r.Recognise}
			})
		})
	}
}

// many is a system that takes lists: it gives each record to a receiver that takes one.
func many(t *testing.T, one *connectortest.Receiver, multi bool) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var list []json.RawMessage
		if err := json.NewDecoder(req.Body).Decode(&list); err != nil {
			t.Errorf("not a list: %v", err)
		}
		type entry struct {
			Status int    `json:"status"`
			Detail string `json:"detail,omitempty"`
		}
		var answers []entry
		worst := 200
		for _, body := range list {
			var m map[string]json.RawMessage
			_ = json.Unmarshal(body, &m)
			var id string
			_ = json.Unmarshal(m["deliveryId"], &id)
			plain := strings.Replace(string(body), `"deliveryId":"`+id+`",`, "", 1)
			r := httptest.NewRequest("POST", "/", strings.NewReader(plain))
			r.Header.Set("Idempotency-Key", id)
			rec := httptest.NewRecorder()
			one.ServeHTTP(rec, r.WithContext(req.Context()))
			var said struct{ Detail string }
			_ = json.Unmarshal(rec.Body.Bytes(), &said)
			answers = append(answers, entry{rec.Code, said.Detail})
			if worst = max(worst, rec.Code); !multi && worst > 299 {
				w.WriteHeader(worst)
				return
			}
		}
		if !multi {
			w.WriteHeader(worst)
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		_ = json.NewEncoder(w).Encode(map[string]any{"results": answers})
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestKitOfBatches(t *testing.T) {
	for _, multi := range []bool{false, true} {
		for _, ordered := range []bool{false, true} {
			connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
				r := connectortest.NewReceiver(t)
				c := connector.Config{Address: many(t, r, multi).URL, Repeat: "key", InFlight: 2, Ordered: ordered, Timeout: time.Minute,
					Settings: &httpjson.Settings{Batch: 10, BatchID: "deliveryId"}}
				hasty := c
				hasty.Timeout = time.Second
				return connectortest.Setup{Sink: sink(t, c), Hasty: sink(t, hasty), Effects: r.Effects, Repeats: true, Behave: func(m connectortest.Mode) bool {
					if m == connectortest.DyingAfterTake {
						return false // the recorder between them cannot break off
					}
					return r.Behave(m)
				}}
			})
		}
	}
}

// One bad record among a hundred is found, whatever the system says of the whole, and
// the others are taken.
func TestBatchWithPoison(t *testing.T) {
	for _, mode := range []connectortest.Mode{connectortest.Refusing, connectortest.Broken} {
		for _, at := range []int{0, 1, 57, 99} {
			r := connectortest.NewReceiver(t)
			its := connectortest.Items(100)
			r.Judge = func(_ int, id string, _ []byte) connectortest.Mode {
				if id == its[at].ID {
					return mode
				}
				return connectortest.Healthy
			}
			s := sink(t, connector.Config{Address: many(t, r, false).URL, Repeat: "key", Settings: &httpjson.Settings{Batch: 100, BatchID: "deliveryId"}})
			want := map[connectortest.Mode]connector.Outcome{connectortest.Refusing: connector.Refused, connectortest.Broken: connector.Unclear}[mode]
			for i, res := range s.Send(t.Context(), its) {
				if exp := map[bool]connector.Outcome{true: want, false: connector.Delivered}[i == at]; res.Outcome != exp {
					t.Fatalf("mode %d, poison at %d: item %d is %+v", mode, at, i, res)
				}
			}
			if n := len(r.Effects()); n != 99 {
				t.Errorf("mode %d, poison at %d: %d effects", mode, at, n)
			}
		}
	}
}

// Where a repeat is not recognised nothing that may have been taken is sent again.
func TestBatchIsNotRepeated(t *testing.T) {
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { n++; w.WriteHeader(500) }))
	defer srv.Close()
	s := sink(t, connector.Config{Address: srv.URL, Repeat: "none", Settings: &httpjson.Settings{Batch: 50}})
	rs := s.Send(t.Context(), connectortest.Items(120))
	if n != 1 || rs[0].Outcome != connector.Unclear || rs[49].Outcome != connector.Unclear || rs[50].Outcome != connector.Untried {
		t.Errorf("%d requests, %v %v %v", n, rs[0], rs[49], rs[50])
	}
	// A system that is down for good is not asked once for every record.
	n = 0
	s = sink(t, connector.Config{Address: srv.URL, Repeat: "key", Settings: &httpjson.Settings{Batch: 100, BatchID: "x"}})
	if rs = s.Send(t.Context(), connectortest.Items(1000)); n > 10 || rs[0].Outcome != connector.Unclear {
		t.Errorf("%d requests, %v", n, rs[0])
	}
}

func TestBatchKeepsOrder(t *testing.T) {
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(b))
		var list []int
		_ = json.Unmarshal(b, &list)
		w.WriteHeader(207)
		var out []string
		for _, n := range list {
			out = append(out, map[bool]string{true: `{"status":"422 No","detail":"it is 3"}`, false: "200"}[n == 3])
		}
		_, _ = io.WriteString(w, "["+strings.Join(out, ",")+"]")
	}))
	defer srv.Close()
	var its []connector.Item
	for i, key := range []string{"a", "b", "a", "", "b", "a", ""} {
		its = append(its, connector.Item{ID: string(rune('0' + i)), Key: key, Body: []byte{byte('1' + i)}})
	}
	s := sink(t, connector.Config{Address: srv.URL, Repeat: "none", Ordered: true, InFlight: 1, Settings: &httpjson.Settings{Batch: 10}})
	rs := s.Send(t.Context(), its)
	if want := "[1,2,4,7] [3,5]"; strings.Join(got, " ") != want {
		t.Errorf("batches %s, want %s", strings.Join(got, " "), want)
	}
	for i, want := range []connector.Outcome{connector.Delivered, connector.Delivered, connector.Refused, connector.Delivered, connector.Delivered, connector.Untried, connector.Delivered} {
		if rs[i].Outcome != want {
			t.Errorf("item %d: %+v, want %v", i, rs[i], want)
		}
	}
}

func TestBatchAnswers(t *testing.T) {
	answer, code := "", 207
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	s := sink(t, connector.Config{Address: srv.URL, Repeat: "key", Settings: &httpjson.Settings{Batch: 2, BatchID: "x"}})
	for text, want := range map[string][2]connector.Outcome{
		`[201,{"status":503}]`:                    {connector.Delivered, connector.Later},
		`{"items":[{"code":409},{"status":500}]}`: {connector.Delivered, connector.Unclear},
		`[{"status":424},{"status":"400 Bad"}]`:   {connector.Later, connector.Refused},
		`[200]`:                                   {connector.Unclear, connector.Unclear},
		`[200,200,200]`:                           {connector.Unclear, connector.Unclear},
		`[200,{"status":999}]`:                    {connector.Delivered, connector.Unclear},
		`{}`:                                      {connector.Unclear, connector.Unclear},
		`nonsense`:                                {connector.Unclear, connector.Unclear},
	} {
		answer = text
		rs := s.Send(t.Context(), connectortest.Items(2))
		if rs[0].Outcome != want[0] || rs[1].Outcome != want[1] {
			t.Errorf("%s: %+v", text, rs)
		}
		for _, r := range rs {
			if (r.Outcome != connector.Delivered && r.Message == "") || (r.RetryAfter == 9*time.Second) != strings.Contains(r.Message, "503") {
				t.Errorf("%s: %+v", text, r)
			}
		}
	}
	code = 409 // of the whole: it has one of them, nobody knows which; alone it is clear
	if rs := s.Send(t.Context(), connectortest.Items(2)); rs[0].Outcome != connector.Delivered || rs[1].Outcome != connector.Delivered {
		t.Errorf("%+v", rs)
	}
	code = 200
	if rs := s.Send(t.Context(), []connector.Item{{ID: "1", Body: []byte(`{"x":1}`)}, {ID: "2", Body: []byte(`{}`)}, {ID: "3", Body: []byte(`[]`)}}); rs[0].Outcome != connector.Refused || rs[1].Outcome != connector.Delivered || rs[2].Outcome != connector.Refused {
		t.Errorf("%+v", rs)
	}
}

func TestDownAndElsewhere(t *testing.T) {
	rs := sink(t, connector.Config{Address: "http://" + connectortest.FreeAddress(t)}).Send(t.Context(), connectortest.Items(1))
	if rs[0].Outcome != connector.Later || strings.Contains(rs[0].Message, "127.0.0.1") {
		t.Errorf("nobody listens: %+v", rs[0])
	}
	r := connectortest.NewReceiver(t)
	c := connector.Config{Address: r.Server.URL, Host: connector.Host{Address: func(string, string) error { return errors.New("not an address we may call") }}}
	if rs = sink(t, c).Send(t.Context(), connectortest.Items(1)); rs[0].Outcome != connector.Later || r.Requests() != 0 {
		t.Errorf("forbidden address: %+v, %d requests", rs[0], r.Requests())
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		code   int
		head   string
		repeat string
		want   connector.Outcome
		after  time.Duration
	}{
		{200, "", "", connector.Delivered, 0},
		{204, "", "", connector.Delivered, 0},
		{302, "", "", connector.Later, 0},
		{307, "", "", connector.Later, 0},
		{400, "", "", connector.Refused, 0},
		{401, "", "", connector.Later, 0},
		{409, "", "key", connector.Delivered, 0},
		{409, "", "", connector.Refused, 0},
		{429, "7", "", connector.Later, 7 * time.Second},
		{503, "99999999", "", connector.Later, time.Hour},
		{503, "-1", "", connector.Later, 0},
		{503, "soon", "", connector.Later, 0},
		{500, "", "", connector.Unclear, 0},
		{504, "", "", connector.Unclear, 0},
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
		s := sink(t, connector.Config{Address: srv.URL, Repeat: c.repeat, Auth: connector.Auth{Bearer: "env:T"}, Host: secrets(map[connector.Ref]string{"env:T": "s3cret"})})
		r := s.Send(t.Context(), connectortest.Items(1))[0]
		if r.Outcome != c.want || r.RetryAfter != c.after || hits != 1 || strings.Contains(r.Message, "s3cret") {
			t.Errorf("%d %s: %+v after %d requests", c.code, c.head, r, hits)
		}
		srv.Close()
	}
}

func TestPaths(t *testing.T) {
	r := connectortest.NewReceiver(t)
	s := sink(t, connector.Config{Address: r.Server.URL + "/base/", Method: http.MethodPut, Path: "/d/{key}"})
	rs := s.Send(t.Context(), []connector.Item{{ID: "1", Key: "a/../b?c#d", Body: []byte(`{}`)}, {ID: "2", Key: "..", Body: []byte(`{}`)}, {ID: "3", Body: []byte(`{}`)}})
	if rs[0].Outcome != connector.Delivered || rs[1].Outcome != connector.Refused || rs[2].Outcome != connector.Refused {
		t.Errorf("%+v", rs)
	}
	if p := r.Paths(); len(p) != 1 || p[0] != "PUT /base/d/a%2F..%2Fb%3Fc%23d" {
		t.Errorf("paths %q", p)
	}
	signs := connector.Auth{Bearer: "env:A"} // an address may stand in the environment: it is looked at here
	if _, err := httpjson.New(connector.Config{Address: "http://api.example", Auth: signs}); err == nil || !strings.Contains(err.Error(), "in clear") {
		t.Errorf("credentials in clear: %v", err)
	}
	if _, err := httpjson.NewSource(connector.Config{Address: "http://api.example", Auth: signs}); err == nil || !strings.Contains(err.Error(), "in clear") {
		t.Errorf("credentials in clear, to read: %v", err)
	}
	for _, bad := range []string{"", "ftp://x", "http://", "http://x/?q", "::"} {
		if _, err := httpjson.New(connector.Config{Address: bad}); err == nil {
			t.Errorf("%q is taken as an address", bad)
		}
	}
}

func TestCall(t *testing.T) {
	var saw string
	answer, code := "", 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		saw = req.Method + " " + req.URL.RequestURI() + " " + string(b)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	it := connector.Item{ID: "r1", Key: "k", Body: []byte(`{"uprn":100023336956,"text":"5 Mill Lane & Co","flat":false,"none":null}`)}
	for _, c := range []struct {
		get    bool
		path   string
		code   int
		answer string
		want   connector.Outcome
		saw    string
		got    string
	}{
		{false, "/check", 200, " {\"ok\":true}\n", connector.Delivered, `POST /check ` + string(it.Body), `{"ok":true}`},
		{true, "/check", 200, `[1]`, connector.Delivered, `GET /check?flat=false&text=5+Mill+Lane+%26+Co&uprn=100023336956 `, `[1]`},
		{true, "/check?v=2", 204, ``, connector.Delivered, `GET /check?v=2&flat=false&text=5+Mill+Lane+%26+Co&uprn=100023336956 `, `null`},
		{false, "", 200, `nonsense`, connector.Unclear, "", ""},
		{true, "", 200, `nonsense`, connector.Later, "", ""},
		{false, "", 200, `"` + strings.Repeat("x", 1<<20) + `"`, connector.Unclear, "", ""},
		{false, "", 422, `{}`, connector.Refused, "", ""},
		{false, "", 500, `{}`, connector.Unclear, "", ""},
		{true, "", 500, `{}`, connector.Later, "", ""},
		{false, "", 503, `{}`, connector.Later, "", ""},
	} {
		answer, code = c.answer, c.code
		s := sink(t, connector.Config{Address: srv.URL, Path: c.path, Settings: &httpjson.Settings{Get: c.get}})
		b, r := s.Call(t.Context(), it)
		if r.Outcome != c.want || string(b) != c.got || c.saw != "" && saw != c.saw {
			t.Errorf("%+v\nsaw %s\ngot %s %+v", c, saw, b[:min(len(b), 100)], r)
		}
	}
	s := sink(t, connector.Config{Address: srv.URL, Settings: &httpjson.Settings{Get: true}})
	if _, r := s.Call(t.Context(), connector.Item{Body: []byte(`{"a":[1]}`)}); r.Outcome != connector.Refused {
		t.Error(r)
	}
	var _ connector.Caller = s
}

// What the check of a definition tells.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		c    connector.Config
		s    httpjson.Settings
		want string // path of the problem
	}{
		{connector.Config{}, httpjson.Settings{}, ""},
		{connector.Config{Repeat: "key"}, httpjson.Settings{Batch: 5, BatchID: "id"}, ""},
		{connector.Config{Repeat: "key"}, httpjson.Settings{Batch: 5}, "batch"},
		{connector.Config{Repeat: "lookup"}, httpjson.Settings{Batch: 5}, "batch"},
		{connector.Config{Repeat: "none", Path: "/{id}"}, httpjson.Settings{Batch: 5}, "batch"},
		{connector.Config{}, httpjson.Settings{BatchID: "id"}, "batchId"},
		{connector.Config{}, httpjson.Settings{Next: "meta"}, "next"},
		{connector.Config{}, httpjson.Settings{Next: "link"}, ""},
		{connector.Config{}, httpjson.Settings{Cursor: "since"}, "cursor"},
		{connector.Config{}, httpjson.Settings{Cursor: "since", From: "/at", Next: "link"}, ""},
		{connector.Config{}, httpjson.Settings{Cursor: "since", From: "/at", Next: "/next"}, "from"},
		{connector.Config{}, httpjson.Settings{Cursor: "a b", From: "/at"}, "cursor"},
		{connector.Config{}, httpjson.Settings{First: "0"}, "cursor"},
		{connector.Config{}, httpjson.Settings{Webhook: httpjson.Webhook{Verify: "hmac"}}, "webhook.secret"},
		{connector.Config{}, httpjson.Settings{Webhook: httpjson.Webhook{Verify: "hmac", Secret: "hunter2"}}, "webhook.secret"},
		{connector.Config{}, httpjson.Settings{Webhook: httpjson.Webhook{Secret: "env:S"}}, "webhook.verify"},
		{connector.Config{}, httpjson.Settings{Webhook: httpjson.Webhook{Verify: "token", Secret: "env:S"}}, ""},
		{connector.Config{Auth: connector.Auth{Bearer: "env:A", User: "u", Password: "env:B"}}, httpjson.Settings{}, "-"},
		{connector.Config{Auth: connector.Auth{APIKey: connector.APIKey{Header: "X-Key"}}}, httpjson.Settings{}, "-"},
		{connector.Config{Auth: connector.Auth{APIKey: connector.APIKey{Header: "Host", Value: "env:K"}}}, httpjson.Settings{}, "-"},
		{connector.Config{Auth: connector.Auth{Certificate: "env:C"}}, httpjson.Settings{}, "-"},
		{connector.Config{Address: "http://api.example/v1", Auth: connector.Auth{Bearer: "env:A"}}, httpjson.Settings{}, "-"},
		{connector.Config{Address: "http://api.example/v1", Auth: connector.Auth{Bearer: "env:A"}}, httpjson.Settings{Plain: true}, ""},
		{connector.Config{Address: "http://127.0.0.1:8080/v1", Auth: connector.Auth{Bearer: "env:A"}}, httpjson.Settings{}, ""},
		{connector.Config{Address: "http://api.example/v1"}, httpjson.Settings{}, ""},
		{connector.Config{Address: "https://api.example/v1", Auth: connector.Auth{Bearer: "env:A"}}, httpjson.Settings{}, ""},
		{connector.Config{Auth: connector.Auth{OAuth: connector.OAuth{TokenURL: "http://idp.example/token", Client: "c", Secret: "env:S"}}}, httpjson.Settings{}, "-"},
		{connector.Config{Auth: connector.Auth{OAuth: connector.OAuth{TokenURL: "https://idp.example/token", Client: "c", Secret: "env:S"}}}, httpjson.Settings{}, ""},
		{connector.Config{Auth: connector.Auth{OAuth: connector.OAuth{TokenURL: "https://idp.example/token"}}}, httpjson.Settings{}, "-"},
	} {
		var got []string
		c.c.Settings = &c.s
		httpjson.Connector.Check(c.c, func(path, message string) { got = append(got, cmp.Or(path, "-")) })
		if len(got) > 1 || strings.Join(got, " ") != c.want {
			t.Errorf("%+v %+v: problems at %q, want %q", c.c.Auth, c.s, got, c.want)
		}
	}
}
