package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// everything lets anyone do anything.
func everything(t testing.TB) *policy.Engine {
	t.Helper()
	p, err := policy.New(policy.Rule{
		Name: "all", Actions: []string{"page.*"}, Max: reeve.Restricted,
		Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Staff, reeve.Partner, reeve.Resident}, Doc: "everybody may do everything",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func gallerySite(t testing.TB) *httptest.Server {
	t.Helper()
	m := web.New(web.Options{
		Policy: everything(t), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(1_760_000_000, 0) },
		Body: "Ashcombe Borough Council", Demo: "This is a demonstration with made-up data.",
	})
	if err := m.Assets(); err != nil {
		t.Skip(err)
	}
	m.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		if c, err := r.Cookie("who"); err == nil {
			return reeve.Actor{ID: c.Value, Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
		}
		return reeve.Actor{}, false, nil
	})
	m.SignIn(web.StaffArea, "/staff/sign-in", "/staff/sign-out")
	for i, it := range []string{"Today", "Map", "Estate", "Records", "Held", "Cases", "Journal"} {
		href := "/staff/" + it
		if i == 0 {
			href = "/staff/"
		}
		m.Nav(web.StaffArea, web.NavItem{Text: it, Href: href, Action: "page.see", Order: i})
	}
	show := func(p web.Page) web.Handler {
		return func(w http.ResponseWriter, r *http.Request) error { return m.Render(w, r, p, gallery(p.Error)) }
	}
	m.Handle("GET /staff/Held", "page.see", show(web.Page{Title: "Gallery", Back: "/staff/", Error: true}))
	m.Handle("GET /staff/Map", "page.see", show(web.Page{Title: "Gallery", Wide: true, Flash: "The record was corrected and released."}))
	m.Handle("GET /{$}", "page.see", show(web.Page{Title: "Gallery"}))
	m.Handle("GET /broken", "page.see", func(http.ResponseWriter, *http.Request) error { panic("on purpose") })
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return s
}

// TestGallery looks at every component in a browser.
func TestGallery(t *testing.T) {
	s := gallerySite(t)
	b := webtest.Browser(t)
	staff := []*http.Cookie{{Name: "who", Value: "staff/3"}}
	b.Check(t, "gallery-errors", webtest.Visit{URL: s.URL + "/staff/Held", Cookies: staff}, 200)
	b.Check(t, "gallery-wide", webtest.Visit{URL: s.URL + "/staff/Map", Cookies: staff}, 200)
	b.Check(t, "gallery-resident", webtest.Visit{URL: s.URL + "/"}, 200)
	b.Check(t, "not-found", webtest.Visit{URL: s.URL + "/nothing"}, 404)
	b.Check(t, "broken", webtest.Visit{URL: s.URL + "/broken"}, 500)
}
