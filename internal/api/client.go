package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Client asks an environment over its API. Its methods may be called from several
// goroutines. Their errors are those of the environment, with their kinds and
// hints; one of kind Unavailable with no answer says that it cannot be reached.
type Client struct {
	Base  string // as http://127.0.0.1:40123
	Token string
}

// Environment is what the environment is.
func (c *Client) Environment(ctx context.Context) (e Environment, err error) {
	return e, c.call(ctx, "GET", "/v1/environment", nil, &e)
}

// Down asks the environment to go, and does not wait for it.
func (c *Client) Down(ctx context.Context) error {
	return c.call(ctx, "DELETE", "/v1/environment", nil, nil)
}

// Extend has the lease last for at least so long from now.
func (c *Client) Extend(ctx context.Context, d time.Duration) (l Lease, err error) {
	return l, c.call(ctx, "POST", "/v1/lease", leaseRequest{rehearse.Duration(d)}, &l)
}

// Services are where all services are now.
func (c *Client) Services(ctx context.Context) (s []Service, err error) {
	return s, c.call(ctx, "GET", "/v1/services", nil, &s)
}

// Logs are the last lines that a service has written; tail 0 is all of them.
func (c *Client) Logs(ctx context.Context, name rehearse.ServiceName, tail int) (l Logs, err error) {
	query := ""
	if tail > 0 {
		query = "?tail=" + strconv.Itoa(tail)
	}
	return l, c.call(ctx, "GET", servicePath(name)+"/logs"+query, nil, &l)
}

// Exec runs a command where a service runs, and waits for its end. It ends with
// ctx.
func (c *Client) Exec(ctx context.Context, name rehearse.ServiceName, x Exec) (e Executed, err error) {
	return e, c.call(ctx, "POST", servicePath(name)+"/exec", x, &e)
}

// Reset gives a service its first data again, and waits until it is ready.
func (c *Client) Reset(ctx context.Context, name rehearse.ServiceName) error {
	return c.call(ctx, "POST", servicePath(name)+"/reset", nil, nil)
}

// Links are all links.
func (c *Client) Links(ctx context.Context) (l []Link, err error) {
	return l, c.call(ctx, "GET", "/v1/links", nil, &l)
}

// ChangeLink shapes or breaks a link.
func (c *Client) ChangeLink(ctx context.Context, id rehearse.LinkID, change LinkChange) (l Link, err error) {
	return l, c.call(ctx, "PUT", linkPath(id), change, &l)
}

// ResetLink gives a link its planned shape back and takes faults away.
func (c *Client) ResetLink(ctx context.Context, id rehearse.LinkID) (l Link, err error) {
	return l, c.call(ctx, "DELETE", linkPath(id), nil, &l)
}

// Stats are what a link has seen.
func (c *Client) Stats(ctx context.Context, id rehearse.LinkID) (s rehearse.LinkStats, err error) {
	return s, c.call(ctx, "GET", linkPath(id)+"/stats", nil, &s)
}

func servicePath(name rehearse.ServiceName) string {
	return "/v1/services/" + url.PathEscape(string(name))
}

func linkPath(id rehearse.LinkID) string { return "/v1/links/" + url.PathEscape(string(id)) }

// call asks, and reads the answer into out unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := transport.RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "reach the environment at " + c.Base, Err: err, Hint: "It may have gone down: rehearse ls lists those that stand."}
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return p.err()
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}

// transport asks no proxy: what is asked for is on this host.
var transport = &http.Transport{IdleConnTimeout: 10 * time.Second}

// err is the error that the problem was made from.
func (p Problem) err() error {
	for kind, k := range kinds {
		if k.name == p.Kind {
			return &rehearse.Error{Kind: kind, Msg: p.Error, Hint: p.Hint}
		}
	}
	return errors.New(p.Error)
}
