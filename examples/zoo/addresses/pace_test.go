package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := newPace(10), time.Now()
		turn := func(want time.Duration) {
			t.Helper()
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != want {
				t.Errorf("a turn after %v, want %v", got, want)
			}
		}
		turn(0)
		turn(100 * time.Millisecond)
		p.back(time.Second)
		turn(1100 * time.Millisecond)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v for a caller that has gone", err)
		}
	})
}

func TestNoPace(t *testing.T) {
	var p *pace
	p.back(time.Hour)
	if err := p.wait(t.Context()); err != nil {
		t.Error(err)
	}
}
