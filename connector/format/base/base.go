// Package base holds what the readers and writers of all formats share: their errors,
// the encodings of texts, and bounds.
package base

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Bounds.
const (
	MaxRecord = 1 << 20 // bytes of a record in its file
	MaxToken  = 2 << 20 // bytes that are read for one mark or text of XML
	InMemory  = 4 << 20 // bytes of a file that must be read twice and is not kept on the disk
)

// TooLarge is the problem of a record that is.
const TooLarge = "the record is larger than 1 MiB"

// Error is what is wrong with an input as a whole.
type Error struct {
	At      string // "line 17, byte 1,024"; "" for the whole
	Message string // what is wrong and what to do; without a value of a record
}

func (e *Error) Error() string {
	if e.At == "" {
		return e.Message
	}
	return e.At + ": " + e.Message
}

// LineAt says where something stands.
func LineAt(n int64) string {
	b := make([]byte, 0, 24)
	return string(strconv.AppendInt(append(b, "line "...), n, 10))
}

// EncodingOf knows the encodings of a text file; nil for UTF-8.
func EncodingOf(name string) (encoding.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "utf-8", "utf8":
		return nil, nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1, nil
	case "iso-8859-15":
		return charmap.ISO8859_15, nil
	case "utf-16", "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), nil
	}
	return nil, &Error{Message: "the encoding is not known: it is utf-8, windows-1252, iso-8859-1 or utf-16"}
}

// Decoded gives a text in UTF-8 without its byte-order mark, which is believed
// before the name of the encoding. changed says that it was in another encoding: what
// could not be read in it is then U+FFFD.
func Decoded(name string, r io.Reader) (text io.Reader, changed bool, err error) {
	enc, err := EncodingOf(name)
	if err != nil {
		return nil, false, err
	}
	head := make([]byte, 3)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, err
	}
	var rest io.Reader = io.MultiReader(bytes.NewReader(head), r)
	switch {
	case bytes.Equal(head, []byte("\xef\xbb\xbf")):
		return r, false, nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(rest), true, nil
	case enc == nil:
		return rest, false, nil
	}
	return enc.NewDecoder().Reader(rest), true, nil
}

// Meter bounds what is read for one token: Left is set before each.
type Meter struct {
	R    io.Reader
	Left int
}

var errToken = &Error{Message: "a mark or a text of more than 2 MB stands in it: this is not XML that can be read"}

// Read implements [io.Reader].
func (m *Meter) Read(b []byte) (int, error) {
	if m.Left <= 0 {
		return 0, errToken
	}
	n, err := m.R.Read(b)
	m.Left -= n
	return n, err
}

// Spool keeps what is read in a file that nobody else sees.
func Spool(scratch string, r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(scratch, "reeve-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("a file cannot be kept while it is read: %w", err)
	}
	_ = os.Remove(f.Name()) // it is gone when it is closed, also after a crash
	if _, err := io.Copy(f, r); err != nil {
		return nil, errors.Join(Stopped(err), f.Close())
	}
	return f, nil
}

// Stopped is the error of an input that could not be read to its end.
func Stopped(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return fmt.Errorf("the input stops half-way: %w", err)
}
