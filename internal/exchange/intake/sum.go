package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Sum is a hash of a set of rows, whatever their order: the SHA-256 of every row,
// added up modulo 2^256 (Clarke et al., Incremental Multiset Hash Functions, 2003,
// MSet-Add-Hash). Two sets of the same rows have the same sum, and a row that is
// lost, taken twice or changed shows.
type Sum [4]uint64

// RowSum is the sum of one row: its number and its bytes, which are none where no
// record could be read from it.
func RowSum(number int64, body []byte) Sum {
	h := sha256.New()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(number))
	_, _ = h.Write(n[:]) // never fails
	_, _ = h.Write(body)
	return sumOf([32]byte(h.Sum(nil)))
}

func sumOf(b [32]byte) (s Sum) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return s
}

// Plus is the sum of both sets together.
func (s Sum) Plus(o Sum) (t Sum) {
	carry := uint64(0)
	for i := 3; i >= 0; i-- {
		t[i], carry = bits.Add64(s[i], o[i], carry)
	}
	return t
}

// Bytes is how it is stored.
func (s Sum) Bytes() []byte {
	b := make([]byte, 0, 32)
	for _, w := range s {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return b
}

// ReadSum is the sum that Bytes gave; that of nothing for anything else.
func ReadSum(b []byte) Sum {
	if len(b) != 32 {
		return Sum{}
	}
	return sumOf([32]byte(b))
}

func (s Sum) String() string { return hex.EncodeToString(s.Bytes()) }
