package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// health answers whether the service can work. It asks the database over a
// connection of its own, so that a burst of requests, which keeps every other
// connection busy, does not get the service restarted in the middle of it.
type health struct {
	pool    *pgxpool.Pool
	warming atomic.Bool // the connections for requests are still being opened
}

// healthTimeout is short of what Compose and load balancers wait for an answer.
const healthTimeout = 2 * time.Second

func newHealth(ctx context.Context, url string) (*health, error) {
	pool, err := newPool(ctx, url, 1, nil)
	if err != nil {
		return nil, err
	}
	return &health{pool: pool}, nil
}

// Check is nil when the service can work.
func (h *health) Check(ctx context.Context) error {
	if h.warming.Load() {
		return errors.New("connections are being opened")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return h.pool.Ping(ctx)
}
