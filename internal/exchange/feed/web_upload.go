package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// uploaded is a file that came in a page and waits for its rows to be taken.
type uploaded struct {
	id, file string
	actor    reeve.Actor
}

const uploadPattern = "reeve-upload-*"

// take keeps a file that was sent in a page, as it came, and has its rows taken
// beside the request.
func (p pages) take(w http.ResponseWriter, r *http.Request) error {
	in, err := p.spool(r)
	if in.file != "" {
		defer func() {
			if in.file != "" {
				_ = os.Remove(in.file) // a file of a moment
			}
		}()
	}
	var errs ui.Errors
	org, typ, ok := strings.Cut(in.what, " ")
	switch {
	case err != nil:
		return err
	case !ok:
		errs.Add("what", "Choose what is in the file")
	}
	if in.name == "" || in.size == 0 {
		errs.Add("file", "Choose a file with something in it")
	}
	actor := web.Actor(r.Context())
	var f *File
	if len(errs) == 0 {
		said := Announcement{Type: reeve.RecordType(typ), Name: in.name, SHA256: in.sum, Size: in.size, Key: in.key}
		if err = said.check(); err == nil {
			f, _, err = p.d.announced(r.Context(), actor, org, said)
		}
		switch k := reeve.KindOf(err); {
		case err == nil:
		case k == reeve.Invalid || k == reeve.Forbidden || k == reeve.NotFound:
			errs.Add("what", "%s", sentence(reeve.Message(err)))
		default:
			return err
		}
	}
	if len(errs) > 0 {
		page := p.page("Send a file")
		page.Error = true
		return p.m.Render(w, r, page, uploadPage(p.d.choices(), in.what, errs))
	}
	if f.State != Receiving {
		p.m.Flash(w, "This file was taken before.")
		return web.Redirect(w, r, "/staff/files/"+f.ID)
	}
	actor.Party = org
	p.d.mu.Lock()
	p.d.uploads = append(p.d.uploads, uploaded{f.ID, in.file, actor})
	p.d.mu.Unlock()
	in.file = "" // it is the desk's now
	return web.Redirect(w, r, "/staff/files/"+f.ID)
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// spooled is what a form brought.
type spooled struct {
	what, key, name, sum, file string
	size                       int64
}

// spool reads the form, and writes its file to the disk as it comes.
func (p pages) spool(r *http.Request) (in spooled, err error) {
	const op = "exchange.feed.upload"
	form, err := r.MultipartReader()
	if err != nil {
		return in, reeve.E(reeve.Invalid, op, "the form did not come as a form")
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, reeve.E(reeve.Invalid, op, "the form ended before it was whole: send it again")
		}
		switch part.FormName() {
		case "what", "key":
			b, err := io.ReadAll(io.LimitReader(part, 1000))
			if err != nil {
				return in, reeve.E(reeve.Invalid, op, "the form ended before it was whole: send it again")
			}
			if part.FormName() == "what" {
				in.what = string(b)
			} else {
				in.key = strings.TrimSpace(string(b))
			}
		case "file":
			if part.FileName() == "" || in.file != "" {
				continue
			}
			in.name = path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
			if err := in.keep(p.d.o.Scratch, part); err != nil {
				return in, err
			}
		}
	}
}

func (in *spooled) keep(dir string, part *multipart.Part) error {
	f, err := os.CreateTemp(dir, uploadPattern)
	if err != nil {
		return reeve.E(reeve.Transient, "exchange.feed.upload", "there is no room to keep the file at the moment: try again later")
	}
	in.file = f.Name()
	sum := sha256.New()
	in.size, err = io.Copy(io.MultiWriter(f, sum), part)
	in.sum = hex.EncodeToString(sum.Sum(nil))
	var disk *os.PathError
	switch cerr := f.Close(); {
	case errors.As(cmp.Or(err, cerr), &disk):
		return reeve.E(reeve.Transient, "exchange.feed.upload", "there is no room to keep the file at the moment: try again later")
	case err != nil:
		return reeve.E(reeve.Invalid, "exchange.feed.upload", "the form ended before it was whole: send it again")
	}
	return nil
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
		if err != nil && ctx.Err() == nil {
			d.o.Slog.Warn("a file that was sent in a page could not be taken", "file", u.id, "error", err)
		}
		d.mu.Lock()
		d.uploading = false
		d.running--
		d.mu.Unlock()
		select {
		case d.finished <- 1:
		default:
		}
	})
}

func (d *Desk) receiveUpload(ctx context.Context, u uploaded) (err error) {
	defer func() { err = errors.Join(err, os.Remove(u.file)) }()
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
		err = d.receive(ctx, f, u.actor, in, 0, true)
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

// dropUploads removes what an earlier run of the program left behind.
func dropUploads(dir string) error {
	if dir == "" {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(dir, uploadPattern))
	for _, f := range left {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}
