package inventory

import (
	"embed"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// importRow is what one import did to one type.
type importRow struct {
	id     int64
	typ    Type
	at     time.Time
	hand   bool
	actor  string
	count  Count
	digest string
	sealed []byte
}

func insertImport(tx *store.Tx, r importRow) error {
	_, err := tx.Exec(`insert into inventory_import (id, type, at, hand, actor, added, changed, same, gone, digest, sealed) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.id, string(r.typ), r.at, r.hand, r.actor, int64(r.count.Added), int64(r.count.Changed), int64(r.count.Same), int64(r.count.Gone), r.digest, r.sealed)
	return err
}

const importColumns = `id, type, at, hand, actor, added, changed, same, gone, digest, sealed`

func scanImport(from func(...any) error) (r importRow, err error) {
	var at, hand int64
	err = from(&r.id, &r.typ, &at, &hand, &r.actor, &r.count.Added, &r.count.Changed, &r.count.Same, &r.count.Gone, &r.digest, &r.sealed)
	r.at, r.hand = time.UnixMilli(at).UTC(), hand != 0
	return r, err
}

// lastImports are the latest imports, newest first; of one type unless it is "".
func lastImports(tx *store.Tx, typ Type, hand bool, max int) ([]importRow, error) {
	where, args := `hand <= ?`, []any{hand}
	if typ != "" {
		where, args = where+` and type = ?`, append(args, string(typ))
	}
	rows, err := tx.Query(`select `+importColumns+` from inventory_import where `+where+` order by id desc, type limit ?`, append(args, max)...)
	return store.List(rows, err, scanImport)
}

// importsOf are those of these imports that touched a type.
func importOf(tx *store.Tx, typ Type, id int64) (importRow, error) {
	return scanImport(tx.QueryRow(`select `+importColumns+` from inventory_import where type = ? and id = ?`, string(typ), id).Scan)
}

// newestImport is the number of the last import up to a time, 0 for none.
func newestImport(tx *store.Tx, at time.Time) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(id), 0) from inventory_import where at <= ?`, at).Scan(&n)
	return n, err
}

func lastImport(tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(id), 0) from inventory_import`).Scan(&n)
	return n, err
}

// imported tells when each type was last imported up to an import.
func imported(tx *store.Tx, upTo int64) (map[string]time.Time, error) {
	rows, err := tx.Query(`select type, max(at) from inventory_import where hand = 0 and id <= ? group by type`, upTo)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var typ string
		var at int64
		if err := rows.Scan(&typ, &at); err != nil {
			return nil, err
		}
		out[typ] = time.UnixMilli(at).UTC()
	}
	return out, rows.Err()
}

// sealedBucket is a bucket as it is kept.
type sealedBucket struct {
	bucket int64
	imp    int64 // of what was: the import that changed it
	sealed []byte
}

func scanBucket(from func(...any) error) (b sealedBucket, err error) {
	err = from(&b.bucket, &b.imp, &b.sealed)
	return b, err
}

// currentBuckets reads the buckets of a type; all unless they are named.
func currentBuckets(tx *store.Tx, typ Type) ([]sealedBucket, error) {
	rows, err := tx.Query(`select bucket, 0, sealed from inventory_now where type = ? order by bucket`, string(typ))
	return store.List(rows, err, scanBucket)
}

func currentBucket(tx *store.Tx, typ Type, bucket int64) ([]sealedBucket, error) {
	rows, err := tx.Query(`select bucket, 0, sealed from inventory_now where type = ? and bucket = ?`, string(typ), bucket)
	return store.List(rows, err, scanBucket)
}

// wasSince reads what was before the imports after upTo changed it, newest first
// within a bucket.
func wasSince(tx *store.Tx, typ Type, upTo int64) ([]sealedBucket, error) {
	rows, err := tx.Query(`select bucket, import, sealed from inventory_was where type = ? and import > ? order by bucket, import desc`, string(typ), upTo)
	return store.List(rows, err, scanBucket)
}

func wasIn(tx *store.Tx, typ Type, bucket int64) ([]sealedBucket, error) {
	rows, err := tx.Query(`select bucket, import, sealed from inventory_was where type = ? and bucket = ? order by import desc`, string(typ), bucket)
	return store.List(rows, err, scanBucket)
}

// putBucket keeps a bucket as it is now, and what it was before.
func putBucket(tx *store.Tx, typ Type, b, was sealedBucket) error {
	if _, err := tx.Exec(`insert into inventory_now (type, bucket, sealed) values (?, ?, ?) on conflict (type, bucket) do update set sealed = excluded.sealed`, string(typ), b.bucket, b.sealed); err != nil {
		return err
	}
	_, err := tx.Exec(`insert into inventory_was (type, bucket, import, sealed) values (?, ?, ?, ?)`, string(typ), was.bucket, was.imp, was.sealed)
	return err
}
