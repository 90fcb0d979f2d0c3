package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Actions of this room's routes.
const (
	ActionSend     = "record.send"
	ActionReceipts = "submission.read"
)

// Mount adds the routes of the intake.
func (d *Desk) Mount(m *web.Mux) {
	w := door{d, m}
	m.Handle("POST /v1/records/{type}", ActionSend, w.post, web.Stream())
	m.Handle("GET /v1/submissions/{id}/receipts", ActionReceipts, w.receipts, web.Stream())
}

type door struct {
	d *Desk
	m *web.Mux
}

// maxInline is how many receipts stand in a problem document.
const maxInline = 100

func (o door) post(w http.ResponseWriter, r *http.Request) error {
	const op = "intake.post"
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		_, _ = io.Copy(io.Discard, r.Body) // so that the caller gets to read the answer
		return &web.Fail{Status: http.StatusUnsupportedMediaType,
			Err: reeve.E(reeve.Invalid, op, "the body must not be compressed: Content-Encoding is not understood here")}
	}
	call := Call{Actor: web.Actor(r.Context()), Type: reeve.RecordType(r.PathValue("type")),
		Header: r.Header.Get("Idempotency-Key"), Declared: declaresLines(r.Header.Get("Content-Type")), Body: r.Body}
	res, err := o.d.Submit(r.Context(), call)
	if err != nil {
		if res.Counts.Records == 0 {
			return err
		}
		return &web.Fail{Err: err, More: o.more(r, res)}
	}
	if fail := verdict(res); fail != nil {
		if res.Counts.Kept() > 0 || res.Counts.Records > maxInline {
			if err := o.d.Keep(r.Context(), call, res); err != nil {
				return err
			}
		}
		fail.More = o.more(r, res)
		return fail
	}
	if res.Spooled() {
		w.Header().Set("Link", "<"+receiptsURL(res)+`>; rel="receipts"`)
	}
	return o.answer(w, r, res)
}

// declaresLines is whether a media type says that each line is a record.
func declaresLines(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.Contains(t, "ndjson") || strings.Contains(t, "jsonl") || strings.Contains(t, "json-lines"))
}

// verdict is what is wrong with a submission as a whole: its body could not be read
// to its end, or nothing of it was kept for reasons that lie in the body itself.
func verdict(res *Result) *web.Fail {
	const op = "intake.Submit"
	c := res.Counts
	switch {
	case res.Broken != "" && c.Kept() > 0:
		return &web.Fail{Err: reeve.E(reeve.Invalid, op, "%s. %d records before that were kept: see the receipts, and send the others again", res.Broken, c.Kept())}
	case res.Broken == firstTooLarge:
		return &web.Fail{Err: reeve.E(reeve.TooLarge, op, "%s. Nothing was kept", res.Broken)}
	case res.Broken != "":
		return &web.Fail{Err: reeve.E(reeve.Invalid, op, "%s. Nothing was kept", res.Broken)}
	case c.Records == 0:
		return &web.Fail{Err: reeve.E(reeve.Invalid, op, "the body holds no record")}
	case c.Kept() == 0 && res.Outside == 0:
		return &web.Fail{Err: reeve.E(res.First, op, "nothing was kept: the first record %s", res.FirstWhy)}
	}
	return nil
}

func receiptsURL(res *Result) string { return "/v1/submissions/" + res.Submission + "/receipts" }

// more is what a problem document tells of a submission besides.
func (o door) more(r *http.Request, res *Result) map[string]any {
	more := map[string]any{"counts": res.Counts}
	if res.Spooled() {
		more["receipts"] = receiptsURL(res)
		return more
	}
	var inline []json.RawMessage
	for _, line := range SplitLines(res.lines) {
		if len(line) > 0 && len(inline) < maxInline {
			inline = append(inline, line)
		}
	}
	if inline != nil {
		more["refused"] = inline
	}
	return more
}

// answer streams the receipts in the shape in which the records came.
func (o door) answer(w http.ResponseWriter, r *http.Request, res *Result) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch res.Shape {
	case "lines":
		h.Set("Content-Type", "application/x-ndjson")
	default:
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(http.StatusAccepted)
	if res.Shape != "list" {
		return o.d.EachLine(r.Context(), res, func(lines []byte) error {
			_, err := w.Write(lines)
			return err
		})
	}
	first := true
	err := o.d.EachLine(r.Context(), res, func(lines []byte) error {
		lines = bytes.ReplaceAll(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"), []byte(",\n"))
		before := ",\n"
		if first {
			before, first = "[", false
		}
		_, err := fmt.Fprintf(w, "%s%s", before, lines)
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.Write([]byte("]\n"))
	return err
}

// receipts answers with the receipts of a submission, to its sender only.
func (o door) receipts(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	s, err := o.d.Submission(r.Context(), id)
	if err != nil {
		return err
	}
	if err := o.m.Decide(r.Context(), policy.Request{Action: ActionReceipts, Party: s.Sender, Type: s.Type}); err != nil {
		if reeve.KindOf(err) == reeve.Unauthenticated {
			return err
		}
		return reeve.E(reeve.NotFound, "intake.Submission", "there is no submission %q", id)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return o.d.Receipts(r.Context(), id, func(lines []byte) error {
		_, err := w.Write(lines)
		return err
	})
}
