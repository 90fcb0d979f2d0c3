package feed

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/feed/parts"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Status is a file as the API tells of it.
type Status struct {
	ID         string           `json:"id"`
	Type       reeve.RecordType `json:"type"`
	Name       string           `json:"name"`
	State      string           `json:"state"`
	Rows       int64            `json:"rows"`
	Accepted   int64            `json:"accepted"`
	Held       int64            `json:"held"`
	Duplicate  int64            `json:"duplicate"`
	Refused    int64            `json:"refused"`
	Reconciled bool             `json:"reconciled"`
	Sums       Reconciliation   `json:"sums"`
	Faults     int64            `json:"faults"`
	Why        string           `json:"why,omitempty"`
	Began      time.Time        `json:"began"`
	Ended      *time.Time       `json:"ended,omitempty"`
}

// Reconciliation holds the sums of both sides in hexadecimal: read = accepted + held
// + duplicate + refused, modulo 2^256.
type Reconciliation struct {
	Read      string `json:"read"`
	Accepted  string `json:"accepted"`
	Held      string `json:"held"`
	Duplicate string `json:"duplicate"`
	Refused   string `json:"refused"`
}

func (d *Desk) status(f *File) Status {
	c, s := f.Counts, f.Sums
	out := Status{ID: f.ID, Type: f.Type, Name: f.Name, State: f.State, Rows: f.Rows, Accepted: c.Accepted, Held: c.Held, Duplicate: c.Duplicate, Refused: c.Refused,
		Reconciled: f.State == Complete && f.Adds(), Faults: f.Faults, Why: f.Why, Began: f.Began,
		Sums: Reconciliation{f.Read.String(), s.Accepted.String(), s.Held.String(), s.Duplicate.String(), s.Refused.String()}}
	if !f.Ended.IsZero() {
		out.Ended = &f.Ended
	}
	return out
}

// api is what partners' programs use to send files.
type api struct {
	d *Desk
	m *web.Mux
}

func (d *Desk) mountAPI(m *web.Mux) {
	a := api{d, m}
	m.Handle("POST /v1/files/{type}", intake.ActionSend, a.announce)
	m.Handle("GET /v1/files/{id}", intake.ActionReceipts, a.show)
	m.Handle("GET /v1/files/{id}/faults", intake.ActionReceipts, a.faults, web.Stream())
	m.Handle("POST /v1/files/{id}/rows", intake.ActionSend, a.rows, web.Stream())
	m.Handle("POST /v1/files/{id}/end", intake.ActionSend, a.end)
}

// Announcement is what a sender says of a file before its rows come.
type Announcement struct {
	Type   reeve.RecordType `json:"-"` // stands in the address
	Name   string           `json:"name"`
	SHA256 string           `json:"sha256"` // of its bytes, in hexadecimal
	Size   int64            `json:"size"`
	Key    string           `json:"key"` // makes the same file another: a date, say
	format.Spec
}

func (a *Announcement) check() error {
	const op = "exchange.feed.announce"
	plain := func(s string, most int) bool {
		return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '/' || r == '\\' })
	}
	sum, err := hex.DecodeString(a.SHA256)
	switch {
	case a.Name == "" || !plain(a.Name, 255):
		return reeve.E(reeve.Invalid, op, "name is the file's name, without folders, of at most 255 bytes")
	case err != nil || len(sum) != sha256.Size:
		return reeve.E(reeve.Invalid, op, "sha256 is the SHA-256 of the file's bytes, in hexadecimal")
	case !slices.Contains([]string{"", "json", "ndjson", "csv", "xml", "xlsx", "fhir"}, a.Spec.Name):
		return reeve.E(reeve.Invalid, op, "format is json, ndjson, csv, xml, xlsx or fhir, or left out to have it found out")
	case !plain(a.Key, 200):
		return reeve.E(reeve.Invalid, op, "key is a short text")
	case a.Size < 0:
		return reeve.E(reeve.Invalid, op, "size is the number of the file's bytes")
	}
	return nil
}

// version tells two files of one name apart: by their bytes, key, and how they are
// said to be read. Whoever read the wrong sheet gets to send the right one.
func (a *Announcement) version() (string, error) {
	sum := strings.ToLower(a.SHA256)
	how, err := json.Marshal(a.Spec)
	switch {
	case err != nil:
		return "", err
	case string(how) != "{}":
		return sum + " " + a.Key + "\t" + string(how), nil // a key has no tab
	case a.Key != "":
		return sum + " " + a.Key, nil
	}
	return sum, nil
}

func (o api) announce(w http.ResponseWriter, r *http.Request) error {
	const op = "exchange.feed.announce"
	actor := web.Actor(r.Context())
	if _, err := o.d.o.Intake.May(r.Context(), actor, reeve.RecordType(r.PathValue("type"))); err != nil {
		return err // before anything that is said is looked at
	}
	var in Announcement
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return reeve.E(reeve.Invalid, op, "the body is not as it must be: an object with name, sha256 and size")
	}
	in.Type = reeve.RecordType(r.PathValue("type"))
	if err := in.check(); err != nil {
		return err
	}
	f, fresh, err := o.d.announced(r.Context(), actor, actor.Party, in)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/v1/files/"+f.ID)
	return web.JSON(w, status, o.d.status(f))
}

// announced enters a file that is about to be sent into the ledger, or finds it there.
func (d *Desk) announced(ctx context.Context, actor reeve.Actor, sender string, in Announcement) (f *File, fresh bool, err error) {
	actor.Party = sender
	t, err := d.o.Intake.May(ctx, actor, in.Type)
	if err != nil {
		return nil, false, err
	}
	version, err := in.version()
	if err != nil {
		return nil, false, err
	}
	f = &File{Sender: sender, Type: t, Actor: actor.ID, Name: in.Name, Version: version, Spec: in.Spec, Size: in.Size, Total: -1}
	fresh, err = d.enter(ctx, f)
	return f, fresh, err
}

// own finds a file of the one who asks; those of others are not there for them.
func (o api) own(r *http.Request, action string) (*File, error) {
	id := r.PathValue("id")
	missing := reeve.E(reeve.NotFound, "exchange.feed.File", "there is no file %q", id)
	f, err := o.d.File(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if err := o.m.Decide(r.Context(), policy.Request{Action: action, Party: f.Sender, Type: f.Type}); err != nil {
		if reeve.KindOf(err) == reeve.Unauthenticated {
			return nil, err
		}
		return nil, missing
	}
	if action == intake.ActionSend && (f.Origin != "" || web.Actor(r.Context()).Party != f.Sender) {
		return nil, missing
	}
	return f, nil
}

// File finds a file, or returns NotFound.
func (d *Desk) File(ctx context.Context, id string) (*File, error) {
	var f File
	err := d.o.DB.View(ctx, func(tx *store.Tx) error {
		found, ok, err := d.findFile(tx, id)
		if err == nil && !ok {
			err = reeve.E(reeve.NotFound, "exchange.feed.File", "there is no file %q", id)
		}
		f = found
		return err
	})
	return &f, err
}

func (o api) show(w http.ResponseWriter, r *http.Request) error {
	f, err := o.own(r, intake.ActionReceipts)
	if err != nil {
		return err
	}
	return web.JSON(w, http.StatusOK, o.d.status(f))
}

func (o api) faults(w http.ResponseWriter, r *http.Request) error {
	f, err := o.own(r, intake.ActionReceipts)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return o.d.EachFault(r.Context(), f, func(lines []byte) error {
		_, err := w.Write(lines)
		return err
	})
}

// EachFault hands over the rows of a file that were held or refused, in order, many
// at a time: one JSON object a line, see intake.Fault.
func (d *Desk) EachFault(ctx context.Context, f *File, fn func(lines []byte) error) error {
	for part := range f.parts {
		var lines []byte
		err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
			lines, err = d.faultLines(tx, f.ID, part)
			return err
		})
		if err != nil {
			return err
		}
		if err := fn(lines); err != nil {
			return err
		}
	}
	return nil
}

// rows takes the rows of a file: the whole file, of which those that were taken
// before are passed over, or with ?after=N those that come after row N.
func (o api) rows(w http.ResponseWriter, r *http.Request) error {
	const op = "exchange.feed.rows"
	f, err := o.own(r, intake.ActionSend)
	if err != nil {
		_, _ = io.Copy(io.Discard, r.Body) // so that the caller gets to read the answer
		return err
	}
	if f.State != Receiving {
		_, _ = io.Copy(io.Discard, r.Body)
		return web.JSON(w, http.StatusOK, o.d.status(f))
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		_, _ = io.Copy(io.Discard, r.Body)
		return &web.Fail{Status: http.StatusUnsupportedMediaType, Err: reeve.E(reeve.Invalid, op, "the body must not be compressed: Content-Encoding is not understood here")}
	}
	release, ok := o.d.claim(f.ID)
	if !ok {
		_, _ = io.Copy(io.Discard, r.Body)
		return reeve.E(reeve.Conflict, op, "rows of this file are being sent at this moment")
	}
	defer release()
	if f, err = o.d.File(r.Context(), f.ID); err != nil { // as it is now that nobody else moves it
		return err
	}
	var after *parts.Until
	if s := r.URL.Query().Get("after"); s != "" {
		if after, err = o.d.partsOf(r.Context(), f); err != nil {
			return err
		}
		if n, err := strconv.ParseInt(s, 10, 64); err != nil || n != after.Rows {
			_, _ = io.Copy(io.Discard, r.Body)
			return outOfTurn(op, f, after.Rows)
		}
	}
	if err := o.d.receive(r.Context(), f, web.Actor(r.Context()), r.Body, after); err != nil {
		return err
	}
	return web.JSON(w, http.StatusOK, o.d.status(f))
}

// outOfTurn tells with which row a file goes on. Where the last part broke off it is
// the first of that part: only so can the bytes of all parts be added up.
func outOfTurn(op string, f *File, after int64) error {
	text := fmt.Sprintf("%d rows of this file were taken: send those after that, with after=%d", f.Rows, f.Rows)
	if after < f.Rows {
		text = fmt.Sprintf("the last part broke off after row %d: send it again as it was, with after=%d; its rows that were taken are passed over", f.Rows, after)
	}
	return &web.Fail{Err: reeve.E(reeve.Conflict, op, "%s", text), More: map[string]any{"rows": after}}
}

// receive takes the rows of a body: those of the part that comes after others, or,
// where after is nil, of all of the file, which is complete then.
func (d *Desk) receive(ctx context.Context, f *File, actor reeve.Actor, in io.Reader, after *parts.Until) error {
	const op = "exchange.feed.receive"
	whole := after == nil
	if whole {
		after = new(parts.Until)
	}
	actor.Party = f.Sender
	body, err := parts.New(in, d.arriving(f.ID), *after)
	if err != nil {
		return err
	}
	buffered := bufio.NewReaderSize(body, 64<<10)
	spec := f.Spec
	if spec.Name == "" {
		head, _ := buffered.Peek(32 << 10) // an error comes again when it is read
		if body.Cut() == nil {
			spec = format.Guess(f.Name, head).With(spec)
		}
	}
	body.Begin(spec)
	if t, ok := d.o.Rules().Types.Type(f.Type); ok {
		spec.Types = typesOf(t)
	}
	broken := ""
	r, err := format.NewReader(spec, buffered, d.o.Scratch)
	if err == nil {
		broken, err = d.pour(ctx, f, actor, body.Rows(r), *after, nil)
		err = errors.Join(err, r.Close())
	}
	var wrong *format.Error
	switch {
	case body.Cut() != nil:
		return reeve.E(reeve.Invalid, op, "the body ended before it was whole: %d rows were taken; send the %s again, and it goes on from there", f.Rows, what(whole))
	case errors.As(err, &wrong):
		broken = wrong.Error()
	case err != nil:
		return err
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return reeve.E(reeve.Invalid, op, "the body ended before it was whole: %d rows were taken; send the %s again, and it goes on from there", f.Rows, what(whole))
	}
	switch {
	case broken != "" && !whole:
		return reeve.E(reeve.Invalid, op, "%s. The rows before that were taken: %d", broken, f.Rows)
	case !whole:
		return d.partCame(ctx, f, body)
	case broken == "":
		broken = f.other(body.Sum())
	}
	return d.end(ctx, f, broken)
}

func what(whole bool) string {
	if whole {
		return "file"
	}
	return "same part"
}

// end says that no more rows of a file will come, and how many there were.
func (o api) end(w http.ResponseWriter, r *http.Request) error {
	const op = "exchange.feed.end"
	f, err := o.own(r, intake.ActionSend)
	if err != nil {
		return err
	}
	var in struct {
		Rows *int64 `json:"rows"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Rows == nil {
		return reeve.E(reeve.Invalid, op, `say how many rows the file has: {"rows": 200}`)
	}
	release, ok := o.d.claim(f.ID)
	if !ok {
		return reeve.E(reeve.Conflict, op, "rows of this file are being sent at this moment")
	}
	defer release()
	if f, err = o.d.File(r.Context(), f.ID); err != nil {
		return err
	}
	if f.State == Receiving {
		came, err := o.d.partsOf(r.Context(), f)
		if err != nil {
			return err
		}
		if *in.Rows != f.Rows || came.Rows != f.Rows {
			return outOfTurn(op, f, came.Rows)
		}
		body, err := parts.New(nil, nil, *came)
		if err != nil {
			return err
		}
		if err := o.d.end(r.Context(), f, f.other(body.Sum())); err != nil {
			return err
		}
	}
	return web.JSON(w, http.StatusOK, o.d.status(f))
}
