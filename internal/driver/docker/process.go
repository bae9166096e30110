package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/podman"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// process is a started service: all of its instances, which end together. The
// first that ends says how.
type process struct {
	e *environment
	s *service
	// instances are those that it started with. The service may get others when it
	// is reset, while somebody still holds this.
	instances []*instance

	done     chan struct{}
	mu       sync.Mutex
	exit     *driver.Exit
	running  map[*instance]bool
	stopping bool // pre_stop hooks have been run
}

func newProcess(e *environment, s *service) *process {
	return &process{e: e, s: s, instances: slices.Clone(s.instances), done: make(chan struct{}), running: map[*instance]bool{}}
}

// Start starts a prepared service.
func (e *environment) Start(ctx context.Context, name rehearse.ServiceName, out driver.Output) (driver.Process, error) {
	s, err := e.service(name)
	if err != nil {
		return nil, err
	}
	if !s.prepared {
		return nil, fmt.Errorf("service %q has not been prepared", name)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	ctx, stop := e.untilClosed(ctx)
	defer stop()
	p := newProcess(e, s)
	if err := p.preStart(ctx, out); err != nil {
		return nil, err
	}
	if err = p.launch(ctx, shared(out, len(p.instances))); err == nil {
		s.mu.Lock()
		s.proc = p
		s.mu.Unlock()
		err = p.postStart(ctx)
	}
	if err != nil {
		_ = p.Kill() // it has failed already
		<-p.done
		return nil, err
	}
	return p, nil
}

// launch starts every instance. Whatever it returns, done is closed when those that
// have started have ended.
func (p *process) launch(ctx context.Context, out driver.Output) error {
	var starting, ended sync.WaitGroup
	failed := make([]error, len(p.instances))
	for n, i := range p.instances {
		starting.Go(func() { failed[n] = p.start(ctx, i, out, &ended) })
	}
	starting.Wait()
	go func() {
		ended.Wait()
		close(p.done)
	}()
	return cmp.Or(failed...) // they fail alike
}

// start starts one instance. Its streams are attached and its end awaited before
// it starts, so that neither its first words nor a quick end are missed.
func (p *process) start(ctx context.Context, i *instance, out driver.Output, ended *sync.WaitGroup) error {
	api := p.e.engine.api
	life, end := p.e.untilAbandoned(ctx)
	started := false
	defer func() {
		if !started {
			end()
		}
	}()
	starting := context.AfterFunc(ctx, end)
	streams, err := p.e.engine.attach(life, i.id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return p.startError(ctx, i, err)
	}
	if i.address.IsValid() {
		if err := p.e.tellName(i.address, p.s.spec.Name); err != nil {
			streams.Close()
			return err
		}
	}
	waited := api.ContainerWait(life, i.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	undo := p.e.watch.acts.ask(i.name, events.ActionStart)
	if _, err := api.ContainerStart(ctx, i.id, client.ContainerStartOptions{}); err != nil {
		undo()
		streams.Close()
		return p.startError(ctx, i, err)
	}
	starting() // from here on it lives longer than ctx
	started = true
	p.mu.Lock()
	p.running[i] = true
	p.mu.Unlock()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		copyOutput(out, streams.Reader, p.s.spec)
	}()
	ended.Go(func() {
		defer end()
		p.ended(life, i, waited)
		// What the engine still has to say comes at once, or its connection is lost.
		select {
		case <-copied:
		case <-p.e.abandoned:
		case <-time.After(2 * time.Second):
		}
		streams.Close()
		<-copied
	})
	if i.address.IsValid() {
		if err := p.reachable(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// attach attaches to a container that is about to start.
func (e *engine) attach(ctx context.Context, id string, o client.ContainerAttachOptions) (client.ContainerAttachResult, error) {
	if e.podman {
		if err := podman.Init(ctx, e.api, id); err != nil {
			return client.ContainerAttachResult{}, err
		}
	}
	return e.api.ContainerAttach(ctx, id, o)
}

// reachable lets the link container find the instance, which answers nobody's ARP.
func (p *process) reachable(ctx context.Context, i *instance) error {
	got, err := p.e.engine.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
	if err != nil {
		return explain(err)
	}
	if got.Container.State != nil {
		i.pid.Store(int64(got.Container.State.Pid))
	}
	at := got.Container.NetworkSettings.Networks[p.e.name("")]
	if at == nil || len(at.MacAddress) == 0 {
		return nil // it has ended already
	}
	b, err := p.e.awaitBoard(ctx)
	if err != nil {
		return err
	}
	return b.Neighbour(i.address, net.HardwareAddr(at.MacAddress))
}

// ended waits for an instance's end, and ends the others with it.
func (p *process) ended(ctx context.Context, i *instance, waited client.ContainerWaitResult) {
	var exit driver.Exit
	select {
	case r := <-waited.Result:
		exit = p.exitOf(ctx, i, int(r.StatusCode))
	case err := <-waited.Error:
		exit = driver.Exit{Code: 137, Reason: "the engine lost it: " + explain(err).Error(), Lost: true}
	}
	p.mu.Lock()
	delete(p.running, i)
	first := p.exit == nil
	if first {
		p.exit = &exit
	}
	p.mu.Unlock()
	if first {
		_ = p.Kill() // the others
	}
}

// exitOf says why an instance ended, as far as the engine knows.
func (p *process) exitOf(ctx context.Context, i *instance, code int) driver.Exit {
	exit := driver.Exit{Code: code, Reason: fmt.Sprintf("exit %d", code)}
	if code > 128 && code < 128+65 {
		exit.Reason = "signal: " + syscall.Signal(code-128).String()
	}
	got, err := p.e.engine.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
	if (isGone(err) || err == nil && isGoing(got.Container.State)) && !p.e.isClosed() {
		return driver.Exit{Code: code, Reason: "somebody removed its container", Lost: true}
	}
	if err != nil || got.Container.State == nil {
		return exit
	}
	if got.Container.State.OOMKilled {
		exit.OutOfMemory = true
		exit.Reason = "out of memory"
		if m := p.s.spec.Limits.Memory; m > 0 {
			exit.Reason += fmt.Sprintf(": the limit is %s", driver.Megabytes(m))
		}
	} else if got.Container.State.Error != "" {
		exit.Reason += ": " + got.Container.State.Error
	}
	return exit
}

// isGoing says that a container is being removed.
func isGoing(s *container.State) bool {
	return s != nil && (s.Dead || s.Status == container.StateRemoving)
}

// startError says what to do about a container that could not be started.
func (p *process) startError(ctx context.Context, i *instance, err error) error {
	err = explain(err)
	if _, ok := errors.AsType[*rehearse.Error](err); ok {
		return fmt.Errorf("start the container of %s: %w", p.s.spec.Name, err)
	}
	if _, gone := p.e.engine.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{}); isGone(gone) {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the container of %s is not there any more", p.s.spec.Name), Err: err,
			Hint: "Somebody removed it. Take the environment down and bring it up again.",
		}
	}
	return &rehearse.Error{Kind: rehearse.NotReady, Msg: fmt.Sprintf("start the container of %s", p.s.spec.Name), Err: err}
}

// answering are the addresses of the instances that run.
func (p *process) answering() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []netip.Addr
	for _, i := range p.instances {
		if !p.running[i] {
			continue
		}
		at := i.address
		if !at.IsValid() {
			at = p.e.joined(p.s.spec)
		}
		if at.IsValid() {
			out = append(out, at)
		}
	}
	return out
}

// joined is the address of the service whose network another one has joined.
func (e *environment) joined(s rehearse.Service) netip.Addr {
	for range e.services { // a chain ends
		if s.Container == nil {
			return netip.Addr{}
		}
		name, ok := cutService(s.Container.Network)
		other := e.services[name]
		if !ok || other == nil {
			return netip.Addr{}
		}
		other.mu.Lock()
		runs := other.proc
		other.mu.Unlock()
		if runs == nil {
			return netip.Addr{}
		}
		if at := runs.instances[0].address; at.IsValid() {
			return at
		}
		s = other.spec
	}
	return netip.Addr{}
}

func (p *process) Done() <-chan struct{} { return p.done }

var _ driver.Asked = (*process)(nil)

// Runs asks the engine, which tells of an end only when it has taken apart what the
// container had.
func (p *process) Runs(ctx context.Context) bool {
	for _, i := range p.alive() {
		got, err := p.e.engine.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
		if err == nil && got.Container.State != nil && !got.Container.State.Running {
			return false
		}
	}
	return true
}

func (p *process) Exit() driver.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit == nil {
		return driver.Exit{}
	}
	return *p.exit
}

// alive are the instances that run.
func (p *process) alive() []*instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*instance
	for _, i := range p.instances {
		if p.running[i] {
			out = append(out, i)
		}
	}
	return out
}

// Signal sends a signal to every instance. The one that stops the service comes
// after its pre_stop hooks, and is its image's own where the Compose file names none.
func (p *process) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is none of the kernel's", sig)
	}
	if n == p.s.stopSignal() {
		p.preStop(context.Background())
		if own := p.s.image.Config.StopSignal; p.s.spec.StopSignal == "" && own != "" {
			n = driver.Signal(own)
		}
	}
	return p.kill(n)
}

// stopSignal is what the service is sent so that it stops.
func (s *service) stopSignal() syscall.Signal {
	name := s.spec.StopSignal
	if r, ok := recipe.ByName(s.spec.Recipe); ok && name == "" {
		name = r.StopSignal
	}
	return driver.Signal(name)
}

// Kill ends every instance.
func (p *process) Kill() error { return p.kill(syscall.SIGKILL) }

func (p *process) kill(sig syscall.Signal) error {
	var problems []error
	for _, i := range p.alive() {
		err := p.killInstance(i, sig)
		if err == nil || isGone(err) || strings.Contains(err.Error(), "is not running") { // it ended in this moment
			continue
		}
		problems = append(problems, fmt.Errorf("signal %s: %w", p.s.spec.Name, explain(err)))
		if isSilence(err) {
			break // each of the others would wait as long
		}
	}
	return errors.Join(problems...)
}

func (p *process) killInstance(i *instance, sig syscall.Signal) error {
	ctx, stop := p.e.forRequest(context.Background())
	defer stop()
	undo := p.e.watch.acts.ask(i.name, events.ActionKill)
	_, err := p.e.engine.api.ContainerKill(ctx, i.id, client.ContainerKillOptions{Signal: fmt.Sprint(int(sig))})
	if err != nil {
		undo()
	}
	return err
}

// copyOutput copies a container's output until it ends.
func copyOutput(out driver.Output, from io.Reader, s rehearse.Service) {
	stdout, stderr := orDiscard(out.Stdout), orDiscard(out.Stderr)
	if s.Container != nil && s.Container.TTY {
		_, _ = io.Copy(stdout, from) // a terminal has one stream
		return
	}
	_, _ = stdcopy.StdCopy(stdout, stderr, from) // it ends with the container
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// shared is an output that several instances write to.
func shared(out driver.Output, n int) driver.Output {
	if n == 1 {
		return out
	}
	mu := &sync.Mutex{}
	return driver.Output{Stdout: &locked{mu: mu, w: orDiscard(out.Stdout)}, Stderr: &locked{mu: mu, w: orDiscard(out.Stderr)}}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
