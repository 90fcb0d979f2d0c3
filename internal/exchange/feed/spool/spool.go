// Package spool keeps a file that comes in a form on the disk, as it comes, until its
// rows are taken.
//
// What is guaranteed: memory does not grow with the file; a file that came is known
// with its size and the SHA-256 of its bytes. What not to assume: that the file
// outlives the program; [Drop] removes what an earlier run left behind.
package spool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reeve-civic/reeve"
)

const (
	pattern = "reeve-upload-*"
	op      = "exchange.feed.upload"
)

// Form is what a form brought: its fields "what" and "key", and its file.
type Form struct {
	What, Key string
	Name      string // of the file, without folders
	SHA256    string // in hexadecimal
	Size      int64
	File      string // where it is kept; "" if none came. It is the caller's to remove
	TooLarge  bool   // it is larger than was allowed, and not all of it is kept
}

// Read reads the form, and writes its file into dir. most is how many bytes the file
// may have, 0 any. With an error, too, File is to be removed.
func Read(form *multipart.Reader, dir string, most int64) (in Form, err error) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, cutOff()
		}
		switch part.FormName() {
		case "what", "key":
			b, err := io.ReadAll(io.LimitReader(part, 1000))
			if err != nil {
				return in, cutOff()
			}
			if part.FormName() == "what" {
				in.What = string(b)
			} else {
				in.Key = strings.TrimSpace(string(b))
			}
		case "file":
			if part.FileName() == "" || in.File != "" {
				continue
			}
			in.Name = path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
			if err := in.keep(dir, part, most); err != nil {
				return in, err
			}
		}
	}
}

func cutOff() error {
	return reeve.E(reeve.Invalid, op, "the form ended before it was whole: send it again")
}

func (in *Form) keep(dir string, part io.Reader, most int64) error {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return noRoom()
	}
	in.File = f.Name()
	from := part
	if most > 0 {
		from = io.LimitReader(part, most+1)
	}
	sum := sha256.New()
	in.Size, err = io.Copy(io.MultiWriter(f, sum), from)
	in.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if in.TooLarge = most > 0 && in.Size > most; in.TooLarge && err == nil {
		_, err = io.Copy(io.Discard, part) // so that the browser gets to read the answer
	}
	var disk *os.PathError
	switch cerr := f.Close(); {
	case errors.As(cmp.Or(err, cerr), &disk):
		return noRoom()
	case err != nil:
		return cutOff()
	}
	return nil
}

func noRoom() error {
	return reeve.E(reeve.Transient, op, "there is no room to keep the file at the moment: try again later")
}

// Drop removes what an earlier run of the program left behind.
func Drop(dir string) error {
	if dir == "" {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(dir, pattern))
	for _, f := range left {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}
