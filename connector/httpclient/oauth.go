package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// tokens gets access tokens with client credentials (RFC 6749, section 4.4) and keeps
// one until shortly before it ends, or until it is refused.
type tokens struct {
	c *Client

	mu      sync.Mutex // held while a token is fetched: all wait for the same one
	client  *http.Client
	at      string // the token address that client is for
	current string
	ends    time.Time // zero: not known
}

func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = ""
}

func (t *tokens) token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.c.host.Now
	if t.current != "" && (now == nil || t.ends.IsZero() || now().Before(t.ends)) {
		return t.current, nil
	}
	token, lasts, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.current, t.ends = token, time.Time{}
	if lasts > 0 && now != nil {
		t.ends = now().Add(lasts - min(lasts/4, 30*time.Second))
	}
	return token, nil
}

// tokenURL accepts https, and http for this machine.
func tokenURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("oauth.tokenUrl is not a web address: it looks like https://host/token")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || InClear(u)) {
		return nil, errors.New("oauth.tokenUrl must be an https address: the secret goes there")
	}
	return u, nil
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,60}$`)

func (t *tokens) fetch(ctx context.Context) (string, time.Duration, error) {
	o := t.c.auth.OAuth
	var values [3]string
	for i, get := range []func() (string, error){
		func() (string, error) { return t.c.maybe(o.TokenURL) },
		func() (string, error) { return t.c.maybe(o.Client) },
		func() (string, error) { return t.c.host.Secret(o.Secret) },
	} {
		var err error
		if values[i], err = get(); err != nil {
			return "", 0, err
		}
	}
	u, err := tokenURL(values[0])
	if err != nil {
		return "", 0, err
	}
	if t.at != u.String() {
		if t.client != nil {
			t.client.CloseIdleConnections()
		}
		t.at, t.client = u.String(), t.c.make(hostPort(u), 1)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if o.Scope != "" {
		form.Set("scope", o.Scope)
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errors.New("oauth.tokenUrl is not a web address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(values[1]), url.QueryEscape(values[2])) // RFC 6749, section 2.3.1
	resp, err := t.client.Do(req)
	if err != nil {
		return "", 0, &AuthError{message: "no token: the authorization server: " + plain.Reason(err)}
	}
	defer Drain(resp)
	return read(resp)
}

func read(resp *http.Response) (string, time.Duration, error) {
	var answer struct {
		Token string      `json:"access_token"`
		Type  string      `json:"token_type"`
		Lasts json.Number `json:"expires_in"`
		Error string      `json:"error"`
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	if resp.StatusCode != http.StatusOK {
		message := fmt.Sprintf("no token: the authorization server answered %d", resp.StatusCode)
		if err == nil && errorCode.MatchString(answer.Error) {
			message += ": " + answer.Error
		}
		return "", 0, &AuthError{message, RetryAfter(resp.Header)}
	}
	if err != nil || answer.Token == "" || !strings.EqualFold(answer.Type, "bearer") || strings.ContainsFunc(answer.Token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", 0, &AuthError{message: "no token: the authorization server did not answer with a bearer token"}
	}
	lasts, _ := answer.Lasts.Float64() // 0: not told
	return answer.Token, time.Duration(min(max(lasts, 0), 86400) * float64(time.Second)), nil
}

// AuthError is that no token could be got. Nothing was sent to the system itself.
type AuthError struct {
	message string
	After   time.Duration // how long the authorization server asks to be left alone
}

func (e *AuthError) Error() string { return e.message }
