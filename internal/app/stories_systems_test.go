package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"mime/quotedprintable"
	"net"
	"net/http"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

// setting puts a value into the environment, where definitions reach it at env:NAME.
func (s *story) setting(ts *testscript.TestScript, args []string) error {
	s.setenv(ts, args[0], args[1])
	return nil
}

// hook is what a system does that tells us by itself: it signs as
// standardwebhooks.com says.
func (s *story) hook(ts *testscript.TestScript, args []string) error {
	iface, id, name, body := args[0], args[1], args[2], ts.ReadFile(args[3])
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.env[name], "whsec_"))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(s.clockNow().Unix(), 10)
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + at + "." + body))
	header := map[string]string{"Content-Type": "application/json", "Webhook-Id": id, "Webhook-Timestamp": at,
		"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))}
	return s.request(ts, http.MethodPost, "/v1/hooks/"+iface, "", strings.NewReader(body), header)
}

// workbook makes a file as a person would with a spreadsheet program: text and numbers
// in cells, a line of the given file a row.
func (s *story) workbook(ts *testscript.TestScript, args []string) error {
	f := excelize.NewFile()
	for i, line := range strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n") {
		for j, v := range strings.Split(line, ";") {
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				return err
			}
			if err := f.SetCellValue("Sheet1", at, v); err != nil {
				return err
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600)
}

// post is a mail server that takes everything.
type post struct {
	p  *peer
	to []string
}

// mailbox starts a mail server; received NAME prints its mails.
func (s *story) mailbox(ts *testscript.TestScript, args []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := &peer{keys: map[string]bool{}}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &post{p: p}, nil }))
	srv.Domain, srv.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	ts.Defer(func() {
		_ = srv.Close()
		_ = l.Close()
		<-done
	})
	s.peers[args[0]] = p
	s.setenv(ts, args[0], "smtp://"+l.Addr().String())
	return nil
}

func (x *post) Mail(string, *smtp.MailOptions) error { return nil }
func (x *post) Reset()                               { x.to = nil }
func (x *post) Logout() error                        { return nil }

func (x *post) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = append(x.to, to)
	return nil
}

func (x *post) Data(r io.Reader) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	x.p.took = append(x.p.took, []byte(fmt.Sprintf("to %s: %s\n%s", strings.Join(x.to, " "), m.Header.Get("Subject"), bytes.TrimSpace(text))))
	return nil
}
