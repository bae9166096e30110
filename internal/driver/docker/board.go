package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

// boardName is the link container's among those of services, none of which can be
// called so.
const boardName = "_links"

// board is the link container. It starts beside the services.
type board struct {
	opened             chan struct{} // closed when it answers, or when err says why it does not
	err                error
	*switchboard.Board // nil unless it answers
	id                 string
	stdio              *stdio

	ending sync.Once
	ended  chan struct{} // closed when we end it
}

// linkImage has the link container's image ready while the network is made.
func (e *environment) linkImage(ctx context.Context) func() (string, error) {
	var (
		image string
		err   error
		found = make(chan struct{})
	)
	e.making.Add(1)
	ctx, stop := e.untilClosed(ctx)
	go func() {
		defer e.leave()
		defer stop()
		defer close(found)
		image, err = e.engine.linkImage(ctx, findLink(e.o.Exe))
	}()
	return func() (string, error) {
		<-found
		return image, err
	}
}

// startBoard starts the link container in the background.
func (e *environment) startBoard(ctx context.Context, image func() (string, error)) error {
	if err := e.enter(); err != nil {
		return err
	}
	// It is the environment's, and not Open's caller's.
	ctx, stop := e.untilClosed(context.WithoutCancel(ctx))
	go func() {
		defer e.leave()
		defer stop()
		defer close(e.board.opened)
		ref, err := image()
		if err == nil {
			err = e.openBoard(ctx, ref)
		}
		if err != nil {
			e.board.err = fmt.Errorf("start the link container: %w", err)
		}
	}()
	return nil
}

// awaitBoard gives the link container once it answers.
func (e *environment) awaitBoard(ctx context.Context) (*switchboard.Board, error) {
	select {
	case <-e.board.opened:
		return e.board.Board, e.board.err
	case <-e.closed:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// openBoard starts the link container. Its streams are attached before it starts:
// it ends when they do, so that there is no moment in which we could die and leave
// it running.
func (e *environment) openBoard(ctx context.Context, image string) error {
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(e.name("")),
		CapDrop:     []string{"ALL"}, CapAdd: []string{"NET_ADMIN", "NET_RAW"},
		ReadonlyRootfs: true, SecurityOpt: []string{"no-new-privileges"},
		LogConfig: container.LogConfig{Type: "none"},
		Sysctls: map[string]string{
			// Answers may go out for any of the addresses that are held.
			"net.ipv4.conf.all.rp_filter": "0",
			// It has no right to low ports, where names are asked for and links may
			// listen. Docker opens them to all, Podman does not.
			"net.ipv4.ip_unprivileged_port_start": "0",
		},
	}
	dir := ""
	if e.engine.local {
		dir = filepath.Join(e.spec.Dir, "links")
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
		host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: dir, Target: switchboard.Dir}}
	}
	disks, err := e.holdDisks(ctx)
	if err != nil {
		return err
	}
	host.Mounts = append(host.Mounts, disks...)
	r := e.containerNamed(e.name(boardName))
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	e.board.id = r.Name // until the engine has given it another
	made, err := e.create(ctx, client.ContainerCreateOptions{
		Name: r.Name,
		Config: &container.Config{
			Image: image, Hostname: "links", Labels: e.labels("", nil),
			AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true,
		},
		HostConfig:       host,
		NetworkingConfig: e.attachedAt(e.addresses.board),
	})
	if err != nil {
		return explain(err)
	}
	e.board.id = made.ID
	if err := e.spec.Journal.Confirm(r, true); err != nil {
		return err
	}
	streams, err := e.engine.attach(ctx, made.ID, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return explain(err)
	}
	e.board.stdio = newStdio(streams.HijackedResponse)
	go e.cut(e.board.stdio)
	e.watch.acts.ask(r.Name, events.ActionStart)
	if _, err := e.engine.api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return explain(err)
	}
	b, err := switchboard.Connect(ctx, switchboard.HostOptions{Stdio: e.board.stdio, Dir: dir, OnRefused: e.refused})
	if err != nil {
		if said := e.board.stdio.said.String(); said != "" {
			err = fmt.Errorf("%w: it said: %s", err, said)
		}
		return err
	}
	e.board.Board = b
	go e.keep(context.WithoutCancel(ctx))
	if err := e.tellNames(b); err != nil {
		return err
	}
	// From here on it answers what services ask of it; those that have started
	// already go on asking until then.
	if err := b.Gateway(e.addresses.gateway); err != nil {
		return err
	}
	e.fact(rehearse.Fact{Name: "driver.tier", Value: "containers", Note: "engine " + e.engine.version})
	e.fact(rehearse.Fact{Name: "link.sockets", Value: b.Mode(), Note: map[string]string{
		"tunnel": "the engine runs on another kernel: connections pass through the link container's standard streams",
	}[b.Mode()]})
	return nil
}

// tellNames tells the link container whose names are whose, of those that have
// started before it answered.
func (e *environment) tellNames(b *switchboard.Board) error {
	for {
		e.mu.Lock()
		early := e.early
		e.early = nil
		e.named = len(early) == 0
		e.mu.Unlock()
		if len(early) == 0 {
			return nil
		}
		for at, client := range early {
			if err := b.Names(at, e.names(client)); err != nil {
				return err
			}
		}
	}
}

// tellName says whose names an address is to be told, before its owner starts.
func (e *environment) tellName(at netip.Addr, client rehearse.ServiceName) error {
	e.mu.Lock()
	named := e.named
	if !named {
		if e.early == nil {
			e.early = map[netip.Addr]rehearse.ServiceName{}
		}
		e.early[at] = client
	}
	e.mu.Unlock()
	if !named {
		return nil
	}
	return e.board.Names(at, e.names(client))
}

// cut ends the link container's streams when the engine is not waited for any more:
// who has asked the container something waits for an answer, or for their end.
func (e *environment) cut(s *stdio) {
	select {
	case <-e.abandoned:
		s.Close()
	case <-e.board.ended:
	}
}

// keep waits for the link container's end, which only endBoard has a right to.
func (e *environment) keep(ctx context.Context) {
	select {
	case <-e.closed:
		return
	case <-e.board.ended:
		return
	case <-e.board.Done():
	}
	select {
	case <-e.closed: // both at once
	case <-e.board.ended:
	default:
		why := errors.New("the link container has ended: it was removed, or the engine is being stopped")
		ctx, stop := e.forRequest(ctx)
		defer stop()
		if _, err := e.engine.api.Ping(ctx, client.PingOptions{}); err != nil {
			why = explain(err)
		}
		e.lost <- why
	}
}

var _ driver.Keeper = (*environment)(nil)

// Lost tells when the engine has gone, or has lost the link container.
func (e *environment) Lost() <-chan error { return e.lost }

// attachedAt puts a container into the environment's network, at an address.
func (e *environment) attachedAt(at netip.Addr) *network.NetworkingConfig {
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		e.name(""): {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: at}},
	}}
}

// stdio is a container's attached streams as one: what is read is its standard
// output.
type stdio struct {
	client.HijackedResponse
	out  *io.PipeReader
	said tail // its standard error
}

func newStdio(h client.HijackedResponse) *stdio {
	r, w := io.Pipe()
	s := &stdio{HijackedResponse: h, out: r}
	go func() {
		_, err := stdcopy.StdCopy(w, &s.said, h.Reader)
		if err == nil {
			err = io.EOF
		}
		w.CloseWithError(err)
	}()
	return s
}

func (s *stdio) Read(p []byte) (int, error)  { return s.out.Read(p) }
func (s *stdio) Write(p []byte) (int, error) { return s.Conn.Write(p) }

func (s *stdio) Close() error {
	return errors.Join(s.out.Close(), s.Conn.Close())
}

// refused is told of what a service wanted to reach and no link leads to.
func (e *environment) refused(r switchboard.Refused) {
	e.mu.Lock()
	who := e.at[r.Client]
	e.mu.Unlock()
	what := r.Name
	if what == "" {
		what = r.To.String()
	}
	if who == "" || what == "" {
		return
	}
	e.fact(rehearse.Fact{
		Name: rehearse.FactRefused, Value: fmt.Sprintf("%s → %s", who, what),
		Note: "no link leads there",
	})
}
