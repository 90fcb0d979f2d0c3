package mail_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/mail"
)

// server is a real mail server that misbehaves on demand.
type server struct {
	addr string

	mu    sync.Mutex
	mode  connectortest.Mode
	fail  map[string]*smtp.SMTPError // at MAIL, RCPT, DATA
	mails []string
	to    [][]string
	conns map[net.Conn]bool
	quiet chan struct{}
	users map[string]string
}

func start(t *testing.T, config *tls.Config, implicit bool) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), fail: map[string]*smtp.SMTPError{}, conns: map[net.Conn]bool{}, quiet: make(chan struct{})}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.conns[c.Conn()] = true; s.mode == connectortest.Busy {
			return nil, &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "come back later"}
		}
		return &session{s: s, c: c}, nil
	}))
	srv.Domain, srv.TLSConfig, srv.AllowInsecureAuth = "mail.test", config, config == nil
	srv.ErrorLog = log.New(io.Discard, "", 0)
	var door net.Listener = l
	if implicit {
		door, srv.TLSConfig = tls.NewListener(l, config), nil
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(door) }()
	t.Cleanup(func() {
		close(s.quiet)
		_ = srv.Close()
		_ = l.Close() // Close does not know it yet if Serve has not begun
		<-done
	})
	return s
}

type session struct {
	s  *server
	c  *smtp.Conn
	to []string
}

func (x *session) AuthMechanisms() []string {
	if x.s.users == nil {
		return nil
	}
	return []string{sasl.Plain}
}

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if x.s.users[user] != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not " + password}
		}
		return nil
	}), nil
}

func (x *session) at(step string) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if e := x.s.fail[step]; e != nil {
		return e
	}
	return nil
}

func (x *session) Mail(string, *smtp.MailOptions) error { return x.at("MAIL") }

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = append(x.to, to)
	return x.at("RCPT")
}

func (x *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := x.at("DATA"); err != nil {
		return err
	}
	x.s.mu.Lock()
	mode := x.s.mode
	if mode == connectortest.Refusing {
		x.s.mu.Unlock()
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "we do not take " + string(b[len(b)-40:])}
	}
	x.s.mails, x.s.to = append(x.s.mails, string(b)), append(x.s.to, x.to)
	x.s.mu.Unlock()
	switch mode {
	case connectortest.DyingAfterTake:
		_ = x.c.Conn().Close()
	case connectortest.SilentAfterTake:
		<-x.s.quiet
	}
	return nil
}

func (x *session) Reset()        { x.to = nil }
func (x *session) Logout() error { return nil }

func (s *server) set(step string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.fail)
	if code != 0 {
		s.fail[step] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no such mailbox: Canary1Å"}
	}
}

// text is the decoded text of a mail, and its header.
func text(t *testing.T, raw string) (netmail.Header, string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, strings.ReplaceAll(string(b), "\r\n", "\n")
}

var settings = mail.Settings{From: "Ashcombe <no-reply@ashcombe.example>", To: "Deaths <deaths@pension.example>", Subject: "Record {id}",
	Text: `{"id":"{id}","name":"{name}","amount":{amount}}`, Plain: true}

func sink(t *testing.T, s *server, c connector.Config, set mail.Settings) *mail.Sink {
	t.Helper()
	if c.Address == "" {
		c.Address = "smtp://" + s.addr
	}
	c.Settings, c.ID, c.Timeout = &set, "ifc", cmp.Or(c.Timeout, time.Minute)
	c.Host.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	m, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKit(t *testing.T) {
	connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
		s := start(t, nil, false)
		return connectortest.Setup{
			Sink: sink(t, s, connector.Config{}, settings), Hasty: sink(t, s, connector.Config{Timeout: time.Second}, settings),
			Effects: func() (es []connectortest.Effect) {
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, raw := range s.mails {
					h, body := text(t, raw)
					es = append(es, connectortest.Effect{ID: strings.TrimPrefix(h.Get("Subject"), "Record "), Body: strings.TrimSpace(body)})
				}
				return es
			},
			Behave: func(m connectortest.Mode) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				if m == connectortest.Broken || m == connectortest.Down {
					return false // a mail server says 4xx for both, which is Later
				}
				s.mode = m
				return true
			},
		}
	})
}

func TestWhereItFails(t *testing.T) {
	s := start(t, nil, false)
	m := sink(t, s, connector.Config{}, settings)
	for _, c := range []struct {
		step string
		code int
		want connector.Outcome
	}{
		{"MAIL", 451, connector.Later}, {"MAIL", 550, connector.Later},
		{"RCPT", 450, connector.Later}, {"RCPT", 550, connector.Refused}, {"RCPT", 421, connector.Later},
		{"DATA", 452, connector.Later}, {"DATA", 554, connector.Refused}, {"", 0, connector.Delivered},
	} {
		s.set(c.step, c.code)
		r := m.Send(t.Context(), connectortest.Items(1))[0]
		if r.Outcome != c.want || strings.Contains(r.Message, "Canary") || c.code != 0 && !strings.Contains(r.Message, fmt.Sprint(c.code)) {
			t.Errorf("%s %d: %+v", c.step, c.code, r)
		}
	}
	s.set("RCPT", 550) // a refusal leaves the connection of use
	if rs := m.Send(t.Context(), connectortest.Items(3)); rs[2].Outcome != connector.Refused {
		t.Error(rs)
	}
	r := sink(t, s, connector.Config{Address: "smtp://" + connectortest.FreeAddress(t)}, settings).Send(t.Context(), connectortest.Items(1))[0]
	if r.Outcome != connector.Later || strings.Contains(r.Message, "127.0.0.1") {
		t.Errorf("nobody listens: %+v", r)
	}
	host := connector.Host{Address: func(string, string) error { return errors.New("no") }}
	if r = sink(t, s, connector.Config{Host: host}, settings).Send(t.Context(), connectortest.Items(1))[0]; r.Outcome != connector.Later {
		t.Errorf("forbidden: %+v", r)
	}
}

// A value cannot add a header, a recipient or a line of the protocol.
func TestInjection(t *testing.T) {
	s := start(t, nil, false)
	set := settings
	set.To, set.Subject, set.Text = "{email}, {/team/0/email}", "About {name}", "Dear {name},\n{note}"
	m := sink(t, s, connector.Config{}, set)
	body := func(email, name, note string) connector.Item {
		b := fmt.Appendf(nil, `{"email":%q,"name":%q,"note":%q,"team":[{"email":"b@x.example"}],"list":[1],"gone":null}`, email, name, note)
		return connector.Item{ID: "1", Body: b}
	}
	r := m.Send(t.Context(), []connector.Item{body("a@x.example", "Å\r\nBcc: evil@x.example\r\n\r\nText", "..\r\n.\r\nMAIL FROM:<evil@x.example>\r\n")})[0]
	if r.Outcome != connector.Delivered || len(s.mails) != 1 || strings.Join(s.to[0], ",") != "a@x.example,b@x.example" {
		t.Fatalf("%+v, %d mails to %v", r, len(s.mails), s.to)
	}
	h, got := text(t, s.mails[0])
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "About Å Bcc: evil@x.example Text" || h.Get("Bcc") != "" || !strings.Contains(got, "..\n.\nMAIL FROM:<evil@x.example>") {
		t.Errorf("subject %q, text %q, header %v", subject, got, h)
	}
	for _, email := range []string{"a@x.example, evil@x.example", "a@x.example\r\nRCPT TO:<evil@x.example>", "", "nobody", "a@x.example>\r\nBcc: e@x.example", "\"a\r\nb\"@x.example", "a@x.example,"} {
		if r := m.Send(t.Context(), []connector.Item{body(email, "n", "")})[0]; r.Outcome != connector.Refused || email != "" && strings.Contains(r.Message, email) {
			t.Errorf("%q: %+v", email, r)
		}
	}
	if len(s.mails) != 1 {
		t.Errorf("%d mails", len(s.mails))
	}
	set.To = "a@x.example"
	for template, want := range map[string]connector.Outcome{"{nothing}": connector.Refused, "{list}": connector.Refused, "{gone}": connector.Delivered, "{ not a field }": connector.Delivered, "{/team/0/email}": connector.Delivered, "{/team/7/email}": connector.Refused} {
		set.Text = template + "."
		if r := sink(t, s, connector.Config{}, set).Send(t.Context(), []connector.Item{body("", "n", "")})[0]; r.Outcome != want {
			t.Errorf("%s: %+v", template, r)
		}
	}
}

// The Message-ID is that of the delivery, at every attempt.
func TestMessageID(t *testing.T) {
	s := start(t, nil, false)
	its := connectortest.Items(2)
	for range 2 {
		sink(t, s, connector.Config{}, settings).Send(t.Context(), its)
	}
	var ids []string
	for _, raw := range s.mails {
		h, _ := text(t, raw)
		ids = append(ids, h.Get("Message-Id"))
		if h.Get("Date") != "Sun, 01 Mar 2026 12:00:00 +0000" || h.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("header %v", h)
		}
	}
	if len(ids) != 4 || ids[0] != ids[2] || ids[1] != ids[3] || ids[0] == ids[1] || !strings.HasSuffix(ids[0], "@reeve.ashcombe.example>") {
		t.Errorf("ids %q", ids)
	}
}

func TestTLSAndPassword(t *testing.T) {
	ca := connectortest.NewAuthority(t)
	secret := map[connector.Ref]string{"env:CA": ca.PEM, "env:P": "s3cret", "env:OTHER": connectortest.NewAuthority(t).PEM}
	host := connector.Host{Secret: func(r connector.Ref) (string, error) { return secret[r], nil }}
	auth := connector.Auth{Authority: "env:CA", User: "reeve", Password: "env:P"}
	set := settings
	set.Plain = false
	for _, implicit := range []bool{false, true} {
		s := start(t, ca.Server(t, false, "127.0.0.1"), implicit)
		s.users = map[string]string{"reeve": "s3cret"}
		scheme := map[bool]string{false: "smtp://", true: "smtps://"}[implicit]
		send := func(a connector.Auth) connector.Result {
			return sink(t, s, connector.Config{Address: scheme + s.addr, Auth: a, Host: host}, set).Send(t.Context(), connectortest.Items(1))[0]
		}
		secret["env:P"] = "s3cret"
		if r := send(auth); r.Outcome != connector.Delivered {
			t.Errorf("implicit %v: %+v", implicit, r)
		}
		other := auth
		other.Authority = "env:OTHER"
		if r := send(other); r.Outcome != connector.Later || !strings.Contains(r.Message, "authority") {
			t.Errorf("implicit %v, unknown authority: %+v", implicit, r)
		}
		secret["env:P"] = "wr0ng"
		if r := send(auth); r.Outcome != connector.Later || strings.Contains(r.Message, "wr0ng") || !strings.Contains(r.Message, "credentials") {
			t.Errorf("implicit %v, wrong password: %+v", implicit, r)
		}
		if len(s.mails) != 1 {
			t.Errorf("%d mails", len(s.mails))
		}
	}
	s := start(t, nil, false)
	if r := sink(t, s, connector.Config{}, set).Send(t.Context(), connectortest.Items(1))[0]; r.Outcome != connector.Later || !strings.Contains(r.Message, "STARTTLS") || len(s.mails) != 0 {
		t.Errorf("without TLS: %+v", r)
	}
}

func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*connector.Config, *mail.Settings){
		"":         func(*connector.Config, *mail.Settings) {},
		"from":     func(_ *connector.Config, s *mail.Settings) { s.From = "Ashcombe" },
		"to":       func(_ *connector.Config, s *mail.Settings) { s.To = "a@x.example, b" },
		"subject":  func(_ *connector.Config, s *mail.Settings) { s.Subject = "a\nb" },
		"!lookup":  func(c *connector.Config, _ *mail.Settings) { c.Repeat = "lookup" },
		"!text":    func(_ *connector.Config, s *mail.Settings) { s.Text = "" },
		"!sign in": func(c *connector.Config, _ *mail.Settings) { c.Auth.Bearer = "env:T" },
	} {
		c, s := connector.Config{Repeat: "none"}, settings
		change(&c, &s)
		c.Settings = &s
		var got bytes.Buffer
		mail.Connector.Check(c, func(path, message string) { fmt.Fprint(&got, path, "!", message) })
		if w := want; w == "" && got.Len() > 0 || !strings.Contains(got.String(), strings.TrimPrefix(w, "!")) {
			t.Errorf("%s: %s", want, got.String())
		}
	}
	for _, address := range []string{"", "smtp://", "http://x", "smtp://x:y"} {
		s := settings
		if _, err := mail.New(connector.Config{Address: address, Settings: &s}); err == nil {
			t.Errorf("%q is taken as an address", address)
		}
	}
}
