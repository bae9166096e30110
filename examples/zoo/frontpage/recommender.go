package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// recommender asks the service of the data team what readers may like.
type recommender struct {
	url    string
	client *http.Client
}

func newRecommender(url string, timeout time.Duration) *recommender {
	return &recommender{url: url, client: &http.Client{Timeout: timeout}}
}

// of is what a reader may like, the most likely first.
func (c *recommender) of(reader int) ([]string, error) {
	resp, err := c.client.Get(fmt.Sprintf("%s/readers/%d/likes", c.url, reader))
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
