package feed_test

import (
	"io"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// The page of a file that is still coming says how far it is, and
// no more once it is complete.
func TestPageSaysHowFarAFileIs(t *testing.T) {
	h := start(t, storetest.Open(t, nil), newClock(), t.TempDir())
	text := lines(1, 3000)
	s := announce(h, "half.ndjson", text)
	value := regexp.MustCompile(`<progress[^>]* value="(\d+)"`)
	far := func() (percent int) {
		t.Helper()
		w := h.do("GET", "/staff/files/"+s.ID, "staff:integration", nil)
		m := value.FindStringSubmatch(w.Body.String())
		if w.Code != 200 || m == nil {
			return -1
		}
		percent, err := strconv.Atoi(m[1])
		must(t, err)
		return percent
	}
	body, rest := io.Pipe()
	done := make(chan int, 1)
	go func() { done <- h.do("POST", "/v1/files/"+s.ID+"/rows", "partner:org-sender", body).Code }()
	half := len(text) / 2
	_, err := io.WriteString(rest, text[:half])
	must(t, err)
	n := far()
	for end := time.Now().Add(5 * time.Minute); n < 40 && time.Now().Before(end); n = far() { // what was written is counted a little later
		time.Sleep(time.Millisecond)
	}
	if n < 40 || n > 50 {
		t.Errorf("half of it has come: %d per cent", n)
	}
	_, err = io.WriteString(rest, text[half:])
	must(t, err)
	must(t, rest.Close())
	if code := <-done; code != 200 {
		t.Errorf("the file: %d", code)
	}
	if n := far(); n != -1 {
		t.Errorf("it is complete: %d per cent", n)
	}
}
