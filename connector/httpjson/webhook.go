package httpjson

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector"
)

// Webhook says how we know that a request comes from the system.
type Webhook struct {
	Verify    string             `json:"verify,omitempty" def:"enum=standard|hmac|token" doc:"standard: as standardwebhooks.com says (webhook-id, webhook-timestamp, webhook-signature). hmac: HMAC-SHA256 of time, a full stop and body. token: a shared token in a header, which guards against nothing that reads the request on its way."`
	Secret    connector.Ref      `json:"secret,omitempty" doc:"Reference to the shared secret or token; for standard it begins with whsec_."`
	Old       connector.Ref      `json:"old,omitempty" doc:"Reference to the secret before this one, while it is being changed."`
	Header    string             `json:"header,omitempty" doc:"Of the signature or token. Default X-Signature for hmac (hexadecimal or base64, with or without sha256= before it); Authorization, as a bearer token, for token."`
	Timestamp string             `json:"timestamp,omitempty" doc:"Header of the time for hmac, in seconds since 1970. Default X-Timestamp."`
	Window    connector.Duration `json:"window,omitempty" doc:"How old a signed request may be, and how far ahead. Default 5m."`
	Limit     int                `json:"limit,omitempty" def:"min=0,max=16777216" doc:"How many bytes a request may have. Default 1048576 (1 MiB)."`
}

// Given reports whether the interface has a webhook.
func (w Webhook) Given() bool { return w != (Webhook{}) }

func (w Webhook) check(problem func(path, message string)) {
	if !w.Given() {
		return
	}
	if w.Verify == "" {
		problem("verify", "say how a request is verified: standard, hmac or token; nobody else may send records")
	}
	if w.Secret == "" {
		problem("secret", "a webhook needs secret, a reference to what only the system and we know")
	}
	for path, r := range map[string]connector.Ref{"secret": w.Secret, "old": w.Old} {
		if r != "" && !r.Valid() {
			problem(path, "a secret must not stand in a definition: write env:NAME, or file:/path of a file that holds it")
		}
	}
	if w.Verify == "standard" && (w.Header != "" || w.Timestamp != "") {
		problem("header", "the names of the headers are fixed with verify: standard")
	}
	if w.Verify == "token" && (w.Timestamp != "" || w.Window != 0) {
		problem("timestamp", "a token has no time: timestamp and window are for standard and hmac")
	}
}

const (
	defaultWindow = 5 * time.Minute
	// minSecret is how many bytes a secret has at least: fewer could be guessed.
	minSecret = 16
	maxWindow = 24 * time.Hour
	// MaxWebhook is what limit may say at most.
	MaxWebhook     = 16 << 20
	defaultWebhook = 1 << 20
)

// Most is how many bytes a request may have.
func (w Webhook) Most() int {
	if w.Limit > 0 {
		return min(w.Limit, MaxWebhook)
	}
	return defaultWebhook
}

// Errors of Verify. They say what is wrong and nothing of the secret.
var (
	ErrUnsigned = errors.New("the request has no signature or token where this interface expects it")
	ErrForged   = errors.New("the signature or token is not the one that this interface expects")
	ErrStale    = errors.New("the request was signed too long ago, or its time is ahead of ours: it may be a repeat by somebody else")
)

// Verified is a request that comes from the system.
type Verified struct {
	// ID is the same when the same request is sent again, which may be done by somebody
	// who has recorded it: for the length of twice Keep a second request of the same ID has no
	// effect. "" with a token: then repeats are recognised by what is in the records only.
	ID   string
	Keep time.Duration
}

// Check is a request that is being checked: its headers are as they should be, and
// its body is written to it before End.
type Check struct {
	macs       []hash.Hash // one for each secret; none: the headers said it all
	signatures [][]byte
	verified   Verified
}

// Begin looks at the headers of a request, before anything of its body is read. What
// can be refused by them is refused: no signature, a time that is too old, a token
// that is not the right one. Secrets are looked up with secret. The error is one of
// those above, or of secret.
func (w Webhook) Begin(h http.Header, secret func(connector.Ref) (string, error), now time.Time) (*Check, error) {
	var secrets []string
	for _, r := range []connector.Ref{w.Secret, w.Old} {
		if r == "" {
			continue
		}
		v, err := secret(r)
		if err != nil {
			return nil, err
		}
		if len(v) < minSecret {
			return nil, errors.New("the secret " + string(r) + " of the webhook is too short: it needs 16 bytes or more")
		}
		secrets = append(secrets, v)
	}
	if len(secrets) == 0 {
		return nil, errors.New("the webhook has no secret")
	}
	switch w.Verify {
	case "token":
		return new(Check), w.token(h, secrets)
	case "standard":
		return w.standard(h, secrets, now)
	case "hmac":
		return w.hmac(h, secrets, now)
	}
	return nil, errors.New("the interface does not say how a request is verified")
}

// Write takes a part of the body. It never fails.
func (c *Check) Write(p []byte) (int, error) {
	for _, m := range c.macs {
		_, _ = m.Write(p)
	}
	return len(p), nil
}

// Sure reports whether the request is known to come from the system before its body
// is read.
func (c *Check) Sure() bool { return len(c.macs) == 0 }

// End reports whether the request comes from the system, after its whole body. All
// signatures are compared, so that the time says nothing.
func (c *Check) End() (Verified, error) {
	same := c.Sure()
	for _, m := range c.macs {
		want := m.Sum(nil)
		for _, s := range c.signatures {
			same = hmac.Equal(want, s) || same
		}
	}
	if !same {
		return Verified{}, ErrForged
	}
	return c.verified, nil
}

// signed begins to check a body that is signed with what stands before it.
func signed(keys, signatures [][]byte, before string, v Verified) *Check {
	c := &Check{signatures: signatures, verified: v}
	for _, key := range keys {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(before))
		c.macs = append(c.macs, m)
	}
	return c
}

// one is the only value of a header: two would let one be checked and the other be read.
func one(h http.Header, name string) (string, bool) {
	v := h.Values(name)
	if len(v) != 1 || v[0] == "" {
		return "", false
	}
	return strings.TrimSpace(v[0]), true
}

func (w Webhook) token(h http.Header, secrets []string) error {
	name := w.Header
	if name == "" {
		name = "Authorization"
	}
	v, ok := one(h, name)
	if !ok {
		return ErrUnsigned
	}
	if http.CanonicalHeaderKey(name) == "Authorization" {
		kind, token, _ := strings.Cut(v, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return ErrUnsigned
		}
		v = strings.TrimSpace(token)
	}
	got, same := sha256.Sum256([]byte(v)), 0
	for _, s := range secrets {
		want := sha256.Sum256([]byte(s)) // of one length, so that the time says nothing
		same |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if same != 1 {
		return ErrForged
	}
	return nil
}

// standard follows https://www.standardwebhooks.com, which several vendors sign by.
func (w Webhook) standard(h http.Header, secrets []string, now time.Time) (*Check, error) {
	id, ok1 := one(h, "Webhook-Id")
	at, ok2 := one(h, "Webhook-Timestamp")
	signature, ok3 := one(h, "Webhook-Signature")
	if !ok1 || !ok2 || !ok3 || len(id) > 200 {
		return nil, ErrUnsigned
	}
	v, err := w.fresh(at, now, id)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil {
			return nil, errors.New("the secret of the webhook is not base64, as verify: standard wants it")
		}
		keys = append(keys, key)
	}
	var signatures [][]byte
	for _, s := range strings.Fields(signature) {
		if s, ok := strings.CutPrefix(s, "v1,"); ok && len(signatures) < 10 {
			if b, err := base64.StdEncoding.DecodeString(s); err == nil {
				signatures = append(signatures, b)
			}
		}
	}
	if len(signatures) == 0 {
		return nil, ErrForged
	}
	return signed(keys, signatures, id+"."+at+".", v), nil
}

func (w Webhook) hmac(h http.Header, secrets []string, now time.Time) (*Check, error) {
	name, clock := w.Header, w.Timestamp
	if name == "" {
		name = "X-Signature"
	}
	if clock == "" {
		clock = "X-Timestamp"
	}
	text, ok1 := one(h, name)
	at, ok2 := one(h, clock)
	if !ok1 || !ok2 {
		return nil, ErrUnsigned
	}
	text = strings.TrimPrefix(text, "sha256=")
	signature, err := hex.DecodeString(text)
	if err != nil {
		if signature, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, ErrForged
		}
	}
	v, err := w.fresh(at, now, hex.EncodeToString(signature))
	if err != nil || len(signature) != sha256.Size {
		return nil, cmp.Or(err, ErrForged)
	}
	var keys [][]byte
	for _, s := range secrets {
		keys = append(keys, []byte(s))
	}
	return signed(keys, [][]byte{signature}, at+".", v), nil
}

// fresh checks the time. Whether it is the one that was signed is known when the body was read.
func (w Webhook) fresh(at string, now time.Time, id string) (Verified, error) {
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return Verified{}, ErrStale
	}
	window := min(time.Duration(w.Window), maxWindow)
	if window <= 0 {
		window = defaultWindow
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > window || age < -window {
		return Verified{}, ErrStale
	}
	return Verified{ID: id, Keep: window}, nil
}
