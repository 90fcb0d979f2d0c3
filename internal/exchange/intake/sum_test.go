package intake

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestSumIsOfASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bodies := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 20).Draw(t, "bodies")
		order := rapid.Permutation(bodies).Draw(t, "order")
		sums := func(of [][]byte) (s Sum) {
			for _, b := range of {
				s = s.Plus(RowSum(7, b))
			}
			return s
		}
		all := sums(bodies)
		if got := sums(order); got != all {
			t.Fatalf("the order counts: %s, %s", got, all)
		}
		if got := sums(append(order, order[0])); got == all {
			t.Fatal("a row that counts twice does not show")
		}
		if got := sums(order[1:]); got == all {
			t.Fatal("a row that is lost does not show")
		}
		if got := ReadSum(all.Bytes()); got != all {
			t.Fatalf("kept as %s, read as %s", all, got)
		}
		want := new(big.Int)
		for _, b := range bodies {
			want.Add(want, new(big.Int).SetBytes(RowSum(7, b).Bytes()))
		}
		want.Mod(want, new(big.Int).Lsh(big.NewInt(1), 256))
		if got := new(big.Int).SetBytes(all.Bytes()); got.Cmp(want) != 0 {
			t.Fatalf("added up to %s, not %s", got, want)
		}
	})
}
