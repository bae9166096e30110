package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Subscriber is somebody who gets the newsletter.
type Subscriber struct {
	ID       int64  `json:"id"`
	Email    string `json:"email"`
	Greeting string `json:"greeting"`
}

type store struct {
	pool     *pgxpool.Pool
	nameless string // what stands for a name where there is none
}

// page is the next ten subscribers.
func (s *store) page(ctx context.Context, after int64) ([]Subscriber, error) {
	name := "first_name"
	args := []any{after}
	if s.nameless != "" {
		name = "coalesce(first_name, $2)"
		args = append(args, s.nameless)
	}
	rows, err := s.pool.Query(ctx, `SELECT id, email, `+name+` FROM subscribers WHERE id > $1 ORDER BY id LIMIT 10`, args...)
	if err != nil {
		return nil, fmt.Errorf("read the subscribers: %w", err)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Subscriber, error) {
		var sub Subscriber
		var first string
		err := row.Scan(&sub.ID, &sub.Email, &first)
		sub.Greeting = "Dear " + first
		return sub, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the subscribers: %w", err)
	}
	return page, nil
}
