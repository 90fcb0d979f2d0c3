// Package files is what all connectors of files have in common, whatever keeps the
// files: which ones are read and when, what becomes of them, and how one is written.
//
// What is guaranteed. A file is handed over only after it stayed as it was for a
// while; its version is a hash of its contents, and what is read is what was hashed.
// A file is moved or deleted only if it is still the one that was read. A file
// appears under its name complete or not at all, and none is written over.
//
// What not to assume. A sender that stops in the middle for longer than settle looks
// as if it had finished: let it write under another name (.part) and rename.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector"
)

// Settings is what an Interface says about its files.
type Settings struct {
	Pattern string             `json:"pattern,omitempty" doc:"Names of the files to read; * stands for any characters, ? for one: deaths-*.csv. Default all."`
	Settle  connector.Duration `json:"settle,omitempty" doc:"How long a file must stay as it is before it is read, lest half a file is. Default 5s."`
	After   string             `json:"after,omitempty" def:"enum=keep|move|delete" doc:"What becomes of a file when all its rows are kept here: it stays (keep), goes into the folder done (move), or is deleted. Default keep."`
	Done    string             `json:"done,omitempty" doc:"Name of the folder, inside this one, that files are moved to. Default done."`
	Daily   bool               `json:"daily,omitempty" doc:"A file of the same name and contents is another one when its date is another day (UTC). Default: it was taken already."`
	Largest int64              `json:"largestMB,omitempty" doc:"Megabytes that a file to read may have. Default 10240."`
}

// Check tells what is wrong with the settings.
func (s *Settings) Check(problem func(path, message string)) {
	if _, err := path.Match(s.Pattern, "x"); err != nil || strings.ContainsAny(s.Pattern, "/\\") {
		problem("pattern", "it is a name with * and ? in it, without a folder: deaths-*.csv")
	}
	if s.Done != "" && (Valid(s.Done) != nil || s.After != "move") {
		problem("done", "it is the name of a folder inside this one, without strokes, and goes with after: move")
	}
	if s.Largest < 0 {
		problem("largestMB", "it is a number of megabytes")
	}
}

// Entry is a file as a listing tells of it.
type Entry struct {
	Name    string
	Size    int64
	Day     string // of its date, in UTC: 20260131
	When    int64  // its date, to sort by
	Mark    string // as long as it is the same, so is the file: date, number of the inode, tag
	Special bool   // a folder, a link or a device: not to be read
}

func (e Entry) same(o Entry) bool { return e.Size == o.Size && e.Mark == o.Mark && !o.Special }

// Inbox is a folder that files are read from; folders of this machine, of SFTP servers
// and of object stores differ. Names given to it are valid, or one folder deep. An
// error about one file is a *Fault; any other is about all.
type Inbox interface {
	// List gives what stands in the folder, in any order.
	List(ctx context.Context) ([]Entry, error)
	// Fetch writes the contents of a file to w.
	Fetch(ctx context.Context, e Entry, w io.Writer) error
	// Stat gives fs.ErrNotExist for what is not there.
	Stat(ctx context.Context, name string) (Entry, error)
	// Rename moves a file, and makes the folder that to is in. It need not see to it
	// that nothing is there already.
	Rename(ctx context.Context, from, to string) error
	Remove(ctx context.Context, name string) error
}

// opener is an Inbox that can be read from any number of times without a copy.
type opener interface {
	Open(e Entry) (io.ReadCloser, error)
}

// Fault is what is wrong with one file.
type Fault struct{ Name, Why string }

func (f *Fault) Error() string { return fmt.Sprintf("the file %s %s", quoted(f.Name), f.Why) }

// ErrChanged tells that a file is not what it was when it was listed, or is gone.
var ErrChanged = errors.New("the file changed while it was read")

// Reason is an error without the path that it happened at.
func Reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

func quoted(name string) string {
	if len(name) > 80 {
		name = strings.ToValidUTF8(name[:80], "") + "…"
	}
	return fmt.Sprintf("%q", name)
}

// Valid says what is wrong with the name of a file: it must be one that cannot lead
// anywhere else and can be shown to people.
func Valid(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return errors.New("is not named")
	case len(name) > 255:
		return errors.New("has a name that is too long")
	case !utf8.ValidString(name):
		return errors.New("has a name that is not UTF-8")
	case strings.ContainsAny(name, "/\\") || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
		return errors.New("has a name with a stroke, or with characters that cannot be seen")
	}
	return nil
}

// unfinished are names that programs give to what they still write, or to what is none
// of ours: hidden files, locks of office programs, copies of editors.
func unfinished(name string) bool {
	lower := strings.ToLower(name)
	for _, end := range []string{".part", ".filepart", ".tmp", ".crdownload", "~"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$")
}

// ctxWriter stops writing when its context ends.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w ctxWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}

// Plain keeps what is safe in the name of a file that is written.
func Plain(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s), ".")
}
