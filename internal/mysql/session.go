package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// session is one connection. One goroutine uses it at a time.
type session struct {
	conn *sql.Conn
	id   int64 // the server's
}

// close ends the connection.
func (s *session) close() {
	// What a server says to a goodbye changes nothing.
	_ = s.conn.Close()
}

func (s *session) exec(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

// alive reports whether the connection still answers.
func (s *session) alive(ctx context.Context) bool { return s.conn.PingContext(ctx) == nil }

// each runs a query and calls scan for every row.
func (s *session) each(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) error {
	found, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// texts are the values of a query of one column.
func (s *session) texts(ctx context.Context, query string, args ...any) ([]string, error) {
	var out []string
	err := s.each(ctx, query, func(r *sql.Rows) error {
		var v string
		err := r.Scan(&v)
		out = append(out, v)
		return err
	}, args...)
	return out, err
}

// killing kills on the server what s is doing when ctx is cancelled: by itself the
// server goes on until it has something to send. The result ends the watch, and
// waits for a kill that is under way.
func (db *DB) killing(ctx context.Context, s *session) (end func()) {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		// Where this fails, the bound on a statement's time ends it.
		_, _ = db.pool.ExecContext(ctx, fmt.Sprintf("KILL %d", s.id))
	})
	return func() {
		if !stop() {
			<-killed
		}
	}
}
