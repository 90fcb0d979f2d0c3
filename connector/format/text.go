package format

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// encodingOf knows the encodings of a text file; nil for UTF-8.
func encodingOf(name string) (encoding.Encoding, error) {
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

// decoded gives a text in UTF-8 without its byte-order mark, which is believed
// before the name of the encoding. changed says that it was in another encoding: what
// could not be read in it is then U+FFFD.
func decoded(name string, r io.Reader) (text io.Reader, changed bool, err error) {
	enc, err := encodingOf(name)
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

// delimiterOf finds what stands between the cells: what Excel's "sep=" line says,
// or what the first lines have most evenly outside quotation marks. skip is the
// length of that line.
func delimiterOf(head []byte) (comma byte, skip int) {
	if first, _, ok := bytes.Cut(head, newline); ok && len(first) >= 5 && len(first) <= 6 && bytes.EqualFold(first[:4], []byte("sep=")) {
		return first[4], len(first) + 1
	}
	best, most := byte(','), 0
	for _, c := range []byte{',', ';', '\t', '|'} {
		counts, quoted, n := []int{}, false, 0
		for _, b := range head {
			switch {
			case b == '"':
				quoted = !quoted
			case quoted:
			case b == c:
				n++
			case b == '\n' || b == '\r':
				counts, n = append(counts, n), 0
			}
			if len(counts) == 40 {
				break
			}
		}
		if len(counts) == 0 {
			counts = append(counts, n)
		}
		if counts[0] == 0 {
			continue // the headings have it, if it is one
		}
		fullest, same := 0, 0
		for _, n := range counts {
			fullest = max(fullest, n)
		}
		for _, n := range counts {
			if n == fullest {
				same++
			}
		}
		if score := fullest * same; score > most {
			best, most = c, score
		}
	}
	return best, 0
}
