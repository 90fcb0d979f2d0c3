// Package mail sends each record as one email through a mail server (SMTP).
//
// What is guaranteed. A value of a record cannot add a header or a recipient. The
// Message-ID follows from the delivery alone, so that two copies are shown as one by mail
// programs that look at it. Without TLS nothing is sent unless the definition says so.
//
// What not to assume. That a mail was taken by the server is all that is known: not that
// it arrived or was read. A mail server does not recognise a repeat. When it breaks off
// after the end of a mail, nobody knows whether it took it: the outcome is Unclear.
package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/httpclient"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// Settings is what an Interface says about its mails, under settings.mail.
type Settings struct {
	From    string `json:"from" def:"required" doc:"Whom the mails are from: Ashcombe <no-reply@ashcombe.example>."`
	To      string `json:"to" def:"required" doc:"Whom they go to, with commas between several. {field} stands for a field of the record, {/a/b} for one inside another."`
	ReplyTo string `json:"replyTo,omitempty" doc:"Whom an answer goes to."`
	Subject string `json:"subject" def:"required" doc:"Subject, with {field} as in to."`
	Text    string `json:"text" def:"required" doc:"Text, with {field} as in to. A field that the record does not have is a refusal; null is nothing."`
	Plain   bool   `json:"plain,omitempty" doc:"Send without TLS: only to a server on this machine or in a network that nobody else is in."`
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "mail", Schemes: []string{"smtp", "smtps"},
	Doc: "Email by a mail server: smtp://host:587 with STARTTLS, smtps://host:465 with TLS from the start.",
	Promise: connector.Promise{
		Order:  "One after the other.",
		Repeat: "A mail server does not recognise a repeat: with repeat: none a person decides when an answer is unclear; with repeat: key the mail is sent again with the same Message-ID, and may be there twice.",
		Ack:    "A record counts as delivered when the mail server has taken the mail, whatever becomes of it then.",
	},
	Settings: new(Settings),
	Check:    check,
	Sink: func(c connector.Config) (connector.Sink, error) {
		return New(c)
	},
}

func check(c connector.Config, problem func(path, message string)) {
	s, _ := c.Settings.(*Settings)
	if s == nil {
		s = new(Settings)
	}
	if c.Repeat == "put" || c.Repeat == "lookup" {
		problem("", "a mail server cannot be asked about a mail: repeat is none or key, not "+c.Repeat)
	}
	if (c.Auth.User != "") != (c.Auth.Password != "") {
		problem("", "auth.user and auth.password go together")
	}
	if c.Auth.Bearer != "" || c.Auth.APIKey.Value != "" || c.Auth.OAuth.TokenURL != "" {
		problem("", "we sign in to a mail server with auth.user and auth.password, or with a certificate")
	}
	if s.From == "" || s.To == "" || s.Subject == "" || s.Text == "" {
		problem("", "a mail needs settings.mail with from, to, subject and text")
		return
	}
	for path, v := range map[string]string{"from": s.From, "replyTo": s.ReplyTo} {
		if _, err := netmail.ParseAddress(v); v != "" && err != nil {
			problem(path, "this is not an email address: write it like Ashcombe <no-reply@ashcombe.example>")
		}
	}
	for _, to := range strings.Split(s.To, ",") {
		if !placeholder.MatchString(to) {
			if _, err := netmail.ParseAddress(strings.TrimSpace(to)); err != nil {
				problem("to", "this is not a list of email addresses with commas between them")
			}
		}
	}
	if strings.ContainsAny(s.Subject, "\r\n") {
		problem("subject", "a subject is one line")
	}
}

// Sink sends mails.
type Sink struct {
	c          connector.Config
	s          Settings
	host       string
	port       int
	tls        bool // from the start
	from       *netmail.Address
	replyTo    *netmail.Address
	recipients []string // templates
}

// New checks the config and returns a sink.
func New(c connector.Config) (*Sink, error) {
	var wrong error
	check(c, func(path, message string) {
		wrong = errors.New("mail: " + strings.TrimPrefix(path+": "+message, ": "))
	})
	if wrong != nil {
		return nil, wrong
	}
	u, err := url.Parse(c.Address)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" {
		return nil, errors.New("mail: the address looks like smtp://host:587 or smtps://host:465")
	}
	s := &Sink{c: c, s: *c.Settings.(*Settings), host: u.Hostname(), tls: u.Scheme == "smtps"}
	s.c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	s.port, err = strconv.Atoi(cmp.Or(u.Port(), map[bool]string{false: "587", true: "465"}[s.tls]))
	if err != nil {
		return nil, errors.New("mail: the port of the address is not a number")
	}
	s.from, _ = netmail.ParseAddress(s.s.From) // checked above
	if s.s.ReplyTo != "" {
		s.replyTo, _ = netmail.ParseAddress(s.s.ReplyTo)
	}
	for _, to := range strings.Split(s.s.To, ",") {
		s.recipients = append(s.recipients, strings.TrimSpace(to))
	}
	return s, nil
}

// Whole is false: each mail stands for itself.
func (s *Sink) Whole() bool { return false }

// Send implements [connector.Sink]. One connection serves the whole call.
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	v := &visit{s: s}
	defer v.end()
	return connector.Each(ctx, items, 1, s.c.Ordered, v.one)
}

// visit is a connection to the server, made when it is needed.
type visit struct {
	s      *Sink
	client *mail.Client
	conn   net.Conn
}

func (v *visit) end() {
	if v.client != nil {
		_ = v.client.Close() // the answers to the mails are what counts
		v.client = nil
	}
	v.drop()
}

func (v *visit) drop() {
	v.client = nil
	if v.conn != nil {
		_ = v.conn.Close()
		v.conn = nil
	}
}

func (v *visit) one(ctx context.Context, it connector.Item) connector.Result {
	msg, err := v.s.message(it)
	if err != nil {
		return connector.Result{Outcome: connector.Refused, Message: err.Error()}
	}
	if v.client == nil {
		if err := v.begin(ctx); err != nil {
			v.drop()
			return connector.Result{Outcome: connector.Later, Message: plain.Clip(v.s.why(err))}
		}
	}
	err = v.client.Send(msg)
	if err == nil || msg.IsDelivered() {
		if err != nil {
			v.drop()
		}
		return connector.Result{Outcome: connector.Delivered}
	}
	r, broken := judge(err)
	if broken {
		v.drop()
	}
	return r
}

// judge says what an error means for the mail, and whether the connection is of no
// use any more.
func judge(err error) (r connector.Result, broken bool) {
	var f *mail.SendError
	if !errors.As(err, &f) {
		return connector.Result{Outcome: connector.Unclear, Message: "the mail server broke off"}, true
	}
	code := f.ErrorCode()
	said := strings.TrimSpace(fmt.Sprintf("the mail server answered %d %s", code, f.EnhancedStatusCode()))
	switch {
	case f.Reason == mail.ErrSMTPDataClose && code == 0:
		return connector.Result{Outcome: connector.Unclear, Message: "the mail server broke off at the end of the mail: it may have taken it"}, true
	case f.Reason == mail.ErrSMTPMailFrom && code >= 500:
		return connector.Result{Outcome: connector.Later, Message: said + ": it does not let us send from this address"}, false
	case code >= 500:
		return connector.Result{Outcome: connector.Refused, Message: said}, false
	case code >= 400:
		return connector.Result{Outcome: connector.Later, Message: said}, code == 421
	case f.Reason == mail.ErrAmbiguous:
		return connector.Result{Outcome: connector.Unclear, Message: "the mail server broke off"}, true
	}
	return connector.Result{Outcome: connector.Later, Message: "the connection to the mail server broke before the end of the mail"}, true
}

// begin connects and signs in.
func (v *visit) begin(ctx context.Context) error {
	s := v.s
	config, err := httpclient.TLS(s.c.Auth, s.c.Host, true)
	if err != nil {
		return err
	}
	config.ServerName = s.host
	d := &dial.Dialer{Address: s.c.Host.Address, Declared: []string{net.JoinHostPort(s.host, strconv.Itoa(s.port))}, Timeout: min(s.c.Timeout, 10*time.Second)}
	policy := mail.TLSMandatory
	switch {
	case s.tls:
		policy = mail.TLSOpportunistic // the connection has it already
	case s.s.Plain:
		policy = mail.NoTLS
	}
	opts := []mail.Option{mail.WithPort(s.port), mail.WithTLSPolicy(policy), mail.WithTLSConfig(config), mail.WithTimeout(s.c.Timeout), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if v.conn = conn; !s.tls {
				return conn, nil
			}
			tc := tls.Client(conn, config)
			return tc, tc.HandshakeContext(ctx)
		})}
	if s.c.Auth.User != "" {
		user := s.c.Auth.User
		if strings.HasPrefix(user, "env:") {
			if user, err = s.c.Host.Secret(connector.Ref(user)); err != nil {
				return err
			}
		}
		password, err := s.c.Host.Secret(s.c.Auth.Password)
		if err != nil {
			return err
		}
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	if v.client, err = mail.NewClient(s.host, opts...); err != nil {
		return errors.New("the settings for the mail server cannot be used")
	}
	return v.client.DialWithContext(ctx)
}

var smtpCode = regexp.MustCompile(`^[45]\d\d\b`)

// why puts an error of connecting in plain words. What a server says while we sign in
// is not repeated.
func (s *Sink) why(err error) string {
	root := err
	for errors.Unwrap(root) != nil {
		root = errors.Unwrap(root)
	}
	text := root.Error()
	switch code := smtpCode.FindString(text); {
	case code == "535" || code == "534" || code == "530":
		return "the mail server answered " + code + ": it does not accept our credentials"
	case code != "":
		return "the mail server answered " + code
	case strings.Contains(text, "STARTTLS"):
		return "the mail server offers no STARTTLS: without it nothing is sent"
	}
	return "the mail server: " + plain.Reason(err)
}

// message makes the mail of an item. An error is for people.
func (s *Sink) message(it connector.Item) (*mail.Msg, error) {
	d := json.NewDecoder(bytes.NewReader(it.Body))
	d.UseNumber()
	var record any
	if err := d.Decode(&record); err != nil {
		return nil, errors.New("the record is not JSON")
	}
	m := mail.NewMsg()
	m.FromMailAddress(s.from)
	if s.replyTo != nil {
		m.ReplyToMailAddress(s.replyTo)
	}
	for _, template := range s.recipients {
		to, err := fill(template, record)
		if err != nil {
			return nil, err
		}
		a, err := netmail.ParseAddress(to)
		if err != nil || strings.ContainsFunc(a.Address, control) || strings.ContainsFunc(a.Name, control) {
			return nil, fmt.Errorf("what stands at %s is not one email address", plain.Clip(template))
		}
		m.AddToMailAddress(a)
	}
	subject, err := fill(s.s.Subject, record)
	if err != nil {
		return nil, err
	}
	text, err := fill(s.s.Text, record)
	if err != nil {
		return nil, err
	}
	m.Subject(strings.Join(strings.FieldsFunc(subject, control), " "))
	m.SetBodyString(mail.TypeTextPlain, text)
	m.SetMessageIDWithValue(s.messageID(it))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	if s.c.Host.Now != nil {
		m.SetDateWithValue(s.c.Host.Now())
	}
	return m, nil
}

// messageID is the same at every attempt, and another for another interface.
func (s *Sink) messageID(it connector.Item) string {
	sum := sha256.Sum256([]byte(s.c.ID + "\x00" + it.ID))
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return hex.EncodeToString(sum[:16]) + "@reeve." + domain
}

func control(r rune) bool {
	return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085'
}

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*|/[^{}]+)\}`)

// fill puts fields of a record into a template. Its errors name fields, not values.
func fill(template string, record any) (string, error) {
	var wrong error
	out := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		v, ok := at(record, p[1:len(p)-1])
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		case bool:
			return strconv.FormatBool(v)
		case nil:
			if ok {
				return ""
			}
			wrong = errors.New("the record has no field " + plain.Clip(p))
		default:
			wrong = errors.New("the field " + plain.Clip(p) + " is a list or an object: only text, numbers, true and false can stand in a mail")
		}
		return ""
	})
	return out, wrong
}

// at is the value of a field, or at a JSON Pointer.
func at(record any, name string) (any, bool) {
	steps := []string{name}
	if name[0] == '/' {
		steps = strings.Split(name, "/")[1:]
	}
	for _, step := range steps {
		if name[0] == '/' {
			step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		}
		switch r := record.(type) {
		case map[string]any:
			v, ok := r[step]
			if !ok {
				return nil, false
			}
			record = v
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(r) {
				return nil, false
			}
			record = r[i]
		default:
			return nil, false
		}
	}
	return record, true
}
