// Package seal encrypts what the database keeps. Data keys are made here, kept in
// the database wrapped by the master key, and replaced by new ones as they age;
// what an old key sealed stays readable as long as that key is kept.
//
// Sealing hides and authenticates content and binds it to its place (aad). It does
// not hide lengths, and it protects nothing from whoever holds the master key.
package seal

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Keys seals and opens. Its methods may be called from many goroutines, also
// inside a transaction, except Rotate.
type Keys struct {
}

// Open reads the data keys, and makes the first one in a new database. master is
// 32 bytes. A master key that does not fit the database is an error of kind
// Invalid.
func Open(ctx context.Context, db *store.DB, master []byte) (*Keys, error) {
	panic("todo")
}

// Rotate makes a new data key when the present one is older than 30 days, and
// reports how many it made. A worker calls it.
func (k *Keys) Rotate(ctx context.Context) (did int, err error) { panic("todo") }

// MaxAge changes after what time Rotate makes a new key.
func (k *Keys) MaxAge(d time.Duration) {}

// Seal encrypts plain. aad says where it belongs: opening needs the same.
func (k *Keys) Seal(plain, aad []byte) ([]byte, error) { panic("todo") }

// Open decrypts what Seal made. Errors name the key, never the content.
func (k *Keys) Open(sealed, aad []byte) ([]byte, error) { panic("todo") }

// Derive gives 32 bytes that follow from the master key and a label, for keys
// that must outlive the data keys ("journal signing", "opt-out links").
func (k *Keys) Derive(label string) []byte { panic("todo") }

// Pack compresses plain, then seals it.
func Pack(k *Keys, plain, aad []byte) ([]byte, error) { panic("todo") }

// Unpack opens and decompresses what Pack made.
func Unpack(k *Keys, packed, aad []byte) ([]byte, error) { panic("todo") }
