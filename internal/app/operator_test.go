package app

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// An answer that breaks off is told as such also where no connection is between:
// a backup that stopped half-way must not pass for a whole one.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	do := inProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	}))
	r, err := http.NewRequest("POST", "http://operator/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", b, err)
	}
}
