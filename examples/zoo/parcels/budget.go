package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// budget lets a failed call be made once more, after a pause, as long as there
// are not more than one such call for ten that succeeded.
type budget struct {
	call func(ctx context.Context, p Parcel) (string, error)

	mu     sync.Mutex
	tokens float64
}

// budgetSize is how many calls may be made again when all has been well.
const budgetSize = 10

func newBudget(call func(ctx context.Context, p Parcel) (string, error)) *budget {
	return &budget{call: call, tokens: budgetSize}
}

func (b *budget) label(ctx context.Context, p Parcel) (string, error) {
	label, err := b.call(ctx, p)
	if err == nil {
		b.earn()
		return label, nil
	}
	if !b.spend() {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)):
	}
	return b.call(ctx, p)
}

func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+0.1, budgetSize)
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
