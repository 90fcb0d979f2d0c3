package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/demo/notifysim"
	"github.com/reeve-civic/reeve/internal/app"
)

// TestStories runs each txtar script in testdata/stories: what a person or a
// program does, and what comes of it. The whole house runs in process behind
// real HTTP, with a clock that the story moves and workers that it settles.
//
// $REAL, $LISTS and $IMPORTERS hold files to import, $TOWN the lists of the demo.
//
//	house DIR            open the house on the definitions in DIR (defs: those of
//	                     examples/first, where the story has no file of that
//	                     name; $DEMO: those of the demo)
//	edit FILE OLD NEW    replace a text everywhere in a file
//	reload               take up what changed in the definitions
//	restart              close it and open it again on the same data
//	receiver NAME [how]  a system that takes records; definitions reach it at env:NAME.
//	                     how: ok (default), down, refuse, vanish (takes, never answers),
//	                     or the JSON that it answers with
//	folder NAME          a folder that takes files; definitions reach it at env:NAME
//	sql NAME STATEMENT   run SQL in a SQLite database that definitions reach at env:NAME;
//	                     rows are stdout
//	setting NAME VALUE   a value that definitions reach at env:NAME
//	mailbox NAME         a mail server; definitions reach it at env:NAME
//	hook INTERFACE ID NAME FILE   POST FILE to the webhook, signed with env:NAME
//	workbook OUT FILE    make an XLSX workbook of lines with semicolons
//	token ORG VAR        give ORG a token and keep it in $VAR
//	signin ROLE...       sign in as staff in the story's browser
//	send TYPE TOKEN FILE [header=value ...]   POST /v1/records/TYPE; the answer is stdout
//	get PATH [TOKEN]     fetch PATH, with the token or as the browser; stdout
//	post PATH FORM       post a form (a=b&c=d) as the browser, following the answer; stdout
//	status CODE          the last answer had this status
//	settle               let all workers finish
//	clock DURATION       move the clock on
//	received NAME        what a receiver took, as a JSON array, or the files in a folder
//	operator OP JSON     what a command asks of the running program: the answer is stdout
//	journal [TEXT...]    the journal, a line an entry: actor verb about purpose why
//	messages             what GOV.UK Notify was asked to send, a line a message: to, subject or text
//	press BUTTON [/ACTION] [field=value ...]  press a button of the last page, in the
//	                     form whose action has /ACTION in it: the form is sent as it
//	                     stands, with fields set; field=@FILE chooses a file
//	follow LINK          open the link of the last page that has this text
//	read                 what a person reads on the last page, without markup
//	import SOURCE FILE   import a file in the page, after a look at what it would change
//	unzip [NAME]         the names in the last answer, a zip, or the file NAME in it
//	upstream DIR         propose changes of definitions to a new repository in DIR
//	commits DIR [BRANCH] the commits of a repository: author <email>: message
//	count N REGEXP [FILE]  REGEXP stands N times in FILE (stdout)
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/stories",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_STORIES") != "",
		Setup: func(e *testscript.Env) error {
			s := newStory(t)
			e.Values["story"] = s
			e.Defer(s.close)
			return copyDemo(filepath.Join(e.WorkDir, ".demo"), e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"house": cmd(1, (*story).house), "restart": cmd(0, (*story).restart), "receiver": cmd(1, (*story).receiver),
			"edit": cmd(3, (*story).edit), "reload": cmd(0, (*story).reload), "folder": cmd(1, (*story).folder), "sql": cmd(2, (*story).sql), "setting": cmd(2, (*story).setting), "mailbox": cmd(1, (*story).mailbox), "hook": cmd(4, (*story).hook), "workbook": cmd(2, (*story).workbook), "token": cmd(2, (*story).token), "signin": cmd(1, (*story).signin),
			"send": cmd(3, (*story).send), "get": cmd(1, (*story).get), "post": cmd(2, (*story).post),
			"status": cmd(1, (*story).status), "settle": cmd(0, (*story).settle), "clock": cmd(1, (*story).clock),
			"received": cmd(1, (*story).received), "journal": cmd(0, (*story).journal), "operator": cmd(2, (*story).operator), "count": cmd(2, (*story).count), "messages": cmd(0, (*story).messages),
			"press": cmd(1, (*story).press), "follow": cmd(1, (*story).follow), "read": cmd(0, (*story).read), "import": cmd(2, (*story).bring), "unzip": cmd(0, (*story).unzip),
			"upstream": cmd(1, (*story).upstream), "commits": cmd(1, (*story).commits),
		},
	})
}

func copyDemo(dir string, e *testscript.Env) error {
	e.Setenv("DEMO", dir)
	for name, at := range map[string]string{"REAL": "../estate/importer/testdata/real", "LISTS": "../estate/importer/lists/testdata/real", "IMPORTERS": "../estate/importer", "TOWN": "../../demo/data/estate"} {
		abs, err := filepath.Abs(at)
		if err != nil {
			return err
		}
		e.Setenv(name, abs)
	}
	if err := os.CopyFS(dir, demo.Body()); err != nil {
		return err
	}
	return underlay(filepath.Join(e.WorkDir, "defs"), os.DirFS("../../examples/first"))
}

// underlay copies what dir does not have, so that a story changes single files.
func underlay(dir string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), b, 0o644)
	})
}

// cmd makes a story's method a command that takes at least n arguments. A
// command with "!" must fail; what it says then is stderr.
func cmd(n int, fn func(*story, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) < n {
			ts.Fatalf("wants %d arguments, got %q", n, args)
		}
		err := fn(ts.Value("story").(*story), ts, args)
		switch {
		case err != nil && neg:
			fmt.Fprintln(ts.Stderr(), err)
		case err != nil:
			ts.Fatalf("%v", err)
		case neg:
			ts.Fatalf("went well, and should not have")
		}
	}
}

// story is one running story.
type story struct {
	t          *testing.T
	now        time.Time
	data       string
	defs       string
	a          *app.App
	server     *httptest.Server
	browser    *http.Client
	last       int // status of the last answer
	page       []byte
	at         *url.URL // of the last answer
	proposals  string   // repository where changes are proposed; "" makes them at once
	peers      map[string]*peer
	notify     *notifysim.Server
	postOffice *httptest.Server // in front of notify
	env        map[string]string
	log        bytes.Buffer
	mu         sync.Mutex
}

func newStory(t *testing.T) *story {
	dir, err := os.MkdirTemp("", "story") // short: the operator's socket lives in it
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), data: dir, peers: map[string]*peer{}}
	s.notify = notifysim.New(s.clockNow)
	s.postOffice = httptest.NewServer(s.notify)
	s.env = map[string]string{"NOTIFY_KEY": s.notify.APIKey()}
	return s
}

func (s *story) clockNow() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *story) close() {
	s.shut()
	s.postOffice.Close()
	for _, p := range s.peers {
		if p.server != nil {
			p.server.CloseClientConnections()
			p.server.Close()
		}
	}
	os.RemoveAll(s.data)
}

func (s *story) shut() {
	if s.server != nil {
		s.server.Close()
	}
	if s.a != nil {
		if err := s.a.Close(); err != nil {
			s.t.Error(err)
		}
	}
	s.a, s.server = nil, nil
}

func (s *story) open() error {
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.a.Handler().ServeHTTP(w, r) }))
	c := app.Config{
		Data: s.data, Definitions: s.defs, Body: "Storyham Council", BaseURL: "http://" + s.server.Listener.Addr().String(),
		Now:    func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Getenv: func(name string) string { return s.env[name] },
		Log:    slog.New(slog.NewTextHandler(io.MultiWriter(&s.log, testWriter{s.t}), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	c.Upstream.URL = s.proposals
	c.Notify.URL, c.Notify.Key = s.postOffice.URL, "env:NOTIFY_KEY"
	var err error
	if s.a, err = app.Open(s.t.Context(), c); err != nil {
		return err
	}
	s.server.Start()
	if s.browser == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		s.browser = &http.Client{Jar: jar}
	}
	return nil
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { return len(b), nil }

func (s *story) house(ts *testscript.TestScript, args []string) error {
	s.defs = ts.MkAbs(args[0])
	return s.open()
}

func (s *story) restart(*testscript.TestScript, []string) error {
	s.shut()
	return s.open()
}

func (s *story) edit(ts *testscript.TestScript, args []string) error {
	file := ts.MkAbs(args[0])
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), args[1]) {
		return fmt.Errorf("%q does not stand in %s", args[1], args[0])
	}
	return os.WriteFile(file, []byte(strings.ReplaceAll(string(b), args[1], args[2])), 0o644)
}

func (s *story) reload(*testscript.TestScript, []string) error {
	s.log.Reset()
	if s.a.Reload(s.t.Context()); strings.Contains(s.log.String(), "level=ERROR") {
		return fmt.Errorf("the definitions were not taken up: %s", s.log.String())
	}
	return nil
}

func (s *story) token(ts *testscript.TestScript, args []string) error {
	var t app.NewToken
	err := s.a.Operator().Call(s.t.Context(), "token/create", app.CreateToken{Party: args[0], Label: "story", Seconds: 86400 * 365}, &t)
	ts.Setenv(args[1], t.Token)
	return err
}

func (s *story) signin(ts *testscript.TestScript, args []string) error {
	var in app.Invitation
	if err := s.a.Operator().Call(s.t.Context(), "staff/invite", app.InviteStaff{Email: args[0] + "@storyham.example", Roles: args}, &in); err != nil {
		return err
	}
	if err := s.request(ts, http.MethodGet, in.Link, "", nil, nil); err != nil {
		return err
	}
	return s.request(ts, http.MethodPost, in.Link, "", nil, nil)
}

// request sends one request to the house and leaves the answer as stdout.
func (s *story) request(ts *testscript.TestScript, method, to, token string, body io.Reader, header map[string]string) error {
	if strings.HasPrefix(to, "/") {
		to = s.server.URL + to
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, to, body)
	if err != nil {
		return err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	client := s.browser
	if token != "" {
		client = s.server.Client()
		r.Header.Set("Authorization", "Bearer "+token)
	} else if method == http.MethodPost && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s.last, s.at = resp.StatusCode, resp.Request.URL
	if s.page, err = io.ReadAll(resp.Body); err != nil {
		return err
	}
	_, err = ts.Stdout().Write(s.page)
	return err
}

func (s *story) send(ts *testscript.TestScript, args []string) error {
	header := map[string]string{}
	for _, h := range args[3:] {
		k, v, _ := strings.Cut(h, "=")
		header[k] = v
	}
	return s.request(ts, http.MethodPost, "/v1/records/"+args[0], args[1], strings.NewReader(ts.ReadFile(args[2])), header)
}

func (s *story) get(ts *testscript.TestScript, args []string) error {
	token := ""
	if len(args) > 1 {
		token = args[1]
	}
	return s.request(ts, http.MethodGet, args[0], token, nil, nil)
}

func (s *story) post(ts *testscript.TestScript, args []string) error {
	return s.request(ts, http.MethodPost, args[0], "", strings.NewReader(args[1]), nil)
}

func (s *story) status(ts *testscript.TestScript, args []string) error {
	if want, _ := strconv.Atoi(args[0]); s.last != want {
		return fmt.Errorf("the last answer was %d, want %s", s.last, args[0])
	}
	return nil
}

func (s *story) settle(*testscript.TestScript, []string) error { return s.a.Settle(s.t.Context()) }

func (s *story) clock(ts *testscript.TestScript, args []string) error {
	d, err := time.ParseDuration(args[0])
	s.mu.Lock()
	s.now = s.now.Add(d)
	s.mu.Unlock()
	return err
}

// count checks how many lines of stdout-like FILE or how many times TEXT stands in it.
func (s *story) count(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	re, err := regexp.Compile(args[1])
	if err != nil {
		return err
	}
	file := "stdout"
	if len(args) > 2 {
		file = args[2]
	}
	if got := len(re.FindAllString(ts.ReadFile(file), -1)); got != want {
		return fmt.Errorf("%q stands %d times in %s, want %d", args[1], got, file, want)
	}
	return nil
}

func (s *story) messages(ts *testscript.TestScript, args []string) error {
	ts.Stdout() // nothing sent is an empty answer, not the one before
	for _, m := range s.notify.Sent() {
		text := m.Subject
		if text == "" {
			var names []string
			for k, v := range m.Personalisation {
				names = append(names, k+"="+v)
			}
			slices.Sort(names)
			text = strings.Join(names, "; ")
		}
		fmt.Fprintf(ts.Stdout(), "%s %s: %s\n", m.Type, m.To, strings.ReplaceAll(text, "\n", " "))
	}
	return nil
}

func (s *story) operator(ts *testscript.TestScript, args []string) error {
	return s.a.Operator().Call(s.t.Context(), args[0], json.RawMessage(args[1]), ts.Stdout())
}

func (s *story) journal(ts *testscript.TestScript, args []string) error {
	es, err := s.a.Journal(context.Background())
	if err != nil {
		return err
	}
	for _, e := range es {
		line := e.Actor + " " + e.Verb
		for _, part := range []string{string(e.About), string(e.Purpose), strings.Join(e.Why, ",")} {
			if part != "" {
				line += " " + part
			}
		}
		fmt.Fprintln(ts.Stdout(), line)
	}
	return nil
}

// peer is a system outside the house.
type peer struct {
	server *httptest.Server
	dir    string
	mu     sync.Mutex
	how    string
	took   []json.RawMessage
	keys   map[string]bool
}

func (s *story) receiver(ts *testscript.TestScript, args []string) error {
	how := "ok"
	if len(args) > 1 {
		how = args[1]
	}
	if p := s.peers[args[0]]; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.how = how
		return nil
	}
	p := &peer{how: how, keys: map[string]bool{}}
	p.server = httptest.NewServer(p)
	s.peers[args[0]] = p
	s.setenv(ts, args[0], p.server.URL)
	return nil
}

func (s *story) setenv(ts *testscript.TestScript, name, value string) {
	s.env[name] = value
}

func (s *story) folder(ts *testscript.TestScript, args []string) error {
	p := &peer{dir: ts.MkAbs("folder-" + args[0])}
	s.peers[args[0]] = p
	s.setenv(ts, args[0], "file://"+p.dir)
	return os.MkdirAll(p.dir, 0o755)
}

// ServeHTTP takes a record once for each Idempotency-Key or path.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.how == "down" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if p.how == "refuse" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"message":"we do not know this kind of thing"}`)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if r.Method == http.MethodPut {
		key = r.URL.Path + string(body)
	}
	if key == "" || !p.keys[key] {
		p.keys[key] = true
		p.took = append(p.took, body)
	}
	if p.how == "vanish" {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		return
	}
	if strings.HasPrefix(p.how, "{") {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, p.how)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *story) received(ts *testscript.TestScript, args []string) error {
	ts.Stdout() // nothing received is an empty answer, not the one before
	p := s.peers[args[0]]
	if p == nil {
		return fmt.Errorf("no receiver %s", args[0])
	}
	if p.dir != "" {
		return fs.WalkDir(os.DirFS(p.dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(filepath.Join(p.dir, name))
			fmt.Fprintf(ts.Stdout(), "%s", b)
			return err
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.took {
		fmt.Fprintf(ts.Stdout(), "%s\n", b)
	}
	return nil
}
