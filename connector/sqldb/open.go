package sqldb

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the "sqlite" driver

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

type engine string

const (
	postgres engine = "PostgreSQL"
	mariadb  engine = "MariaDB"
	sqlite   engine = "SQLite"
)

// database is a database, and how its statements are written.
type database struct {
	engine
	db      *sql.DB
	set     Settings
	zone    *time.Location
	timeout time.Duration
	id      string // of the interface
}

// open makes a database; it connects when it is first used. write asks for a connection
// that may write.
func open(c connector.Config, write bool) (*database, error) {
	d := &database{set: settings(c), id: c.ID}
	var problems []error
	check(c, func(_, message string) { problems = append(problems, errors.New("sql: "+message)) })
	if len(problems) > 0 {
		return nil, problems[0]
	}
	d.timeout = d.set.timeout()
	if d.set.Timeout == 0 && c.Timeout > 0 {
		d.timeout = c.Timeout
	}
	a, err := parse(c.Address)
	if err != nil {
		return nil, err
	}
	if d.zone, err = time.LoadLocation(d.set.Zone); err != nil {
		return nil, err
	}
	d.engine = a.engine
	switch a.engine {
	case postgres:
		d.db, err = openPostgres(c, a, d)
	case mariadb:
		d.db, err = openMariaDB(c, a, d)
	default:
		d.db, err = openSQLite(a, d, write)
	}
	if err != nil {
		return nil, err
	}
	d.db.SetMaxOpenConns(2)
	d.db.SetMaxIdleConns(1)
	d.db.SetConnMaxIdleTime(time.Minute)
	d.db.SetConnMaxLifetime(time.Hour)
	return d, nil
}

// Close lets go of the connections.
func (d *database) Close() error { return d.db.Close() }

// locks is how long to wait for somebody else's lock: less than for an answer, so that
// what holds the lock is told.
func (d *database) locks() time.Duration { return min(d.timeout/2, 10*time.Second) }

// said is an error that can be shown as it is.
type said string

func (e said) Error() string { return string(e) }

// credentials looks up who we are.
func credentials(c connector.Config) (user, password string, err error) {
	if user = c.Auth.User; strings.HasPrefix(user, "env:") {
		if user, err = c.Host.Secret(connector.Ref(user)); err != nil {
			return "", "", said(err.Error())
		}
	}
	if c.Auth.Password != "" {
		if password, err = c.Host.Secret(c.Auth.Password); err != nil {
			return "", "", said(err.Error())
		}
	}
	return user, password, nil
}

// encryption is nil where the connection is to be in clear.
func encryption(c connector.Config, a address, mode string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(a.host)
	if err != nil {
		return nil, said("the address cannot be read")
	}
	if mode == "" && c.Auth.Authority == "" && c.Auth.Certificate == "" && here(host) {
		mode = "off"
	}
	if mode == "off" {
		return nil, nil
	}
	config, err := httpclient.TLS(c.Auth, c.Host, true)
	if err != nil {
		return nil, said(err.Error())
	}
	config.ServerName = host
	return config, nil
}

func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

func dialer(c connector.Config, a address, d *database) *dial.Dialer {
	return &dial.Dialer{Address: c.Host.Address, Declared: []string{a.host}, Timeout: min(d.timeout, 10*time.Second)}
}

func openPostgres(c connector.Config, a address, d *database) (*sql.DB, error) {
	host, port, err := net.SplitHostPort(a.host)
	if err != nil {
		return nil, said("the address cannot be read: it looks like postgres://host/database")
	}
	u := url.URL{Scheme: "postgres", Host: net.JoinHostPort(host, port), Path: "/" + a.name, User: url.UserPassword("-", "-"), RawQuery: "sslmode=disable"}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, said("the address cannot be read: it looks like postgres://host/database")
	}
	// Nothing comes from the environment or from files that nobody named.
	config.Fallbacks, config.ValidateConnect, config.KerberosSrvName = nil, nil, ""
	config.ConnectTimeout = min(d.timeout, 10*time.Second)
	config.RuntimeParams = map[string]string{"application_name": "reeve", "client_encoding": "UTF8", "TimeZone": "UTC", "DateStyle": "ISO", "IntervalStyle": "iso_8601",
		"extra_float_digits": "1", "standard_conforming_strings": "on", "lock_timeout": fmt.Sprint(d.locks().Milliseconds())}
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec // the table may change between two statements
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = dialer(c, a, d).DialContext
	config.OnNotice = nil
	return stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) (err error) {
		if config.User, config.Password, err = credentials(c); err != nil {
			return err
		}
		config.TLSConfig, err = encryption(c, a, d.set.TLS)
		return err
	})), nil
}

func openMariaDB(c connector.Config, a address, d *database) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", a.host, a.name
	config.DialFunc = dialer(c, a, d).DialContext
	config.Timeout = min(d.timeout, 10*time.Second)
	config.ReadTimeout, config.WriteTimeout = d.timeout+time.Second, d.timeout+time.Second // COMMIT knows no context
	config.Logger = &mysql.NopLogger{}
	config.ClientFoundRows = true
	config.Collation = "utf8mb4_general_ci" // of the connection; columns keep their own
	config.Params = map[string]string{
		"time_zone":                "'+00:00'",
		"sql_mode":                 "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"innodb_lock_wait_timeout": fmt.Sprint(max(1, int(d.locks().Seconds()))),
		"lock_wait_timeout":        fmt.Sprint(max(1, int(d.locks().Seconds()))),
		"net_write_timeout":        "3600", // whoever takes the rows may be slow
	}
	err := config.Apply(mysql.BeforeConnect(func(_ context.Context, config *mysql.Config) (err error) {
		if config.User, config.Passwd, err = credentials(c); err != nil {
			return err
		}
		config.TLS, err = encryption(c, a, d.set.TLS)
		return err
	}))
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, said("the address cannot be read: it looks like mariadb://host/database")
	}
	return sql.OpenDB(connector), nil
}

func openSQLite(a address, d *database, write bool) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: a.name}).EscapedPath()}
	q := url.Values{"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", d.locks().Milliseconds()), "trusted_schema(0)", "query_only(1)"}}
	if write { // a file that is not there is not made
		q = url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", d.locks().Milliseconds()), "trusted_schema(0)", "synchronous(2)", "foreign_keys(1)"}}
	}
	u.RawQuery = q.Encode()
	return sql.Open("sqlite", u.String())
}

// quote makes a name of what may be anything.
func (e engine) quote(name string) string {
	if e == mariadb {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (e engine) quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = e.quote(n)
	}
	return strings.Join(quoted, ", ")
}

// table is the name of the table in a statement.
func (d *database) table() string {
	if d.set.Schema != "" {
		return d.quote(d.set.Schema) + "." + d.quote(d.set.Table)
	}
	return d.quote(d.set.Table)
}

// from is what a statement reads from.
func (d *database) from() string {
	if d.set.Query != "" {
		return "(" + d.set.Query + "\n) as q"
	}
	return d.table() + " as q"
}

// ref is a column of what is read: qualified, because ORDER BY takes a bare name for
// what is selected under it, and that is text.
func (d *database) ref(c column) string { return "q." + d.quote(c.name) }

// begin begins a transaction, on a new connection if one at rest has died meanwhile.
func (d *database) begin(ctx context.Context, opts *sql.TxOptions) (tx *sql.Tx, err error) {
	for range 2 {
		if tx, err = d.db.BeginTx(ctx, opts); err == nil || ctx.Err() != nil || answered(err) {
			break
		}
	}
	return tx, err
}

// what names the table for people.
func (d *database) what() string {
	if d.set.Query != "" {
		return "the query"
	}
	return "the table " + d.set.Table
}

// statement is one being written: text and parameters.
type statement struct {
	engine
	strings.Builder
	args []any
}

// plain adds a parameter and returns what stands for it.
func (s *statement) plain(v any) string {
	s.args = append(s.args, v)
	if s.engine == postgres {
		return fmt.Sprintf("$%d", len(s.args))
	}
	return "?"
}

// param adds a parameter that a column is compared with.
func (s *statement) param(c column, v any) string {
	mark := s.plain(v)
	if s.engine == mariadb { // it compares text with a number or a time inexactly
		switch c.kind {
		case decimal:
			return fmt.Sprintf("cast(? as decimal(65,%d))", min(max(c.scale, 0), 30))
		case civil, instant:
			return "cast(? as datetime(6))"
		case day:
			return "cast(? as date)"
		}
	}
	return mark
}
