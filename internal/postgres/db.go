package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

var _ measure.Source = (*DB)(nil)

// DB is a database that is read. Its methods may be called from several
// goroutines; they wait for one another.
type DB struct {
	config  Config
	version int // server_version_num
	release string

	mu   sync.Mutex
	conn *pgx.Conn
	// sampling holds the transaction that samples are taken in, and sampled is when
	// it began.
	sampling *pgx.Conn
	sampled  time.Time

	known catalogue
}

// Open connects to the database at a URL. See [OpenWith].
func Open(ctx context.Context, url string) (*DB, error) { return OpenWith(ctx, Config{URL: url}) }

// OpenWith connects to a database. Errors are those of [Connect], and one for a
// server older than PostgreSQL 12.
func OpenWith(ctx context.Context, c Config) (*DB, error) {
	if c.StatementTimeout == 0 {
		c.StatementTimeout = time.Minute
	}
	conn, err := Connect(ctx, c)
	if err != nil {
		return nil, err
	}
	db := &DB{config: c, conn: conn}
	err = conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('server_version_num')::int4, split_part(current_setting('server_version'), ' ', 1)").Scan(&db.version, &db.release)
	if err == nil && db.version < 120000 {
		err = &rehearse.Error{Kind: rehearse.Unavailable, Msg: "PostgreSQL " + db.release + " is too old", Hint: "Use PostgreSQL 12 or newer."}
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// Close ends the connections, and with them the snapshot.
func (db *DB) Close() {
	db.mu.Lock()
	defer db.mu.Unlock()
	// A server that does not answer must not hold up the end.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, conn := range []*pgx.Conn{db.conn, db.sampling} {
		if conn != nil {
			_ = conn.Close(ctx)
		}
	}
	db.sampling = nil
}

// Renew ends the snapshot that samples are taken from: the next one sees what has
// changed since.
func (db *DB) Renew() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.sampling != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = db.sampling.Close(ctx)
	}
	db.sampling = nil
}

// Schema is what [DB.Catalog] has read last; nil before.
func (db *DB) Schema() *schema.Schema {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.known.schema
}

// since is one of two pieces of SQL, the first from a major version on.
func (db *DB) since(major int, sql, before string) string {
	if db.version >= major*10000 {
		return sql
	}
	return before
}

// lockTimeout is how long a statement of ours waits for a lock, and so how long
// others may have to queue behind it.
const lockTimeout = 2 * time.Second

// oldestSnapshot is for how long samples are taken from one snapshot. Meanwhile the
// server can remove no row that somebody has deleted, in any table.
const oldestSnapshot = 5 * time.Minute

// begin opens a transaction that can only read, with settings that make a value's
// text depend on nothing but the value.
func (db *DB) begin(ctx context.Context, conn *pgx.Conn) error {
	settings := []string{
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		fmt.Sprintf("SET LOCAL statement_timeout = %d", db.config.StatementTimeout.Milliseconds()),
		fmt.Sprintf("SET LOCAL lock_timeout = %d", lockTimeout.Milliseconds()),
		// Should this process hang, the snapshot goes all the same.
		fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d", oldestSnapshot.Milliseconds()),
		"SET LOCAL datestyle = 'ISO, YMD'", "SET LOCAL intervalstyle = 'postgres'", "SET LOCAL timezone = 'UTC'",
		"SET LOCAL extra_float_digits = 1", "SET LOCAL bytea_output = 'hex'",
		// A table of which the role may see only some rows is an error, not a smaller table.
		"SET LOCAL row_security = off",
		// Queries of the catalogue have a high cost and little to do: to compile one
		// takes a second, and to run it milliseconds.
		"SET LOCAL jit = off",
	}
	_, err := conn.PgConn().Exec(ctx, strings.Join(settings, ";\n")).ReadAll()
	return err
}

// read runs f in a transaction of its own.
func (db *DB) read(ctx context.Context, f func(*pgx.Conn) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn.IsClosed() {
		conn, err := Connect(ctx, db.config)
		if err != nil {
			return err
		}
		db.conn = conn
	}
	if err := db.begin(ctx, db.conn); err != nil {
		return explain(err)
	}
	err := f(db.conn)
	// Nothing was written, so there is nothing to commit.
	if _, end := db.conn.Exec(context.WithoutCancel(ctx), "ROLLBACK"); err == nil {
		err = end
	}
	return explain(err)
}

// collect runs a query whose columns are the fields of T.
func collect[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// explain adds a hint to what a server says to a statement.
func explain(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return err
	}
	e := &rehearse.Error{Kind: rehearse.Unavailable, Err: err}
	switch {
	case server.Code == "42501" && strings.Contains(server.Message, "row-level security"):
		e.Hint = "The role sees only some of the rows: use one with BYPASSRLS, or leave the table out."
	case server.Code == "42501":
		e.Hint = "GRANT SELECT on it to the role, or leave it out."
	case server.Code == "55P03":
		e.Hint = "Somebody holds a lock, as a migration does: try again when it is through."
	case server.Code == "57014" && strings.Contains(server.Message, "statement timeout"):
		e.Hint = "Read fewer rows, or allow a statement more time."
	case server.Code == "40001" && strings.Contains(server.Message, "recovery"):
		e.Hint = "The standby cancelled the reading to keep up with its primary: raise max_standby_streaming_delay, or try again."
	default:
		return err
	}
	return e
}

// quote is a name as SQL writes it.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
