package files

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// Source reads the files of a folder, oldest first.
type Source struct {
	in       Inbox
	settings Settings
	format   format.Spec
	scratch  string
	// After ends what a Read needed: a connection. nil: nothing.
	after func() error
	wait  func(ctx context.Context, d time.Duration) error
	// seen is what the last look found, by name. It saves reading what was read, and
	// nothing is lost without it.
	seen map[string]*file
}

type file struct {
	Entry
	settled bool // it stayed as it was from one look to a later one
	hash    string
	taken   bool // for good, and it stays where it is
}

// NewSource makes one. after, if any, is called when a Read is over.
func NewSource(in Inbox, c connector.Config, s Settings, after func() error) *Source {
	s.Settle = cmp.Or(s.Settle, connector.Duration(5*time.Second))
	s.After, s.Done = cmp.Or(s.After, "keep"), cmp.Or(s.Done, "done")
	s.Largest = cmp.Or(s.Largest, 10<<10)
	return &Source{in: in, settings: s, format: c.Format, scratch: c.Host.Scratch, after: after, wait: pause}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Close implements [connector.Source].
func (s *Source) Close() error {
	if s.after != nil {
		return s.after()
	}
	return nil
}

// Read implements [connector.Source]. What is wrong with one file does not keep the
// others from being read; it is told at the end.
func (s *Source) Read(ctx context.Context, _ string, take func(connector.Portion) error) (err error) {
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	if err := sound(s.format, s.scratch); err != nil {
		return err
	}
	faults, err := s.look(ctx, false)
	if err == nil && slices.ContainsFunc(s.all(), func(f *file) bool { return !f.settled }) {
		if err = s.wait(ctx, time.Duration(s.settings.Settle)); err == nil {
			faults, err = s.look(ctx, true)
		}
	}
	if err != nil {
		return stopped(ctx, err)
	}
	for _, f := range s.all() {
		if !f.settled || f.taken {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fault, err := s.hand(ctx, f, take)
		if err != nil {
			return err
		}
		if fault != nil {
			faults = append(faults, fault)
		}
	}
	return told(faults)
}

// stopped prefers the end of the context to what followed from it.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func told(faults []*Fault) error {
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return faults[0]
	}
	return fmt.Errorf("%w; %d more files cannot be read either", faults[0], len(faults)-1)
}

// all are the files of the last look, oldest first.
func (s *Source) all() []*file {
	fs := make([]*file, 0, len(s.seen))
	for _, f := range s.seen {
		fs = append(fs, f)
	}
	slices.SortFunc(fs, func(a, b *file) int { return cmp.Or(cmp.Compare(a.When, b.When), strings.Compare(a.Name, b.Name)) })
	return fs
}

// look lists the folder. What is as it was before has settled, where waited tells that
// the look before was long enough ago.
func (s *Source) look(ctx context.Context, waited bool) (faults []*Fault, err error) {
	list, err := s.in.List(ctx)
	if err != nil {
		return nil, err
	}
	now := make(map[string]*file, len(list))
	for _, e := range list {
		if strings.HasSuffix(e.Name, aside) && !e.Special {
			s.bringBack(ctx, e.Name)
			continue
		}
		if e.Special || unfinished(e.Name) {
			continue
		}
		if ok, err := path.Match(cmp.Or(s.settings.Pattern, "*"), e.Name); !ok || err != nil {
			continue
		}
		if err := Valid(e.Name); err != nil {
			faults = append(faults, &Fault{e.Name, err.Error() + ": rename it"})
			continue
		}
		if e.Size > s.settings.Largest<<20 {
			faults = append(faults, &Fault{e.Name, fmt.Sprintf("is larger than %d MB: say so in largestMB, or divide it", s.settings.Largest)})
			continue
		}
		f := &file{Entry: e}
		if before := s.seen[e.Name]; before != nil && before.same(e) {
			f = before
			f.settled = f.settled || waited
		}
		now[e.Name] = f
	}
	s.seen = now
	return faults, nil
}

// hand hands one file over.
func (s *Source) hand(ctx context.Context, f *file, take func(connector.Portion) error) (*Fault, error) {
	r := &reading{s: s, f: f}
	defer r.release()
	if f.hash == "" {
		if err := r.fetch(ctx); err != nil {
			return aboutOne(ctx, f, err)
		}
	}
	p := connector.Portion{Name: f.Name, Version: f.hash, Size: f.Size, Total: -1, Open: r.open}
	if s.settings.Daily {
		p.Version += f.Day
	}
	if s.settings.After != "keep" {
		p.Done = func(ctx context.Context) error { return s.finish(ctx, f) }
	}
	if err := take(p); err != nil {
		return nil, err
	}
	f.taken = s.settings.After == "keep"
	return nil, nil
}

// aboutOne tells an error about one file, with which the others can be read, from one
// about all.
func aboutOne(ctx context.Context, f *file, err error) (*Fault, error) {
	var fault *Fault
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrChanged) || errors.Is(err, fs.ErrNotExist):
		f.settled = false // another look will tell
		return nil, nil
	case errors.As(err, &fault):
		return fault, nil
	}
	return nil, err
}

// reading is one file being handed over.
type reading struct {
	s    *Source
	f    *file
	copy *os.File // of its contents, where it cannot be read again and again; without a name
}

func (r *reading) release() {
	if r.copy != nil {
		_ = r.copy.Close() // there is nothing in it to lose
	}
}

// fetch finds the hash of a file, and keeps a copy where one is needed.
func (r *reading) fetch(ctx context.Context) error {
	sum := sha256.New()
	into := io.Writer(sum)
	o, direct := r.s.in.(opener)
	if !direct {
		c, err := os.CreateTemp(r.s.scratch, "reeve-file-*")
		if err != nil {
			return fmt.Errorf("there is no place here for a copy of a file: %s", Reason(err))
		}
		r.release()
		r.copy = c
		if err := os.Remove(c.Name()); err != nil {
			return fmt.Errorf("there is no place here for a copy of a file: %s", Reason(err))
		}
		into = io.MultiWriter(local{c}, sum)
	}
	w := &bounded{w: ctxWriter{ctx, into}, left: r.f.Size}
	var err error
	if direct {
		err = drain(o, r.f.Entry, w)
	} else {
		err = r.s.in.Fetch(ctx, r.f.Entry, w)
	}
	switch {
	case w.err != nil:
		return w.err
	case err != nil && direct && !errors.Is(err, ErrChanged) && !errors.As(err, new(*Fault)):
		return &Fault{r.f.Name, "cannot be read: " + Reason(err)}
	case err != nil:
		return err
	case w.left != 0:
		return ErrChanged
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if r.f.hash != "" && r.f.hash != got {
		return ErrChanged
	}
	r.f.hash = got
	return nil
}

func drain(o opener, e Entry, w io.Writer) error {
	in, err := o.Open(e)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return errors.Join(err, in.Close())
}

// local says of an error that it is the disk here that has no room.
type local struct{ f *os.File }

func (l local) Write(b []byte) (int, error) {
	n, err := l.f.Write(b)
	if err != nil {
		err = fmt.Errorf("there is no place here for a copy of a file: %s", Reason(err))
	}
	return n, err
}

// bounded lets a file have the size that it was listed with, and remembers its own
// error, whatever becomes of it on the way back.
type bounded struct {
	w    io.Writer
	left int64
	err  error
}

func (b *bounded) Write(p []byte) (n int, err error) {
	if b.err == nil && int64(len(p)) > b.left {
		b.err = ErrChanged
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err = b.w.Write(p)
	b.left -= int64(n)
	b.err = err
	return n, err
}

// open begins to read the rows.
func (r *reading) open(ctx context.Context) (format.Reader, error) {
	var in io.ReadCloser
	var err error
	if o, ok := r.s.in.(opener); ok {
		f, err := o.Open(r.f.Entry)
		if err != nil {
			return nil, err
		}
		in = &verified{r: io.LimitReader(f, r.f.Size), c: f, sum: sha256.New(), want: r.f.hash}
	} else {
		if r.copy == nil {
			if err := r.fetch(ctx); err != nil {
				return nil, err
			}
		}
		in = io.NopCloser(io.NewSectionReader(r.copy, 0, r.f.Size))
	}
	c := &closing{in: in}
	var wrong *format.Error
	if c.Reader, err = format.NewReader(r.s.format, c, r.s.scratch); c.err != nil {
		return nil, errors.Join(c.err, in.Close())
	} else if errors.As(err, &wrong) { // told as any other that cannot be read to its end
		c.Reader = hopeless{wrong}
	} else if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return c, nil
}

// closing reads rows, and closes what they are read from. That it could not be read is
// told as it is: it is no fault of the contents.
type closing struct {
	format.Reader
	in  io.ReadCloser
	err error
}

func (c *closing) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Next implements [format.Reader].
func (c *closing) Next() (format.Row, error) {
	row, err := c.Reader.Next()
	if err != nil && c.err != nil {
		err = c.err
	}
	return row, err
}

// Close implements [format.Reader].
func (c *closing) Close() error { return errors.Join(c.Reader.Close(), c.in.Close()) }

// hopeless has no rows.
type hopeless struct{ err error }

func (h hopeless) Next() (format.Row, error) { return format.Row{}, h.err }
func (h hopeless) Close() error              { return nil }

// sound tells what is wrong with the format that the interface says, lest every file
// were taken for a bad one.
func sound(spec format.Spec, scratch string) error {
	if spec.Name == "xlsx" {
		return nil // nothing can be wrong with it before a workbook is opened
	}
	r, err := format.NewReader(spec, strings.NewReader(""), scratch)
	if err != nil {
		return fmt.Errorf("files cannot be read in the format that the interface says: %s", err)
	}
	return r.Close()
}

// verified reads what was hashed, or says in the end that it did not.
type verified struct {
	r    io.Reader
	c    io.Closer
	sum  hash.Hash
	want string
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(v.sum.Sum(nil)) != v.want {
		err = ErrChanged
	}
	return n, err
}

func (v *verified) Close() error { return v.c.Close() }

// aside ends the name of a file between being taken and being deleted.
const aside = ".reeve-taken"

// finish moves or deletes a file that was taken for good, if it is still the same. It
// is moved before the last look at it, so that what a sender puts in its place in that
// very moment is not lost.
func (s *Source) finish(ctx context.Context, f *file) error {
	now, err := s.in.Stat(ctx, f.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return stopped(ctx, err)
	case !f.same(now):
		return nil // another file by now, which is read as such
	}
	to, err := s.place(ctx, f)
	if err != nil {
		return stopped(ctx, err)
	}
	if err := s.in.Rename(ctx, f.Name, to); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return stopped(ctx, err)
	}
	if now, err = s.in.Stat(ctx, to); err != nil {
		return stopped(ctx, err)
	}
	if !f.same(now) {
		return stopped(ctx, s.in.Rename(ctx, to, f.Name))
	}
	if s.settings.After == "move" {
		return nil
	}
	return stopped(ctx, s.in.Remove(ctx, to))
}

// place is where a file is moved to: its name in the folder done, with the beginning of
// its hash where another one stands there; or, to be deleted, a name of a moment.
func (s *Source) place(ctx context.Context, f *file) (string, error) {
	ext := path.Ext(f.Name)
	name, hash := strings.TrimSuffix(f.Name, ext), f.hash[:12]
	for n := 1; n < 1000; n++ {
		number := ""
		if n > 2 {
			number = fmt.Sprintf("-%d", n-1)
		}
		to := fmt.Sprintf("%s/%s.%s%s%s", s.settings.Done, name, hash, number, ext)
		switch {
		case s.settings.After == "delete":
			to = fmt.Sprintf(".%s%s.%s%s", hash, number, f.Name, aside)
		case n == 1:
			to = s.settings.Done + "/" + f.Name
		}
		if _, err := s.in.Stat(ctx, to); errors.Is(err, fs.ErrNotExist) {
			return to, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", &Fault{f.Name, "cannot be moved: too many of its name and contents were moved before"}
}

// bringBack gives a file its name again that a crash left between being taken and being
// deleted: whether it was taken is found out as for any other. Where another file has
// the name by now, it waits until that one is gone.
func (s *Source) bringBack(ctx context.Context, name string) {
	_, to, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(name, aside), "."), ".")
	if !ok || Valid(to) != nil {
		return
	}
	if _, err := s.in.Stat(ctx, to); errors.Is(err, fs.ErrNotExist) {
		_ = s.in.Rename(ctx, name, to) // or at the next look
	}
}
