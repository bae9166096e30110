package docker_test

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
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/docker"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// program is the image of the conformance suite's program, made once.
var program struct {
	sync.Mutex
	image string
}

func programImage(t testing.TB) string {
	t.Helper()
	program.Lock()
	defer program.Unlock()
	if program.image == "" {
		program.image = testdocker.Start(t).Program(t)
	}
	return program.image
}

// server is a service that answers questions on port 8080.
func server(t testing.TB, name rehearse.ServiceName) rehearse.Service {
	t.Helper()
	return rehearse.Service{
		Name: name, Image: programImage(t), Command: []string{testdocker.ProgramPath, "drivertest-program", "serve", "8080"},
		Container: &rehearse.Container{},
	}
}

// shell is a service that runs a script.
func shell(t testing.TB, name rehearse.ServiceName, script string) rehearse.Service {
	t.Helper()
	return rehearse.Service{Name: name, Image: programImage(t), Command: []string{"sh", "-c", script}, Container: &rehearse.Container{}}
}

// forever is a script that ends with 3 when it is asked to.
const forever = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"

// place is an environment that a test uses.
type place struct {
	driver.Environment
	t       testing.TB
	id      rehearse.EnvironmentID
	label   string
	journal *journal
	said    *drivertest.Log
}

// spec is what an environment is opened with.
func spec(t testing.TB, id string, services ...rehearse.Service) (driver.Spec, *journal, *drivertest.Log) {
	t.Helper()
	j, said := &journal{}, &drivertest.Log{}
	return driver.Spec{
		ID: rehearse.EnvironmentID(id), Plan: &rehearse.Plan{Project: "test", Dir: t.TempDir(), Services: services},
		Dir: t.TempDir(), Journal: j, Log: said,
	}, j, said
}

// open makes an environment, and afterwards finds that nothing is left of it.
func open(t testing.TB, d *docker.Driver, label, id string, services ...rehearse.Service) *place {
	t.Helper()
	s, j, said := spec(t, id, services...)
	e, err := d.Open(t.Context(), s)
	if err != nil {
		t.Fatal(hinted(err))
	}
	p := &place{Environment: e, t: t, id: s.ID, label: label, journal: j, said: said}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		nothingLeft(t, label)
		if left := j.left(); len(left) > 0 {
			t.Errorf("by the journal there is still %v", left)
		}
	})
	return p
}

// nothingLeft finds that the engine has nothing with a state's label.
func nothingLeft(t testing.TB, label string) {
	t.Helper()
	if left := testdocker.Start(t).Leftovers(t, "dev.rehearse.state="+label); len(left) > 0 {
		t.Errorf("there is still %v", left)
	}
}

// hinted is an error with its hint.
func hinted(err error) string {
	if known, ok := errors.AsType[*rehearse.Error](err); ok {
		return err.Error() + "\nhint: " + known.Hint
	}
	return fmt.Sprint(err)
}

// start prepares and starts a service.
func (p *place) start(name rehearse.ServiceName) (driver.Process, *drivertest.Log) {
	p.t.Helper()
	if err := p.Prepare(p.t.Context(), name); err != nil {
		p.t.Fatal(hinted(err))
	}
	out := &drivertest.Log{}
	proc, err := p.Start(p.t.Context(), name, driver.Output{Stdout: out, Stderr: out})
	if err != nil {
		p.t.Fatalf("%s\n%s", hinted(err), out)
	}
	return proc, out
}

// ended waits for the end of a process.
func (p *place) ended(proc driver.Process) driver.Exit {
	p.t.Helper()
	select {
	case <-proc.Done():
	case <-time.After(time.Minute):
		p.t.Fatal("the service does not end")
	}
	return proc.Exit()
}

// sh runs a script in a service, which must succeed.
func (p *place) sh(name rehearse.ServiceName, script string) string {
	p.t.Helper()
	var out bytes.Buffer
	code, err := p.Exec(p.t.Context(), name, driver.Command{Args: []string{"sh", "-c", script}, Stdout: &out, Stderr: &out})
	if err != nil || code != 0 {
		p.t.Errorf("%s: sh -c %q: exit %d, %v: %s", name, script, code, err, &out)
	}
	return strings.TrimSpace(out.String())
}

// ask puts a question to a server, which may take a moment to listen.
func (p *place) ask(name rehearse.ServiceName, question string) string {
	p.t.Helper()
	c := p.dial(name, 8080)
	defer c.Close()
	return questioned(p.t, c, question)
}

func questioned(t testing.TB, c net.Conn, question string) string {
	t.Helper()
	fmt.Fprintln(c, question)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Errorf("%s: %v", question, err)
	}
	return strings.TrimSpace(line)
}

func (p *place) dial(name rehearse.ServiceName, port int) net.Conn {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for {
		c, err := p.Dial(ctx, name, port)
		if err == nil {
			return c
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("dial %s: %v", name, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fact is the value of a fact; empty where there is none of that name.
func (p *place) fact(name string) string {
	for _, f := range p.Facts() {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// containers are what the engine says of a service's containers.
func (p *place) containers(name rehearse.ServiceName) []container.InspectResponse {
	p.t.Helper()
	api := testdocker.Start(p.t).Client()
	filters := make(client.Filters).Add("label", "dev.rehearse.state="+p.label).Add("label", "dev.rehearse.environment="+string(p.id)).
		Add("label", "dev.rehearse.service="+string(name))
	list, err := api.ContainerList(p.t.Context(), client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		p.t.Fatal(err)
	}
	var out []container.InspectResponse
	for _, c := range list.Items {
		got, err := api.ContainerInspect(p.t.Context(), c.ID, client.ContainerInspectOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		out = append(out, got.Container)
	}
	return out
}

// carry passes on what comes to a listener, and keeps from whom it came.
func (p *place) carry(l net.Listener, to rehearse.ServiceName, port int) (from func() []string) {
	var mu sync.Mutex
	var seen []string
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			seen = append(seen, c.RemoteAddr().(*net.TCPAddr).IP.String())
			mu.Unlock()
			go func() {
				defer c.Close()
				up, err := p.Dial(context.Background(), to, port)
				if err != nil {
					return
				}
				defer up.Close()
				go func() { _, _ = io.Copy(up, c) }()
				_, _ = io.Copy(c, up)
			}()
		}
	}()
	p.t.Cleanup(func() { l.Close() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

// journal keeps what exists by its word. The failing-th call and those after it
// fail, where that is not zero.
type journal struct {
	mu      sync.Mutex
	exists  map[driver.Remnant]bool
	calls   int
	failing int
}

var errJournal = errors.New("the journal's disk is full")

func (j *journal) Intend(r driver.Remnant) error { return j.Confirm(r, true) }

func (j *journal) Confirm(r driver.Remnant, exists bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.calls++; exists && j.failing > 0 && j.calls >= j.failing {
		return errJournal
	}
	if j.exists == nil {
		j.exists = map[driver.Remnant]bool{}
	}
	j.exists[r] = exists
	return nil
}

func (j *journal) left() []driver.Remnant {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []driver.Remnant
	for r, exists := range j.exists {
		if exists {
			out = append(out, r)
		}
	}
	return out
}
