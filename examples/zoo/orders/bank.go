package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/zoo/internal/service"
)

// bank is the client of the bank's API.
type bank struct {
	url    string
	keys   bool // send the header Idempotency-Key
	client *http.Client
}

func newBank(url string, keys bool) *bank {
	return &bank{url: url, keys: keys, client: service.Client(2 * time.Second)}
}

// charge has an order charged.
func (b *bank) charge(ctx context.Context, order int64, cents int) error {
	body, err := json.Marshal(map[string]any{"order": order, "cents": cents})
	if err != nil {
		return fmt.Errorf("write the charge down: %w", err)
	}
	return b.call(ctx, "charge the order", nil, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/charges", bytes.NewReader(body))
		if err == nil && b.keys {
			req.Header.Set("Idempotency-Key", "order-"+strconv.FormatInt(order, 10))
		}
		return req, err
	})
}

// charged is how many cents the bank has taken for each order.
func (b *bank) charged(ctx context.Context) (map[int64]int, error) {
	var charged map[int64]int
	err := b.call(ctx, "read the charges", &charged, func() (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/charges", nil)
	})
	return charged, err
}

// attempts is how often a call is made that gets no answer: connections to the
// bank break now and then.
const attempts = 5

// call makes a call and reads its answer into v, unless that is nil.
func (b *bank) call(ctx context.Context, doing string, v any, request func() (*http.Request, error)) error {
	pause := 50 * time.Millisecond
	for attempt := 1; ; attempt++ {
		req, err := request()
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		resp, err := b.client.Do(req)
		if err == nil {
			return read(resp, doing, v)
		}
		if attempt == attempts {
			return fmt.Errorf("%s: %w", doing, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		case <-time.After(pause):
			pause *= 2
		}
	}
}

func read(resp *http.Response, doing string, v any) error {
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: status %d", doing, resp.StatusCode)
	}
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
