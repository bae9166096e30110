package main

import (
	"context"
	"maps"
	"sync"
)

// Order is what a customer owes.
type Order struct {
	ID    int64 `json:"id,omitempty"`
	Cents int   `json:"cents"`
}

// book has the orders.
type book struct {
	bank *bank

	mu   sync.Mutex
	last int64
	paid map[int64]int // cents of the orders that were paid
}

func newBook(b *bank) *book { return &book{bank: b, paid: map[int64]int{}} }

// place numbers an order and has it paid.
func (b *book) place(ctx context.Context, o *Order) error {
	b.mu.Lock()
	b.last++
	o.ID = b.last
	b.mu.Unlock()
	if err := b.bank.charge(ctx, o.ID, o.Cents); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paid[o.ID] = o.Cents
	return nil
}

// wrong is how many of the orders that were paid the bank has charged with another
// amount.
func (b *book) wrong(ctx context.Context) (int, error) {
	b.mu.Lock()
	paid := maps.Clone(b.paid)
	b.mu.Unlock()
	charged, err := b.bank.charged(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for id, cents := range paid {
		if charged[id] != cents {
			n++
		}
	}
	return n, nil
}
