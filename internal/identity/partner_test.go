package identity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/identity/token"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// TestPartnersSignIn lets a partner's people in with a token, on the partners'
// pages only, until the token is revoked, it expires, or they sign out.
func TestPartnersSignIn(t *testing.T) {
	each(t, true, func(h *house) {
		h.k.Web.Handle("GET /partner/{$}", "test.see", func(w http.ResponseWriter, r *http.Request) error {
			return web.JSON(w, 200, web.Actor(r.Context()).Party)
		})
		secret, tok, err := h.id.Tokens.Create(h.ctx, "cli", "org-hospital", "test system", nil, h.now.Add(30*24*time.Hour))
		if err != nil {
			h.Fatal(err)
		}
		resp, _ := h.ask("GET", "/partner/", "", nil)
		if to := resp.Header.Get("Location"); resp.StatusCode != 303 || to != "/partner/sign-in?next=%2Fpartner%2F" {
			h.Errorf("nobody is signed in: %s %q", resp.Status, to)
		}
		h.status(200, "GET", "/partner/sign-in", "", nil)
		for _, wrong := range []string{"", "rv_nonsense", secret[:len(secret)-1], token.Prefix + strings.Repeat("a", 39)} {
			if body := h.status(422, "POST", "/partner/sign-in", "", url.Values{"token": {wrong}}); !strings.Contains(body, "There is a problem") || len(h.jar) > 0 {
				h.Errorf("%q: %v %.300s", wrong, h.jar, body)
			}
		}
		signIn := func(next, want string) {
			resp, _ := h.ask("POST", "/partner/sign-in", "", url.Values{"token": {" " + secret + "\n"}, "next": {next}})
			if to := resp.Header.Get("Location"); resp.StatusCode != 303 || to != want {
				h.Errorf("next %q: %s %q", next, resp.Status, to)
			}
			for _, c := range resp.Cookies() {
				if c.Name != "__Secure-reeve-partner" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/partner/" || c.MaxAge != 3600 {
					h.Errorf("not a careful cookie: %v", c)
				}
			}
		}
		signIn("/partner/records/r1-1", "/partner/records/r1-1")
		for _, elsewhere := range []string{"https://evil.example/", "//evil.example", "/staff/", "/partner/../staff/"} {
			signIn(elsewhere, "/partner/")
		}
		if body := h.status(200, "GET", "/partner/", "", nil); !strings.Contains(body, "org-hospital") {
			h.Error(body)
		}
		h.status(303, "GET", "/staff/", "", nil) // the token is nobody's elsewhere, even where the browser sends it
		h.status(401, "POST", "/v1/records/rec-a", "", nil)
		if err := h.id.Tokens.Revoke(h.ctx, "cli", tok.ID); err != nil {
			h.Fatal(err)
		}
		h.status(303, "GET", "/partner/", "", nil) // at once
		h.status(303, "POST", "/partner/sign-out", "", nil)
		if _, still := h.jar["__Secure-reeve-partner"]; still {
			h.Error("the browser keeps the token after signing out")
		}
		if strings.Contains(h.logged.String(), secret) {
			h.Error("the token stands in the log")
		}
	})
}
