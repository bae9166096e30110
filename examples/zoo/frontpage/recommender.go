package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"example.com/zoo/internal/service"
)

// recommender asks the service of the data team what readers may like.
type recommender struct {
	url    string
	client *http.Client
}

func newRecommender(url string, timeout time.Duration) *recommender {
	return &recommender{url: url, client: service.Client(timeout)}
}

// of is what a reader may like, the most likely first.
func (c *recommender) of(ctx context.Context, reader int) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/readers/%d/likes", c.url, reader), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for recommendations: %w", err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for recommendations: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for recommendations: status %d", resp.StatusCode)
	}
	var answer struct{ Likes []string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the recommendations: %w", err)
	}
	return answer.Likes, nil
}
