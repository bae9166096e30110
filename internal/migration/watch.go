package migration

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// watcher samples the server while the migrations run. One goroutine does, and
// owns the fields until stop has returned.
type watcher struct {
	Options
	conn       *pgx.Conn
	before     *catalog
	ours       []int32 // process ids
	probes     []*probe
	statements []*seen
	waits      map[wait]*Blocked

	cancel context.CancelFunc
	group  sync.WaitGroup
	err    error
}

type wait struct {
	table  string
	access Access
}

// seen is a statement as it was seen. Times are the server's.
type seen struct {
	pid        int32
	sql        string
	start, end time.Time
	locks      map[lockKey]time.Time // until when they were seen
}

type lockKey struct{ table, mode string }

func newWatcher(conn *pgx.Conn, before *catalog, o Options) *watcher {
	return &watcher{Options: o, conn: conn, before: before, ours: []int32{int32(conn.PgConn().PID())}, waits: map[wait]*Blocked{}}
}

// start starts the probes of the biggest tables, and the sampling.
func (w *watcher) start(ctx context.Context, connect func(context.Context) (*pgx.Conn, error)) error {
	ctx, w.cancel = context.WithCancel(ctx)
	var tables []table
	for _, t := range w.before.tables {
		if w.production(t) >= w.Big {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(a, b table) int {
		return cmp.Or(cmp.Compare(w.production(b), w.production(a)), cmp.Compare(a.name, b.name))
	})
	for _, t := range tables[:min(len(tables), w.Probes)] {
		for _, access := range []Access{Read, Write} {
			if access == Write && t.some == "" {
				continue
			}
			conn, err := connect(ctx)
			if err != nil {
				return err
			}
			p := newProbe(conn, t, access)
			w.probes, w.ours = append(w.probes, p), append(w.ours, int32(conn.PgConn().PID()))
			w.group.Go(func() { p.run(ctx) })
		}
	}
	w.group.Go(func() { w.err = w.sample(ctx) })
	return nil
}

// stop ends what start has started.
func (w *watcher) stop() error {
	w.cancel()
	w.group.Wait()
	return w.err
}

// production is how many rows a table has in production, or here where nobody
// knows.
func (o Options) production(t table) int64 {
	if o.Profile != nil {
		if p, ok := o.Profile.Table(t.name); ok {
			return p.Rows
		}
	}
	return t.rows
}

// sample takes samples until the context ends. The queries themselves are not
// cancelled, which would cost the connection.
func (w *watcher) sample(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	asking := context.WithoutCancel(ctx)
	for {
		if err := w.activity(asking); err != nil {
			return fmt.Errorf("sample sessions: %w", err)
		}
		if err := w.locks(asking); err != nil {
			return fmt.Errorf("sample locks: %w", err)
		}
		if err := w.waiting(asking); err != nil {
			return fmt.Errorf("sample waits: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// activity notes the statements of sessions that are not ours.
func (w *watcher) activity(ctx context.Context) error {
	rows, err := w.conn.Query(ctx, `
		SELECT pid, query, query_start, CASE state WHEN 'active' THEN clock_timestamp() ELSE state_change END
		FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL ($1) AND query <> '' AND query_start IS NOT NULL
		ORDER BY query_start, pid`, w.ours)
	if err != nil {
		return err
	}
	var s seen
	_, err = pgx.ForEachRow(rows, []any{&s.pid, &s.sql, &s.start, &s.end}, func() error {
		if last := w.last(s.pid); last != nil && last.start.Equal(s.start) {
			last.end = s.end
			return nil
		}
		w.statements = append(w.statements, &seen{pid: s.pid, sql: s.sql, start: s.start, end: s.end, locks: map[lockKey]time.Time{}})
		return nil
	})
	return err
}

// last is the statement that a session was last seen with.
func (w *watcher) last(pid int32) *seen {
	for _, s := range slices.Backward(w.statements) {
		if s.pid == pid {
			return s
		}
	}
	return nil
}

// locks notes locks on tables. A lock belongs to the statement with which it was
// first seen.
func (w *watcher) locks(ctx context.Context) error {
	rows, err := w.conn.Query(ctx, `
		SELECT l.pid, l.relation, l.mode, clock_timestamp() FROM pg_locks l
		WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> ALL ($1)`, w.ours)
	if err != nil {
		return err
	}
	var (
		pid      int32
		relation uint32
		mode     string
		now      time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&pid, &relation, &mode, &now}, func() error {
		t, ok := w.before.tables[relation]
		if !ok {
			return nil
		}
		key := lockKey{t.name, mode}
		for _, s := range slices.Backward(w.statements) {
			if _, held := s.locks[key]; held && s.pid == pid {
				s.locks[key] = now
				return nil
			}
		}
		if s := w.last(pid); s != nil {
			s.locks[key] = now
		}
		return nil
	})
	return err
}

// waiting notes the probes that wait for a session that is not ours.
func (w *watcher) waiting(ctx context.Context) error {
	rows, err := w.conn.Query(ctx, `
		SELECT p.pid, b.pid FROM pg_stat_activity p, unnest(pg_blocking_pids(p.pid)) b (pid)
		WHERE p.pid = ANY ($1) AND p.wait_event_type = 'Lock' AND b.pid <> ALL ($1)`, w.ours)
	if err != nil {
		return err
	}
	pairs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[blocking])
	if err != nil || len(pairs) == 0 {
		return err
	}
	// Whoever blocks may have begun since the last look, and may end as soon as
	// somebody is told of the wait.
	if err := w.activity(ctx); err != nil {
		return err
	}
	if err := w.locks(ctx); err != nil {
		return err
	}
	for _, b := range pairs {
		for _, p := range w.probes {
			if p.pid == b.Waits {
				w.note(p, b.By)
			}
		}
	}
	return nil
}

// blocking is a session that waits and one that it waits for.
type blocking struct{ Waits, By int32 }

func (w *watcher) note(p *probe, by int32) {
	key := wait{p.table.name, p.access}
	b := w.waits[key]
	if b == nil {
		b = &Blocked{Table: p.table.name, Access: p.access}
		w.waits[key] = b
		if w.OnBlocked != nil {
			w.OnBlocked(b.Table, b.Access)
		}
	}
	if waited := p.waited(); waited > b.Longest {
		b.Longest = waited
		b.By = w.cause(by, b.Table)
	}
}

// cause is the statement with which a session took its strongest lock on a table.
func (w *watcher) cause(pid int32, table string) string {
	sql, strongest := "", -1
	for _, s := range w.statements {
		if s.pid != pid {
			continue
		}
		for key := range s.locks {
			if key.table == table && strength(key.mode) > strongest {
				sql, strongest = s.sql, strength(key.mode)
			}
		}
	}
	if s := w.last(pid); s != nil && sql == "" {
		return s.sql
	}
	return sql
}

func (w *watcher) blocked() []Blocked {
	var out []Blocked
	for _, b := range w.waits {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Blocked) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Access, b.Access))
	})
	return out
}

// merge makes statements of what triggers have noted and of what was sampled
// besides. A sample lends a noted statement the time until which its locks were
// held.
func merge(noted, sampled []*seen) []Statement {
	all := slices.Clone(noted)
	for i, s := range sampled {
		same := false
		for _, n := range noted {
			// A sample has the beginning of a long statement.
			if n.pid != s.pid || n.start.Before(s.start) || !strings.HasPrefix(n.sql, s.sql) || followed(sampled[i+1:], s.pid, n.start) {
				continue
			}
			same = true
			for key := range n.locks {
				if until, ok := s.locks[key]; ok && until.After(n.locks[key]) {
					n.locks[key] = until
				}
			}
		}
		if !same {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b *seen) int { return a.start.Compare(b.start) })
	var out []Statement
	for _, s := range all {
		if len(s.locks) == 0 && controlsTransaction(s.sql) {
			continue
		}
		t := Statement{SQL: s.sql, Duration: max(0, s.end.Sub(s.start))}
		for key, until := range s.locks {
			t.Locks = append(t.Locks, Lock{Table: key.table, Mode: key.mode, Held: max(0, until.Sub(s.start))})
		}
		slices.SortFunc(t.Locks, func(a, b Lock) int {
			return cmp.Or(cmp.Compare(a.Table, b.Table), strength(b.Mode)-strength(a.Mode))
		})
		out = append(out, t)
	}
	return out
}

// followed says whether a session had begun one of the statements by then.
func followed(statements []*seen, pid int32, by time.Time) bool {
	return slices.ContainsFunc(statements, func(s *seen) bool { return s.pid == pid && !s.start.After(by) })
}

// controlsTransaction says whether a statement only begins or ends a transaction.
func controlsTransaction(sql string) bool {
	word, _, _ := strings.Cut(strings.ToLower(strings.Trim(sql, " ;\n")), " ")
	switch word {
	case "begin", "start", "commit", "end", "rollback", "abort":
		return true
	}
	return false
}

// modes are PostgreSQL's table locks, the weakest first.
var modes = []string{
	"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
	"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
}

func strength(mode string) int { return slices.Index(modes, mode) }
