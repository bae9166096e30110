package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errNoEvent = errors.New("there is no such event")

// Reservation is a sale, and what the buyer is told of it.
type Reservation struct {
	ID      int64  `json:"id,omitempty"`
	Event   int    `json:"event"`
	Seats   int    `json:"seats"`
	Country string `json:"country"`
	Cents   int    `json:"cents,omitempty"` // tax included
}

// Event is what is for sale.
type Event struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Cents int    `json:"cents"`
	Sold  int    `json:"sold"`
}

type boxOffice struct {
	pool     *pgxpool.Pool
	tax      *tax
	taxFirst bool
}

// reserve sells seats: at the price of the moment, tax included, or not at all.
func (b *boxOffice) reserve(ctx context.Context, r *Reservation) error {
	var percent int
	var err error
	if b.taxFirst {
		if percent, err = b.tax.percent(ctx, r.Country); err != nil {
			return err
		}
	}
	return pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		var cents int
		err := tx.QueryRow(ctx, `SELECT cents FROM events WHERE id = $1`, r.Event).Scan(&cents)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoEvent
		}
		if err != nil {
			return fmt.Errorf("read the price: %w", err)
		}
		if !b.taxFirst {
			if percent, err = b.tax.percent(ctx, r.Country); err != nil {
				return err
			}
		}
		r.Cents = r.Seats * cents * (100 + percent) / 100
		err = tx.QueryRow(ctx,
			`INSERT INTO reservations (event_id, seats, country, cents) VALUES ($1, $2, $3, $4) RETURNING id`,
			r.Event, r.Seats, r.Country, r.Cents).Scan(&r.ID)
		if err != nil {
			return fmt.Errorf("write the reservation: %w", err)
		}
		return nil
	})
}

func (b *boxOffice) event(ctx context.Context, id int) (Event, error) {
	e := Event{ID: id}
	err := b.pool.QueryRow(ctx, `
		SELECT title, cents, (SELECT coalesce(sum(seats), 0) FROM reservations WHERE event_id = e.id)
		FROM events e WHERE id = $1`, id).Scan(&e.Title, &e.Cents, &e.Sold)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errNoEvent
	}
	if err != nil {
		return e, fmt.Errorf("read the event: %w", err)
	}
	return e, nil
}
