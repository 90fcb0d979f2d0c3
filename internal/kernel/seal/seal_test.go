package seal_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

var master = bytes.Repeat([]byte{7}, 32)

func open(t testing.TB, db *store.DB) *seal.Keys {
	t.Helper()
	k, err := seal.Open(t.Context(), db, master)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRotation(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		start := now
		defer func() { now = start }()
		k := open(t, db)
		old, err := k.Seal([]byte("hello"), []byte("here"))
		if err != nil {
			t.Fatal(err)
		}
		if did, err := k.Rotate(t.Context()); did != 0 || err != nil {
			t.Errorf("rotated too early: %d, %v", did, err)
		}
		other := open(t, db) // as another process
		now = now.Add(31 * 24 * time.Hour)
		if did, err := k.Rotate(t.Context()); did != 1 || err != nil {
			t.Errorf("not rotated: %d, %v", did, err)
		}
		fresh, err := k.Seal([]byte("hello"), []byte("here"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(old[:5], fresh[:5]) {
			t.Error("the new key is not used")
		}
		for _, k := range []*seal.Keys{k, other, open(t, db)} {
			for _, s := range [][]byte{old, fresh} {
				if got, err := k.Open(s, []byte("here")); err != nil || string(got) != "hello" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		}
		_, err = seal.Open(t.Context(), db, bytes.Repeat([]byte{8}, 32))
		if reeve.KindOf(err) != reeve.Invalid || !strings.Contains(err.Error(), "key 1") {
			t.Errorf("another master key: %v", err)
		}
	})
}

func TestEveryChangeIsNoticed(t *testing.T) {
	k := open(t, storetest.Open(t, nil))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "plain")
		aad := rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		pack := seal.Pack
		if rapid.Bool().Draw(t, "brief") {
			pack = seal.PackBrief
		}
		packed, err := pack(k, plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.Unpack(k, packed, aad); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v", got, err)
		}
		i := rapid.IntRange(0, len(packed)-1).Draw(t, "byte")
		packed[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := seal.Unpack(k, packed, aad); err == nil {
			t.Fatalf("byte %d was changed unseen", i)
		}
		packed, _ = pack(k, plain, aad)
		if _, err := seal.Unpack(k, packed, append(aad, 1)); err == nil {
			t.Fatal("moved unseen")
		}
	})
}
