package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	driver3 "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// fault is what went wrong, for people.
type fault struct {
	outcome connector.Outcome // Refused, Later; Unclear where the server said something that tells nothing
	message string            // holds no value of a row and nothing of the address
	raised  string            // what a trigger of the database said; it may hold values
}

func (f fault) Error() string { return f.message }

// faultOf puts an error of a database in plain words. What a database says itself may
// hold values, so that its words are used only for names.
func (d *database) faultOf(err error) fault {
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
		lite *driver3.Error
		own  said
		f    fault
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &own):
		return fault{outcome: connector.Later, message: string(own)}
	case errors.As(err, &pg):
		return d.ofPostgres(pg)
	case errors.As(err, &my):
		return d.ofMariaDB(my)
	case errors.As(err, &lite):
		return d.ofSQLite(lite)
	case errors.Is(err, mysql.ErrNoTLS), strings.Contains(err.Error(), "server refused TLS"):
		return fault{outcome: connector.Later, message: "the server does not encrypt: let it, or set tls: off if nobody else is in the network"}
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn):
		return fault{outcome: connector.Later, message: "the connection broke"}
	case errors.Is(err, context.Canceled):
		return fault{outcome: connector.Later, message: "it was stopped"}
	}
	text := plain.Reason(err)
	if text == plain.Clip(err.Error()) { // unknown: its frame may name the address and the user
		for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
			err = next
		}
		text = plain.Reason(err)
	}
	return fault{outcome: connector.Later, message: strings.Join(strings.Fields(text), " ")}
}

func (d *database) gone() string {
	text := d.what() + " is not in the database, or our user may not see it"
	if d.set.Query != "" {
		text = "a table of the query is not in the database, or our user may not see it"
	} else if d.set.Schema == "" && strings.Contains(d.set.Table, ".") {
		text += ": if the part before the dot is its schema, write it as schema"
	}
	return text
}

func (d *database) forbidden() string {
	return "our user has no right to do this with " + d.what() + ": grant it"
}

const (
	badLogin  = "the database does not accept our user and password"
	locked    = "somebody else holds a lock on the rows or the table"
	slow      = "it did not answer in time"
	deadlock  = "another transaction stood in the way"
	readOnly  = "the database does not take writes at the moment: it may be a copy, or full"
	busy      = "the database has no connection or no room left for us"
	duplicate = "another row has the same value in a unique index"
	noParent  = "it names a row of another table that is not there"
)

// refusals of the value itself, by SQLSTATE.
var refusals = map[string]string{
	"22001": "a text is longer than its column", "22003": "a number is too large for its column", "22007": "a date or time is not one", "22008": "a date or time is out of range",
	"22021": "a text holds a character that the database cannot keep", "22P02": "a value is not of its column's type", "22P05": "a text holds a character that the database cannot keep",
	"23502": "a column that must be filled has no value", "23503": noParent, "23505": duplicate, "23514": "a check of the table does not allow it", "44000": "the view does not allow it",
}

func (d *database) ofPostgres(e *pgconn.PgError) fault {
	why, known := refusals[e.Code]
	class := e.Code[:min(2, len(e.Code))]
	switch {
	case e.Code == "P0001":
		return fault{outcome: connector.Refused, message: "the database's own rule refuses it", raised: e.Message}
	case e.Code == "42804", e.Code == "54000", e.Code == "21000", class == "22", class == "23", known:
		if !known {
			why = "the database does not take it (SQLSTATE " + e.Code + ")"
		}
		return fault{outcome: connector.Refused, message: why + named(" (column ", e.ColumnName, ")") + named(" (", e.ConstraintName, ")")}
	case e.Code == "42P01", e.Code == "3F000":
		return fault{outcome: connector.Later, message: d.gone()}
	case e.Code == "42703":
		return fault{outcome: connector.Later, message: "a column that is asked for is not in " + d.what()}
	case e.Code == "42P10":
		return fault{outcome: connector.Later, message: d.noIndex()}
	case e.Code == "42501":
		return fault{outcome: connector.Later, message: d.forbidden()}
	}
	for code, why := range map[string]string{"28P01": badLogin, "28000": badLogin, "3D000": "there is no database of this name", "55P03": locked, "57014": slow, "40001": deadlock,
		"40P01": deadlock, "25006": readOnly, "57P01": "the database is being stopped", "57P02": "the database is being stopped", "57P03": "the database is starting or stopping"} {
		if e.Code == code {
			return fault{outcome: connector.Later, message: why}
		}
	}
	if class == "53" {
		return fault{outcome: connector.Later, message: busy}
	}
	return fault{outcome: connector.Later, message: "the database said no (SQLSTATE " + e.Code + ")"}
}

func (d *database) noIndex() string {
	return fmt.Sprintf("%s has no unique index on %s: make one, so that a repeat changes the same row", d.what(), strings.Join(d.identity(), ", "))
}

// identity is the columns that a repeat is recognised by.
func (d *database) identity() []string {
	if d.set.Delivery != "" {
		return []string{d.set.Delivery}
	}
	return d.set.Key
}

func named(before, name, after string) string {
	if name == "" {
		return ""
	}
	return before + plain.Clip(name) + after
}

var mariaRefusals = map[uint16]string{
	1048: refusals["23502"], 1364: refusals["23502"], 1062: duplicate, 1586: duplicate, 1264: refusals["22003"], 1406: refusals["22001"], 1292: refusals["22007"],
	1366: "a value is not of its column's type, or holds a character that the column cannot keep", 1265: "a value is not of its column's type", 1452: noParent, 1216: noParent,
	1451: "other rows depend on it", 4025: refusals["23514"], 3819: refusals["23514"], 1369: refusals["44000"], 4038: "it is not JSON as the column wants it", 1118: "it is too large for a row", 1153: "it is larger than the server takes",
}

var mariaLater = map[uint16]string{
	1044: badLogin, 1045: badLogin, 1698: badLogin, 1130: "the server does not take connections from this machine", 1049: "there is no database of this name", 1205: locked, 1213: deadlock, 3024: slow, 1969: slow, 1317: slow,
	1290: readOnly, 1792: readOnly, 1836: readOnly, 1114: readOnly, 1021: readOnly, 1040: busy, 1203: busy, 1226: busy, 1053: "the database is being stopped", 1060: "the query has two columns of one name: give each one of its own", 3159: "the server wants an encrypted connection: tls: verify",
}

func (d *database) ofMariaDB(e *mysql.MySQLError) fault {
	switch e.Number {
	case 1644:
		return fault{outcome: connector.Refused, message: "the database's own rule refuses it", raised: e.Message}
	case 1146, 1109, 1051:
		return fault{outcome: connector.Later, message: d.gone()}
	case 1054:
		return fault{outcome: connector.Later, message: "a column that is asked for is not in " + d.what()}
	case 1142, 1143, 1370, 1227:
		return fault{outcome: connector.Later, message: d.forbidden()}
	}
	if why, ok := mariaRefusals[e.Number]; ok {
		return fault{outcome: connector.Refused, message: why}
	}
	if why, ok := mariaLater[e.Number]; ok {
		return fault{outcome: connector.Later, message: why}
	}
	switch state := string(e.SQLState[:]); {
	case strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"):
		return fault{outcome: connector.Refused, message: fmt.Sprintf("the database does not take it (error %d)", e.Number)}
	}
	return fault{outcome: connector.Later, message: fmt.Sprintf("the database said no (error %d)", e.Number)}
}

func (d *database) ofSQLite(e *driver3.Error) fault {
	text := e.Error()
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault{outcome: connector.Later, message: locked}
	case sqlite3.SQLITE_CANTOPEN:
		return fault{outcome: connector.Later, message: "the file of the database is not there, or we may not read it"}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL:
		return fault{outcome: connector.Later, message: readOnly}
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fault{outcome: connector.Later, message: "the file is not a SQLite database, or it is damaged"}
	case sqlite3.SQLITE_INTERRUPT:
		return fault{outcome: connector.Later, message: slow}
	case sqlite3.SQLITE_TOOBIG:
		return fault{outcome: connector.Refused, message: "it is larger than the database takes"}
	case sqlite3.SQLITE_MISMATCH:
		return fault{outcome: connector.Refused, message: refusals["22P02"]}
	case sqlite3.SQLITE_CONSTRAINT:
		return d.constraint(code, text)
	}
	switch {
	case strings.Contains(text, "no such table"):
		return fault{outcome: connector.Later, message: d.gone()}
	case strings.Contains(text, "no such column"), strings.Contains(text, "has no column"):
		return fault{outcome: connector.Later, message: "a column that is asked for is not in " + d.what()}
	case strings.Contains(text, "ON CONFLICT clause does not match"):
		return fault{outcome: connector.Later, message: d.noIndex()}
	}
	return fault{outcome: connector.Later, message: fmt.Sprintf("the database said no (SQLite error %d)", e.Code())}
}

func (d *database) constraint(code int, text string) fault {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return fault{outcome: connector.Refused, message: "the database's own rule refuses it", raised: strings.TrimSuffix(strings.TrimPrefix(text, "constraint failed: "), " (1811)")}
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fault{outcome: connector.Refused, message: duplicate}
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return fault{outcome: connector.Refused, message: refusals["23502"]}
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault{outcome: connector.Refused, message: noParent}
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return fault{outcome: connector.Refused, message: refusals["23514"]}
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return fault{outcome: connector.Refused, message: refusals["22P02"]}
	}
	return fault{outcome: connector.Refused, message: "a constraint of the table does not allow it"}
}

// answered reports whether it is the database itself that says no.
func answered(err error) bool {
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
		lite *driver3.Error
		own  said
	)
	return errors.As(err, &pg) || errors.As(err, &my) || errors.As(err, &lite) || errors.As(err, &own)
}

// undone reports whether a database that answered so to COMMIT has for sure undone the
// transaction. Where it says anything else, or nothing, nobody knows.
func undone(err error) bool {
	var (
		pg   *pgconn.PgError
		my   *mysql.MySQLError
		lite *driver3.Error
	)
	switch {
	case errors.As(err, &pg):
		return slices.Contains([]string{"22", "23", "25", "40", "P0"}, pg.Code[:min(2, len(pg.Code))])
	case errors.As(err, &my):
		return slices.Contains([]string{"22", "23", "40"}, string(my.SQLState[:2]))
	case errors.As(err, &lite):
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
	}
	return false
}
