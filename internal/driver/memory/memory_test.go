package memory_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
)

func TestConformance(t *testing.T) {
	d := memory.New(map[string]memory.Program{
		"program": func(ctx context.Context, h *memory.Host, args []string) int {
			return drivertest.Program(ctx, h, args)
		},
	})
	drivertest.Run(t, drivertest.Harness{
		Driver: d, Dir: t.TempDir(), Isolated: true,
		Service: func(name rehearse.ServiceName, args ...string) rehearse.Service {
			return rehearse.Service{Name: name, Process: &rehearse.Process{Command: append([]string{"program"}, args...)}}
		},
		Command: func(args ...string) []string { return append([]string{"program"}, args...) },
	})
	if n := d.Strays(); n != 0 {
		t.Errorf("%d programs have not returned", n)
	}
}

func TestInjectedFailures(t *testing.T) {
	boom := errors.New("boom")
	d := memory.New(map[string]memory.Program{"idle": idle})
	fail := ""
	at := func(what string) error {
		if what == fail {
			return boom
		}
		return nil
	}
	d.Options = memory.Options{
		FailOpen:    func(rehearse.EnvironmentID) error { return at("open") },
		FailListen:  func(c rehearse.ServiceName) error { return at("listen " + string(c)) },
		FailPrepare: func(s rehearse.ServiceName) error { return at("prepare " + string(s)) },
		FailStart:   func(s rehearse.ServiceName) error { return at("start " + string(s)) },
		FailClose:   func(rehearse.EnvironmentID) error { return at("close") },
	}
	spec := driver.Spec{ID: "e", Plan: &rehearse.Plan{Services: []rehearse.Service{{Name: "a", Image: "idle"}}}, Journal: journal{}, Log: io.Discard}

	fail = "open"
	if _, err := d.Open(t.Context(), spec); !errors.Is(err, boom) {
		t.Errorf("Open: %v", err)
	}
	if left, _ := d.List(t.Context()); len(left) > 0 {
		t.Errorf("a failed Open left %v", left)
	}
	fail = ""
	e, err := d.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	fail = "listen a"
	if _, _, err := e.Listen(t.Context(), "a", []string{"b"}, 1); !errors.Is(err, boom) {
		t.Errorf("Listen: %v", err)
	}
	fail = "prepare a"
	if err := e.Prepare(t.Context(), "a"); !errors.Is(err, boom) {
		t.Errorf("Prepare: %v", err)
	}
	fail = "start a"
	if err := e.Prepare(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := e.Start(t.Context(), "a", driver.Output{}); !errors.Is(err, boom) {
		t.Errorf("Start: %v", err)
	}
	fail = "close"
	p, err := e.Start(t.Context(), "a", driver.Output{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); !errors.Is(err, boom) {
		t.Errorf("Close: %v", err)
	}
	<-p.Done()
	left, err := d.List(t.Context())
	if err != nil || len(left) != 1 {
		t.Fatalf("after a failed Close, List: %v, %v; want the environment", left, err)
	}
	fail = ""
	if err := d.Remove(t.Context(), left[0]); err != nil {
		t.Error(err)
	}
	if err := d.Remove(t.Context(), left[0]); err != nil {
		t.Errorf("removing it again: %v", err)
	}
	if left, _ := d.List(t.Context()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestJournalRefuses(t *testing.T) {
	d := memory.New(nil)
	full := errors.New("disk full")
	_, err := d.Open(t.Context(), driver.Spec{ID: "e", Plan: &rehearse.Plan{}, Journal: journal{full}, Log: io.Discard})
	if !errors.Is(err, full) {
		t.Errorf("Open: %v, want %v", err, full)
	}
	if left, _ := d.List(t.Context()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestIngress(t *testing.T) {
	d := memory.New(nil)
	e := open(t, d)
	l, at, err := e.Listen(t.Context(), rehearse.IngressFrom("eu-west-1"), []string{"a"}, 80)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.DialIngress(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c, "hello")
	if line, err := bufio.NewReader(s).ReadString('\n'); line != "hello\n" || err != nil {
		t.Errorf("read %q, %v", line, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.DialIngress(t.Context(), at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Close: %v, want ECONNREFUSED", err)
	}
}

func TestNamesAreFixedAtTheStart(t *testing.T) {
	dialled := make(chan error)
	d := memory.New(map[string]memory.Program{"dial": func(ctx context.Context, h *memory.Host, args []string) int {
		_, err := h.Dial(ctx, "db", 5432)
		dialled <- err
		<-ctx.Done()
		_, err = h.Dial(context.Background(), "db", 5432)
		dialled <- err
		return 0
	}})
	e := open(t, d, rehearse.Service{Name: "a", Image: "dial"})
	p := start(t, e, "a")
	var dns *net.DNSError
	if err := <-dialled; !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("without a link: %v, want no such host", err)
	}
	if _, _, err := e.Listen(t.Context(), "a", []string{"db"}, 5432); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGTERM)
	if err := <-dialled; !errors.As(err, &dns) {
		t.Errorf("a link that came too late: %v, want no such host", err)
	}
	<-p.Done()
	p = start(t, e, "a")
	if err := <-dialled; err != nil {
		t.Errorf("after another start: %v", err)
	}
	p.Signal(syscall.SIGTERM)
	<-dialled
}

func TestKillIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		wake := make(chan struct{})
		d := memory.New(map[string]memory.Program{"deaf": func(ctx context.Context, h *memory.Host, args []string) int {
			l, err := h.Listen(80)
			if err != nil {
				t.Error(err)
			}
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintln(h.Stdout(), "said")
			fmt.Fprintln(c, "hello")
			<-wake // takes no notice of anything
			if _, err := h.Listen(81); err == nil {
				t.Error("a killed program listens")
			}
			if _, err := h.Dial(ctx, "localhost", 80); err == nil {
				t.Error("a killed program dials")
			}
			if err := h.Detach(); err == nil {
				t.Error("a killed program starts another")
			}
			fmt.Fprintln(h.Stdout(), "said too late")
			return 0
		}})
		e := open(t, d, rehearse.Service{Name: "a", Image: "deaf"})
		if err := e.Prepare(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		p, err := e.Start(t.Context(), "a", driver.Output{Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it listens
		c, err := e.Dial(t.Context(), "a", 80)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		if line, err := r.ReadString('\n'); line != "hello\n" {
			t.Fatalf("read %q, %v", line, err)
		}
		p.Kill()
		if _, err := r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("its connection reads %v, want ECONNRESET", err)
		}
		if _, err := e.Dial(t.Context(), "a", 80); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want ECONNREFUSED", err)
		}
		<-p.Done()
		if got, want := p.Exit(), (driver.Exit{Code: 137, Reason: "signal: killed"}); got != want {
			t.Errorf("Exit: %v, want %v", got, want)
		}
		if got := d.Strays(); got != 1 {
			t.Errorf("%d strays, want 1", got)
		}
		close(wake)
		synctest.Wait()
		if got := d.Strays(); got != 0 {
			t.Errorf("%d strays after the program returned, want 0", got)
		}
		if got := out.String(); got != "said\n" {
			t.Errorf("it wrote %q", got)
		}
	})
}

func TestExec(t *testing.T) {
	d := memory.New(map[string]memory.Program{
		"idle": idle,
		"cat": func(ctx context.Context, h *memory.Host, args []string) int {
			if _, err := io.Copy(h.Stdout(), h.Stdin()); err != nil {
				return 1
			}
			return 0
		},
		"daemonize": func(ctx context.Context, h *memory.Host, args []string) int {
			if err := h.Detach(); err != nil {
				return 1
			}
			return 0
		},
	})
	e := open(t, d, rehearse.Service{Name: "a", Image: "idle"})
	if _, err := e.Exec(t.Context(), "a", driver.Command{Args: []string{"cat"}}); err == nil {
		t.Error("Exec in a service that has not started gave no error")
	}
	p := start(t, e, "a")
	var out bytes.Buffer
	code, err := e.Exec(t.Context(), "a", driver.Command{Args: []string{"cat"}, Stdin: strings.NewReader("text"), Stdout: &out})
	if code != 0 || err != nil || out.String() != "text" {
		t.Errorf("cat: %d, %v, %q", code, err, out.String())
	}
	if _, err := e.Exec(t.Context(), "a", driver.Command{Args: []string{"none"}}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("an unknown command: %v, want ENOENT", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Exec(ctx, "a", driver.Command{Args: []string{"idle"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if _, err := e.Exec(t.Context(), "a", driver.Command{Args: []string{"daemonize"}}); err != nil {
		t.Error(err)
	}
	if u, err := e.Usage(t.Context(), "a"); u.Processes != 2 || err != nil {
		t.Errorf("%d processes (%v), want the service and its daemon", u.Processes, err)
	}
	codes := make(chan int)
	go func() {
		code, _ := e.Exec(context.Background(), "a", driver.Command{Args: []string{"idle"}})
		codes <- code
	}()
	for u := (driver.Usage{}); u.Processes < 3; {
		if u, err = e.Usage(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	p.Kill()
	if code := <-codes; code != 137 {
		t.Errorf("a command in a killed service: %d, want 137", code)
	}
}

func TestWrongUse(t *testing.T) {
	d := memory.New(map[string]memory.Program{"idle": idle})
	e := open(t, d, rehearse.Service{Name: "a", Image: "idle"}, rehearse.Service{Name: "b", Image: "none"},
		rehearse.Service{Name: "c", Process: &rehearse.Process{Command: []string{"idle", "${nowhere.port}"}}})
	if _, err := e.Start(t.Context(), "a", driver.Output{}); err == nil {
		t.Error("Start before Prepare gave no error")
	}
	if got := rehearse.KindOf(e.Prepare(t.Context(), "b")); got != rehearse.Unavailable {
		t.Errorf("Prepare without a program: kind %v", got)
	}
	if got := rehearse.KindOf(e.Prepare(t.Context(), "c")); got != rehearse.Invalid {
		t.Errorf("Prepare with an unknown reference: kind %v", got)
	}
	p := start(t, e, "a")
	if _, err := e.Start(t.Context(), "a", driver.Output{}); err == nil {
		t.Error("a second Start of a running service gave no error")
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if _, err := e.Start(t.Context(), "a", driver.Output{}); err == nil {
		t.Error("Start after Close gave no error")
	}
	if _, _, err := e.Listen(t.Context(), rehearse.Ingress, []string{"a"}, 80); err == nil {
		t.Error("Listen after Close gave no error")
	}
}

func TestReferences(t *testing.T) {
	got := make(chan []string, 1)
	d := memory.New(map[string]memory.Program{"show": func(ctx context.Context, h *memory.Host, args []string) int {
		got <- append(args, h.Getenv("DB"), h.Getenv("PLAIN"))
		return 0
	}})
	e := open(t, d, rehearse.Service{
		Name: "a", Env: map[string]string{"PLAIN": "${kept.as.it.is}"}, Ports: []rehearse.Port{{Number: 8080}},
		Process: &rehearse.Process{
			Command: []string{"show", "${listen.host}:${listen.port}"},
			Env:     map[string]string{"DB": "postgres://${db.host}:${db.port}/"},
		},
	})
	if _, _, err := e.Listen(t.Context(), "a", []string{"db"}, 5432); err != nil {
		t.Fatal(err)
	}
	start(t, e, "a")
	want := []string{"0.0.0.0:8080", "postgres://db:5432/", "${kept.as.it.is}"}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
}

func idle(ctx context.Context, h *memory.Host, args []string) int {
	<-ctx.Done()
	return 0
}

type journal struct{ err error }

func (j journal) Intend(driver.Remnant) error        { return j.err }
func (j journal) Confirm(driver.Remnant, bool) error { return j.err }

func open(t *testing.T, d *memory.Driver, services ...rehearse.Service) driver.Environment {
	t.Helper()
	e, err := d.Open(t.Context(), driver.Spec{ID: rehearse.EnvironmentID(t.Name()), Plan: &rehearse.Plan{Services: services}, Journal: journal{}, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func start(t *testing.T, e driver.Environment, name rehearse.ServiceName) driver.Process {
	t.Helper()
	if err := e.Prepare(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	p, err := e.Start(t.Context(), name, driver.Output{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
