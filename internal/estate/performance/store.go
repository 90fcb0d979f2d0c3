package performance

import (
	"embed"
	"strconv"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// putPoint keeps the number of a day; a later one of the same day takes its place.
func putPoint(tx *store.Tx, series string, p Point) error {
	_, err := tx.Exec(`insert into performance_point (series, day, value) values (?, ?, ?) on conflict (series, day) do update set value = excluded.value`,
		series, p.On.String(), strconv.FormatFloat(p.Value, 'g', -1, 64))
	return err
}

// row is a point with its series.
type row struct {
	series string
	Point
}

// points reads what was kept up to a day, by series and day.
func points(tx *store.Tx, upTo def.Date) ([]row, error) {
	rows, err := tx.Query(`select series, day, value from performance_point where day <= ? order by series, day`, upTo.String())
	return store.List(rows, err, func(from func(...any) error) (r row, err error) {
		var day, value string
		if err = from(&r.series, &day, &value); err != nil {
			return r, err
		}
		if r.On, err = def.ParseDate(day); err != nil {
			return r, err
		}
		r.Value, err = strconv.ParseFloat(value, 64)
		return r, err
	})
}
