package notify

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that misbehaves when told to.
type mailbox struct {
	mu     sync.Mutex
	got    []string
	refuse *smtp.SMTPError // of recipients
	cut    bool            // breaks off after the message, before the answer
}

func (b *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) { return &visit{b: b, c: c}, nil }

type visit struct {
	b *mailbox
	c *smtp.Conn
}

func (*visit) Reset()                               {}
func (*visit) Logout() error                        { return nil }
func (*visit) Mail(string, *smtp.MailOptions) error { return nil }
func (v *visit) Rcpt(string, *smtp.RcptOptions) error {
	if v.b.refuse != nil {
		return v.b.refuse
	}
	return nil
}

func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.b.mu.Lock()
	v.b.got = append(v.b.got, string(text))
	v.b.mu.Unlock()
	if v.b.cut {
		return v.c.Conn().Close()
	}
	return nil
}

func serve(t *testing.T, b *mailbox) *SMTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(b)
	go func() { _ = srv.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	s, err := NewSMTP(SMTPOptions{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "Ashcombe <no-reply@ashcombe.example>", Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSMTP(t *testing.T) {
	out := Outgoing{Reference: "m-abc", Channel: "email", To: "ida@example.org", Subject: "Café", Body: "Hello\n.\nbye"}
	for name, tc := range map[string]struct {
		box              *mailbox
		refused, unclear bool
		ok               bool
	}{
		"taken":          {box: &mailbox{}, ok: true},
		"no such person": {box: &mailbox{refuse: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who?"}}, refused: true},
		"try later":      {box: &mailbox{refuse: &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "busy"}}},
		"cut":            {box: &mailbox{cut: true}, unclear: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, tc.box).Send(context.Background(), out)
			var f *Failure
			if tc.ok {
				if err != nil {
					t.Fatal(err)
				}
				text := tc.box.got[0]
				for _, want := range []string{"Message-ID: <m-abc@", "To: <ida@example.org>", "Subject: =?UTF-8?", "Hello"} {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in\n%s", want, text)
					}
				}
				return
			}
			if !errors.As(err, &f) || f.Refused != tc.refused || f.Unclear != tc.unclear {
				t.Errorf("got %#v, want refused %v, unclear %v", err, tc.refused, tc.unclear)
			}
			if strings.Contains(f.Reason, "ida@") {
				t.Errorf("the reason names the address: %q", f.Reason)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s, err := NewSMTP(SMTPOptions{Host: "127.0.0.1", Port: 1, From: "a@b.example", Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		var f *Failure
		if _, err := s.Send(context.Background(), out); !errors.As(err, &f) || f.Refused || f.Unclear {
			t.Errorf("%#v", err)
		}
	})
}

func TestFill(t *testing.T) {
	got, missing := fill("Dear ((name)), ((child??bring your child)) ((gone))", map[string]string{"name": "Ann", "child": "yes"})
	if got != "Dear Ann, bring your child ((gone))" || len(missing) != 1 || missing[0] != "gone" {
		t.Errorf("%q %v", got, missing)
	}
	if p := placeholders("((a)) ((b??x)) ((a))"); strings.Join(p, ",") != "a,b" {
		t.Error(p)
	}
}
