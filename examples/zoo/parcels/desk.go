package main

import (
	"context"
	"fmt"
)

// Parcel is what is sent.
type Parcel struct {
	City  string `json:"city"`
	Grams int    `json:"grams"`
	Label string `json:"label,omitempty"`
}

// desk takes parcels in.
type desk struct {
	label    func(ctx context.Context, p Parcel) (string, error)
	attempts int
}

// take gets a parcel its label. A parcel without one cannot be sent, so it is
// worth a second try.
func (d *desk) take(ctx context.Context, p *Parcel) error {
	var err error
	for range d.attempts {
		if p.Label, err = d.label(ctx, *p); err == nil {
			return nil
		}
	}
	return fmt.Errorf("label the parcel: %w", err)
}
