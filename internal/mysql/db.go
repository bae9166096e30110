package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

var _ measure.Source = (*DB)(nil)

// DB is a database that is read or filled. Its methods may be called from several
// goroutines; those that read wait for one another.
type DB struct {
	config  Config
	address *driver.Config
	pool    *sql.DB
	maria   bool
	release string // "10.11.19-MariaDB", "8.0.36"

	mu sync.Mutex
	// sampling holds the transaction that samples are taken in, and sampled is when
	// it began.
	sampling *session
	sampled  time.Time

	known catalogue
}

// Open connects to the database at a URL. See [OpenWith].
func Open(ctx context.Context, url string) (*DB, error) { return OpenWith(ctx, Config{URL: url}) }

// OpenWith connects to a database. Its errors are [*rehearse.Error] with a hint, and
// never show the password; one is for servers that are too old.
func OpenWith(ctx context.Context, c Config) (*DB, error) {
	if c.StatementTimeout == 0 {
		c.StatementTimeout = time.Minute
	}
	pool, address, err := c.pool()
	if err != nil {
		return nil, err
	}
	db := &DB{config: c, address: address, pool: pool}
	if err := db.connect(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context) error {
	s, err := db.session(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	var version string
	if err := s.conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	var tooOld bool
	db.maria, db.release, tooOld = readVersion(version)
	if tooOld {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "the server is too old: " + version, Hint: "Use MariaDB 10.5 or newer, or MySQL 8.0.16 or newer."}
	}
	return nil
}

// readVersion takes apart what VERSION() says: "10.11.19-MariaDB-0+deb12u1",
// "8.0.36-0ubuntu0.22.04.1".
func readVersion(version string) (maria bool, release string, tooOld bool) {
	release, _, _ = strings.Cut(version, "-")
	maria = strings.Contains(version, "MariaDB")
	oldest := 8_00_16
	if maria {
		oldest = 10_05_00
	}
	number := 0
	for i, part := range strings.SplitN(release+".0.0", ".", 4) {
		n, _ := strconv.Atoi(part)
		if i < 3 {
			number = number*100 + n
		}
	}
	if maria {
		release += "-MariaDB"
	}
	return maria, release, number < oldest
}

// Close ends the connections, and with them the snapshot.
func (db *DB) Close() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.sampling != nil {
		db.sampling.close()
	}
	db.sampling = nil
	// Connections that a kill took are broken already.
	_ = db.pool.Close()
}

// Renew ends the snapshot that samples are taken from: the next one sees what has
// changed since.
func (db *DB) Renew() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.sampling != nil {
		db.sampling.close()
	}
	db.sampling = nil
}

// Schema is what [DB.Catalog] has read last; nil before.
func (db *DB) Schema() *schema.Schema {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.known.schema
}

// lockTimeout is how many seconds a statement of ours waits for a lock, and so how
// long others may have to queue behind it.
const lockTimeout = 2

// oldestSnapshot is for how long samples are taken from one snapshot. Meanwhile the
// server can purge no older version of a row, in any table.
const oldestSnapshot = 5 * time.Minute

// reading are the settings of a session that reads. A value's text depends on
// nothing but the value then.
func (db *DB) reading() []string {
	bound := fmt.Sprintf("SET SESSION max_execution_time = %d", db.config.StatementTimeout.Milliseconds())
	fresh := "SET SESSION information_schema_stats_expiry = 0"
	if db.maria {
		bound = fmt.Sprintf("SET SESSION max_statement_time = %g", db.config.StatementTimeout.Seconds())
		fresh = ""
	}
	out := []string{
		bound, "SET SESSION time_zone = '+00:00', sql_mode = ''", fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockTimeout),
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	}
	if fresh != "" {
		out = append(out, fresh)
	}
	return append(out, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
}

// read runs f in a transaction of its own.
func (db *DB) read(ctx context.Context, f func(*session) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	s, err := db.session(ctx, db.reading()...)
	if err != nil {
		return err
	}
	defer s.close()
	defer db.killing(ctx, s)()
	return explain(f(s))
}

// numberOf is the number of a server's error, or 0.
func numberOf(err error) uint16 {
	var server *driver.MySQLError
	if errors.As(err, &server) {
		return server.Number
	}
	return 0
}

// explain adds a hint to what a server says to a statement that reads.
func explain(err error) error {
	e := &rehearse.Error{Kind: rehearse.Unavailable, Err: err}
	switch numberOf(err) {
	case 1142, 1143, 1227:
		e.Hint = "GRANT SELECT on it to the user, or leave it out."
	case 1205:
		e.Hint = "Somebody holds a lock, as a migration does: try again when it is through."
	case 1969, 3024:
		e.Hint = "Read fewer rows, or allow a statement more time."
	default:
		return err
	}
	return e
}

// quote is a name as SQL writes it.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal is a text as SQL writes it, where sql_mode leaves the backslash its
// meaning.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(s) + "'"
}
