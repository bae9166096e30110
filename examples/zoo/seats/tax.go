package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"example.com/zoo/internal/service"
)

// tax asks the tax service, which the company has in one place for all its shops.
type tax struct {
	url    string
	client *http.Client
}

func newTax(url string) *tax {
	return &tax{url: url, client: service.Client(2 * time.Second)}
}

// percent is a country's sales tax.
func (t *tax) percent(ctx context.Context, country string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/rates/"+url.PathEscape(country), nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the tax: %w", err)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for the tax: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("ask for the tax of %s: status %d", country, resp.StatusCode)
	}
	var rate struct{ Percent int }
	if err := json.NewDecoder(resp.Body).Decode(&rate); err != nil {
		return 0, fmt.Errorf("read the tax: %w", err)
	}
	return rate.Percent, nil
}
