package peers

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rehearse-dev/rehearse"
)

// database is a real PostgreSQL with pgbench's tables.
type database struct{ bin, dir string }

func startPostgres(t *testing.T) database {
	t.Helper()
	needs(t, "postgresql", "initdb", "postgres", "psql", "pgbench")
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not in Debian's place: apt-get install postgresql")
	}
	// Not t.TempDir: its parent is closed to the user that the server runs as.
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		t.Fatal(err)
	}
	d := database{bin: filepath.Dir(found[len(found)-1]), dir: dir}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := d.command("initdb", "-D", data, "-U", "me", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := d.command("postgres", "-D", data, "-c", "listen_addresses=", "-k", dir, "-c", "fsync=off", "-c", "shared_buffers=32MB")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	var said []byte
	eventually(t, "PostgreSQL answers", func() bool {
		said, err = run(t.Context(), nil, "pgbench", "-i", "-q", "-s", "1", d.dsn(carried{}))
		return err == nil || !strings.Contains(err.Error(), "starting up") && !strings.Contains(err.Error(), "No such file")
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return d
}

// command is one of the server's programs. A server refuses to run as root.
func (d database) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(d.bin, name)}, args...)
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = d.dir
	return cmd
}

// dsn says how to reach the server over a link, or straight without one.
func (d database) dsn(c carried) string {
	host, port := d.dir, "5432"
	if c.Link != nil {
		host, port, _ = net.SplitHostPort(c.addr)
	}
	return fmt.Sprintf("host=%s port=%s user=me dbname=postgres sslmode=disable", host, port)
}

func (d database) link(t testing.TB, tier rehearse.Tier) carried {
	return serveStream(t, tier, "unix", filepath.Join(d.dir, ".s.PGSQL.5432"), nil)
}

// rows are a table in COPY's CSV.
var rows = func() []byte {
	var b bytes.Buffer
	for i, p := 0, payload(32<<10); len(p) > 0; i, p = i+1, p[32:] {
		fmt.Fprintf(&b, "%d,%s\n", i, base64.StdEncoding.EncodeToString(p[:32]))
	}
	return b.Bytes()
}()

// copies is psql, which copies rows into a table and out of it.
func (d database) copies() peer {
	return peer{
		name: "psql-copy", link: d.link, says: sayings(`exit status [123]: `),
		use: func(ctx context.Context, c carried) error {
			const script = "create temp table cell (id int primary key, v text);\n\\copy cell from pstdin csv\n%s\\.\n\\copy (select * from cell order by id) to pstdout csv\n"
			// The file is the program's input, where a line of \. ends the rows.
			file := fmt.Sprintf(strings.Replace(script, "from pstdin", "from stdin", 1), rows)
			got, err := run(ctx, []byte(file), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", d.dsn(c)+" connect_timeout=0", "-f", "-")
			if err != nil {
				return err
			}
			return same("rows", got, rows)
		},
	}
}

// bench is pgbench with a script of its own. All transactions must come about.
func (d database) bench(name string, transactions int, options ...string) peer {
	return peer{
		name: name, link: d.link, says: sayings(`exit status [12]: `),
		use: func(ctx context.Context, c carried) error {
			said, err := d.pgbench(ctx, c, transactions, options...)
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("actually processed: %d/%d\n", 2*transactions, 2*transactions); !bytes.Contains(said, []byte(want)) {
				return fmt.Errorf("%w: pgbench said\n%s", errWrong, said)
			}
			return nil
		},
	}
}

func (d database) pgbench(ctx context.Context, c carried, transactions int, options ...string) ([]byte, error) {
	args := append([]string{"-n", "-c", "2", "-t", fmt.Sprint(transactions)}, options...)
	return run(ctx, nil, "pgbench", append(args, d.dsn(c))...)
}

// sayings are those of the clients of libpq.
func sayings(exit string) map[ending]string {
	return map[ending]string{
		refused: `(?s)` + exit + `.*Connection refused`,
		reset:   `(?s)` + exit + `.*(reset by peer|closed the connection unexpectedly|could not send|perhaps the backend died|no connection to the server)`,
		closed:  `(?s)` + exit + `.*(closed the connection unexpectedly|could not send|perhaps the backend died|no connection to the server|Broken pipe)`,
	}
}

// session is a connection that pgx keeps.
type session struct{ *pgx.Conn }

func (d database) open(ctx context.Context, c carried) (*pgx.Conn, error) {
	return pgx.Connect(ctx, d.dsn(c))
}

// pgx is Go's client, in a transaction.
func (d database) pgx() peer {
	return peer{
		name: "pgx", link: d.link,
		open: func(ctx context.Context, c carried) (conversation, error) {
			conn, err := d.open(ctx, c)
			if err != nil {
				return nil, err
			}
			return session{conn}, nil
		},
		says: map[ending]string{
			refused: `connection refused`,
			// The last is what it says once it knows.
			reset:  `reset by peer|broken pipe|EOF|conn closed`,
			closed: `EOF|broken pipe|reset by peer|conn closed`,
		},
	}
}

func (s session) exchange(ctx context.Context) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	var got []byte
	if err := tx.QueryRow(ctx, "select $1::bytea || ''::bytea", body).Scan(&got); err != nil {
		return err
	}
	if err := same("parameter", got, body); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.Conn.Close(ctx)
}

// consistent checks that every transaction of pgbench has happened as a whole or
// not at all, and that the server knows of no client that is gone.
func (d database) consistent(t *testing.T) {
	t.Helper()
	c, err := d.open(t.Context(), carried{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var accounts, tellers, branches, history, n int
	err = c.QueryRow(t.Context(), `select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
		(select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history), (select count(*) from pgbench_history)`).
		Scan(&accounts, &tellers, &branches, &history, &n)
	if err != nil || n == 0 || accounts != history || tellers != history || branches != history {
		t.Errorf("%d transactions (%v) give accounts %d, tellers %d, branches %d, history %d", n, err, accounts, tellers, branches, history)
	}
	eventually(t, "the server has no other client", func() bool {
		var others int
		err := c.QueryRow(t.Context(), "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()").Scan(&others)
		return err == nil && others == 0
	})
}

func TestPostgres(t *testing.T) {
	d := startPostgres(t)
	t.Run("faults", func(t *testing.T) {
		matrix(t, []peer{
			d.copies(), d.pgx(),
			d.bench("pgbench-select", 40, "-S"),
			d.bench("pgbench-tpcb", 10),
		}, streams)
		matrix(t, []peer{d.copies()}, connects)
	})
	d.consistent(t)
	t.Run("statements", d.statements)
	d.consistent(t)
}

// statements are the faults that understand the protocol.
func (d database) statements(t *testing.T) {
	updates := rehearse.Match{Statement: "(?i)^update pgbench_accounts"}
	of := func(kind rehearse.FaultKind, f rehearse.Fault) rehearse.Fault { f.Kind = kind; return f }
	count := func(said []byte) string {
		m := regexp.MustCompile(`actually processed: (\d+)/|failed transactions: (\d+)`).FindAllSubmatch(said, -1)
		if len(m) != 2 {
			return string(said)
		}
		return fmt.Sprintf("%s done, %s failed", m[0][1], m[1][2])
	}
	for _, tt := range []struct {
		name    string
		fault   rehearse.Fault
		options []string
		want    string // what pgbench counts
		err     string // what it says of its end
	}{
		{"error", of(rehearse.FaultSQLError, rehearse.Fault{Code: "40001", Match: updates}), nil, "0 done, 20 failed", ""},
		{"error-retried", of(rehearse.FaultSQLError, rehearse.Fault{Code: "40001", Match: updates, Probability: 0.4}), []string{"--max-tries=1000"}, "20 done, 0 failed", ""},
		{"error-extended", of(rehearse.FaultSQLError, rehearse.Fault{Code: "40P01", Match: updates}), []string{"-M", "extended"}, "0 done, 20 failed", ""},
		{"error-prepared", of(rehearse.FaultSQLError, rehearse.Fault{Code: "40P01", Match: updates}), []string{"-M", "prepared"}, "0 done, 20 failed", ""},
		{"error-other", of(rehearse.FaultSQLError, rehearse.Fault{Code: "53100", Match: updates}), nil, "", `ERROR:  fault "sql-error"`},
		{"kill", of(rehearse.FaultSQLKill, rehearse.Fault{Match: updates}), nil, "", "terminating connection due to administrator command|closed the connection unexpectedly"},
		{"read-only", of(rehearse.FaultReadOnly, rehearse.Fault{}), nil, "", "read-only transaction"},
		{"read-only-reads", of(rehearse.FaultReadOnly, rehearse.Fault{}), []string{"-S"}, "20 done, 0 failed", ""},
		{"delay", of(rehearse.FaultDelay, rehearse.Fault{Delay: ms(5), Match: updates}), nil, "20 done, 0 failed", ""},
		{"another", of(rehearse.FaultSQLError, rehearse.Fault{Code: "40001", Match: rehearse.Match{Statement: "drop table"}}), nil, "20 done, 0 failed", ""},
	} {
		for _, tier := range (peer{}).across() {
			t.Run(fmt.Sprintf("%s/%s", tt.name, tier), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				c := d.link(t, tier)
				c.set(t, tt.fault)
				said, err := d.pgbench(ctx, c, 10, tt.options...)
				switch {
				case tt.err != "" && (err == nil || !regexp.MustCompile(tt.err).MatchString(err.Error())):
					t.Errorf("pgbench ends with %v", err)
				case tt.err == "" && (err != nil || count(said) != tt.want):
					t.Errorf("pgbench counts %s (%v), want %s", count(said), err, tt.want)
				}
				dose := c.dose(t, tt.fault.ID())
				if none := tt.name == "another" || tt.name == "read-only-reads"; none != (dose.Requests == 0) {
					t.Errorf("the dose is %+v", dose)
				}
				if tt.want == "0 done, 20 failed" && dose.Requests != 20 {
					t.Errorf("the dose is %d requests of 20 that failed", dose.Requests)
				}
				c.set(t)
				if said, err = d.pgbench(ctx, c, 10); err != nil || count(said) != "20 done, 0 failed" {
					t.Errorf("after the fault: %s (%v)", count(said), err)
				}
			})
		}
	}
	t.Run("live", func(t *testing.T) {
		t.Parallel()
		d.kept(t)
	})
}

// kept is a connection that outlives faults of its statements.
func (d database) kept(t *testing.T) {
	c := d.link(t, rehearse.TierStream)
	conn, err := d.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	state := func(sql string) string {
		_, err := conn.Exec(t.Context(), sql)
		var e *pgconn.PgError
		if errors.As(err, &e) {
			return e.Code
		}
		if err != nil {
			return err.Error()
		}
		return ""
	}
	for _, step := range []struct {
		fault     rehearse.Fault
		sql, want string
	}{
		{sql: "create temp table kept (n int)"},
		{sql: "insert into kept values (1)"},
		{rehearse.Fault{Kind: rehearse.FaultReadOnly}, "update kept set n = 2", "25006"},
		{rehearse.Fault{Kind: rehearse.FaultReadOnly}, "select n from kept", ""},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "53300"}, "select n from kept", "53300"},
		{sql: "begin"},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001"}, "update kept set n = 3", "40001"},
		{sql: "select 1", want: "25P02"}, // the server, too, knows that the transaction has failed
		{sql: "rollback"},
		{sql: "update kept set n = 4 where n = 1"},
		{sql: "do $$ begin if (select n from kept) <> 4 then raise 'wrong'; end if; end $$"},
		{rehearse.Fault{Kind: rehearse.FaultSQLKill}, "select 1", ""}, // outside of a transaction
		{sql: "begin"},
		{rehearse.Fault{Kind: rehearse.FaultSQLKill}, "select 1", "57P01"},
	} {
		c.set(t)
		if step.fault.Kind != "" {
			c.set(t, step.fault)
		}
		if got := state(step.sql); got != step.want {
			t.Fatalf("%s under %q: got %q, want %q", step.sql, step.fault.Kind, got, step.want)
		}
	}
	if !conn.IsClosed() {
		t.Error("the killed connection is open")
	}
}
