package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// patience is how long Redis may take to answer.
const patience = 500 * time.Millisecond

// pool has a fixed number of connections to Redis.
type pool struct {
	address string
	redial  bool
	free    chan *conn
}

// openPool connects.
func openPool(ctx context.Context, address string, size int) (*pool, error) {
	p := &pool{address: address, free: make(chan *conn, size)}
	for range size {
		c, err := p.dial(ctx)
		if err != nil {
			return nil, err
		}
		p.free <- c
	}
	return p, nil
}

func (p *pool) dial(ctx context.Context) (*conn, error) {
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("connect to Redis: %w", err)
	}
	return newConn(c), nil
}

// do has Redis carry out one command on a connection that nobody else uses.
func (p *pool) do(ctx context.Context, args ...string) (string, error) {
	var c *conn
	select {
	case c = <-p.free:
	case <-ctx.Done():
		return "", fmt.Errorf("wait for a connection: %w", ctx.Err())
	}
	defer func() { p.free <- c }()
	if c.broken && p.redial {
		fresh, err := p.dial(ctx)
		if err != nil {
			return "", err
		}
		c.close()
		c = fresh
	}
	return c.do(args...)
}
