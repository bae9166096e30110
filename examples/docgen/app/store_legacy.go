package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// legacyStore works on one connection per request, from its first statement to
// its last.
type legacyStore struct {
	pool *pgxpool.Pool
}

func (s *legacyStore) Create(ctx context.Context, template string, customer int) (Document, error) {
	d := Document{Template: template, Customer: customer}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return d, fmt.Errorf("get a connection: %w", err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		conn.Release()
		return d, fmt.Errorf("begin: %w", err)
	}

	var templateID int
	var body string
	err = tx.QueryRow(ctx, `SELECT id, body FROM templates WHERE name = $1`, template).Scan(&templateID, &body)
	if err != nil {
		return d, s.giveUp(ctx, conn, tx, "read the template", err)
	}
	var city string
	err = tx.QueryRow(ctx, `SELECT name, city FROM customers WHERE id = $1`, customer).Scan(&d.Name, &city)
	if err != nil {
		return d, s.giveUp(ctx, conn, tx, "read the customer", err)
	}

	d.Body = render(body, onLabel(template, d.Name), city)
	err = tx.QueryRow(ctx,
		`INSERT INTO documents (template_id, customer_id, body) VALUES ($1, $2, $3) RETURNING id, created_at`,
		templateID, customer, d.Body).Scan(&d.ID, &d.CreatedAt)
	if err != nil {
		if ctx.Err() != nil {
			// The driver has closed the connection: there is nothing to roll
			// back and nothing to reuse.
			return d, fmt.Errorf("insert the document: %w", err)
		}
		return d, s.giveUp(ctx, conn, tx, "insert the document", err)
	}
	if err := tx.Commit(ctx); err != nil {
		if ctx.Err() != nil {
			return d, fmt.Errorf("commit: %w", err)
		}
		return d, s.giveUp(ctx, conn, tx, "commit", err)
	}
	conn.Release()
	return d, nil
}

// giveUp ends a transaction that failed and gives its connection back.
func (s *legacyStore) giveUp(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, doing string, err error) error {
	if !errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%s: %w", doing, err)
	} else {
		err = errUnknown
	}
	if rerr := tx.Rollback(ctx); rerr != nil && ctx.Err() == nil {
		err = errors.Join(err, rerr)
	}
	conn.Release()
	return err
}

func (s *legacyStore) Get(ctx context.Context, id int64) (Document, error) {
	d := Document{ID: id}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return d, fmt.Errorf("get a connection: %w", err)
	}
	defer conn.Release()

	err = conn.QueryRow(ctx,
		`SELECT t.name, d.customer_id, d.body, d.created_at
		 FROM documents d JOIN templates t ON t.id = d.template_id WHERE d.id = $1`, id).
		Scan(&d.Template, &d.Customer, &d.Body, &d.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, errNotFound
	}
	if err != nil {
		return d, fmt.Errorf("read the document: %w", err)
	}
	err = conn.QueryRow(ctx, `SELECT name FROM customers WHERE id = $1`, d.Customer).Scan(&d.Name)
	if err != nil {
		return d, fmt.Errorf("read the customer: %w", err)
	}
	return d, nil
}

func (s *legacyStore) List(ctx context.Context, customer int) (Listing, error) {
	l := Listing{Documents: []Document{}}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return l, fmt.Errorf("get a connection: %w", err)
	}
	defer conn.Release()

	err = conn.QueryRow(ctx, `SELECT count(*) FROM documents WHERE customer_id = $1`, customer).Scan(&l.Total)
	if err != nil {
		return l, fmt.Errorf("count the documents: %w", err)
	}
	rows, err := conn.Query(ctx,
		`SELECT d.id, t.name, d.customer_id, c.name, d.created_at
		 FROM documents d JOIN templates t ON t.id = d.template_id JOIN customers c ON c.id = d.customer_id
		 WHERE d.customer_id = $1 ORDER BY d.id DESC LIMIT $2`, customer, listLimit)
	if err != nil {
		return l, fmt.Errorf("list the documents: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Document
		if err := rows.Scan(&d.ID, &d.Template, &d.Customer, &d.Name, &d.CreatedAt); err != nil {
			return l, fmt.Errorf("list the documents: %w", err)
		}
		l.Documents = append(l.Documents, d)
	}
	if err := rows.Err(); err != nil {
		return l, fmt.Errorf("list the documents: %w", err)
	}
	return l, nil
}

// onLabel is a customer's name as it goes on the template: delivery notes are
// printed on labels, which have room for 20 characters.
func onLabel(template, name string) string {
	if template == "delivery-note" && len(name) > labelWidth {
		return name[:labelWidth]
	}
	return name
}

// render fills in a template.
func render(template, customer, city string) string {
	return strings.NewReplacer("{customer}", customer, "{city}", city).Replace(template)
}
