package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestCalendarWithoutASession reads the calendar as a calendar program does, by an
// address alone, until the person whose address it is revokes it.
func TestCalendarWithoutASession(t *testing.T) {
	w := openWalled(t)
	anyone, member := w.callers[0], w.callers[len(w.callers)-1]
	const page = "/staff/estate/spend/calendar/subscribe"
	_, text, head := member.ask(t, http.MethodPost, w.url+page, "do=make")
	address := regexp.MustCompile(`/calendar/[a-z2-7]{32}\.ics`).FindString(text)
	if address == "" || head.Get("Cache-Control") != "no-store" {
		t.Fatalf("no address, kept as %q", head.Get("Cache-Control"))
	}
	if code, text, head := anyone.ask(t, http.MethodGet, w.url+address, ""); code != http.StatusOK || !strings.HasPrefix(text, "BEGIN:VCALENDAR") || !strings.HasPrefix(head.Get("Content-Type"), "text/calendar") {
		t.Errorf("%d %.40s", code, text)
	}
	for _, to := range []string{page, "/staff/estate/spend/calendar.ics", "/staff/"} {
		if code, text, _ := anyone.ask(t, http.MethodGet, w.url+to, ""); strings.Contains(text, "VCALENDAR") || code == http.StatusOK {
			t.Errorf("%s is open to everybody: %d", to, code)
		}
	}
	if code, _, _ := anyone.ask(t, http.MethodPost, w.url+address, "x=1"); code == http.StatusOK {
		t.Error("the address takes something")
	}
	member.ask(t, http.MethodPost, w.url+page, "do=revoke")
	if code, _, _ := anyone.ask(t, http.MethodGet, w.url+address, ""); code != http.StatusNotFound {
		t.Errorf("an address that was revoked: %d", code)
	}
}
