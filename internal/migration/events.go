package migration

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// watchSchema holds what is installed while migrations run.
const watchSchema = "rehearse_watch"

// events are the event triggers, where they are installed.
type events struct{ installed bool }

// installEvents installs triggers that note the start and the end of each DDL
// statement, and at its end the locks that its session holds. They write as
// their owner, so that the migrations' role needs no right.
func installEvents(ctx context.Context, conn *pgx.Conn) (events, error) {
	var super bool
	if err := conn.QueryRow(ctx, "SELECT current_setting('is_superuser')::bool").Scan(&super); err != nil {
		return events{}, err
	}
	if !super {
		return events{}, fmt.Errorf("the role is no superuser")
	}
	_, err := conn.Exec(ctx, strings.ReplaceAll(`BEGIN;
		DROP SCHEMA IF EXISTS WATCH CASCADE;
		CREATE SCHEMA WATCH;
		GRANT USAGE ON SCHEMA WATCH TO PUBLIC;
		CREATE UNLOGGED TABLE WATCH.event (n bigserial, pid int, ends bool, query text, at timestamptz, locks text[], objects oid[]);
		CREATE FUNCTION WATCH.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $f$
		DECLARE
			objects oid[];
		BEGIN
			IF tg_event = 'ddl_command_end' THEN
				SELECT array_agg(objid) INTO objects FROM pg_event_trigger_ddl_commands();
			END IF;
			INSERT INTO WATCH.event (pid, ends, query, at, objects, locks) VALUES (pg_backend_pid(), tg_event = 'ddl_command_end', current_query(), clock_timestamp(), objects,
				(SELECT array_agg(l.relation::text || ' ' || l.mode ORDER BY 1) FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
				 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())));
		END $f$;
		CREATE EVENT TRIGGER WATCH_start ON ddl_command_start EXECUTE FUNCTION WATCH.note();
		CREATE EVENT TRIGGER WATCH_end ON ddl_command_end EXECUTE FUNCTION WATCH.note();
		COMMIT`, "WATCH", watchSchema))
	if err != nil {
		return events{}, err
	}
	return events{installed: true}, nil
}

func (e events) remove(ctx context.Context, conn *pgx.Conn) error {
	if !e.installed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+watchSchema+" CASCADE"); err != nil {
		return fmt.Errorf("remove the event triggers: %w", err)
	}
	return nil
}

// read gives the statements that were noted. A statement has the locks that its
// session holds at its end and did not at its start. Those that build an index
// CONCURRENTLY have released theirs by then.
func (e events) read(ctx context.Context, conn *pgx.Conn, before, after *catalog) ([]*seen, error) {
	if !e.installed {
		return nil, nil
	}
	rows, err := conn.Query(ctx, "SELECT pid, ends, query, at, coalesce(locks, '{}'), coalesce(objects, '{}') FROM "+watchSchema+".event ORDER BY n")
	if err != nil {
		return nil, err
	}
	var out []*seen
	type started struct {
		at    time.Time
		locks []string
	}
	open := map[int32][]started{}
	var (
		pid   int32
		ends  bool
		query string
		at    time.Time
		locks []string
		made  []uint32
	)
	_, err = pgx.ForEachRow(rows, []any{&pid, &ends, &query, &at, &locks, &made}, func() error {
		if !ends {
			open[pid] = append(open[pid], started{at, append([]string(nil), locks...)})
			return nil
		}
		n := len(open[pid])
		if n == 0 {
			return nil
		}
		from := open[pid][n-1]
		open[pid] = open[pid][:n-1]
		s := &seen{pid: pid, sql: query, start: from.at, end: at, locks: map[lockKey]time.Time{}}
		had := map[string]bool{}
		for _, l := range from.locks {
			had[l] = true
		}
		for _, l := range locks {
			var oid uint32
			var mode string
			if _, err := fmt.Sscan(l, &oid, &mode); err != nil {
				return err
			}
			if t, ok := before.tables[oid]; ok && !had[l] {
				s.locks[lockKey{t.name, mode}] = at
			}
		}
		for _, oid := range made {
			if t, ok := before.tables[after.tableOf[oid]]; ok && after.indexes[oid].Concurrently {
				s.locks[lockKey{t.name, "ShareUpdateExclusiveLock"}] = at
			}
		}
		out = append(out, s)
		return nil
	})
	return out, err
}
