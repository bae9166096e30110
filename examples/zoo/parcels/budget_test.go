package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, down := 0, true
		b := newBudget(func(context.Context, Parcel) (string, error) {
			calls++
			if down {
				return "", errors.New("status 503")
			}
			return "CR1", nil
		})
		for range 50 {
			if _, err := b.label(t.Context(), Parcel{}); err == nil {
				t.Fatal("a label although the carrier is down")
			}
		}
		if want := 50 + budgetSize; calls != want {
			t.Errorf("%d calls for 50 parcels, want %d", calls, want)
		}
		down = false
		for range 20 {
			if label, err := b.label(t.Context(), Parcel{}); err != nil || label != "CR1" {
				t.Fatalf("got %q, %v", label, err)
			}
		}
		down, calls = true, 0
		for range 5 {
			if _, err := b.label(t.Context(), Parcel{}); err == nil {
				t.Fatal("a label although the carrier is down")
			}
		}
		if want := 5 + 2; calls != want {
			t.Errorf("%d calls for 5 parcels after 20 that went well, want %d", calls, want)
		}
	})
}
