package store

import (
	"database/sql"
	"errors"
	"strings"
	"time"
)

// List reads all rows of a query with a function that scans one, and closes them.
// Pass it what [Tx.Query] returned.
func List[T any](rows *Rows, err error, scan func(from func(...any) error) (T, error)) (all []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

// Maybe turns the error of a single row that is not there into ok being false.
func Maybe[T any](x T, err error) (_ T, ok bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return x, false, nil
	}
	return x, err == nil, err
}

// In is the condition that a column holds one of several values, of which there is
// at least one, and the arguments of it.
func In[T any](column string, values []T) (string, []any) {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return column + " in (?" + strings.Repeat(", ?", len(values)-1) + ")", args
}

// Millis is how a moment that may be missing is kept: milliseconds of Unix time, 0
// for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Moment is the time that [Millis] kept, in UTC.
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
