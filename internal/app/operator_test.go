package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"testing/fstest"
)

// A command that is typed while the program holds the database already, and does not
// listen to the operator yet, waits for it.
func TestACommandWaitsForTheProgram(t *testing.T) {
	data, err := os.MkdirTemp("", "op") // short: the operator's socket lives in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	c := Config{Data: data, Defs: fstest.MapFS{"none.yaml": {}}, Log: slog.New(slog.DiscardHandler)}
	a, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	said := make(chan error, 1)
	go func() {
		o, err := Operate(t.Context(), c)
		if err == nil {
			err = errors.Join(o.Call(t.Context(), "token/list", struct{}{}, new([]Token)), o.Close())
		}
		said <- err
	}()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.serveOperator(ctx) }()
	if err := <-said; err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

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
