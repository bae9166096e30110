package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// connections is how many the generator has; each has one request in flight.
const connections = 2

// client sends over one connection.
type client struct {
	http     http.Client
	url      string
	grpc     bool
	requests []*request
}

func newClient(address string, grpc bool, requests []*request) *client {
	// Both speak it without TLS, as services in an environment do.
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(grpc)
	protocols.SetHTTP1(!grpc)
	c := &client{requests: requests, grpc: grpc, url: "http://" + address + "/v1/traces", http: http.Client{
		Transport: &http.Transport{Protocols: &protocols, MaxConnsPerHost: 1, WriteBufferSize: 256 << 10}, Timeout: 30 * time.Second,
	}}
	if grpc {
		c.url = "http://" + address + "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	}
	return c
}

// send exports the spans that have a number; an answer that is not plain success
// is an error.
func (c *client) send(ctx context.Context, number uint64) error {
	q := c.requests[number%uint64(len(c.requests))]
	q.renew(number)
	return c.post(ctx, q.bytes)
}

// ping exports nothing.
func (c *client) ping(ctx context.Context) error { return c.post(ctx, nil) }

func (c *client) post(ctx context.Context, message []byte) error {
	var body io.Reader = bytes.NewReader(message)
	contentType, size := "application/x-protobuf", len(message)
	if c.grpc {
		prefix := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))) // it is not compressed, and so long
		body = io.MultiReader(bytes.NewReader(prefix), body)
		contentType, size = "application/grpc", len(prefix)+len(message)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return err
	}
	r.ContentLength = int64(size)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("TE", "trailers")
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	status := answer.Header.Get("Grpc-Status") + answer.Trailer.Get("Grpc-Status")
	if answer.StatusCode != http.StatusOK || c.grpc && status != "0" {
		return fmt.Errorf("%s, gRPC status %q: %q", answer.Status, status, said)
	}
	// Of a partial success, more than an empty message would be said.
	if c.grpc && len(said) >= 5 {
		said = said[5:]
	}
	if len(said) > 2 {
		return fmt.Errorf("not all spans were accepted: %q", said)
	}
	return nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// saturate sends a number of requests, from one on, as fast as they are taken.
func saturate(ctx context.Context, clients []*client, from, requests int) (time.Duration, error) {
	start := time.Now()
	err := onEach(clients, func(i int, c *client) error {
		for n := i; n < requests; n += len(clients) {
			if err := c.send(ctx, uint64(from+n)); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(start), err
}

// pace sends a number of requests at a rate, and gives how long each took from the
// moment at which it was due: a server that is late is late for those that wait.
func pace(ctx context.Context, clients []*client, from, requests int, every time.Duration) ([]time.Duration, error) {
	took := make([]time.Duration, requests)
	start := time.Now()
	err := onEach(clients, func(i int, c *client) error {
		for n := i; n < requests; n += len(clients) {
			due := start.Add(time.Duration(n) * every)
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := c.send(ctx, uint64(from+n)); err != nil {
				return err
			}
			took[n] = time.Since(due)
		}
		return nil
	})
	return took, err
}

// onEach runs f for all clients at once, and gives the first error.
func onEach(clients []*client, f func(int, *client) error) error {
	errs := make([]error, len(clients))
	var group sync.WaitGroup
	for i, c := range clients {
		group.Go(func() { errs[i] = f(i, c) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
