package feed

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/feed/spool"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// uploaded is a file that came in a page and waits for its rows to be taken.
type uploaded struct {
	id, file string
	by       reeve.Actor // who sent it
	actor    reeve.Actor // and on whose behalf
}

// The pages of partners take files of at most mostPage bytes, and of one sender no
// more than mostWaiting wait on the disk: larger ones, and more, are sent with reeve
// send, which needs no room here.
const (
	mostPage    = 1 << 30
	mostWaiting = 5
)

// take keeps a file that was sent in a page, as it came, and has its rows taken
// beside the request.
func (p pages) take(w http.ResponseWriter, r *http.Request) error {
	actor := web.Actor(r.Context())
	data, err := p.form(r)
	if err != nil {
		_, _ = io.Copy(io.Discard, r.Body) // so that the browser gets to read the answer
		return err
	}
	if !p.d.room(actor, 1) {
		_, _ = io.Copy(io.Discard, r.Body)
		data.Errs.Add("file", "%d files of yours wait to be taken: send more when they are done", mostWaiting)
		return p.again(w, r, data)
	}
	queued := false
	defer func() {
		if !queued {
			p.d.room(actor, -1)
		}
	}()
	multi, err := r.MultipartReader()
	if err != nil {
		return reeve.E(reeve.Invalid, "exchange.feed.upload", "the form did not come as a form")
	}
	in, err := spool.Read(multi, p.d.o.Scratch, p.most)
	defer func() {
		if !queued && in.File != "" {
			_ = os.Remove(in.File) // a file of a moment
		}
	}()
	if err != nil {
		return err
	}
	org, typ, ok := data.Org, data.Type, data.Type != ""
	if !ok {
		data.Chosen = in.What
		org, typ, ok = strings.Cut(in.What, " ")
	}
	switch {
	case !ok:
		data.Errs.Add("what", "Choose what is in the file")
	case in.Name == "" || in.Size == 0:
		data.Errs.Add("file", "Choose a file with something in it")
	case in.TooLarge:
		data.Errs.Add("file", "The file is larger than %s bytes: send it with reeve send", ui.Count(p.most))
	}
	var f *File
	if len(data.Errs) == 0 {
		said := Announcement{Type: reeve.RecordType(typ), Name: in.Name, SHA256: in.SHA256, Size: in.Size, Key: in.Key}
		if err = said.check(); err == nil {
			f, _, err = p.d.announced(r.Context(), actor, org, said)
		}
		switch k := reeve.KindOf(err); {
		case err == nil:
		case k == reeve.Invalid || k == reeve.Forbidden || k == reeve.NotFound:
			data.Errs.Add(data.field(), "%s", ui.Capital(reeve.Message(err)))
		default:
			return err
		}
	}
	if len(data.Errs) > 0 {
		return p.again(w, r, data)
	}
	if f.State != Receiving {
		p.m.Flash(w, "This file was taken before.")
		return web.Redirect(w, r, p.files+f.ID)
	}
	queued = true // it is the desk's now
	up := uploaded{id: f.ID, file: in.File, by: actor, actor: actor}
	up.actor.Party = org
	p.d.mu.Lock()
	p.d.uploads = append(p.d.uploads, up)
	p.d.mu.Unlock()
	return web.Redirect(w, r, p.files+f.ID)
}

// room counts the files of a sender that wait on the disk, n more; false if there
// would be too many.
func (d *Desk) room(actor reeve.Actor, n int) bool {
	who := cmp.Or(actor.Party, actor.ID)
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > 0 && d.waiting[who]+n > mostWaiting {
		return false
	}
	if d.waiting[who] += n; d.waiting[who] == 0 {
		delete(d.waiting, who)
	}
	return true
}

// again shows the form with what is wrong.
func (p pages) again(w http.ResponseWriter, r *http.Request, data uploadData) error {
	page := p.page("Send a file")
	page.Error = true
	return p.m.Render(w, r, page, uploadPage(data))
}

// receiveUploads takes the rows of files that came in pages, one file after another.
func (d *Desk) receiveUploads(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.uploading || len(d.uploads) == 0 {
		return
	}
	u := d.uploads[0]
	d.uploads, d.uploading = d.uploads[1:], true
	d.running++
	d.wg.Go(func() {
		err := d.receiveUpload(ctx, u)
		d.room(u.by, -1)
		if err != nil && ctx.Err() == nil {
			d.o.Slog.Warn("a file that was sent in a page could not be taken", "file", u.id, "error", err)
		}
		d.mu.Lock()
		d.uploading = false
		d.running--
		d.did++
		d.mu.Unlock()
		select {
		case d.finished <- struct{}{}:
		default:
		}
	})
}

func (d *Desk) receiveUpload(ctx context.Context, u uploaded) (err error) {
	defer func() { err = errors.Join(err, os.Remove(u.file)) }()
	defer d.guard(&err, "file", u.id)
	in, err := os.Open(u.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	release, ok := d.claim(u.id)
	if !ok {
		return nil // it is being sent by somebody else
	}
	defer release()
	for try := 0; ; try++ { // while the disk is full, say
		f, err := d.File(ctx, u.id)
		if err != nil || f.State != Receiving {
			return err
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
		err = d.receive(ctx, f, u.actor, in, nil)
		if err == nil || ctx.Err() != nil || try == maxUploads {
			return err
		}
		if werr := pause(ctx, firstWait); werr != nil {
			return err
		}
	}
}

// maxUploads is how often taking an uploaded file is tried again.
const maxUploads = 60
