package feed_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

func TestPagesInABrowser(t *testing.T) {
	db := storetest.Open(t, nil)
	h := start(t, db, newClock(), t.TempDir())
	if err := h.k.Web.Assets(); err != nil {
		t.Skip(err)
	}
	b := webtest.Browser(t)
	h.put("a-file-with-a-rather-long-name-2026-03-02.ndjson", lines(1, 40)+strings.Repeat("{\"id\":\"t4\"}\n<b>\n", 12))
	must(t, os.WriteFile(filepath.Join(h.folder, "b.ndjson"), []byte(lines(50, 60)), 0o600))
	h.look()
	h.clock.move(22e9 * 3600)
	h.settle()
	s := announce(h, "half.ndjson", lines(1, 3000))
	text := lines(1, 3000)
	h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", cutOff{strings.NewReader(text[:len(text)/2])})
	url := h.serve()
	for name, path := range map[string]string{"feeds": "/staff/feeds", "feed": "/staff/feeds/if-folder", "feed-bad": "/staff/feeds/if-nobody", "file": "/staff/files/" + h.files()[len(h.files())-1].ID,
		"file-half": "/staff/files/" + s.ID, "upload": "/staff/files/new"} {
		b.Check(t, name, webtest.Visit{URL: url + path, Cookies: []*http.Cookie{{Name: "who", Value: "staff:integration"}}}, http.StatusOK)
	}
	for name, path := range map[string]string{"partner-files": "/partner/files", "partner-file": "/partner/files/" + h.files()[len(h.files())-1].ID, "partner-file-half": "/partner/files/" + s.ID, "partner-upload": "/partner/send/rec-thing.v1"} {
		b.Check(t, name, webtest.Visit{URL: url + path, Cookies: []*http.Cookie{{Name: "who", Value: "partner:org-sender"}}}, http.StatusOK)
	}
}
