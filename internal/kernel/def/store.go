package def

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Activation says when a set was put in force.
type Activation struct {
	N    int64
	Hash string
	At   time.Time
}

// last is the hash in force, "" if there never was one.
func last(tx *store.Tx) (hash string, err error) {
	err = tx.QueryRow(`select hash from def_activation order by n desc limit 1`).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return hash, err
}

// keep stores a set and puts it in force, as far as the database is concerned.
func keep(tx *store.Tx, s *Set) error {
	files, err := pack(s.files)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`insert into def_set (hash, at, files) values (?, ?, ?) on conflict do nothing`, s.hash, tx.Now, files); err != nil {
		return err
	}
	_, err = tx.Exec(`insert into def_activation (n, hash, at) select coalesce(max(n), 0) + 1, ?, ? from def_activation`, s.hash, tx.Now)
	return err
}

// stored is the folder of a set.
func stored(ctx context.Context, db *store.DB, hash string) (folder fs.FS, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		var b []byte
		if err := tx.QueryRow(`select files from def_set where hash = ?`, hash).Scan(&b); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return reeve.E(reeve.NotFound, "def", "no set of definitions %s was ever in force", hash)
			}
			return err
		}
		folder, err = zip.NewReader(bytes.NewReader(b), int64(len(b)))
		return err
	})
	return folder, err
}

func activations(ctx context.Context, db *store.DB, max int) (out []Activation, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`select n, hash, at from def_activation order by n desc limit ?`, max)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a Activation
			var at int64
			if err := rows.Scan(&a.N, &a.Hash, &at); err != nil {
				return err
			}
			a.At = time.UnixMilli(at).UTC()
			out = append(out, a)
		}
		return rows.Err()
	})
	return out, err
}

// pack is a zip archive of files: the same bytes for the same files.
func pack(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
