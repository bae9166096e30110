package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/zoo/internal/service"
)

// carrier is the client of the carrier's API.
type carrier struct {
	url    string
	client *http.Client
}

func newCarrier(url string) *carrier {
	return &carrier{url: url, client: service.Client(2 * time.Second)}
}

// labelStubbornly is label, which does not give up at once: the carrier's API has
// its moments.
func (c *carrier) labelStubbornly(ctx context.Context, p Parcel) (string, error) {
	var err error
	for range 4 {
		var label string
		if label, err = c.label(ctx, p); err == nil {
			return label, nil
		}
	}
	return "", err
}

// label asks the carrier for a label.
func (c *carrier) label(ctx context.Context, p Parcel) (string, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write the parcel down: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/labels", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("ask for a label: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask for a label: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		return "", fmt.Errorf("ask for a label: status %d", resp.StatusCode)
	}
	var answer struct{ Label string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("read the label: %w", err)
	}
	return answer.Label, nil
}
