package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// fixedStore makes one round trip per request. It borrows a connection for just
// that one, and the pool's own QueryRow and Query give it back on every path.
type fixedStore struct {
	pool *pgxpool.Pool
}

func (s *fixedStore) Create(ctx context.Context, template string, customer int) (Document, error) {
	d := Document{Template: template, Customer: customer}
	err := s.pool.QueryRow(ctx, `
		WITH t AS (SELECT id, body FROM templates WHERE name = $1),
		     c AS (SELECT id, name, city FROM customers WHERE id = $2),
		     d AS (
		         INSERT INTO documents (template_id, customer_id, body)
		         SELECT t.id, c.id, replace(replace(t.body, '{customer}', CASE WHEN $1 = 'delivery-note' THEN left(c.name, $3) ELSE c.name END), '{city}', c.city)
		         FROM t, c
		         RETURNING id, body, created_at
		     )
		SELECT d.id, c.name, d.body, d.created_at FROM d, c`, template, customer, labelWidth).
		Scan(&d.ID, &d.Name, &d.Body, &d.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, errUnknown
	}
	if err != nil {
		return d, fmt.Errorf("insert the document: %w", err)
	}
	return d, nil
}

func (s *fixedStore) Get(ctx context.Context, id int64) (Document, error) {
	d := Document{ID: id}
	err := s.pool.QueryRow(ctx, `
		SELECT t.name, d.customer_id, c.name, d.body, d.created_at
		FROM documents d JOIN templates t ON t.id = d.template_id JOIN customers c ON c.id = d.customer_id
		WHERE d.id = $1`, id).
		Scan(&d.Template, &d.Customer, &d.Name, &d.Body, &d.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, errNotFound
	}
	if err != nil {
		return d, fmt.Errorf("read the document: %w", err)
	}
	return d, nil
}

func (s *fixedStore) List(ctx context.Context, customer int) (Listing, error) {
	l := Listing{Documents: []Document{}}
	rows, err := s.pool.Query(ctx, `
		SELECT count(*) OVER (), d.id, t.name, d.customer_id, c.name, d.created_at
		FROM documents d JOIN templates t ON t.id = d.template_id JOIN customers c ON c.id = d.customer_id
		WHERE d.customer_id = $1 ORDER BY d.id DESC LIMIT $2`, customer, listLimit)
	if err != nil {
		return l, fmt.Errorf("list the documents: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Document
		if err := rows.Scan(&l.Total, &d.ID, &d.Template, &d.Customer, &d.Name, &d.CreatedAt); err != nil {
			return l, fmt.Errorf("list the documents: %w", err)
		}
		l.Documents = append(l.Documents, d)
	}
	if err := rows.Err(); err != nil {
		return l, fmt.Errorf("list the documents: %w", err)
	}
	return l, nil
}
