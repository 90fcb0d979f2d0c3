package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestStreamThatStandsStillIsCut sends half a body and waits: the handler's read
// must end with an error although the client never hangs up, and the handler may
// still answer.
func TestStreamThatStandsStillIsCut(t *testing.T) {
	ended := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, stop := keepAlive(w, r, time.Hour)
		defer stop()
		_, err := io.ReadFull(r.Body, make([]byte, len("half")))
		if err == nil {
			r.Body.(*watchedBody).dog.timer.Reset(0) // the hour is over; the next, for the answer, is not
			_, err = io.ReadAll(r.Body)
		}
		ended <- err
		http.Error(w, "the body stopped", http.StatusBadRequest)
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("half a body was taken for a whole one")
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
}
