// Package blind makes keyed hashes, so that people can be searched for without
// anything about them standing in the database in the clear.
//
// Whoever holds the database but not the master key can neither read a hash nor
// try guesses against it. Equal values of one kind have equal hashes; the key
// never changes, or nothing would be found any more.
package blind

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"

	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Index makes keyed hashes.
type Index struct{ key []byte }

// Open returns the index of db, making its key on first use. The key is stored
// sealed.
func Open(ctx context.Context, db *store.DB, keys *seal.Keys) (*Index, error) {
	if err := db.Migrate(ctx, "identity/blind", migrations); err != nil {
		return nil, err
	}
	x := &Index{}
	err := db.Update(ctx, func(tx *store.Tx) error {
		sealed, err := load(tx)
		if err != nil {
			return err
		}
		if sealed != nil {
			x.key, err = keys.Open(sealed, []byte("blind_key/1"))
			return err
		}
		x.key = make([]byte, 32)
		rand.Read(x.key)
		if sealed, err = keys.Seal(x.key, []byte("blind_key/1")); err != nil {
			return err
		}
		return save(tx, sealed)
	})
	if err != nil {
		return nil, fmt.Errorf("identity/blind: opening the key: %w", err)
	}
	return x, nil
}

// Hash returns the keyed hash of parts, as text. Kind keeps apart what is equal
// by chance: a name and a postcode never share a hash.
func (x *Index) Hash(kind string, parts ...string) string {
	m := hmac.New(sha256.New, x.key)
	for _, p := range append([]string{kind}, parts...) {
		fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}
