package register

import "strconv"

// Money is an amount in minor units (pence). It is never a float.
type Money int64

// String is "£1,234,567", or "£1,234.50" where there are pence.
func (m Money) String() string {
	sign, v := "", uint64(m)
	if m < 0 {
		sign, v = "-", -v
	}
	whole := strconv.FormatUint(v/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if pence := v % 100; pence != 0 {
		return sign + "£" + whole + "." + strconv.FormatUint(100+pence, 10)[1:]
	}
	return sign + "£" + whole
}

// Cost is an amount of which a part may not be known.
type Cost struct {
	Known Money
	Sure  bool // something is known
	Lacks bool // something is not: Known is the least that it can be
}

func (c Cost) String() string {
	switch {
	case !c.Sure:
		return "not known"
	case c.Lacks:
		return "at least " + c.Known.String()
	}
	return c.Known.String()
}

// Plus adds two costs. What is not known of either is not known of the sum.
func (c Cost) Plus(o Cost) Cost {
	return Cost{c.Known + o.Known, c.Sure || o.Sure, c.Lacks || o.Lacks || !o.Sure}
}

// Split divides m into n parts that add up to it; the first parts take what is
// left over.
func (m Money) Split(n int) []Money {
	parts := make([]Money, n)
	for i := range parts {
		parts[i] = m / Money(n)
		if Money(i) < m%Money(n) {
			parts[i]++
		}
	}
	return parts
}
