package parts

import (
	"errors"
	"io"
	"sync"

	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
)

// Reading is a reader that adds up what is read: one side of the reconciliation.
type Reading struct {
	r      format.Reader
	offset int64      // rows of the file before its first
	first  int64      // number of the row of sums[0]
	taken  int64      // rows taken before, and what they add up to
	before intake.Sum //

	mu   sync.Mutex
	sums []intake.Sum // of all rows up to and with number first+i
}

// errOther is told where a file is not the one that was begun.
var errOther = &format.Error{Message: "its first rows are not those that were taken before: it was changed, or is read in another way than before; give it another name"}

// Add is a reader of what comes after from. Of it, rows up to the number taken were
// taken before, and add up to before with those that came earlier.
func Add(r format.Reader, from Until, taken int64, before intake.Sum) *Reading {
	rd := &Reading{r: r, offset: from.Rows, first: from.Rows, taken: taken, before: before, sums: make([]intake.Sum, 1, 4096)}
	rd.sums[0] = from.Read
	return rd
}

// Next reads a row. It is called by one goroutine.
func (rd *Reading) Next() (format.Row, error) {
	row, err := rd.r.Next()
	rd.mu.Lock()
	defer rd.mu.Unlock()
	at := rd.first + int64(len(rd.sums)) - 1 // the last row that was read
	if err != nil {
		if errors.Is(err, io.EOF) && at < rd.taken {
			return row, errOther
		}
		return row, err
	}
	if row.Number += rd.offset; row.Number != at+1 {
		return row, &format.Error{Message: "its rows are not numbered one by one: this is a fault of what reads it"}
	}
	sum := rd.sums[len(rd.sums)-1].Plus(intake.RowSum(row.Number, row.Body))
	if row.Number == rd.taken && sum != rd.before {
		return row, errOther
	}
	if row.Number < rd.taken { // nobody will ask for it
		rd.sums[0], rd.first = sum, row.Number
		return row, nil
	}
	rd.sums = append(rd.sums, sum)
	return row, nil
}

// Close closes what is read.
func (rd *Reading) Close() error { return rd.r.Close() }

// UpTo is the sum of the rows up to a number. What comes before it is forgotten.
func (rd *Reading) UpTo(n int64) intake.Sum {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	i := n - rd.first
	if i < 0 || i >= int64(len(rd.sums)) {
		return intake.Sum{}
	}
	rd.sums = append(rd.sums[:0], rd.sums[i:]...)
	rd.first = n
	return rd.sums[0]
}

// Read is the number of the last row that was read.
func (rd *Reading) Read() int64 {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	return rd.first + int64(len(rd.sums)) - 1
}
