package httpjson_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/httpjson"
)

func mac(key, text string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// check is what becomes of a request with a body that comes byte by byte.
func check(w httpjson.Webhook, h http.Header, body []byte, secret func(connector.Ref) (string, error), now time.Time) (httpjson.Verified, error) {
	c, err := w.Begin(h, secret, now)
	if err != nil {
		return httpjson.Verified{}, err
	}
	for i := range body {
		_, _ = c.Write(body[i : i+1])
	}
	return c.End()
}

// The example of the specification, https://www.standardwebhooks.com.
func TestStandardWebhook(t *testing.T) {
	w := httpjson.Webhook{Verify: "standard", Secret: "env:W"}
	secret := secrets(map[connector.Ref]string{"env:W": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}).Secret
	body := []byte(`{"test": 2432232314}`)
	h := http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}
	now := time.Unix(1614265330+200, 0)
	v, err := check(w, h, body, secret, now)
	if err != nil || v.ID != "msg_p5jXN8AQM9LWM0D4loKWxJek" || v.Keep != 5*time.Minute {
		t.Fatal(v, err)
	}
	h.Set("Webhook-Signature", "v1a,x v1,AAAA "+h.Get("Webhook-Signature"))
	if _, err = check(w, h, body, secret, now); err != nil {
		t.Error("among others:", err)
	}
	for name, c := range map[string]struct {
		change func(http.Header)
		body   string
		now    time.Time
		want   error
	}{
		"another body":  {nil, `{"test": 2432232315}`, now, httpjson.ErrForged},
		"another id":    {func(h http.Header) { h.Set("Webhook-Id", "msg_2") }, "", now, httpjson.ErrForged},
		"another time":  {func(h http.Header) { h.Set("Webhook-Timestamp", "1614265331") }, "", now, httpjson.ErrForged},
		"too old":       {nil, "", now.Add(time.Hour), httpjson.ErrStale},
		"ahead":         {nil, "", now.Add(-time.Hour), httpjson.ErrStale},
		"no signature":  {func(h http.Header) { h.Del("Webhook-Signature") }, "", now, httpjson.ErrUnsigned},
		"two ids":       {func(h http.Header) { h.Add("Webhook-Id", "other") }, "", now, httpjson.ErrUnsigned},
		"other version": {func(h http.Header) { h.Set("Webhook-Signature", "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") }, "", now, httpjson.ErrForged},
		"empty":         {func(h http.Header) { h.Set("Webhook-Signature", "v1,") }, "", now, httpjson.ErrForged},
	} {
		h := h.Clone()
		if c.change != nil {
			c.change(h)
		}
		b := body
		if c.body != "" {
			b = []byte(c.body)
		}
		if v, err := check(w, h, b, secret, c.now); !errors.Is(err, c.want) || v.ID != "" {
			t.Errorf("%s: %v %v", name, v, err)
		}
	}
}

func TestHMACWebhook(t *testing.T) {
	secret := secrets(map[connector.Ref]string{"env:W": "0123456789abcdef-new", "env:OLD": "0123456789abcdef-old", "env:SHORT": "hunter2", "env:EMPTY": ""}).Secret
	body, now := []byte(`{"id":1}`), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := fmt.Sprint(now.Unix() - 100)
	w := httpjson.Webhook{Verify: "hmac", Secret: "env:W", Old: "env:OLD", Header: "X-Hub-Signature", Timestamp: "X-Time", Window: connector.Duration(2 * time.Minute)}
	for _, key := range []string{"0123456789abcdef-new", "0123456789abcdef-old"} {
		sum := mac(key, at+"."+string(body))
		for _, s := range []string{hex.EncodeToString(sum), "sha256=" + hex.EncodeToString(sum), base64.StdEncoding.EncodeToString(sum)} {
			h := http.Header{"X-Hub-Signature": {s}, "X-Time": {at}}
			if v, err := check(w, h, body, secret, now); err != nil || v.ID == "" || v.Keep != 2*time.Minute {
				t.Errorf("%s: %v %v", s, v, err)
			}
			if _, err := check(w, h, body, secret, now.Add(time.Minute)); !errors.Is(err, httpjson.ErrStale) {
				t.Errorf("too old: %v", err)
			}
		}
	}
	h := http.Header{"X-Hub-Signature": {hex.EncodeToString(mac("another key of some length", at+"."+string(body)))}, "X-Time": {at}}
	if _, err := check(w, h, body, secret, now); !errors.Is(err, httpjson.ErrForged) {
		t.Error(err)
	}
	h.Set("X-Time", "soon")
	h.Set("X-Hub-Signature", hex.EncodeToString(mac("0123456789abcdef-new", "soon."+string(body))))
	if _, err := check(w, h, body, secret, now); !errors.Is(err, httpjson.ErrStale) {
		t.Error(err)
	}
	for _, wrong := range []httpjson.Webhook{{}, {Verify: "hmac"}, {Verify: "none", Secret: "env:W"}, {Verify: "token", Secret: "env:SHORT"}, {Verify: "token", Secret: "env:EMPTY"}, {Verify: "token", Secret: "env:GONE"}} {
		h := http.Header{"Authorization": {"Bearer hunter2", "Bearer "}}
		if _, err := check(wrong, h, body, secret, now); err == nil {
			t.Errorf("%+v lets through", wrong)
		}
	}
}

// What the headers say already is refused before the body is read.
func TestRefusedByHeaders(t *testing.T) {
	secret := secrets(map[connector.Ref]string{"env:W": "0123456789abcdef"}).Secret
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sum := hex.EncodeToString(mac("other", "x"))
	signedBy := httpjson.Webhook{Verify: "hmac", Secret: "env:W"}
	token := httpjson.Webhook{Verify: "token", Secret: "env:W"}
	for name, c := range map[string]struct {
		w    httpjson.Webhook
		h    http.Header
		want error
	}{
		"no signature":    {signedBy, http.Header{"X-Timestamp": {fmt.Sprint(now.Unix())}}, httpjson.ErrUnsigned},
		"no time":         {signedBy, http.Header{"X-Signature": {sum}}, httpjson.ErrUnsigned},
		"old":             {signedBy, http.Header{"X-Signature": {sum}, "X-Timestamp": {fmt.Sprint(now.Unix() - 3600)}}, httpjson.ErrStale},
		"ahead":           {signedBy, http.Header{"X-Signature": {sum}, "X-Timestamp": {fmt.Sprint(now.Unix() + 3600)}}, httpjson.ErrStale},
		"half a sum":      {signedBy, http.Header{"X-Signature": {sum[:20]}, "X-Timestamp": {fmt.Sprint(now.Unix())}}, httpjson.ErrForged},
		"no token":        {token, http.Header{}, httpjson.ErrUnsigned},
		"the wrong token": {token, http.Header{"Authorization": {"Bearer 0123456789abcdeg"}}, httpjson.ErrForged},
	} {
		if _, err := c.w.Begin(c.h, secret, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	c, err := token.Begin(http.Header{"Authorization": {"Bearer 0123456789abcdef"}}, secret, now)
	if err != nil || !c.Sure() {
		t.Errorf("a right token is not enough: %v", err)
	}
	for limit, want := range map[int]int{0: 1 << 20, 100: 100, 1 << 30: httpjson.MaxWebhook} {
		if got := (httpjson.Webhook{Limit: limit}).Most(); got != want {
			t.Errorf("limit %d is %d, want %d", limit, got, want)
		}
	}
}

func TestTokenWebhook(t *testing.T) {
	secret := secrets(map[connector.Ref]string{"env:W": "0123456789abcdef"}).Secret
	for _, c := range []struct {
		header string
		h      http.Header
		want   error
	}{
		{"", http.Header{"Authorization": {"Bearer 0123456789abcdef"}}, nil},
		{"", http.Header{"Authorization": {"bearer  0123456789abcdef"}}, nil},
		{"", http.Header{"Authorization": {"Basic 0123456789abcdef"}}, httpjson.ErrUnsigned},
		{"", http.Header{"Authorization": {"Bearer 0123456789abcdeg"}}, httpjson.ErrForged},
		{"", http.Header{"Authorization": {"Bearer"}}, httpjson.ErrForged},
		{"", http.Header{"Authorization": {"Bearer x", "Bearer 0123456789abcdef"}}, httpjson.ErrUnsigned},
		{"", http.Header{}, httpjson.ErrUnsigned},
		{"x-gitlab-token", http.Header{"X-Gitlab-Token": {"0123456789abcdef"}}, nil},
		{"x-gitlab-token", http.Header{"Authorization": {"Bearer 0123456789abcdef"}}, httpjson.ErrUnsigned},
	} {
		w := httpjson.Webhook{Verify: "token", Secret: "env:W", Header: c.header}
		if _, err := check(w, c.h, nil, secret, time.Time{}); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.h, err, c.want)
		}
	}
}
