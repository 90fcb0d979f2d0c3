package delivery

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func TestPackRoundTrip(t *testing.T) {
	db := storetest.Open(t, nil)
	keys, err := seal.Open(t.Context(), db, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &Desk{o: Options{Keys: keys}}
	items := []Item{
		{N: 3, Record: "r1-3", Key: "a/ä", Sender: "org-x", At: time.UnixMilli(1700000000123).UTC(), Digest: "d", Body: []byte(`{"a":1}`)},
		{N: 1 << 50, Record: "r1-9", At: time.UnixMilli(0).UTC(), Body: []byte{}},
	}
	f, err := d.Freeze("flow-a", "if-a", Terms{}, items)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := seal.Unpack(keys, f.body, aad("flow-a", 3, 1<<50))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeItems(plain, 2)
	if err != nil || !reflect.DeepEqual(got, items) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := seal.Unpack(keys, f.body, aad("flow-b", 3, 1<<50)); err == nil {
		t.Error("a pack opens in another flow's place")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 { // damaged bytes are told, never a panic
		b := slices.Clone(plain)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		b = b[:r.IntN(len(b)+1)]
		_, _ = decodeItems(b, 2)
		_, _, _ = DecodeNumbers(b)
		_, _ = decodeStates(b)
	}
}

func TestNumbersAndStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.SliceOf(rapid.Int64Range(1, 1<<60)).Draw(t, "ns")
		slices.Sort(ns)
		got, rest, err := DecodeNumbers(append(EncodeNumbers(ns), 7))
		if err != nil || !slices.Equal(got, ns) || len(rest) != 1 {
			t.Fatalf("%v %v %v", got, rest, err)
		}
		ss := make([]itemState, len(ns))
		for i := range ss {
			ss[i] = itemState{State(ns[i] % 6), uint8(ns[i]), uint32(ns[i])}
		}
		back, err := decodeStates(encodeStates(ss))
		if err != nil || !slices.Equal(back, ss) {
			t.Fatalf("%v %v", back, err)
		}
	})
}

func TestUncovered(t *testing.T) {
	for _, c := range []struct {
		have, want []string
		out        string
	}{
		{[]string{""}, []string{"/a", ""}, ""},
		{[]string{"/a"}, []string{"/a/b", "/a"}, ""},
		{[]string{"/a"}, []string{"/ab"}, "/ab"},
		{[]string{"/a/b"}, []string{"/a"}, "/a"},
		{[]string{"/a"}, []string{""}, "/"},
		{nil, nil, ""},
	} {
		if got := uncovered(c.have, c.want); got != c.out {
			t.Errorf("uncovered(%q, %q) = %q, want %q", c.have, c.want, got, c.out)
		}
	}
}

func TestBackoff(t *testing.T) {
	for n := range 2000 {
		if w := backoff(n); w < 800*time.Millisecond || w > maxWait+maxWait/5 {
			t.Fatalf("backoff(%d) = %v", n, w)
		}
	}
}
