package hook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/connector/httpjson"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Door is what systems tell us through.
type Door struct {
	Find    func(id string) *Hook // by every id that the interface has or had; nil: there is none
	Giver   func(rules *intake.Rules, orgs []string, t reeve.RecordType) string
	Nobody  string // what is said where no organisation may give it
	Intake  *intake.Desk
	Rules   func() *intake.Rules
	Slog    *slog.Logger
	Now     func() time.Time
	Getenv  func(string) string
	Scratch string // a folder for files of a moment
}

// Mount adds the door.
func (d Door) Mount(m *web.Mux, action string) {
	m.Handle("POST /v1/hooks/{interface}", action, d.take, web.MaxBody(httpjson.MaxWebhook))
}

var stranger = reeve.E(reeve.Unauthenticated, "exchange.hook", "the request is not signed as this address asks it")

// take takes in what a system tells us. Who it is is known by what it signed with.
func (d Door) take(w http.ResponseWriter, r *http.Request) error {
	h := d.Find(r.PathValue("interface"))
	if h == nil {
		return stranger
	}
	body, verified, err := d.read(r, h)
	if err != nil {
		return err
	}
	return d.submit(w, r, h, body, verified)
}

// read returns the body of a request that comes from the system. Of one that is
// larger than it may be, what is beyond is checked and not kept: so the system is told
// what is wrong, and nobody else is.
func (d Door) read(r *http.Request, h *Hook) ([]byte, httpjson.Verified, error) {
	none := httpjson.Verified{}
	check, err := h.Verify.Begin(r.Header, iface.Secret(d.Getenv), d.Now())
	if err != nil {
		if !errors.Is(err, httpjson.ErrUnsigned) && !errors.Is(err, httpjson.ErrForged) && !errors.Is(err, httpjson.ErrStale) {
			d.Slog.Warn("webhooks of an interface cannot be verified", "interface", h.ID, "error", err)
		}
		return nil, none, stranger
	}
	most := h.Verify.Most()
	tooLarge := reeve.E(reeve.TooLarge, "exchange.hook",
		"the request is larger than the %d bytes that this interface takes at once: send fewer records in one, or raise settings.http.webhook.limit of %s", most, h.ID)
	if check.Sure() && r.ContentLength > int64(most) {
		return nil, none, tooLarge
	}
	var body bytes.Buffer
	if n := r.ContentLength; n > 0 {
		body.Grow(int(min(n, int64(most))) + bytes.MinRead)
	}
	in := io.TeeReader(r.Body, check)
	if _, err = body.ReadFrom(io.LimitReader(in, int64(most))); err != nil {
		return nil, none, err
	}
	beyond := int64(0)
	if check.Sure() {
		beyond, err = io.CopyN(io.Discard, in, 1)
	} else {
		beyond, err = io.Copy(io.Discard, in)
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over): // so large that whether it is signed is not found out
		return nil, none, stranger
	case err != nil && !errors.Is(err, io.EOF):
		return nil, none, err
	}
	verified, err := check.End()
	switch {
	case err != nil:
		return nil, none, stranger
	case beyond > 0:
		return nil, none, tooLarge
	}
	return body.Bytes(), verified, nil
}

// submit takes the records of a request in.
func (d Door) submit(w http.ResponseWriter, r *http.Request, h *Hook, body []byte, verified httpjson.Verified) error {
	const op = "exchange.hook"
	rules := d.Rules()
	t, ok := rules.Types.Type(h.Type)
	sender := d.Giver(rules, h.Givers, h.Type)
	if !ok || sender == "" {
		return reeve.E(reeve.Forbidden, op, "%s", d.Nobody)
	}
	spec := h.Spec.Spec
	spec.Types = t.Takes
	rows, err := format.NewReader(spec, bytes.NewReader(body), d.Scratch)
	if err != nil {
		return unreadable(err)
	}
	call := intake.Call{Actor: reeve.Actor{ID: "interface/" + h.ID, Kind: reeve.Program, Party: sender}, Type: t.ID, Rows: rows}
	if verified.ID != "" {
		sum := sha256.Sum256([]byte("webhook " + h.ID + " " + verified.ID))
		call.Header = hex.EncodeToString(sum[:])
	}
	res, err := d.Intake.Submit(r.Context(), call)
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
		return reeve.E(reeve.Invalid, "exchange.hook", "%s", wrong.Error())
	}
	return err
}
