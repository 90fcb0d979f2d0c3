// Package parts reads the body of a file that is sent, all of it or in parts, and adds
// up the SHA-256 of its bytes across them.
//
// What is guaranteed. The hash is that of the bytes of all parts, one after the other,
// as if the file had been cut into them. A CSV part after the first has the headings
// again: that line is left out of it.
//
// What not to assume. What is kept between two parts holds up to 63 bytes of the file:
// seal it.
package parts

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync/atomic"

	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
)

// Until is how far a file came in whole parts.
type Until struct {
	Rows int64
	Read intake.Sum // of these rows
	Hash []byte     // state of the hash of their bytes; nil where no part came
}

// Body is the body of a request. It remembers whether it was cut off.
type Body struct {
	r     io.Reader
	n     *atomic.Int64 // bytes that came
	hash  hash.Hash
	first bool   // of the file
	held  []byte // what came before it was known how the file is written
	begun bool
	line  bool // headings are being left out
	quote bool // within a quoted heading
	err   error
}

// New is a body that goes on where the parts before it ended. n counts its bytes.
func New(r io.Reader, n *atomic.Int64, at Until) (*Body, error) {
	b := &Body{r: r, n: n, hash: sha256.New(), first: at.Rows == 0}
	if at.Hash == nil {
		return b, nil
	}
	return b, b.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(at.Hash)
}

// Begin says how the file is written. It must be called before much of it is read.
func (b *Body) Begin(spec format.Spec) {
	b.begun, b.line = true, !b.first && spec.Name == "csv" && (spec.Headings == nil || *spec.Headings)
	b.add(b.held)
	b.held = nil
}

// add adds bytes to the hash, but for headings.
func (b *Body) add(p []byte) {
	for ; b.line && len(p) > 0; p = p[1:] {
		b.quote = b.quote != (p[0] == '"')
		b.line = p[0] != '\n' || b.quote
	}
	_, _ = b.hash.Write(p) // never fails
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.begun {
		b.add(p[:n])
	} else {
		b.held = append(b.held, p[:n]...)
	}
	b.n.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// Cut is the error with which the body was cut off; nil if it was not.
func (b *Body) Cut() error { return b.err }

// Sum is the hash so far, in hexadecimal.
func (b *Body) Sum() string { return hex.EncodeToString(b.hash.Sum(nil)) }

// State is the hash so far, to go on with.
func (b *Body) State() ([]byte, error) { return b.hash.(encoding.BinaryMarshaler).MarshalBinary() }

// Rows keeps what a reader makes of the end of a body that was cut off from being
// taken for rows.
func (b *Body) Rows(r format.Reader) format.Reader { return rows{r, b} }

type rows struct {
	format.Reader
	b *Body
}

// Next implements [format.Reader].
func (r rows) Next() (format.Row, error) {
	row, err := r.Reader.Next()
	if r.b.err != nil {
		return format.Row{}, r.b.err
	}
	return row, err
}
