package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errNoMember = errors.New("there is no such member")

// Movement is points that a member gets or, below 0, spends.
type Movement struct {
	Member  int `json:"member"`
	Points  int `json:"points"`
	Balance int `json:"balance,omitempty"` // after it
}

// accounts writes movements and balances, both or neither.
type accounts struct {
	pool *pgxpool.Pool
	// move changes a member's balance within a transaction, and returns the new one.
	move func(ctx context.Context, tx pgx.Tx, member, points int) (int, error)
}

// post writes a movement down and changes the balance.
func (a *accounts) post(ctx context.Context, m *Movement) error {
	return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		balance, err := a.move(ctx, tx, m.Member, m.Points)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoMember
		}
		if err != nil {
			return fmt.Errorf("change the balance: %w", err)
		}
		m.Balance = balance
		if _, err := tx.Exec(ctx, `INSERT INTO movements (member_id, points) VALUES ($1, $2)`, m.Member, m.Points); err != nil {
			return fmt.Errorf("write the movement: %w", err)
		}
		return nil
	})
}

func computed(ctx context.Context, tx pgx.Tx, member, points int) (int, error) {
	var balance int
	if err := tx.QueryRow(ctx, `SELECT balance FROM members WHERE id = $1`, member).Scan(&balance); err != nil {
		return 0, err
	}
	balance += points
	_, err := tx.Exec(ctx, `UPDATE members SET balance = $2 WHERE id = $1`, member, balance)
	return balance, err
}

func added(ctx context.Context, tx pgx.Tx, member, points int) (int, error) {
	var balance int
	err := tx.QueryRow(ctx, `UPDATE members SET balance = balance + $2 WHERE id = $1 RETURNING balance`, member, points).Scan(&balance)
	return balance, err
}

// wrong is how many balances are not the sum of their movements.
func (a *accounts) wrong(ctx context.Context) (int, error) {
	var n int
	err := a.pool.QueryRow(ctx, `
		SELECT count(*) FROM members m
		WHERE balance <> (SELECT coalesce(sum(points), 0) FROM movements WHERE member_id = m.id)`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("audit the balances: %w", err)
	}
	return n, nil
}
