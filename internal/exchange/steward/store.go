package steward

import (
	"embed"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// find returns until when a thing is open to an actor, the zero time if it is not.
func find(tx *store.Tx, actor string, about reeve.Ref) (time.Time, error) {
	var until int64
	err := tx.QueryRow(`select until from steward_opened where actor = ? and about = ?`, actor, string(about)).Scan(&until)
	until, _, err = store.Maybe(until, err)
	return store.Moment(until), err
}

// put opens a thing, and forgets what is open no more.
func put(tx *store.Tx, actor string, about reeve.Ref, until time.Time) error {
	if _, err := tx.Exec(`delete from steward_opened where until < ?`, tx.Now); err != nil {
		return err
	}
	_, err := tx.Exec(`insert into steward_opened (actor, about, until) values (?, ?, ?)
		on conflict (actor, about) do update set until = excluded.until`, actor, string(about), until)
	return err
}
