// Package sqldb reads records out of tables of PostgreSQL, MariaDB and SQLite, and
// writes records into them.
//
// What is guaranteed. Values never stand in a statement: they are parameters. Names are
// quoted. Reading happens in transactions that may not write. What a value becomes in
// JSON is exact: numbers keep every digit, times say their zone. Writing is one
// transaction for each call, so that a call whose end is not known can be repeated: by
// upsert on a unique key, or by the id of the delivery in a staging table. Errors hold
// no value of a row, no address and no secret.
//
// What not to assume. Reading by a cursor sees a row again only when its cursor moved on:
// a delete is not seen, nor is a transaction that wrote a lower cursor and was committed
// later than lag. A full extract sees both, at the price of reading everything.
package sqldb

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector"
)

// Settings is what an Interface says about its table, under settings.sql.
type Settings struct {
	Schema   string              `json:"schema,omitempty" doc:"Schema of the table. Default: the one that the database gives our user."`
	Table    string              `json:"table,omitempty" doc:"Table or view to read, or table to write. The name is taken as it stands, in capitals and small letters."`
	Query    string              `json:"query,omitempty" doc:"To read, in place of table: a SELECT, without a semicolon at its end."`
	Columns  map[string]string   `json:"columns,omitempty" doc:"Columns to read or write, each with the field that it is: a name, or a JSON Pointer. Default: all, under their own names; to write, those that the record has."`
	Cursor   string              `json:"cursor,omitempty" doc:"To read what is new: a column that grows with every change of a row, such as a time of change or a number of a sequence. Without it every look reads everything."`
	Unique   []string            `json:"unique,omitempty" doc:"To read: columns that together tell two rows apart, and stay as they are. Needed with cursor, whose value several rows may share."`
	Lag      *connector.Duration `json:"lag,omitempty" doc:"With cursor: how long a transaction that writes to the table may take. So long Reeve waits before it reads what it has just seen, so that a row that is committed late is not passed over. Default 5s; 0s where one program alone writes."`
	Key      []string            `json:"key,omitempty" doc:"To write: columns, with a unique index, that tell which row a record is. The row is changed, or made if it is not there."`
	Delivery string              `json:"delivery,omitempty" doc:"To write, in place of key: the column, with a unique index, of a staging table that takes the id of the delivery. Every record is a new row, a repeat is none."`
	Body     string              `json:"body,omitempty" doc:"To write: a column that takes the whole record as JSON."`
	Zone     string              `json:"zone,omitempty" doc:"Zone of times that say none (timestamp, DATETIME): Europe/Copenhagen. Default UTC."`
	TLS      string              `json:"tls,omitempty" def:"enum=verify|off" doc:"verify: encrypted, with a certificate that is checked (auth.authority). off: in clear, for a network that nobody else is in. Default verify, or off on this machine."`
	Timeout  connector.Duration  `json:"timeout,omitempty" doc:"How long to wait for an answer of the database: for the first rows of a query, the next rows, a write. Default 30s."`
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "sql", Schemes: []string{"postgres", "postgresql", "mariadb", "mysql", "sqlite"}, Once: true,
	Doc: "Tables of PostgreSQL (postgres://host:5432/database), MariaDB (mariadb://host:3306/database) and SQLite (sqlite:///folder/file.db).",
	Promise: connector.Promise{
		Order:  "With a cursor rows are read in its order, rows that share a value in the order of their unique columns. Records are written in the order in which they were accepted.",
		Repeat: "Every row is read once for each value of its cursor. A record that is written again changes its row to what it is, or, in a staging table, is there already.",
		Ack:    "A record counts as delivered when the database has said that its transaction is committed.",
	},
	Settings: new(Settings),
	Check:    check,
	Source:   func(c connector.Config) (connector.Source, error) { return newSource(c) },
	Sink:     func(c connector.Config) (connector.Sink, error) { return newSink(c) },
}

func settings(c connector.Config) Settings {
	if s, ok := c.Settings.(*Settings); ok && s != nil {
		return *s
	}
	return Settings{}
}

func check(c connector.Config, problem func(path, message string)) {
	s := settings(c)
	switch {
	case s.Table == "" && s.Query == "":
		problem("table", "say which table, or to read a query")
	case s.Table != "" && s.Query != "":
		problem("query", "give table or query, not both")
	case s.Query != "" && len(s.Key)+len(s.Delivery)+len(s.Body) > 0:
		problem("query", "a query is for reading: key, delivery and body write to a table")
	}
	if s.Query != "" && (strings.HasSuffix(strings.TrimSpace(s.Query), ";") || !utf8.ValidString(s.Query) || strings.Contains(s.Query, "\x00")) {
		problem("query", "write one SELECT, without a semicolon at its end")
	}
	if s.Cursor != "" && len(s.Unique) == 0 {
		problem("unique", "say which columns tell two rows apart: several rows may share a value of the cursor")
	}
	if s.Cursor == "" && s.Lag != nil {
		problem("lag", "lag goes with cursor")
	}
	if len(s.Key) > 0 && s.Delivery != "" {
		problem("delivery", "give key or delivery, not both")
	}
	checkNames(s, problem)
	if _, err := time.LoadLocation(s.Zone); err != nil {
		problem("zone", "the zone is not known: write it like Europe/Copenhagen")
	}
	if c.Address != "" {
		if a, err := parse(c.Address); err != nil {
			problem("", err.Error())
		} else if a.engine != sqlite && c.Auth.User == "" {
			problem("", "auth.user is needed: the user of the database, or env:NAME")
		}
	}
}

func checkNames(s Settings, problem func(path, message string)) {
	name := func(path, n string) {
		switch {
		case n == "":
			problem(path, "a name of a column is empty")
		case len(n) > 128, !utf8.ValidString(n), strings.Contains(n, "\x00"):
			problem(path, "this cannot be a name in a database")
		}
	}
	for path, n := range map[string]string{"schema": s.Schema, "table": s.Table, "cursor": s.Cursor, "delivery": s.Delivery, "body": s.Body} {
		if n != "" {
			name(path, n)
		}
	}
	for path, list := range map[string][]string{"unique": s.Unique, "key": s.Key} {
		for i, n := range list {
			name(fmt.Sprintf("%s[%d]", path, i), n)
			if slices.Contains(list[:i], n) {
				problem(fmt.Sprintf("%s[%d]", path, i), "this column is named twice")
			}
		}
	}
	if len(s.Unique) > 8 || len(s.Key) > 16 {
		problem("unique", "these are too many columns")
	}
	seen := map[string]bool{}
	for column, field := range s.Columns {
		name("columns", column)
		if field == "" || seen[field] {
			problem("columns."+column, "give each column a field of its own")
		}
		seen[field] = true
	}
	for _, n := range s.Key {
		if _, ok := s.Columns[n]; !ok && len(s.Columns) > 0 {
			problem("key", "the columns of the key must be among columns")
		}
	}
	for _, n := range []string{s.Delivery, s.Body} {
		if _, ok := s.Columns[n]; ok {
			problem("columns."+n, "this column is written by delivery or body already")
		}
	}
}

// address is where a database is.
type address struct {
	engine engine
	host   string // with its port
	name   string // of the database, or the path of the file
}

func parse(text string) (a address, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return a, fmt.Errorf("the address cannot be read: it looks like postgres://host/database")
	}
	port := ""
	switch u.Scheme {
	case "postgres", "postgresql":
		a.engine, port = postgres, "5432"
	case "mariadb", "mysql":
		a.engine, port = mariadb, "3306"
	case "sqlite":
		a.engine, a.name = sqlite, u.Path
		if u.Host != "" || len(strings.Trim(u.Path, "/")) == 0 {
			return a, fmt.Errorf("the address names no file: it looks like sqlite:///folder/file.db")
		}
		return a, nil
	}
	a.name = strings.Trim(u.Path, "/")
	if u.Hostname() == "" || a.name == "" || strings.Contains(a.name, "/") || strings.Contains(a.name, "\x00") {
		return a, fmt.Errorf("the address names no host or no database: it looks like %s://host:%s/database", u.Scheme, port)
	}
	if a.host = u.Host; u.Port() == "" {
		a.host += ":" + port
	}
	return a, nil
}

func (s Settings) lag() time.Duration {
	if s.Lag == nil {
		return 5 * time.Second
	}
	return time.Duration(*s.Lag)
}

func (s Settings) timeout() time.Duration {
	return cmp.Or(time.Duration(s.Timeout), 30*time.Second)
}
