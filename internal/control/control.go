// Package control is how a command reaches an environment that another process
// runs: a Unix socket in the environment's directory, readable by its owner only.
// A request is one JSON object with the open files that it needs; the answer is
// one JSON object. A client that hangs up takes its request back.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/passing"
)

// Request is what a command asks.
type Request struct {
	Op      string               `json:"op"` // "status", "down", "exec", "files", "link", "reset", "experiment"
	Service rehearse.ServiceName `json:"service,omitempty"`
	Args    []string             `json:"args,omitempty"`
	Env     map[string]string    `json:"env,omitempty"`
	Body    json.RawMessage      `json:"body,omitempty"` // what the op says more
}

// Response is the answer. Body depends on the request.
type Response struct {
	Error string          `json:"error,omitempty"`
	Kind  rehearse.Kind   `json:"kind,omitempty"` // of the error
	Hint  string          `json:"hint,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
}

// Handler answers a request. files are the request's; they are closed after the
// handler returns. ctx ends when the client hangs up.
type Handler func(ctx context.Context, q Request, files []*os.File) (any, error)

// Listen opens the socket.
func Listen(path string) (*net.UnixListener, error) {
	name, release, err := passing.Address(path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // its directory goes as a whole
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers requests until ctx ends, and waits for those under way.
func Serve(ctx context.Context, l *net.UnixListener, h Handler) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var under sync.WaitGroup
	defer under.Wait()
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		under.Go(func() { answer(ctx, c, h) })
	}
}

func answer(ctx context.Context, c *net.UnixConn, h Handler) {
	defer c.Close()
	// A client that says nothing, or hears nothing, must not keep the environment
	// standing. Who asked it down still wants the answer.
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	})
	defer stop()
	ch := passing.FromConn(c)
	var q Request
	files, err := ch.Read(&q)
	defer passing.CloseAll(files)
	var body any
	if err == nil {
		one, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			// Nothing more comes from a client but the end.
			_, _ = c.Read(make([]byte, 1))
			cancel()
		}()
		body, err = h(one, q, files)
	}
	var r Response
	if err != nil {
		r.Error, r.Kind = err.Error(), rehearse.KindOf(err)
		var e *rehearse.Error
		if errors.As(err, &e) {
			r.Hint = e.Hint
		}
	} else if r.Body, err = json.Marshal(body); err != nil {
		r.Error = err.Error()
	}
	_ = ch.Write(r) // a client that has hung up wants no answer
}

// Call asks and waits for the answer, whose body is read into out unless that is
// nil.
func Call(ctx context.Context, path string, q Request, out any, files ...*os.File) error {
	name, release, err := passing.Address(path)
	if err != nil {
		return fmt.Errorf("reach the environment: %w", err)
	}
	defer release()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", name)
	if err != nil {
		return fmt.Errorf("reach the environment: %w", err)
	}
	c := conn.(*net.UnixConn)
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	ch := passing.FromConn(c)
	if err := ch.Write(q, files...); err != nil {
		return fmt.Errorf("ask the environment: %w", err)
	}
	var r Response
	received, err := ch.Read(&r)
	passing.CloseAll(received) // none are expected
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
			return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "the environment has ended without an answer", Hint: "See with rehearse ls whether it still stands; rehearse gc removes what a dead one has left."}
		}
		return fmt.Errorf("hear the environment's answer: %w", err)
	}
	if r.Error != "" {
		return &rehearse.Error{Kind: r.Kind, Msg: r.Error, Hint: r.Hint}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(r.Body, out)
}
