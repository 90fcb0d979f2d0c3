package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/connector/httpjson"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// maxHook is the limit of the body of a webhook, which is read whole before it is
// verified.
const maxHook = 16 << 20

// Hook is an Interface whose system tells us by itself.
type Hook struct {
	ID     string
	Spec   *iface.Spec
	Verify httpjson.Webhook
	Type   reeve.RecordType
	Givers []string
}

// mountHooks adds the door at which systems tell us by themselves.
func (d *Desk) mountHooks(m *web.Mux) {
	m.Handle("POST /v1/hooks/{interface}", ActionHook, d.hook, web.MaxBody(maxHook))
}

// hook takes in what a system tells us. Who it is is known by what it signed with,
// so that nothing is said before that is checked, not even whether there is such an
// interface.
func (d *Desk) hook(w http.ResponseWriter, r *http.Request) error {
	const op = "exchange.feed.hook"
	stranger := reeve.E(reeve.Unauthenticated, op, "the request is not signed as this address asks it")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	d.mu.Lock()
	h := d.set.Hooks[r.PathValue("interface")]
	d.mu.Unlock()
	if h == nil {
		return stranger
	}
	verified, err := h.Verify.Check(r.Header, body, iface.Secret(d.o.Getenv), d.o.Now())
	if err != nil {
		if !errors.Is(err, httpjson.ErrUnsigned) && !errors.Is(err, httpjson.ErrForged) && !errors.Is(err, httpjson.ErrStale) {
			d.o.Slog.Warn("webhooks of an interface cannot be verified", "interface", h.ID, "error", err)
		}
		return stranger
	}
	rules := d.o.Rules()
	t, ok := rules.Types.Type(h.Type)
	sender := d.giver(rules, h.Givers, h.Type)
	if !ok || sender == "" {
		return reeve.E(reeve.Forbidden, op, nobody)
	}
	spec := h.Spec.Spec
	spec.Types = typesOf(t)
	rows, err := format.NewReader(spec, bytes.NewReader(body), d.o.Scratch)
	if err != nil {
		return unreadable(err)
	}
	call := intake.Call{Actor: reeve.Actor{ID: "interface/" + h.ID, Kind: reeve.Program, Party: sender}, Type: t.ID, Rows: rows}
	if verified.ID != "" {
		sum := sha256.Sum256([]byte("webhook " + h.ID + " " + verified.ID))
		call.Header = hex.EncodeToString(sum[:])
	}
	res, err := d.o.Intake.Submit(r.Context(), call)
	if cerr := rows.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return unreadable(err)
	case res.Broken != "": // what came after that is nowhere, so it is not said to be taken
		return reeve.E(reeve.Invalid, op, "%s. The records before that were taken: %d", res.Broken, res.Counts.Kept())
	}
	return web.JSON(w, http.StatusAccepted, res.Counts)
}

func unreadable(err error) error {
	var wrong *format.Error
	if errors.As(err, &wrong) {
		return reeve.E(reeve.Invalid, "exchange.feed.hook", "%s", wrong.Error())
	}
	return err
}
