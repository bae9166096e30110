package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errNoAccount = errors.New("there is no such account")

// Transfer is money that moves from one account to another.
type Transfer struct {
	ID    int64 `json:"id,omitempty"`
	From  int   `json:"from"`
	To    int   `json:"to"`
	Cents int   `json:"cents"`
}

type books struct {
	pool    *pgxpool.Pool
	ordered bool
}

// transfer moves the money, and writes down that it did.
func (b *books) transfer(ctx context.Context, t *Transfer) error {
	entries := []struct{ account, cents int }{{t.From, -t.Cents}, {t.To, t.Cents}}
	if b.ordered && t.From > t.To {
		entries[0], entries[1] = entries[1], entries[0]
	}
	return pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		for _, e := range entries {
			tag, err := tx.Exec(ctx, `UPDATE accounts SET cents = cents + $2 WHERE id = $1`, e.account, e.cents)
			if err != nil {
				return fmt.Errorf("book on account %d: %w", e.account, err)
			}
			if tag.RowsAffected() == 0 {
				return errNoAccount
			}
		}
		err := tx.QueryRow(ctx,
			`INSERT INTO transfers (from_id, to_id, cents) VALUES ($1, $2, $3) RETURNING id`, t.From, t.To, t.Cents).Scan(&t.ID)
		if err != nil {
			return fmt.Errorf("write the transfer: %w", err)
		}
		return nil
	})
}
