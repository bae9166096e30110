package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Product is a line of a listing.
type Product struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
	Stock int    `json:"stock"` // in all warehouses
}

type catalogue struct{ pool *pgxpool.Pool }

// list is the products of a category, by name.
func (c *catalogue) list(ctx context.Context, category int) ([]Product, error) {
	rows, err := c.pool.Query(ctx, `SELECT id, name, cents, 0 FROM products WHERE category_id = $1 ORDER BY name`, category)
	if err != nil {
		return nil, fmt.Errorf("read the products: %w", err)
	}
	products, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return nil, fmt.Errorf("read the products: %w", err)
	}
	for i := range products {
		if products[i].Stock, err = c.stock(ctx, products[i].ID); err != nil {
			return nil, err
		}
	}
	return products, nil
}

// stock is how many of a product there are in all warehouses.
func (c *catalogue) stock(ctx context.Context, product int) (int, error) {
	var units int
	err := c.pool.QueryRow(ctx, `SELECT coalesce(sum(units), 0) FROM stock WHERE product_id = $1`, product).Scan(&units)
	if err != nil {
		return 0, fmt.Errorf("read the stock of product %d: %w", product, err)
	}
	return units, nil
}

// listJoined is list in one statement.
func (c *catalogue) listJoined(ctx context.Context, category int) ([]Product, error) {
	rows, err := c.pool.Query(ctx, `
		SELECT p.id, p.name, p.cents, coalesce(sum(s.units), 0)::int
		FROM products p LEFT JOIN stock s ON s.product_id = p.id
		WHERE p.category_id = $1 GROUP BY p.id ORDER BY p.name`, category)
	if err != nil {
		return nil, fmt.Errorf("read the products: %w", err)
	}
	products, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return nil, fmt.Errorf("read the products: %w", err)
	}
	return products, nil
}
