package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// server is a real PostgreSQL.
type server struct{ bin, dir string }

func startServer(t *testing.T) server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not in Debian's place: apt-get install postgresql")
	}
	// Not t.TempDir: its parent is closed to the user that the server runs as.
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	s := server{bin: filepath.Dir(found[len(found)-1]), dir: dir}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "me", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	run := s.command("postgres", "-D", filepath.Join(dir, "data"), "-c", "listen_addresses=", "-k", dir, "-c", "fsync=off", "-c", "shared_buffers=16MB")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run.Process.Signal(os.Interrupt)
		run.Wait()
	})
	return s
}

// command is one of the server's programs. A server refuses to run as root.
func (s server) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(s.bin, name)}, args...)
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	return cmd
}

func (s server) dial(t *testing.T) net.Conn {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		c, err := net.Dial("unix", filepath.Join(s.dir, ".s.PGSQL.5432"))
		if err == nil {
			return c
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// connect makes a client's connection through an editor with faults.
func (s server) connect(t *testing.T, mode string, faults ...rehearse.Fault) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("host=localhost user=me database=postgres sslmode=disable default_query_exec_mode=" + mode)
	if err != nil {
		t.Fatal(err)
	}
	for {
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			return wiretest.Carry(t, s.dial(t), New(wiretest.NewDecider(t, faults...), false)), nil
		}
		c, err := pgx.ConnectConfig(t.Context(), config)
		var e *pgconn.PgError
		switch {
		case err == nil:
			t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
			return c
		case errors.As(err, &e) && e.Code == "57P03": // it is starting
		default:
			t.Fatal(err)
		}
	}
}

// perform runs a statement in a mode. pgx itself would use simple queries where
// there are no arguments.
func perform(ctx context.Context, c *pgx.Conn, mode, sql string) error {
	switch mode {
	case "simple_protocol":
		_, err := c.PgConn().Exec(ctx, sql).ReadAll()
		return err
	case "exec":
		return c.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read().Err
	}
	sd, err := c.Prepare(ctx, sql, sql)
	if err != nil {
		return err
	}
	return c.PgConn().ExecPrepared(ctx, sd.Name, nil, nil, nil).Read().Err
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestRealServer(t *testing.T) {
	s := startServer(t)
	plain := s.connect(t, "simple_protocol")
	rows := func(t *testing.T, want int) {
		t.Helper()
		var got int
		if err := plain.QueryRow(t.Context(), "select count(*) from t").Scan(&got); err != nil || got != want {
			t.Errorf("%d rows (%v), want %d", got, err, want)
		}
		_, err := plain.Exec(t.Context(), "truncate t")
		check(t, "truncate", err, "")
	}
	if _, err := plain.Exec(t.Context(), "create table t (id int primary key)"); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"simple_protocol", "exec", "cache_describe", "cache_statement"} {
		t.Run(mode, func(t *testing.T) {
			ctx := t.Context()
			c := s.connect(t, mode, rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "values \\(.*\\) -- pay|^commit"}})
			do := func(what, want string) {
				t.Helper()
				check(t, what, perform(ctx, c, mode, what), want)
			}
			status := func(want string) {
				t.Helper()
				if got := string(c.PgConn().TxStatus()); got != want {
					t.Errorf("transaction status is %s, want %s", got, want)
				}
			}
			do("insert into t values (1)", "")
			do("insert into t values (2) -- pay", "40001")
			do("insert into t values (2) -- pay", "40001")
			status("I")
			rows(t, 1)

			// A statement that fails takes its transaction along.
			do("begin", "")
			do("insert into t values (1)", "")
			do("insert into t values (2) -- pay", "40001")
			status("E")
			do("insert into t values (3)", "25P02")
			do("insert into t values (2) -- pay", "25P02")
			do("rollback", "")
			status("I")
			rows(t, 0)

			// So does a commit, and ends it.
			do("begin", "")
			do("insert into t values (1)", "")
			do("commit", "40001")
			status("I")
			rows(t, 0)

			// A batch is one transaction, and ends where it fails.
			var b pgx.Batch
			b.Queue("insert into t values (1)")
			b.Queue("insert into t values (2) -- pay")
			b.Queue("insert into t values (3)")
			check(t, "batch", c.SendBatch(ctx, &b).Close(), "40001")
			status("I")
			rows(t, 0)

			// One that fails by itself is not failed again.
			b = pgx.Batch{}
			b.Queue("insert into t values (1)")
			b.Queue("insert into t values (1)")
			b.Queue("insert into t values (3) -- pay")
			err := c.SendBatch(ctx, &b).Close()
			if got := code(err); got != "23505" && !(mode == "simple_protocol" && got == "40001") {
				t.Errorf("batch that fails by itself: got %q", got)
			}
			rows(t, 0)

			_, err = c.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {2}}))
			check(t, "copy", err, "")
			rows(t, 2)

			r := s.connect(t, mode, rehearse.Fault{Kind: rehearse.FaultReadOnly})
			check(t, "insert", perform(ctx, r, mode, "with a as (select 1 id) insert into t select id from a"), "25006")
			check(t, "select", perform(ctx, r, mode, "select 1"), "")
			rows(t, 0)

			k := s.connect(t, mode, rehearse.Fault{Kind: rehearse.FaultSQLKill, Match: rehearse.Match{Statement: "insert"}})
			check(t, "outside of a transaction", perform(ctx, k, mode, "insert into t values (1)"), "")
			check(t, "begin", perform(ctx, k, mode, "begin"), "")
			check(t, "update", perform(ctx, k, mode, "update t set id = 9"), "")
			check(t, "inside of a transaction", perform(ctx, k, mode, "insert into t values (2)"), "57P01")
			if perform(ctx, k, mode, "select 1") == nil {
				t.Error("the connection is open after a kill")
			}
			rows(t, 1)
		})
	}
	t.Run("chance", func(t *testing.T) { s.chance(t, rows) })
	t.Run("programs", func(t *testing.T) { s.programs(t) })
}

// sometimes lets a fault touch one request in four.
type sometimes struct {
	*wiretest.Decider
	rng *rand.Rand
}

func (s sometimes) Decide(q *wire.Request) []*rehearse.Fault {
	if faults := s.Decider.Decide(q); s.rng.IntN(4) == 0 {
		return faults
	}
	return nil
}

// chance lets statements fail at random and keeps account of the rows that must
// be there, as a client would that believes what it is told.
func (s server) chance(t *testing.T, rows func(*testing.T, int)) {
	ctx, rng := t.Context(), rand.New(rand.NewPCG(1, 2))
	config, err := pgx.ParseConfig("host=localhost user=me database=postgres sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	var lost atomic.Bool
	d := wiretest.NewDecider(t, rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001"})
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return wiretest.Carry(t, s.dial(t), wiretest.Watch(New(sometimes{d, rng}, false), &lost)), nil
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	next, want := 0, 0
	do := func(sql string) bool {
		err := perform(ctx, c, []string{"simple_protocol", "exec", "cache_statement"}[next%3], sql)
		if got := code(err); err != nil && got != "40001" && got != "25P02" {
			t.Fatalf("%s: %v", sql, err)
		}
		return err == nil
	}
	insert := func() (n int) {
		next++
		if next%5 > 0 {
			if do(fmt.Sprintf("insert into t values (%d)", next)) {
				return 1
			}
			return 0
		}
		var b pgx.Batch
		for range 3 {
			next++
			b.Queue("insert into t values ($1)", next)
		}
		if err := c.SendBatch(ctx, &b).Close(); err != nil {
			return 0
		}
		return 3
	}
	for range 200 {
		if next++; next%2 == 0 || !do("begin") {
			want += insert()
			continue
		}
		n, all := 0, true
		for range 3 {
			k := insert()
			n, all = n+k, all && k > 0
		}
		next++
		switch {
		case next%4 == 0:
			if !do("rollback") {
				t.Fatal("a rollback has failed")
			}
		case do("commit") && all:
			want += n
		}
		if got := c.PgConn().TxStatus(); got == 'E' {
			do("rollback")
		} else if got != 'I' {
			t.Fatalf("transaction status is %c behind its end", got)
		}
	}
	if lost.Load() || d.Requests("sql-error") < 50 {
		t.Errorf("lost is %v, and %d statements failed", lost.Load(), d.Requests("sql-error"))
	}
	c.Close(ctx)
	rows(t, want)
}

// programs holds that the editor follows what real programs say to the end.
func (s server) programs(t *testing.T) {
	var lost atomic.Bool
	port := wiretest.Listen(t, func() net.Conn { return s.dial(t) }, func() wire.Editor {
		return wiretest.Watch(New(wire.Nobody{}, false), &lost)
	})
	for _, c := range []struct{ program, args string }{
		{"pgbench", "-i -q"}, {"pgbench", "-n -t 20 -M simple"}, {"pgbench", "-n -t 20 -M extended"}, {"pgbench", "-n -t 20 -M prepared"},
		{"pg_dump", ""},
		{"psql", `-v|ON_ERROR_STOP=1|-c|\copy pgbench_branches to program 'cat > /dev/null'|-c|select 1; select 2|-c|\d`},
	} {
		args := strings.Fields(c.args)
		if c.program == "psql" {
			args = strings.Split(c.args, "|")
		}
		args = append([]string{"-h", "127.0.0.1", "-p", port, "-U", "me"}, args...)
		cmd := s.command(c.program, append(args, "postgres")...)
		cmd.Env = append(os.Environ(), "PGSSLMODE=prefer", "PGOPTIONS=-c client_min_messages=warning")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s %s: %v\n%s", c.program, c.args, err, out)
		}
		if lost.Swap(false) {
			t.Errorf("%s %s: the editor lost its way", c.program, c.args)
		}
	}
}
