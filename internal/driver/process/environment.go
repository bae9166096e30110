package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/passing"
	"github.com/rehearse-dev/rehearse/internal/processes"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// environment is one isolated copy.
type environment struct {
	o       Options
	spec    driver.Spec
	iso     isolation
	tier    string
	carrier carrier

	mu       sync.Mutex
	facts    []rehearse.Fact
	clients  map[rehearse.ServiceName]*clientView
	services map[rehearse.ServiceName]*service
	gone     bool           // nothing new may be started
	starting sync.WaitGroup // calls of Start
	groups   sync.Map       // the control groups that were made, as driver.Remnant
	close    sync.Once
	closed   chan struct{} // when gone is set

	storing sync.Mutex
	store   *snapshot.Store // nil until a service has data that starts as something
}

var _ driver.Environment = (*environment)(nil)

// clientView is how a client reaches its upstreams.
type clientView struct {
	number    int
	upstreams []*upstreamView // in the order of the first Listen
}

type upstreamView struct {
	names []string
	host  string
	ports []portView
}

type portView struct{ asked, real int }

// service is a service's running state.
type service struct {
	spec   rehearse.Service
	number int
	ports  map[int]int // the port it is known by → the port it listens on, where they differ

	prepare sync.Mutex
	launch  *launch // nil until prepared

	// starting is held while it is started, and while what it has left of the host is
	// changed, so that no start misses a change.
	starting sync.Mutex
	less     rehearse.Limits // what it has left while it is disrupted; zero: what it had

	mu    sync.Mutex
	proc  *jailProcess // nil until started
	group *controlGroup

	data   sync.Mutex
	golden *snapshot.Golden // what its data starts as; nil for nothing
	clone  *snapshot.Clone  // its own copy
	fresh  bool             // its next start forgets what it has written
}

func newEnvironment(o Options, spec driver.Spec) *environment {
	e := &environment{
		o: o, spec: spec,
		clients:  map[rehearse.ServiceName]*clientView{},
		services: map[rehearse.ServiceName]*service{},
		closed:   make(chan struct{}),
	}
	for i, s := range spec.Plan.Services {
		e.services[s.Name] = &service{spec: s, number: i + 1, ports: map[int]int{}}
		e.clients[s.Name] = &clientView{number: i + 1}
	}
	return e
}

func (e *environment) service(name rehearse.ServiceName) (*service, error) {
	s, ok := e.services[name]
	if !ok {
		return nil, fmt.Errorf("the plan has no service %q", name)
	}
	return s, nil
}

// Listen opens a link's listener in the client's view.
func (e *environment) Listen(ctx context.Context, client rehearse.ServiceName, names []string, port int) (net.Listener, driver.Address, error) {
	if rehearse.IsIngress(client) {
		l, err := listenTCP("127.0.0.1:0")
		if err != nil {
			return nil, driver.Address{}, err
		}
		return l, driver.Address{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.clients[client]
	if !ok {
		return nil, driver.Address{}, fmt.Errorf("the plan has no service %q", client)
	}
	i := slices.IndexFunc(c.upstreams, func(u *upstreamView) bool { return u.names[0] == names[0] })
	if i < 0 {
		i = len(c.upstreams)
		c.upstreams = append(c.upstreams, &upstreamView{names: names, host: e.iso.address(c.number, i)})
	}
	u := c.upstreams[i]
	ask := port
	if e.tier == TierPorts {
		ask = 0
	}
	l, err := e.iso.listen(string(client), c.number, u.host, ask)
	if err != nil {
		return nil, driver.Address{}, fmt.Errorf("listen as %s sees %s:%d: %w", client, names[0], port, err)
	}
	real := port
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.Port != 0 {
		real = a.Port
	}
	u.ports = append(u.ports, portView{asked: port, real: real})
	return l, driver.Address{Host: u.host, Port: real}, nil
}

// Dial connects to a service, from inside.
func (e *environment) Dial(ctx context.Context, upstream rehearse.ServiceName, port int) (net.Conn, error) {
	s, err := e.service(upstream)
	if err != nil {
		return nil, err
	}
	if e.tier == TierNamespaces {
		return e.iso.dial(ctx, string(upstream), port)
	}
	host, real := e.listenAddress(s, port)
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort(host, fmt.Sprint(real)))
}

// Start starts a prepared service.
func (e *environment) Start(ctx context.Context, name rehearse.ServiceName, out driver.Output) (driver.Process, error) {
	s, err := e.service(name)
	if err != nil {
		return nil, err
	}
	if s.launch == nil {
		return nil, fmt.Errorf("service %q has not been prepared", name)
	}
	e.mu.Lock()
	if e.gone {
		e.mu.Unlock()
		return nil, errGone
	}
	e.starting.Add(1)
	e.mu.Unlock()
	defer e.starting.Done()
	s.starting.Lock()
	defer s.starting.Unlock()
	group, err := e.limit(s)
	if err != nil {
		return nil, err
	}
	s.data.Lock()
	defer s.data.Unlock()
	p, err := e.run(s.launch, jailRequest{name: string(name), group: group, data: s.clone, fresh: s.fresh}, out)
	if err != nil {
		group.remove()
		return nil, err
	}
	s.fresh = false
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc, s.group = p, group
	return p, nil
}

// jailRequest is what distinguishes one jail of a launch from another.
type jailRequest struct {
	name  string // of the jail and of its network
	group *controlGroup
	data  *snapshot.Clone // its data directory; nil: an empty one, or the launch's mounts have it
	fresh bool
}

// run makes a jail and starts a launch's main program in it.
func (e *environment) run(l *launch, q jailRequest, out driver.Output) (*jailProcess, error) {
	spec := e.jail(l, q)
	groups, err := q.group.lists()
	if err != nil {
		return nil, err
	}
	defer passing.CloseAll(groups)
	p, err := e.iso.start(spec, q.name, groups)
	if err != nil {
		return nil, err
	}
	streams, copied, err := outputStreams(out)
	if err != nil {
		_ = p.Kill()
		return nil, err
	}
	p.mu.Lock()
	p.onGone = func() {
		copied()
		q.group.remove()
	}
	p.cause = q.group.cause
	p.mu.Unlock()
	_, err = p.run(program{Args: l.args, Env: l.env, Dir: l.dir, Main: true}, streams)
	passing.CloseAll(streams[:])
	if err != nil {
		_ = p.Kill()
		<-p.Done()
		return nil, startError(l, err)
	}
	return p, nil
}

// startError says what to do about a program that could not be started.
func startError(l *launch, err error) error {
	e := &rehearse.Error{Kind: rehearse.NotReady, Msg: "start " + l.args[0], Err: err}
	switch {
	case errors.Is(err, syscall.ENOENT) && !strings.Contains(l.args[0], "/"):
		e.Kind = rehearse.Unavailable
		e.Hint = "Install it. Services do not see home directories: a program that lies in one needs its absolute path, and to be readable there."
	case errors.Is(err, syscall.ENOENT):
		e.Hint = "The program, or the interpreter that its first line names, does not exist as the service sees the host. Services do not see home directories: give an absolute path, or build into ${out}."
	case errors.Is(err, syscall.EACCES):
		e.Hint = "The service runs as an unprivileged user, which may not execute or reach that file."
	}
	return e
}

// outputStreams makes stdin, stdout and stderr for a program; wait waits until
// all that it wrote has been copied.
func outputStreams(out driver.Output) (streams [3]*os.File, wait func(), err error) {
	var wg sync.WaitGroup
	null, err := os.Open(os.DevNull)
	if err != nil {
		return streams, nil, err
	}
	streams[0] = null
	for i, w := range []io.Writer{out.Stdout, out.Stderr} {
		if i == 1 && w != nil && sameWriter(w, out.Stdout) {
			// One writer for both gets both in order, from one goroutine.
			if streams[2], err = duplicate(streams[1]); err != nil {
				passing.CloseAll(streams[:2])
				return streams, nil, err
			}
			continue
		}
		if f, ok := w.(*os.File); ok {
			dup, err := duplicate(f)
			if err != nil {
				passing.CloseAll(streams[:i+1])
				return streams, nil, err
			}
			streams[i+1] = dup
			continue
		}
		if w == nil {
			w = io.Discard
		}
		r, pw, err := os.Pipe()
		if err != nil {
			passing.CloseAll(streams[:i+1])
			return streams, nil, err
		}
		if uid := plainUID(); uid != 0 {
			// Programs that open /dev/stdout open the pipe anew, as the user that
			// they run as.
			_ = pw.Chown(uid, uid)
		}
		streams[i+1] = pw
		wg.Go(func() {
			defer r.Close()
			_, _ = io.Copy(w, r) // a writer that fails loses its own output
			_, _ = io.Copy(io.Discard, r)
		})
	}
	return streams, wg.Wait, nil
}

// sameWriter compares two writers, of which some cannot be compared.
func sameWriter(a, b io.Writer) bool {
	return reflect.TypeOf(a).Comparable() && a == b
}

func duplicate(f *os.File) (*os.File, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Exec runs a command beside a started service.
func (e *environment) Exec(ctx context.Context, name rehearse.ServiceName, cmd driver.Command) (int, error) {
	s, err := e.service(name)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return 0, fmt.Errorf("service %q is not running", name)
	}
	return e.exec(ctx, p, s.launch, cmd, false)
}

// exec runs a command, or with self our own program, called as the command says.
func (e *environment) exec(ctx context.Context, p *jailProcess, l *launch, cmd driver.Command, self bool) (int, error) {
	streams, copied, err := outputStreams(driver.Output{Stdout: cmd.Stdout, Stderr: cmd.Stderr})
	if err != nil {
		return 0, err
	}
	if cmd.Stdin != nil {
		in, err := inputStream(cmd.Stdin)
		if err != nil {
			passing.CloseAll(streams[:])
			return 0, err
		}
		streams[0].Close()
		streams[0] = in
	}
	env := l.env
	for k, v := range cmd.Env {
		env = append(slices.Clip(env), k+"="+v)
	}
	pid, err := p.run(program{Args: cmd.Args, Self: self, Env: env, Dir: l.dir}, streams)
	passing.CloseAll(streams[:])
	if err != nil {
		return 0, err
	}
	status := p.wait(pid)
	select {
	case code := <-status:
		// What the command left in the background may hold its streams for ever.
		all := make(chan struct{})
		go func() {
			copied()
			close(all)
		}()
		select {
		case <-all:
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
		return code, nil
	case <-ctx.Done():
		_, _, _ = p.shim.call(request{Op: "signal", PID: pid, Signal: int(syscall.SIGKILL)})
		<-status
		return 0, ctx.Err()
	}
}

func inputStream(r io.Reader) (*os.File, error) {
	if f, ok := r.(*os.File); ok {
		return duplicate(f)
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer pw.Close()
		_, _ = io.Copy(pw, r) // the command may end before it has read all
	}()
	return pr, nil
}

// Usage asks the host what a service's processes use.
func (e *environment) Usage(ctx context.Context, name rehearse.ServiceName) (driver.Usage, error) {
	s, err := e.service(name)
	if err != nil {
		return driver.Usage{}, err
	}
	s.mu.Lock()
	p, group := s.proc, s.group
	s.mu.Unlock()
	if p == nil {
		return driver.Usage{}, nil
	}
	u := processes.Usage(e.iso.processes(p))
	u.Throttled = group.throttled()
	return u, nil
}

// Facts says how the environment was made.
func (e *environment) Facts() []rehearse.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.facts)
}

func (e *environment) fact(f rehearse.Fact) {
	e.mu.Lock()
	known := slices.Contains(e.facts, f)
	if !known {
		e.facts = append(e.facts, f)
	}
	e.mu.Unlock()
	if !known && e.spec.OnFact != nil {
		e.spec.OnFact(f)
	}
}

// Close ends everything at once.
func (e *environment) Close(ctx context.Context) (err error) {
	e.close.Do(func() {
		e.mu.Lock()
		e.gone = true
		e.mu.Unlock()
		close(e.closed)
		e.iso.close()
		e.closeWires()
		e.starting.Wait() // they fail now, and make no control group any more
		for _, s := range e.services {
			s.mu.Lock()
			p := s.proc
			s.mu.Unlock()
			if p != nil {
				_ = p.Kill() // one that was started meanwhile
				<-p.Done()
			}
		}
		e.removeGroups()
		err = e.removeData(ctx)
	})
	return err
}

// hostsFile is a client's /etc/hosts.
func (e *environment) hostsFile(client rehearse.ServiceName, own []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "127.0.0.1 localhost %s\n::1 localhost\n", strings.Join(own, " "))
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.clients[client]; ok {
		for _, u := range c.upstreams {
			fmt.Fprintf(&b, "%s %s\n", u.host, strings.Join(u.names, " "))
		}
	}
	return b.String()
}
