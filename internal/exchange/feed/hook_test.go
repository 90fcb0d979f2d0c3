package feed_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// long is a body of a number of bytes that counts what is read of it.
type long struct{ left, read int }

func (l *long) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), l.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	l.left, l.read = l.left-n, l.read+n
	return n, nil
}

// Of a request that cannot be right by its headers nothing is read; of one with the
// right token no more than may be; and a system that signs too much is told so, while
// a stranger is not.
func TestHookReadsNoMoreThanItMust(t *testing.T) {
	h := start(t, storetest.Open(t, nil), newClock(), t.TempDir())
	now := h.clock.now()
	stamp := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	sum := func(secret string, n int) string {
		m := hmac.New(sha256.New, []byte(secret))
		_, _ = io.Copy(m, io.MultiReader(strings.NewReader(stamp(now)+"."), &long{left: n}))
		return hex.EncodeToString(m.Sum(nil))
	}
	any32 := strings.Repeat("ab", 32)
	const mib = 1 << 20
	for name, c := range map[string]struct {
		path    string
		headers []string
		bytes   int
		status  int
		most    int // bytes that may be read
	}{
		"no such interface": {"if-nowhere", []string{"X-Signature", any32, "X-Timestamp", stamp(now)}, mib, 401, 0},
		"no signature":      {"if-hook", []string{"X-Timestamp", stamp(now)}, mib, 401, 0},
		"no time":           {"if-hook", []string{"X-Signature", any32}, mib, 401, 0},
		"old":               {"if-hook", []string{"X-Signature", any32, "X-Timestamp", stamp(now.Add(-time.Hour))}, mib, 401, 0},
		"no sum":            {"if-hook", []string{"X-Signature", "abcd", "X-Timestamp", stamp(now)}, mib, 401, 0},
		"another's":         {"if-hook", []string{"X-Signature", sum("another secret, long enough too", 2*mib), "X-Timestamp", stamp(now)}, 2 * mib, 401, 2 * mib},
		"signed, too large": {"if-hook", []string{"X-Signature", sum(hookSecret, 2*mib), "X-Timestamp", stamp(now)}, 2 * mib, 413, 2 * mib},
		"without end":       {"if-hook", []string{"X-Signature", any32, "X-Timestamp", stamp(now)}, 100 * mib, 401, 17 * mib},
		"no token":          {"if-token", nil, mib, 401, 0},
		"a wrong token":     {"if-token", []string{"Authorization", "Bearer " + any32}, mib, 401, 0},
		"token, too large":  {"if-token", []string{"Authorization", "Bearer " + hookSecret}, mib, 413, 8 << 10},
		"token, one more":   {"if-token", []string{"Authorization", "Bearer " + hookSecret}, 201, 413, 201},
	} {
		body := &long{left: c.bytes}
		w := h.do("POST", "/v1/hooks/"+c.path, "", body, c.headers...)
		if w.Code != c.status || body.read > c.most {
			t.Errorf("%s: %d, %d bytes read, want %d and at most %d: %s", name, w.Code, body.read, c.status, c.most, w.Body)
		}
		if told := strings.Contains(w.Body.String(), "settings.http.webhook.limit"); told != (c.status == 413) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	send := func(body string) *httptest.ResponseRecorder {
		return h.do("POST", "/v1/hooks/if-token", "", strings.NewReader(body), "Authorization", "Bearer "+hookSecret)
	}
	if w := send(strings.TrimSpace(lines(1, 1))); w.Code != 202 || !strings.Contains(w.Body.String(), `"accepted":1`) {
		t.Errorf("with a token: %d %s", w.Code, w.Body)
	}
	one := strings.TrimSpace(lines(2, 2))
	if w := send(one + strings.Repeat(" ", 200-len(one))); w.Code != 202 {
		t.Errorf("as large as may be: %d %s", w.Code, w.Body)
	}
	if len(h.records()) != 2 {
		t.Errorf("%d records", len(h.records()))
	}
}
