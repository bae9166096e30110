// Package drivertest is the conformance suite that every driver passes.
//
// A driver's test gives a [Harness] and calls [Run]. The suite asks only for what
// package driver promises, so that a plan behaves the same on every driver.
package drivertest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Harness is one driver under test.
type Harness struct {
	Driver driver.Driver
	// Dir is a project directory that services can see.
	Dir string
	// Service makes a service that runs [Program] with the arguments.
	Service func(name rehearse.ServiceName, args ...string) rehearse.Service
	// Command is how [Program] is called in an Exec.
	Command func(args ...string) []string
	// Isolated is false for a tier that shares the host's network and names.
	Isolated bool
}

const port = 8080

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("a service answers on its port", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		start(t, e, "up")
		if got, want := ask(t, e, "up", "env GREETING"), "hello"; got != want {
			t.Errorf("its environment says %q, want %q", got, want)
		}
		if h.Isolated {
			if got, want := ask(t, e, "up", "hostname"), "up"; got != want {
				t.Errorf("its host name is %q, want %q", got, want)
			}
		}
	})

	t.Run("nothing listens: refused", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		_, err := e.Dial(t.Context(), "up", port)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want ECONNREFUSED", err)
		}
	})

	t.Run("a client reaches a listener by name", func(t *testing.T) {
		e := open(t, h, h.Service("client", "serve", "8080"), h.Service("up", "serve", "8080"))
		names := []string{"up", "alias"}
		l, addr, err := e.Listen(t.Context(), "client", names, port)
		if err != nil {
			t.Fatal(err)
		}
		carry(t, l, func() (net.Conn, error) { return e.Dial(t.Context(), "up", port) })
		start(t, e, "client")
		start(t, e, "up")
		ask(t, e, "up", "hostname") // it is there
		if !h.Isolated {
			names = []string{addr.Host}
		}
		for _, name := range names {
			want := "up"
			if !h.Isolated {
				want = ask(t, e, "up", "hostname")
			}
			if got := ask(t, e, "client", fmt.Sprintf("dial %s %d", name, addr.Port)); got != want {
				t.Errorf("over the name %s answers %q, want %q", name, got, want)
			}
		}
		if h.Isolated {
			if got := ask(t, e, "up", fmt.Sprintf("dial client %d", port)); !strings.HasPrefix(got, "error:") {
				t.Errorf("a service without a link reached the other: %q", got)
			}
		}
	})

	t.Run("the outside comes in over the host's loopback", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		l, addr, err := e.Listen(t.Context(), rehearse.Ingress, []string{"up"}, port)
		if err != nil {
			t.Fatal(err)
		}
		carry(t, l, func() (net.Conn, error) { return e.Dial(t.Context(), "up", port) })
		start(t, e, "up")
		ask(t, e, "up", "hostname") // it is there
		if h.Driver.Name() == "memory" {
			return // its loopback is not the host's
		}
		c, err := net.Dial("tcp", net.JoinHostPort(addr.Host, fmt.Sprint(addr.Port)))
		if err != nil {
			t.Fatal(err)
		}
		if got := question(t, c, "env GREETING"); got != "hello" {
			t.Errorf("answers %q, want hello", got)
		}
	})

	t.Run("nothing leaves without a link", func(t *testing.T) {
		if !h.Isolated || h.Driver.Name() == "memory" {
			t.Skip("this tier shares the host's network")
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		e := open(t, h, h.Service("up", "serve", "8080"))
		start(t, e, "up")
		got := ask(t, e, "up", fmt.Sprintf("dial 127.0.0.1 %d", l.Addr().(*net.TCPAddr).Port))
		if !strings.HasPrefix(got, "error:") {
			t.Errorf("the service reached the host: %q", got)
		}
		if got := ask(t, e, "up", "dial 203.0.113.1 80"); !strings.HasPrefix(got, "error:") {
			t.Errorf("the service reached the world: %q", got)
		}
	})

	t.Run("environments do not meet", func(t *testing.T) {
		a := open(t, h, h.Service("up", "serve", "8080"))
		b := open(t, h, h.Service("up", "serve", "8080"))
		start(t, a, "up")
		if _, err := b.Dial(t.Context(), "up", port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the other environment's port answers: %v", err)
		}
		start(t, b, "up")
		if got := ask(t, b, "up", "env GREETING"); got != "hello" {
			t.Errorf("the same port in a second environment answers %q", got)
		}
	})

	t.Run("exec", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		start(t, e, "up")
		var out bytes.Buffer
		code, err := e.Exec(t.Context(), "up", driver.Command{Args: h.Command("env", "MORE"), Env: map[string]string{"MORE": "than before"}, Stdout: &out})
		if err != nil || code != 0 || strings.TrimSpace(out.String()) != "than before" {
			t.Errorf("exec: code %d, %q, %v", code, out.String(), err)
		}
		if code, err := e.Exec(t.Context(), "up", driver.Command{Args: h.Command("exit", "7")}); err != nil || code != 7 {
			t.Errorf("exec: code %d, %v; want 7", code, err)
		}
	})

	t.Run("files", func(t *testing.T) { testFiles(t, h) })

	t.Run("a service that exits says how", func(t *testing.T) {
		e := open(t, h, h.Service("short", "exit", "3"))
		p, log := start(t, e, "short")
		wait(t, p)
		if got := p.Exit().Code; got != 3 {
			t.Errorf("exit code %d, want 3", got)
		}
		if got := log.String(); !strings.Contains(got, "going") {
			t.Errorf("its last words are lost: %q", got)
		}
	})

	t.Run("stop and start again", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		for range 2 {
			p, _ := start(t, e, "up")
			if got := ask(t, e, "up", "env GREETING"); got != "hello" {
				t.Errorf("answers %q", got)
			}
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			wait(t, p)
			if got := p.Exit().Code; got != 0 {
				t.Errorf("after SIGTERM exit code %d, want 0", got)
			}
		}
	})

	t.Run("what a service started ends with it", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"))
		p, _ := start(t, e, "up")
		if got := ask(t, e, "up", "detach"); got != "detached" {
			t.Fatal(got)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		wait(t, p)
		if u, err := e.Usage(t.Context(), "up"); err != nil || u.Processes != 0 {
			t.Errorf("%d processes are left (%v)", u.Processes, err)
		}
	})

	t.Run("disruptions", func(t *testing.T) { testDisruptions(t, h) })

	t.Run("close leaves nothing", func(t *testing.T) {
		e := open(t, h, h.Service("up", "serve", "8080"), h.Service("other", "serve", "8080"))
		start(t, e, "up")
		start(t, e, "other")
		if got := ask(t, e, "up", "detach"); got != "detached" {
			t.Fatal(got)
		}
		before, err := h.Driver.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(of(before, e.id)) == 0 {
			t.Error("List does not know of a running environment")
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, err := h.Driver.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := of(after, e.id); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

type environment struct {
	driver.Environment
	id rehearse.EnvironmentID
}

var count struct {
	sync.Mutex
	n int
}

func open(t *testing.T, h Harness, services ...rehearse.Service) environment {
	t.Helper()
	count.Lock()
	count.n++
	id := rehearse.EnvironmentID(fmt.Sprintf("drivertest-%s-%d", h.Driver.Name(), count.n))
	count.Unlock()
	for i := range services {
		services[i].Env = map[string]string{"GREETING": "hello"}
		services[i].Ports = []rehearse.Port{{Number: port, Known: "expose"}}
	}
	plan := &rehearse.Plan{Project: "drivertest", Dir: h.Dir, Services: services}
	e, err := h.Driver.Open(t.Context(), driver.Spec{ID: id, Plan: plan, Dir: t.TempDir(), Journal: noJournal{}, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return environment{e, id}
}

type noJournal struct{}

func (noJournal) Intend(driver.Remnant) error        { return nil }
func (noJournal) Confirm(driver.Remnant, bool) error { return nil }

func start(t *testing.T, e environment, name rehearse.ServiceName) (driver.Process, *Log) {
	t.Helper()
	log := &Log{}
	if err := e.Prepare(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	p, err := e.Start(t.Context(), name, driver.Output{Stdout: log, Stderr: log})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func wait(t *testing.T, p driver.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the service has not ended after 10s")
	}
}

// ask asks a service that may still be starting.
func ask(t *testing.T, e environment, name rehearse.ServiceName, q string) string {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := e.Dial(t.Context(), name, port)
		if err == nil {
			return question(t, c, q)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", name, err)
		}
		time.Sleep(5 * time.Millisecond) // between two polls of a deadline
	}
}

func question(t *testing.T, c net.Conn, q string) string {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c, q)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return strings.TrimSpace(line)
}

// carry is the plainest link.
func carry(t *testing.T, l net.Listener, dial func() (net.Conn, error)) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				u, err := dial()
				if err != nil {
					return
				}
				defer u.Close()
				go func() { _, _ = io.Copy(u, c) }()
				_, _ = io.Copy(c, u)
			}()
		}
	}()
}

func of(all []driver.Remnant, id rehearse.EnvironmentID) []driver.Remnant {
	var out []driver.Remnant
	for _, r := range all {
		if r.Environment == id {
			out = append(out, r)
		}
	}
	return out
}
