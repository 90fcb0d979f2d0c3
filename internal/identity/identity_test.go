package identity_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/identity"
	"github.com/reeve-civic/reeve/internal/identity/token"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

type house struct {
	*testing.T
	ctx    context.Context
	now    *time.Time
	id     *identity.Identity
	k      *kernel.Kernel
	jar    map[string]string
	logged bytes.Buffer
}

func each(t *testing.T, secure bool, fn func(h *house)) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		h := &house{T: t, ctx: t.Context(), now: &now, jar: map[string]string{}}
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		log := slog.New(slog.NewTextHandler(&h.logged, nil))
		keys, err := seal.Open(h.ctx, db, bytes.Repeat([]byte{7}, 32))
		ok(err)
		j, err := journal.Open(h.ctx, db, journal.Options{})
		ok(err)
		b, err := bus.Open(h.ctx, db, log)
		ok(err)
		pol, err := policy.New(append(identity.Rules(), policy.Rule{Name: "test", Actions: []string{"test.see"}, Kinds: []reeve.ActorKind{reeve.Staff, reeve.Partner}, Max: reeve.Confidential})...)
		ok(err)
		h.k = &kernel.Kernel{DB: db, Keys: keys, Journal: j, Bus: b, Policy: pol, Slog: log, Now: db.Now, Web: web.New(web.Options{Policy: pol, Log: log, Now: db.Now, Secure: secure})}
		h.id, err = identity.Open(h.ctx, h.k, identity.Config{OwnIdentifiers: []string{"urn:ashcombe:library-card"}})
		ok(err)
		see := func(w http.ResponseWriter, r *http.Request) error {
			a := web.Actor(r.Context())
			return web.JSON(w, 200, map[string]any{"id": a.ID, "party": a.Party, "roles": a.Roles})
		}
		h.k.Web.Handle("GET /staff/{$}", "test.see", see)
		h.k.Web.Handle("POST /v1/records/{type}", "test.see", see)
		fn(h)
	})
}

// ask makes a request and keeps cookies as a browser does.
func (h *house) ask(method, path, bearer string, form url.Values) (*http.Response, string) {
	h.Helper()
	req := httptest.NewRequestWithContext(h.ctx, method, path, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for k, v := range h.jar {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	h.k.Web.ServeHTTP(w, req)
	for _, c := range w.Result().Cookies() {
		h.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(h.jar, c.Name)
		}
	}
	return w.Result(), w.Body.String()
}

func (h *house) status(want int, method, path, bearer string, form url.Values) string {
	h.Helper()
	resp, body := h.ask(method, path, bearer, form)
	if resp.StatusCode != want {
		h.Errorf("%s %s: %s, want %d\n%s", method, path, resp.Status, want, body)
	}
	return body
}

func (h *house) invite() string {
	h.Helper()
	path, m, err := h.id.Staff.Invite(h.ctx, "cli", "jo@ashcombe.example", "Jo Okafor", []string{"caseworker"})
	if err != nil || m.ID != "staff/1" {
		h.Fatal(m, err)
	}
	return path
}

func TestSignIn(t *testing.T) {
	each(t, false, func(h *house) {
		h.status(303, "GET", "/staff/", "", nil) // to the page that says how to get a link
		if page := h.status(200, "GET", "/staff/sign-in", "", nil); !strings.Contains(page, "reeve staff invite") {
			h.Error(page)
		}
		link := h.invite()
		for range 2 { // programs that look at links do not use them up
			h.status(200, "GET", link, "", nil)
		}
		h.status(303, "POST", link, "", nil)
		if body := h.status(200, "GET", "/staff/", "", nil); !strings.Contains(body, `"staff/1"`) || !strings.Contains(body, "caseworker") {
			h.Error(body)
		}
		stolen := h.jar
		h.jar = map[string]string{}
		if page := h.status(410, "POST", link, "", nil); !strings.Contains(page, "already used") {
			h.Error(page)
		}
		if page := h.status(410, "GET", link, "", nil); !strings.Contains(page, "nothing to worry about") {
			h.Error(page)
		}
		h.status(404, "GET", "/staff/sign-in/nonsense", "", nil)
		h.jar = stolen
		h.status(303, "POST", "/staff/sign-out", "", url.Values{})
		h.jar = stolen
		h.status(303, "GET", "/staff/", "", nil)
	})
}

func TestLinkEnds(t *testing.T) {
	each(t, false, func(h *house) {
		link := h.invite()
		*h.now = h.now.Add(24 * time.Hour)
		if page := h.status(410, "POST", link, "", nil); !strings.Contains(page, "more than a day old") {
			h.Error(page)
		}
		first := h.invite()
		h.invite()
		h.status(404, "POST", first, "", nil) // a newer one was made
	})
}

func TestSessionLimits(t *testing.T) {
	each(t, false, func(h *house) {
		h.status(303, "POST", h.invite(), "", nil)
		for range 11 { // used every 59 minutes it lives, but not for ever
			*h.now = h.now.Add(59 * time.Minute)
			h.status(200, "GET", "/staff/", "", nil)
		}
		*h.now = h.now.Add(59 * time.Minute)
		*h.now = h.now.Add(30 * time.Minute)
		h.status(303, "GET", "/staff/", "", nil)
		h.jar = map[string]string{}
		h.status(303, "POST", h.invite(), "", nil)
		*h.now = h.now.Add(61 * time.Minute)
		h.status(303, "GET", "/staff/", "", nil)
	})
}

func TestSignOutEverywhere(t *testing.T) {
	each(t, false, func(h *house) {
		h.status(303, "POST", h.invite(), "", nil)
		phone := h.jar
		h.jar = map[string]string{}
		h.status(303, "POST", h.invite(), "", nil)
		laptop := map[string]string{}
		for k, v := range h.jar {
			laptop[k] = v
		}
		h.status(303, "POST", "/staff/sign-out", "", url.Values{"everywhere": {"yes"}})
		for _, jar := range []map[string]string{phone, laptop} {
			h.jar = jar
			h.status(303, "GET", "/staff/", "", nil)
		}
		h.jar = map[string]string{}
		h.status(303, "POST", h.invite(), "", nil)
		h.status(200, "GET", "/staff/", "", nil)
		if err := h.id.Staff.Remove(h.ctx, "cli", "JO@ashcombe.example"); err != nil { // left: at once
			h.Fatal(err)
		}
		h.status(303, "GET", "/staff/", "", nil)
	})
}

func TestSecureCookie(t *testing.T) {
	each(t, true, func(h *house) {
		link := h.invite()
		req := httptest.NewRequest("POST", "https://reeve.example"+link, nil)
		w := httptest.NewRecorder()
		h.k.Web.ServeHTTP(w, req)
		for _, c := range w.Result().Cookies() {
			if c.Name == "__Host-reeve-staff" && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "" {
				return
			}
		}
		h.Error("no such cookie:", w.Result().Cookies())
	})
}

func TestInviteRefuses(t *testing.T) {
	each(t, false, func(h *house) {
		for _, tc := range []struct {
			email string
			roles []string
		}{{"nobody", []string{"admin"}}, {"a@b", nil}, {"a@b", []string{"king"}}, {"a@b\r\nBcc: c@d", []string{"admin"}}} {
			if _, _, err := h.id.Staff.Invite(h.ctx, "cli", tc.email, "", tc.roles); reeve.KindOf(err) != reeve.Invalid {
				h.Errorf("%+v: %v", tc, err)
			}
		}
	})
}

func TestTokens(t *testing.T) {
	each(t, false, func(h *house) {
		until := h.now.Add(30 * 24 * time.Hour)
		secret, tok, err := h.id.Tokens.Create(h.ctx, "cli", "org-hospital", "test system", nil, until)
		if err != nil || !strings.HasPrefix(secret, token.Prefix) {
			h.Fatal(secret, err)
		}
		if body := h.status(200, "POST", "/v1/records/rec-a", secret, nil); !strings.Contains(body, "org-hospital") || !strings.Contains(body, tok.ID) {
			h.Error(body)
		}
		h.status(401, "POST", "/v1/records/rec-a", "", nil)
		h.status(401, "POST", "/v1/records/rec-a", "rv_nonsense", nil)
		h.status(401, "POST", "/v1/records/rec-a", secret[:len(secret)-1], nil)
		h.status(401, "POST", "/v1/records/rec-a", "somebody elses", nil)
		*h.now = h.now.Add(time.Second)
		narrow, _, err := h.id.Tokens.Create(h.ctx, "cli", "org-hospital", "one type", []string{"rec-b"}, until)
		if err != nil {
			h.Fatal(err)
		}
		h.status(403, "POST", "/v1/records/rec-a", narrow, nil)
		h.status(403, "POST", "/v1/files/rec-a", narrow, nil)
		h.status(200, "POST", "/v1/records/rec-b", narrow, nil)
		if err := h.id.Tokens.Revoke(h.ctx, "cli", tok.ID); err != nil {
			h.Fatal(err)
		}
		if body := h.status(401, "POST", "/v1/records/rec-a", secret, nil); !strings.Contains(body, "revoked") { // at once
			h.Error(body)
		}
		if err := h.id.Tokens.Revoke(h.ctx, "cli", tok.ID); reeve.KindOf(err) != reeve.NotFound {
			h.Error(err)
		}
		*h.now = until
		h.status(401, "POST", "/v1/records/rec-b", narrow, nil)
		all, err := h.id.Tokens.List(h.ctx)
		if err != nil || len(all) != 2 || all[0].Live(*h.now) || all[0].Label != "test system" {
			h.Error(all, err)
		}
		stored := 0
		err = h.k.DB.View(h.ctx, func(tx *store.Tx) error {
			return tx.QueryRow(`select count(*) from partner_token where hash like ? or id like ?`, "%"+secret+"%", "%"+secret+"%").Scan(&stored)
		})
		if err != nil || stored != 0 {
			h.Error("the secret is stored", err)
		}
		for _, s := range []string{secret, narrow} {
			if strings.Contains(h.logged.String(), s) {
				h.Error("a token stands in the log")
			}
		}
	})
}

func TestOnlyOwnNumbersAreKept(t *testing.T) {
	each(t, false, func(h *house) {
		find := func(told string) (id reeve.PersonID, match int64) {
			h.Helper()
			err := h.k.DB.Update(h.ctx, func(tx *store.Tx) (err error) {
				id, match, err = h.id.People.Find(tx, []byte(told), "org-x")
				return err
			})
			if err != nil {
				h.Fatal(err)
			}
			return id, match
		}
		nhs := `"identifiers": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000001"}]`
		card := `"identifiers": [{"system": "urn:ashcombe:library-card", "value": "L-17"}]`
		ann, _ := find(`{"name": {"given": "Ann", "family": "Archer"}, "dateOfBirth": "1950-03-04", "address": {"postcode": "AS1 1AA"}, ` + nhs + `}`)
		if bob, m := find(`{"name": {"given": "Bob", "family": "Baker"}, "dateOfBirth": "1960-03-04", ` + nhs + `}`); bob == ann || m != 0 {
			h.Error("another sector's number made two people one", m)
		}
		if again, m := find(`{"name": {"given": "ANN", "family": "archer"}, "dateOfBirth": "1950-03-04", "address": {"postcode": "as11aa"}, ` + card + `}`); again != ann || m != 0 {
			h.Error("the same person was not found", m)
		}
		if moved, m := find(`{"name": {"given": "Ann", "family": "Archer"}, "dateOfBirth": "1950-03-04", "address": {"postcode": "ZZ1 1ZZ"}, ` + card + `}`); moved != ann || m != 0 {
			h.Error("our own number did not find her after she moved", m)
		}
		if again, m := find(`{"name": {"given": "Ann", "family": "Archer"}, "dateOfBirth": "1950-03-04", "address": {"postcode": "AS1 1AA"}}`); again != ann || m != 0 {
			h.Error("her old address is forgotten", m)
		}
		if _, m := find(`{"name": {"given": "Ann", "family": "Archer"}, "dateOfBirth": "1950-03-04", "address": {"postcode": "YY1 1YY"}}`); m == 0 {
			h.Error("nobody was asked about a third address")
		}
		var about string
		err := h.k.DB.View(h.ctx, func(tx *store.Tx) error {
			d, err := h.id.People.Describe(tx, ann)
			about = string(d)
			return err
		})
		if err != nil || strings.Contains(about, "9990000001") {
			h.Error("the number of another sector is kept", err)
		}
	})
}
