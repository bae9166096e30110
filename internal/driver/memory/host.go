package memory

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Program is a service, or a command that Exec runs: it gets the arguments
// after its name and returns its exit code. ctx ends when the program is asked
// to stop, by any signal, or is killed. After a kill nothing that it does
// through its Host has an effect any more.
type Program func(ctx context.Context, h *Host, args []string) int

// Host is the place that a program runs in. It belongs to one run of one
// program; its methods may be called from any goroutine of that program.
type Host struct {
	process        *process
	main           *process // of the service: what a command leaves behind belongs to it
	network        *network
	hosts          map[string]string
	hostname       string
	env            map[string]string
	stdin          io.Reader
	stdout, stderr *output
}

// Listen listens on a port of every address of the service; port 0 is one that
// is free.
func (h *Host) Listen(port int) (net.Listener, error) {
	l, err := h.network.listen(addr{anywhere, port}, h.process)
	if err != nil {
		return nil, err
	}
	if !h.process.own(l) {
		return nil, l.wrap("listen")
	}
	return l, nil
}

// Dial connects to a name or address as the service sees it: itself, or a link.
// Nothing else can be reached.
func (h *Host) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	ip, known := h.hosts[host]
	to := addr{host, port}
	switch parsed := net.ParseIP(host); {
	case known:
		to.host = ip
	case parsed == nil:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	case parsed.IsUnspecified():
		to.host = "127.0.0.1"
	case !parsed.IsLoopback():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	}
	c, err := h.network.dial(ctx, "127.0.0.1", to)
	if err != nil {
		return nil, err
	}
	if !h.process.own(c) {
		return nil, c.wrap("dial", net.ErrClosed)
	}
	return c, nil
}

// Getenv is the value of an environment variable, empty without one.
func (h *Host) Getenv(name string) string { return h.env[name] }

// Hostname is the service's host name.
func (h *Host) Hostname() string { return h.hostname }

// Stdin is what Exec was given to read; a service's is empty.
func (h *Host) Stdin() io.Reader { return h.stdin }

// Stdout is the program's standard output.
func (h *Host) Stdout() io.Writer { return h.stdout }

// Stderr is the program's standard error.
func (h *Host) Stderr() io.Writer { return h.stderr }

// Detach starts a daemon: a process that does nothing, forever, and outlives
// the program that started it but not the service.
func (h *Host) Detach() error {
	daemon := func(ctx context.Context, _ *Host, _ []string) int {
		<-ctx.Done()
		return 0
	}
	if _, ok := h.main.spawn(daemon, h.child(), nil); !ok {
		return fmt.Errorf("detach: %w", os.ErrProcessDone)
	}
	return nil
}

// child is a host like this one for a further process of the service, with
// nothing to read and nowhere to write.
func (h *Host) child() *Host {
	c := *h
	c.env = maps.Clone(h.env)
	c.stdin, c.stdout, c.stderr = strings.NewReader(""), &output{}, &output{}
	return &c
}

// output is one of a program's streams. It ends when the program does, so that
// nothing is written after Done. A writer that fails loses its own output; the
// program does not notice, as it would not with a pipe that somebody drains.
type output struct {
	mu    sync.Mutex
	to    io.Writer
	ended bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return 0, os.ErrClosed
	}
	if o.to != nil {
		_, _ = o.to.Write(p)
	}
	return len(p), nil
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}
