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
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
)

// Request is what a command asks.
type Request struct {
	Op      string               `json:"op"` // "status", "down", "exec", "link", "reset"
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

const maxRequest = 1 << 20

// Listen opens the socket.
func Listen(path string) (*net.UnixListener, error) {
	name, release, err := address(path)
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

// address is a name for a socket that fits into the kernel's 107 bytes: a long
// path is taken through a file descriptor of its directory, which stays open
// until release.
func address(path string) (name string, release func(), err error) {
	if len(path) < 100 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
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
	q, files, err := readRequest(c)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
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
	_ = json.NewEncoder(c).Encode(r) // a client that has hung up wants no answer
}

// readRequest reads a length, with which the files come, and the request.
func readRequest(c *net.UnixConn) (q Request, files []*os.File, err error) {
	head := make([]byte, 4)
	oob := make([]byte, unix.CmsgSpace(16*4))
	n, oobn, _, _, err := c.ReadMsgUnix(head, oob)
	if err != nil {
		return q, nil, err
	}
	if _, err := io.ReadFull(c, head[n:]); err != nil {
		return q, nil, err
	}
	if messages, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil {
		for _, m := range messages {
			if fds, err := unix.ParseUnixRights(&m); err == nil {
				for _, fd := range fds {
					unix.CloseOnExec(fd)
					files = append(files, os.NewFile(uintptr(fd), "received"))
				}
			}
		}
	}
	size := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if size < 0 || size > maxRequest {
		return q, files, fmt.Errorf("a request of %d bytes", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(c, data); err != nil {
		return q, files, err
	}
	return q, files, json.Unmarshal(data, &q)
}

// Call asks and waits for the answer, whose body is read into out unless that is
// nil.
func Call(ctx context.Context, path string, q Request, out any, files ...*os.File) error {
	name, release, err := address(path)
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
	data, err := json.Marshal(q)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	n := len(data)
	if _, _, err := c.WriteMsgUnix([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, rights, nil); err != nil {
		return fmt.Errorf("ask the environment: %w", err)
	}
	if _, err := c.Write(data); err != nil {
		return fmt.Errorf("ask the environment: %w", err)
	}
	var r Response
	if err := json.NewDecoder(c).Decode(&r); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
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
