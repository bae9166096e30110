package migration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// probe is a session that does one short thing to a table, again and again.
type probe struct {
	conn   *pgx.Conn
	pid    int32
	table  table
	access Access
	since  atomic.Int64 // when the current try began, in ns; a try that timed out goes on
}

func newProbe(conn *pgx.Conn, t table, access Access) *probe {
	p := &probe{conn: conn, pid: int32(conn.PgConn().PID()), table: t, access: access}
	p.since.Store(time.Now().UnixNano())
	return p
}

func (p *probe) waited() time.Duration { return time.Duration(time.Now().UnixNano() - p.since.Load()) }

// patience is after what time a probe gives up and tries again. It is shorter
// than deadlock_timeout, so that no migration is ever the victim of a deadlock
// with a probe.
const patience = 400 * time.Millisecond

// run probes until the context ends, or the table or the column is gone.
func (p *probe) run(ctx context.Context) {
	defer func() { _ = p.conn.Close(context.WithoutCancel(ctx)) }()
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	if _, err := p.conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", patience.Milliseconds())); err != nil {
		return
	}
	sql := "SELECT 1 FROM " + p.table.sql + " LIMIT 1"
	if p.access == Write {
		sql = fmt.Sprintf("BEGIN; UPDATE %[1]s SET %[2]s = %[2]s WHERE ctid = (SELECT ctid FROM %[1]s LIMIT 1)", p.table.sql, p.table.some)
	}
	for {
		// Simple statements: nothing is planned ahead for a table that changes.
		_, err := p.conn.PgConn().Exec(ctx, sql).ReadAll()
		if p.access == Write && !p.conn.IsClosed() {
			if _, back := p.conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll(); back != nil {
				return
			}
		}
		switch {
		case err == nil:
			p.since.Store(time.Now().UnixNano())
		case !timedOut(err):
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err == nil {
			p.since.Store(time.Now().UnixNano())
		}
	}
}

func timedOut(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}
