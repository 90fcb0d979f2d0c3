package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The scanners below look at bytes and take no memory. They are for what comes
// before Decode: they know the documents that are plain, and say of all others
// that they do not know.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ScanString returns the index after the string that opens at b[i], where its
// text stands in b as it is: without escapes, and valid UTF-8. It is -1 for any
// other string, good or bad.
func ScanString(b []byte, i int) (end int, ascii bool) {
	i++
	start := i
	// Eight bytes at a time, as long as none is a quote, a backslash, a control
	// character or not ASCII. The trick is in Hacker's Delight, 6-1; a borrow can
	// only make it stop at a byte before which there is one that counts.
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^(ones*'"'), w^(ones*'\\')
		stop := ((q - ones) &^ q) | ((s - ones) &^ s) | (w - ones*0x20) | w
		if stop &= highs; stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		break
	}
	ascii = true
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			if !ascii && !utf8.Valid(b[start:i]) {
				return -1, false
			}
			return i + 1, ascii
		case c == '\\' || c < 0x20:
			return -1, false
		case c >= 0x80:
			ascii = false
		}
	}
	return -1, false
}

// ScanNumber returns the index after the number at b[i], -1 if it is none that
// Decode accepts, or one with an exponent.
func ScanNumber(b []byte, i int) (end int, integer bool) {
	start := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	i = digits(b, i)
	if i == first || i > first+1 && b[first] == '0' {
		return -1, false
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		integer = false
		point := i
		if i = digits(b, i+1); i == point+1 {
			return -1, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') || i-start > maxNumber {
		return -1, false
	}
	return i, integer
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// Space returns the index of the first byte from i on that is no space between
// tokens.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// mostNames is how many fields an object may have for ScanValue to see that none
// is given twice.
const mostNames = 32

// ScanValue returns the index after the value at b[i] that stands depth objects
// and lists deep, where it is one that Decode accepts, and whether it is compact,
// with no space between its tokens. The index is -1 where it is not sure.
func ScanValue(b []byte, i, depth int) (end int, compact bool) {
	if i >= len(b) {
		return -1, false
	}
	switch c := b[i]; c {
	case '"':
		end, _ = ScanString(b, i)
		if end < 0 {
			end = decodeString(b, i)
		}
		return end, true
	case '{', '[':
		if depth >= MaxDepth {
			return -1, false
		}
		return scanNested(b, i, depth)
	case 't':
		return scanWord(b, i, "true"), true
	case 'f':
		return scanWord(b, i, "false"), true
	case 'n':
		return scanWord(b, i, "null"), true
	}
	end, _ = ScanNumber(b, i)
	return end, true
}

func scanWord(b []byte, i int, w string) int {
	if len(b)-i < len(w) || string(b[i:i+len(w)]) != w {
		return -1
	}
	return i + len(w)
}

// decodeString is ScanString for one with escapes: the decoder reads it.
func decodeString(b []byte, i int) int {
	end := SkipString(b, i)
	if end > len(b) {
		return -1
	}
	d := decoder{s: string(b[i:end])}
	if _, err := d.str(); err != nil || d.i != len(d.s) {
		return -1
	}
	return end
}

func scanNested(b []byte, i, depth int) (end int, compact bool) {
	var names [mostNames][]byte
	n, object, shut := 0, b[i] == '{', b[i]+2 // ] and } stand two after [ and {
	compact = true
	space := func(at int) int {
		to := Space(b, at)
		compact = compact && to == at
		return to
	}
	i = space(i + 1)
	if i < len(b) && b[i] == shut {
		return i + 1, compact
	}
	for {
		if object {
			if i >= len(b) || b[i] != '"' || n == mostNames {
				return -1, false
			}
			at := i
			if i, _ = ScanString(b, i); i < 0 {
				return -1, false
			}
			name := b[at:i]
			for _, have := range names[:n] {
				if string(have) == string(name) {
					return -1, false
				}
			}
			names[n] = name
			n++
			if i = space(i); i >= len(b) || b[i] != ':' {
				return -1, false
			}
			i = space(i + 1)
		}
		at, tight := ScanValue(b, i, depth+1)
		if at < 0 {
			return -1, false
		}
		compact = compact && tight
		if i = space(at); i >= len(b) {
			return -1, false
		}
		switch b[i] {
		case ',':
			i = space(i + 1)
		case shut:
			return i + 1, compact
		default:
			return -1, false
		}
	}
}

// Find returns the bytes of the value that stands at a path of field names in b,
// which must be JSON that Decode accepts; nil where there is none, or where a name
// on the way is written with escapes.
func Find(b []byte, path []string) []byte {
	i := Space(b, 0)
	for _, name := range path {
		if i = field(b, i, name); i < 0 {
			return nil
		}
	}
	if end := SkipValue(b, i); end >= 0 {
		return b[i:end]
	}
	return nil
}

// field returns the index of the value of a field of the object at b[i], or -1.
func field(b []byte, i int, name string) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	for i = Space(b, i+1); i < len(b) && b[i] == '"'; i = Space(b, i+1) {
		at := i
		if i = SkipText(b, i); i > len(b) {
			return -1
		}
		have := b[at+1 : i-1]
		if i = Space(b, i); i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = Space(b, i+1); string(have) == name {
			return i
		}
		if i = SkipValue(b, i); i < 0 {
			return -1
		}
		if i = Space(b, i); i >= len(b) || b[i] != ',' {
			return -1
		}
	}
	return -1
}

// SkipValue returns the index after the value at b[i], which it does not look at
// closely, or -1 if it has no end.
func SkipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		if i = SkipText(b, i); i > len(b) {
			return -1
		}
		return i
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = SkipText(b, i); i > len(b) {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	case ',', ':', '}', ']':
		return -1
	}
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

// SkipText is SkipString, faster where texts are long and have no escapes.
func SkipText(b []byte, i int) int {
	end := bytes.IndexByte(b[i+1:], '"')
	if end < 0 {
		return len(b) + 1
	}
	if end += i + 1; b[end-1] != '\\' {
		return end + 1
	}
	return SkipString(b, i)
}

// DecodeFields is Decode for an object of which only some fields are wanted; the
// result has no others. It is false where the object is not plain: ask Decode.
func DecodeFields(b []byte, want func(name []byte) bool) (fields map[string]any, ok bool) {
	i := Space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return nil, false
	}
	fields = map[string]any{}
	if i = Space(b, i+1); i < len(b) && b[i] == '}' {
		return fields, Space(b, i+1) == len(b)
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return nil, false
		}
		at := i
		if i, _ = ScanString(b, i); i < 0 {
			return nil, false
		}
		name := b[at+1 : i-1]
		if i = Space(b, i); i >= len(b) || b[i] != ':' {
			return nil, false
		}
		from := Space(b, i+1)
		if i = SkipValue(b, from); i < 0 {
			return nil, false
		}
		if want(name) {
			v, err := Decode(b[from:i])
			if err != nil {
				return nil, false
			}
			fields[string(name)] = v
		}
		if i = Space(b, i); i >= len(b) {
			return nil, false
		}
		switch b[i] {
		case ',':
			i = Space(b, i+1)
		case '}':
			return fields, Space(b, i+1) == len(b)
		default:
			return nil, false
		}
	}
}
