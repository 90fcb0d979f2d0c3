// Package plain puts what went wrong with a system in plain words.
//
// What is guaranteed. Words of a system are clipped, and the values of a record that
// a system repeats are taken out of them. No address is printed: a path may hold a key.
package plain

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/reeve-civic/reeve/connector/dial"
)

// Reason puts an error of a connection in plain words.
func Reason(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var (
		forbidden *dial.ForbiddenError
		dns       *net.DNSError
		ne        net.Error
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &forbidden):
		return Clip(forbidden.Error())
	case errors.As(err, &dns):
		return "its name cannot be found"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return "it did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it cannot be reached: connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke"
	case errors.As(err, &unknown):
		return "its certificate comes from an authority that is not known here: give auth.authority"
	case errors.As(err, &hostname):
		return "its certificate is for another name"
	case errors.As(err, &invalid):
		return "its certificate is not valid: it may have expired"
	case errors.As(err, &alert):
		return "it did not accept our certificate, or there is no common way to encrypt (" + Clip(alert.Error()) + ")"
	}
	return Clip(err.Error())
}

// Clip shortens a text to 200 bytes.
func Clip(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "�")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// WithoutValues takes every value of body, of three bytes or more, out of text.
func WithoutValues(text string, body []byte) string {
	if text == "" {
		return ""
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	depth, field := []bool{}, true // whether each level is an object; whether the next string is a field's name
	for {
		tok, err := d.Token()
		if err != nil {
			return text
		}
		v := ""
		switch tok := tok.(type) {
		case json.Delim:
			switch tok {
			case '{', '[':
				depth, field = append(depth, tok == '{'), true
				continue
			}
			depth = depth[:len(depth)-1]
		case string:
			if len(depth) > 0 && depth[len(depth)-1] && field {
				field = false
				continue
			}
			v = tok
		case json.Number:
			v = tok.String()
		}
		field = true
		if len(v) >= 3 {
			text = strings.ReplaceAll(text, v, "…")
		}
	}
}
