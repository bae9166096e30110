package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Document is a document as the API shows it.
type Document struct {
	ID        int64     `json:"id"`
	Template  string    `json:"template"`
	Customer  int       `json:"customer"`
	Name      string    `json:"name"` // of the customer
	Body      string    `json:"body,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// Listing is the newest documents of a customer, without their bodies.
type Listing struct {
	Total     int        `json:"total"`
	Documents []Document `json:"documents"`
}

// listLimit is how many documents a listing holds at most.
const listLimit = 20

// labelWidth is how many characters of a name fit on a delivery note's label.
const labelWidth = 20

// What a store answers besides documents. Whether a call ran out of time is
// told by its context.
var (
	errNotFound = errors.New("there is no such document")
	errUnknown  = errors.New("there is no such template or customer")
)

// Store is the data layer.
type Store interface {
	Create(ctx context.Context, template string, customer int) (Document, error)
	Get(ctx context.Context, id int64) (Document, error)
	List(ctx context.Context, customer int) (Listing, error)
}

// newPool makes a pool of exactly size connections, opened in the background.
func newPool(ctx context.Context, url string, size int32, queries pgx.QueryTracer) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.ConnConfig.Tracer = queries
	cfg.MinConns = size
	cfg.MaxConns = size
	// Named prepared statements do not survive PgBouncer, which some of our
	// installations run in front of the database. This mode takes one round
	// trip per statement all the same.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgxpool.NewWithConfig(ctx, cfg)
}

// warm returns when every connection of the pool has been open at once. It
// fails only when ctx ends.
func warm(ctx context.Context, pool *pgxpool.Pool) error {
	held := make([]*pgxpool.Conn, 0, pool.Config().MaxConns)
	defer func() {
		for _, c := range held {
			c.Release()
		}
	}()
	type result struct {
		conn *pgxpool.Conn
		err  error
	}
	results := make(chan result)
	acquire := func() {
		c, err := pool.Acquire(ctx)
		results <- result{c, err}
	}
	for range cap(held) {
		go acquire()
	}
	for len(held) < cap(held) {
		r := <-results
		switch {
		case r.err == nil:
			held = append(held, r.conn)
		case ctx.Err() == nil:
			// The database is not there yet.
			time.AfterFunc(200*time.Millisecond, acquire)
		default:
			return ctx.Err()
		}
	}
	return nil
}
