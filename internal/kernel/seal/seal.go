// Package seal encrypts what the database keeps. Data keys are made here, kept in
// the database wrapped by the master key, and replaced by new ones as they age;
// what an old key sealed stays readable as long as that key is kept.
//
// Sealing hides and authenticates content and binds it to its place (aad). It does
// not hide lengths, and it protects nothing from whoever holds the master key.
package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// A sealed text is: format (1 byte), key id (4 bytes), nonce (12 bytes), AES-256-GCM.
const (
	format    = 1
	headBytes = 5
	keyBytes  = 32
)

// maxPlain bounds what Unpack decompresses to, so that no stored row can fill the
// memory.
const maxPlain = 256 << 20

// Keys seals and opens. Its methods may be called from many goroutines, also
// inside a transaction, except Rotate.
type Keys struct {
	db     *store.DB
	master []byte
	wrap   cipher.AEAD
	enc    *zstd.Encoder
	room   sync.Pool // of *[]byte, that packs are compressed into
	dec    *zstd.Decoder

	mu     sync.RWMutex
	keys   map[uint32]cipher.AEAD
	newest uint32
	made   time.Time
	maxAge time.Duration
}

// Open reads the data keys, and makes the first one in a new database. master is
// 32 bytes. A master key that does not fit the database is an error of kind
// Invalid.
func Open(ctx context.Context, db *store.DB, master []byte) (*Keys, error) {
	if len(master) != keyBytes {
		return nil, reeve.E(reeve.Invalid, "seal.Open", "the master key has %d bytes; it must have %d", len(master), keyBytes)
	}
	k := &Keys{db: db, master: append([]byte(nil), master...), keys: map[uint32]cipher.AEAD{}, maxAge: 30 * 24 * time.Hour}
	var err error
	if k.wrap, err = aead(k.Derive("seal wrap")); err != nil {
		return nil, err
	}
	// Levels above the fastest cost more time than they save disk here.
	if k.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2)); err != nil {
		return nil, err
	}
	if k.dec, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecoderConcurrency(2)); err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "seal", migrations); err != nil {
		return nil, err
	}
	if err := k.reload(ctx); err != nil {
		return nil, err
	}
	if k.newest == 0 {
		_, err = k.Rotate(ctx)
	}
	return k, err
}

func aead(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func (k *Keys) reload(ctx context.Context) error {
	var all []row
	err := k.db.View(ctx, func(tx *store.Tx) (err error) { all, err = load(tx); return err })
	if err != nil {
		return fmt.Errorf("seal: reading keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range all {
		if err := k.take(r); err != nil {
			return err
		}
	}
	return nil
}

// take unwraps a data key; the caller holds the lock.
func (k *Keys) take(r row) error {
	id := uint32(r.id)
	if _, ok := k.keys[id]; ok {
		return nil
	}
	n := k.wrap.NonceSize()
	if len(r.wrapped) < n {
		return fmt.Errorf("seal: key %d is damaged", id)
	}
	key, err := k.wrap.Open(nil, r.wrapped[:n], r.wrapped[n:], wrapAAD(id))
	if err != nil {
		return reeve.E(reeve.Invalid, "seal.Open", "the master key does not open key %d of this database: it is another master key, or the key is damaged", id)
	}
	a, err := aead(key)
	if err != nil {
		return fmt.Errorf("seal: key %d: %w", id, err)
	}
	k.keys[id] = a
	if id > k.newest {
		k.newest, k.made = id, time.UnixMilli(r.made)
	}
	return nil
}

func wrapAAD(id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte("reeve data key "), id)
}

// Rotate makes a new data key when the present one is older than 30 days, and
// reports how many it made. A worker calls it.
func (k *Keys) Rotate(ctx context.Context) (did int, err error) {
	k.mu.RLock()
	due := k.newest == 0 || k.db.Now().Sub(k.made) >= k.maxAge
	k.mu.RUnlock()
	if !due {
		return 0, nil
	}
	key := make([]byte, keyBytes+k.wrap.NonceSize())
	rand.Read(key) // never fails
	key, nonce := key[:keyBytes], key[keyBytes:]
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		did = 0
		all, err := load(tx)
		if err != nil {
			return err
		}
		id := int64(1)
		if n := len(all); n > 0 {
			if tx.Now.Sub(time.UnixMilli(all[n-1].made)) < k.maxAge {
				return nil // another process was faster
			}
			id = all[n-1].id + 1
		}
		did = 1
		return insert(tx, row{id, tx.Now.UnixMilli(), k.wrap.Seal(nonce[:len(nonce):len(nonce)], nonce, key, wrapAAD(uint32(id)))})
	})
	if err != nil {
		return 0, fmt.Errorf("seal: making a key: %w", err)
	}
	return did, k.reload(ctx)
}

// MaxAge changes after what time Rotate makes a new key.
func (k *Keys) MaxAge(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.maxAge = d
}

// Seal encrypts plain. aad says where it belongs: opening needs the same.
func (k *Keys) Seal(plain, aad []byte) ([]byte, error) {
	k.mu.RLock()
	id, a := k.newest, k.keys[k.newest]
	k.mu.RUnlock()
	out := make([]byte, headBytes+a.NonceSize(), headBytes+a.NonceSize()+len(plain)+a.Overhead())
	out[0] = format
	binary.BigEndian.PutUint32(out[1:], id)
	rand.Read(out[headBytes:])
	return a.Seal(out, out[headBytes:], plain, bind(out, aad)), nil
}

// bind authenticates the head of the sealed text together with its place.
func bind(sealed, aad []byte) []byte {
	return append(append(make([]byte, 0, headBytes+len(aad)), sealed[:headBytes]...), aad...)
}

// Open decrypts what Seal made. Errors name the key, never the content.
func (k *Keys) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < headBytes+12 || sealed[0] != format {
		return nil, fmt.Errorf("seal: not a sealed text")
	}
	id := binary.BigEndian.Uint32(sealed[1:])
	a, err := k.key(id)
	if err != nil {
		return nil, err
	}
	n := headBytes + a.NonceSize()
	plain, err := a.Open(nil, sealed[headBytes:n], sealed[n:], bind(sealed, aad))
	if err != nil {
		return nil, fmt.Errorf("seal: what key %d sealed was changed or moved", id)
	}
	return plain, nil
}

func (k *Keys) key(id uint32) (cipher.AEAD, error) {
	k.mu.RLock()
	a := k.keys[id]
	k.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	// Another process may have made it.
	if err := k.reload(context.Background()); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if a = k.keys[id]; a == nil {
		return nil, fmt.Errorf("seal: key %d is not in this database", id)
	}
	return a, nil
}

// Derive gives 32 bytes that follow from the master key and a label, for keys
// that must outlive the data keys ("journal signing", "opt-out links").
func (k *Keys) Derive(label string) []byte {
	out, err := hkdf.Key(sha256.New, k.master, nil, "reeve v1 "+label, keyBytes)
	if err != nil {
		panic(err) // only for a length that is not this one
	}
	return out
}

// Pack compresses plain, then seals it.
func Pack(k *Keys, plain, aad []byte) ([]byte, error) {
	room, ok := k.room.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	defer k.room.Put(room)
	*room = k.enc.EncodeAll(plain, (*room)[:0])
	return k.Seal(*room, aad)
}

// brief begins what PackBrief compressed. What Pack did begins as Zstandard does.
const brief = 1

// PackBrief is Pack for what is kept for a moment only: it takes a fifth of the
// processor's time, and half as much room again.
func PackBrief(k *Keys, plain, aad []byte) ([]byte, error) {
	room, ok := k.room.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	defer k.room.Put(room)
	b := slices.Grow((*room)[:0], 1+s2.MaxEncodedLen(len(plain)))
	*room = b[:1+len(s2.Encode(b[1:cap(b)], plain))]
	(*room)[0] = brief
	return k.Seal(*room, aad)
}

// Unpack opens and decompresses what Pack or PackBrief made.
func Unpack(k *Keys, packed, aad []byte) ([]byte, error) {
	b, err := k.Open(packed, aad)
	if err != nil {
		return nil, err
	}
	var plain []byte
	if len(b) > 0 && b[0] == brief {
		if n, lerr := s2.DecodedLen(b[1:]); lerr != nil || n > maxPlain {
			return nil, fmt.Errorf("seal: unpacking: %w", s2.ErrCorrupt)
		}
		plain, err = s2.Decode(nil, b[1:])
	} else {
		plain, err = k.dec.DecodeAll(b, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: unpacking: %w", err)
	}
	return plain, nil
}
