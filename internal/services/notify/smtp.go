package notify

import (
	"context"
	"errors"

	"github.com/wneessen/go-mail"

	"github.com/reeve-civic/reeve"
)

// SMTPOptions say how the body's own mail server is reached.
type SMTPOptions struct {
	Host           string
	Port           int    // 0 is 587
	From           string // "Ashcombe <no-reply@ashcombe.example>"
	User, Password string // "" signs in as nobody
	Plain          bool   // without TLS: for a server on this machine only
}

// SMTP sends email by a mail server.
type SMTP struct {
	o    SMTPOptions
	host string // of the sender's address, for message ids
}

// NewSMTP checks the options and returns a sender.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	const op = "services.notify.NewSMTP"
	if o.Host == "" {
		return nil, reeve.E(reeve.Invalid, op, "the mail server has no name")
	}
	m := mail.NewMsg()
	if err := m.From(o.From); err != nil {
		return nil, reeve.E(reeve.Invalid, op, "the sender's address cannot be used: write it like Ashcombe <no-reply@ashcombe.example>")
	}
	if o.Port == 0 {
		o.Port = 587
	}
	if _, err := (&SMTP{o: o}).client(); err != nil {
		return nil, reeve.E(reeve.Invalid, op, "the mail server's settings: %w", err)
	}
	return &SMTP{o: o, host: "reeve." + o.Host}, nil
}

func (s *SMTP) client() (*mail.Client, error) {
	opts := []mail.Option{mail.WithPort(s.o.Port), mail.WithTLSPolicy(mail.TLSMandatory)}
	if s.o.Plain {
		opts = []mail.Option{mail.WithPort(s.o.Port), mail.WithTLSPolicy(mail.NoTLS)}
	}
	if s.o.User != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.o.User), mail.WithPassword(s.o.Password))
	}
	return mail.NewClient(s.o.Host, opts...)
}

// Send implements [Sender]. The message id is made of our reference, so that two
// copies, should there ever be two, are shown as one by mail programs.
func (s *SMTP) Send(ctx context.Context, m Outgoing) (string, error) {
	msg := mail.NewMsg()
	if err := msg.From(s.o.From); err != nil {
		return "", &Failure{Refused: true, Reason: "the sender's address cannot be used"}
	}
	if err := msg.To(m.To); err != nil {
		return "", &Failure{Refused: true, Reason: "the address is not an email address"}
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.Reference + "@" + s.host)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, m.Body)
	c, err := s.client()
	if err != nil {
		return "", &Failure{Refused: true, Reason: "the mail server's settings cannot be used"}
	}
	if err := c.DialWithContext(ctx); err != nil {
		return "", &Failure{Reason: "the mail server could not be reached"}
	}
	err = c.Send(msg)
	_ = c.Close() // the answer to the message is what counts
	if err == nil {
		return m.Reference, nil
	}
	var f *mail.SendError
	if !errors.As(err, &f) {
		return "", &Failure{Unclear: true, Reason: "the mail server broke off"}
	}
	switch {
	case f.ErrorCode() >= 500:
		return "", &Failure{Refused: true, Reason: "the mail server refused it (" + f.EnhancedStatusCode() + ")"}
	case f.ErrorCode() >= 400:
		return "", &Failure{Reason: "the mail server asks to try later"}
	case f.Reason == mail.ErrSMTPDataClose || f.Reason == mail.ErrWriteContent || f.Reason == mail.ErrAmbiguous:
		return "", &Failure{Unclear: true, Reason: "the mail server broke off"}
	}
	return "", &Failure{Reason: "the mail server broke off before the message was given to it"}
}

// Find implements [Sender]: a mail server keeps nothing that could be asked.
func (s *SMTP) Find(context.Context, Outgoing) (string, bool, error) {
	return "", false, ErrCannotTell
}

// Status implements [Sender].
func (s *SMTP) Status(context.Context, string) (string, error) { return "", ErrCannotTell }
