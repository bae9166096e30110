package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

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

// openBoard starts the link container. Its streams are attached before it starts:
// it ends when they do, so that there is no moment in which we could die and leave
// it running.
func (e *environment) openBoard(ctx context.Context) error {
	image, err := e.engine.linkImage(ctx, findLink(e.o.Exe))
	if err != nil {
		return err
	}
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
	r := e.containerRemnant(boardName)
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	made, err := e.engine.api.ContainerCreate(ctx, client.ContainerCreateOptions{
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
	if err := b.Gateway(e.addresses.gateway); err != nil {
		return err
	}
	e.fact(rehearse.Fact{Name: "driver.tier", Value: "containers", Note: "engine " + e.engine.version})
	e.fact(rehearse.Fact{Name: "link.sockets", Value: b.Mode(), Note: map[string]string{
		"tunnel": "the engine runs on another kernel: connections pass through the link container's standard streams",
	}[b.Mode()]})
	return nil
}

// keep waits for the link container's end, which only Close has a right to.
func (e *environment) keep(ctx context.Context) {
	select {
	case <-e.closed:
		return
	case <-e.board.Done():
	}
	select {
	case <-e.closed: // both at once
	default:
		why := errors.New("the link container has ended: it was removed, or the engine is being stopped")
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

func (e *environment) containerRemnant(of string) driver.Remnant {
	return driver.Remnant{Environment: e.spec.ID, Kind: "container", Name: e.name(of)}
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
