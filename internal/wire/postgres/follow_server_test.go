package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// log is what the followers of many connections have told, and what they have
// seen.
type log struct {
	mu          sync.Mutex
	ended       *sync.Cond // a side of a connection has
	open        int        // such sides that have not
	connections []*recorded
}

// recorded is a follower that keeps what it has seen, so that it can be played
// again.
type recorded struct {
	*Follower
	log   *log
	told  []wire.Exchange
	steps []wiretest.Step
}

func (l *log) fresh() wire.Editor {
	r := &recorded{log: l}
	r.Follower = NewFollower(func(x *wire.Exchange) { r.told = append(r.told, *x) })
	l.mu.Lock()
	l.open += 2
	l.connections = append(l.connections, r)
	l.mu.Unlock()
	return wiretest.Along(New(wire.Nobody{}, false), r)
}

func (r *recorded) Up(p []byte, at time.Duration) {
	r.steps = append(r.steps, wiretest.Step{Up: true, Bytes: string(p)})
	r.Follower.Up(p, at)
}

func (r *recorded) Down(p []byte, at time.Duration) {
	r.steps = append(r.steps, wiretest.Step{Bytes: string(p)})
	r.Follower.Down(p, at)
}

func (r *recorded) End(up bool, at time.Duration) {
	r.steps = append(r.steps, wiretest.Step{Up: up})
	r.Follower.End(up, at)
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.open--
	r.log.ended.Signal()
}

// take waits until all connections have ended and returns their exchanges. It
// fails where a follower has lost its way, or tells something else of the same
// bytes in other pieces.
func (l *log) take(t *testing.T) []wire.Exchange {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open > 0 {
		l.ended.Wait()
	}
	var all []wire.Exchange
	for _, r := range l.connections {
		if r.Opaque() != "" || r.Open() != 0 {
			t.Errorf("the follower is opaque (%q) with %d open", r.Opaque(), r.Open())
		}
		size := 0
		for _, s := range r.steps {
			size += len(s.Bytes)
		}
		if size < 1<<20 {
			again, _ := wiretest.Follow(t, fresh, r.steps, 1)
			if got, want := timeless(again), timeless(r.told); !cmp.Equal(got, want) {
				t.Errorf("played again it tells something else:\n%s", cmp.Diff(want, got))
			}
		}
		all = append(all, r.told...)
	}
	l.connections = nil
	return all
}

func timeless(exchanges []wire.Exchange) []wire.Exchange {
	exchanges = slices.Clone(exchanges)
	for i := range exchanges {
		x := &exchanges[i]
		x.Begun, x.Said, x.Answered, x.Ended, x.Ahead = 0, 0, 0, 0, 0
	}
	return exchanges
}

// count says how often a statement was executed and how it went, as
// "2 UPDATE 5 rows prepared". Statements are told by how they begin.
func count(exchanges []wire.Exchange, statement string) string {
	n, rows := 0, int64(0)
	var one wire.Exchange
	for _, x := range exchanges {
		if strings.HasPrefix(x.Statement, statement) && x.Tag != "PARSE" {
			n, rows, one = n+1, rows+max(0, x.Rows), x
		}
	}
	s := fmt.Sprintf("%d %s %d rows", n, one.Tag, rows)
	if one.Prepared {
		s += " prepared"
	}
	if one.State != "" {
		s += " " + one.State
	}
	if one.Cut != "" {
		s += " cut by " + one.Cut
	}
	return s
}

// TestFollowRealServer holds that a follower understands all that real programs
// say, and counts right.
func TestFollowRealServer(t *testing.T) {
	s := startServer(t)
	s.connect(t, "simple_protocol").Close(t.Context()) // it is up
	var l log
	l.ended = sync.NewCond(&l.mu)
	port := wiretest.Listen(t, func() net.Conn { return s.dial(t) }, l.fresh)
	program := func(t *testing.T, stdin, name string, args ...string) []wire.Exchange {
		t.Helper()
		cmd := s.command(name, append([]string{"-h", "127.0.0.1", "-p", port, "-U", "me"}, append(args, "postgres")...)...)
		cmd.Env = append(os.Environ(), "PGSSLMODE=prefer", "PGGSSENCMODE=disable")
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return l.take(t)
	}
	expect := func(t *testing.T, got []wire.Exchange, want map[string]string) {
		t.Helper()
		for statement, w := range want {
			if g := count(got, statement); g != w {
				t.Errorf("%q: got %s, want %s", statement, g, w)
			}
		}
	}

	expect(t, program(t, "", "pgbench", "-i", "-q"), map[string]string{"copy pgbench_accounts": "1 COPY 100000 rows"})
	for _, mode := range []string{"simple", "extended", "prepared"} {
		t.Run("pgbench "+mode, func(t *testing.T) {
			got := program(t, "", "pgbench", "-n", "-t", "30", "-M", mode)
			how := ""
			if mode == "prepared" {
				how = " prepared"
			}
			expect(t, got, map[string]string{
				"BEGIN": "30 BEGIN 0 rows" + how, "UPDATE pgbench_accounts": "30 UPDATE 30 rows" + how, "SELECT abalance": "30 SELECT 30 rows" + how, "UPDATE pgbench_tellers": "30 UPDATE 30 rows" + how,
				"UPDATE pgbench_branches": "30 UPDATE 30 rows" + how, "INSERT INTO pgbench_history": "30 INSERT 30 rows" + how, "END": "30 COMMIT 0 rows" + how,
			})
			if parsed := slices.DeleteFunc(slices.Clone(got), func(x wire.Exchange) bool { return x.Tag != "PARSE" }); len(parsed) != 7 && mode == "prepared" || len(parsed) != 0 && mode != "prepared" {
				t.Errorf("%d statements were prepared", len(parsed))
			}
		})
	}
	t.Run("pgbench pipeline", func(t *testing.T) {
		script := filepath.Join(s.dir, "pipeline.sql")
		if err := os.WriteFile(script, []byte("\\startpipeline\nselect 1;\nselect generate_series(1, 2000);\nselect 3;\n\\endpipeline\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []string{"extended", "prepared"} {
			how := ""
			if mode == "prepared" {
				how = " prepared"
			}
			expect(t, program(t, "", "pgbench", "-n", "-t", "30", "-M", mode, "-f", script), map[string]string{
				"select 1": "30 SELECT 30 rows" + how, "select generate_series": "30 SELECT 60000 rows" + how, "select 3": "30 SELECT 30 rows" + how,
			})
		}
	})
	t.Run("psql", func(t *testing.T) {
		const script = `create table t (a int, b text);
copy t from stdin;
1	x
2	y
3	z
\.
copy t to stdout;
\copy t to /dev/null
copy t from stdin;
a	b
\.
select generate_series(1, 20000);
select repeat('x', 3000000);
oops;
select 1 \; select 2 \; update t set b = '';
\d
\d t
begin;
insert into t values (4, null), (5, null);
select 1/0;
commit;
\set FETCH_COUNT 100
select generate_series(1, 250) as paged;
\unset FETCH_COUNT
listen c;
notify c;
select 7 \gdesc
do $$ begin raise notice 'hello'; end $$;
;
`
		got := program(t, script, "psql", "-q", "-X")
		expect(t, got, map[string]string{
			"create table t": "1 CREATE TABLE 0 rows", "copy t to stdout": "1 COPY 3 rows", "COPY  t TO STDOUT": "1 COPY 3 rows", "select generate_series(1, 20000)": "1 SELECT 20000 rows",
			"select repeat": "1 SELECT 1 rows", "oops": "1  0 rows 42601", "select 1 ;": "1 UPDATE 5 rows", "insert into t": "1 INSERT 2 rows", "select 1/0": "1  0 rows 22012",
			"commit": "1 ROLLBACK 0 rows", "FETCH FORWARD 100": "3 FETCH 250 rows", "notify c": "1 NOTIFY 0 rows", "do $$": "1 DO 0 rows",
		})
		var copied []string
		for _, x := range got {
			if x.Statement == "copy t from stdin;" {
				copied = append(copied, fmt.Sprint(x.Tag, x.Rows, x.State))
			}
		}
		if want := []string{"COPY3", "-122P02"}; !cmp.Equal(copied, want) {
			t.Errorf("COPY in: got %q, want %q", copied, want)
		}
		if first := got[0]; first.Tag != "STARTUP" || first.User != "me" || first.Database != "postgres" || first.Application != "psql" {
			t.Errorf("the login is %+v", first)
		}
	})
	t.Run("pg_dump", func(t *testing.T) {
		expect(t, program(t, "", "pg_dump"), map[string]string{"COPY public.pgbench_accounts": "1 COPY 100000 rows", "COPY public.t ": "1 COPY 3 rows", "BEGIN": "1 BEGIN 0 rows"})
	})
	for _, mode := range []string{"simple_protocol", "exec", "cache_describe", "cache_statement"} {
		t.Run("pgx "+mode, func(t *testing.T) { followDriver(t, s, &l, mode, expect) })
	}
}

// followDriver holds the same of Go's driver, with pipelines, COPY and a query
// that is cancelled.
func followDriver(t *testing.T, s server, l *log, mode string, expect func(*testing.T, []wire.Exchange, map[string]string)) {
	ctx := t.Context()
	config, err := pgx.ParseConfig("host=localhost user=me database=postgres sslmode=disable default_query_exec_mode=" + mode)
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return wiretest.Carry(t, s.dial(t), l.fresh()), nil
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "truncate t"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := c.Exec(ctx, "insert into t values ($1, $2)", i, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a", "b"}, pgx.CopyFromSlice(1000, func(i int) ([]any, error) { return []any{i, "copied"}, nil })); err != nil {
		t.Fatal(err)
	}
	var good, bad pgx.Batch
	for i := range 20 {
		good.Queue("update t set b = $2 where a = $1", i, "y")
		bad.Queue("delete from t where a = 1/$1", 5-i)
	}
	if err := c.SendBatch(ctx, &good).Close(); err != nil {
		t.Fatal(err)
	}
	check(t, "batch", c.SendBatch(ctx, &bad).Close(), "22012")
	var n int
	if err := c.QueryRow(ctx, "select count(*) from t where b = $1", "y").Scan(&n); err != nil || n != 25 {
		t.Errorf("%d rows were updated (%v), want 25", n, err)
	}
	// It is cancelled while it works.
	slept := make(chan error, 1)
	go func() { slept <- perform(ctx, c, mode, "select pg_sleep(60)") }()
	watch := s.connect(t, "simple_protocol")
	for asleep := false; !asleep; {
		if err := watch.QueryRow(ctx, "select exists (select from pg_stat_activity where wait_event = 'PgSleep')").Scan(&asleep); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	check(t, "sleep", <-slept, "57014")
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}

	got := l.take(t)
	how := ""
	if mode == "cache_statement" {
		how = " prepared"
	}
	want := map[string]string{
		"truncate": "1 TRUNCATE TABLE 0 rows", "insert": "5 INSERT 5 rows" + how, "update": "20 UPDATE 25 rows" + how, "copy": "1 COPY 1000 rows", "CANCEL": "1  0 rows",
		"select count": "1 SELECT 1 rows" + how,
	}
	if mode == "simple_protocol" {
		delete(want, "insert")
		delete(want, "update")
	}
	expect(t, got, want)
	states := map[string]int{}
	for _, x := range got {
		if x.Tag == "SKIPPED" {
			states[x.Tag]++
		}
		if x.State != "" {
			states[x.State]++
		}
	}
	skipped := map[string]int{"22012": 1, "SKIPPED": 14, "57014": 1}
	if mode == "simple_protocol" {
		delete(skipped, "SKIPPED") // a batch is one query
	}
	if !cmp.Equal(states, skipped) {
		t.Error(cmp.Diff(skipped, states))
	}
}
