package feed

import (
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/feed/parts"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// wholeParts is how far a file came in whole parts.
func (d *Desk) wholeParts(tx *store.Tx, id string) (at parts.Until, err error) {
	var sum, sealed []byte
	err = tx.QueryRow(`select taken, read_sum, hash from feed_part where file = ?`, id).Scan(&at.Rows, &sum, &sealed)
	at, ok, err := store.Maybe(at, err)
	if err != nil || !ok {
		return parts.Until{}, err
	}
	at.Read = intake.ReadSum(sum)
	at.Hash, err = d.o.Keys.Open(sealed, aad(id, "hash"))
	return at, err
}

func (d *Desk) putParts(tx *store.Tx, id string, at parts.Until) error {
	sealed, err := d.o.Keys.Seal(at.Hash, aad(id, "hash"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into feed_part (file, taken, read_sum, hash) values (?, ?, ?, ?)
		on conflict (file) do update set taken = excluded.taken, read_sum = excluded.read_sum, hash = excluded.hash`, id, at.Rows, at.Read.Bytes(), sealed)
	return err
}

// unfinished lists files that were sent and of which nothing came since.
func (d *Desk) unfinished(tx *store.Tx, since time.Time, limit int) ([]File, error) {
	return d.listFiles(tx, `state = ? and origin = '' and moved < ?`, []any{Receiving, since}, limit)
}

// reopenFile takes up a file again that nobody had finished.
func reopenFile(tx *store.Tx, id string) error {
	_, err := tx.Exec(`update feed_file set state = ?, why = '', ended = 0, moved = ? where id = ?`, Receiving, tx.Now, id)
	return err
}
