package switchboard_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/switchboard"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// engine is a container engine on this host's kernel, with an image that has the
// program and a client.
type engine struct {
	api   *client.Client
	name  string // of everything that the test makes
	board netip.Addr
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	api := testdocker.Start(t).Client()
	e := &engine{api: api, name: fmt.Sprintf("rehearse-switchboard-test-%d", os.Getpid())}
	answer, err := api.ImageImport(t.Context(), client.ImageImportSource{Source: image(t), SourceName: "-"}, e.name, client.ImageImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, answer)
	if answer.Close(); err != nil {
		t.Fatal(err)
	}
	e.cleanup(t, func(ctx context.Context) error {
		_, err := api.ImageRemove(ctx, e.name, client.ImageRemoveOptions{Force: true})
		return err
	})
	e.network(t)
	return e
}

// cleanup undoes what a test has made, however the test ends.
func (e *engine) cleanup(t *testing.T, undo func(context.Context) error) {
	t.Cleanup(func() {
		if err := undo(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// image is an archive of both programs, without anything else.
func image(t *testing.T) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, pkg := range map[string]string{switchboard.Program: "../../cmd/rehearse-link", "/client": "./testdata/client"} {
		file := filepath.Join(t.TempDir(), "program")
		build := exec.Command("go", "build", "-o", file, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// network makes a network in which the host has no address, in the first place
// that is free. An internal one would not do: where bridges pass through iptables,
// the engine's rules drop what is sent elsewhere before the gateway sees it.
func (e *engine) network(t *testing.T) {
	t.Helper()
	var err error
	for range 20 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 219, byte(rand.IntN(256)), 0}), 26)
		e.board = subnet.Addr().Next().Next()
		_, err = e.api.NetworkCreate(t.Context(), e.name, client.NetworkCreateOptions{
			Driver:  "bridge",
			Options: map[string]string{"com.docker.network.bridge.inhibit_ipv4": "true", "com.docker.network.bridge.enable_ip_masquerade": "false"},
			IPAM:    &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet, Gateway: subnet.Addr().Next()}}},
		})
		if err == nil {
			e.cleanup(t, func(ctx context.Context) error {
				_, err := e.api.NetworkRemove(ctx, e.name, client.NetworkRemoveOptions{})
				return err
			})
			return
		}
	}
	t.Fatal(err)
}

// start starts a container at an address, with its streams attached.
func (e *engine) start(t *testing.T, at netip.Addr, o client.ContainerCreateOptions) (id string, streams client.ContainerAttachResult) {
	t.Helper()
	o.Config.Image = e.name
	o.HostConfig.NetworkMode = container.NetworkMode(e.name)
	o.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		e.name: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: at}},
	}}
	made, err := e.api.ContainerCreate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	e.cleanup(t, func(ctx context.Context) error {
		_, err := e.api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true})
		return err
	})
	streams, err = e.api.ContainerAttach(t.Context(), made.ID, client.ContainerAttachOptions{Stream: true, Stdin: o.Config.OpenStdin, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streams.Close)
	if _, err := e.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return made.ID, streams
}

// attached is a container's streams without the engine's framing.
type attached struct {
	*io.PipeReader
	net.Conn
}

func (a attached) Read(p []byte) (int, error) { return a.PipeReader.Read(p) }

func (a attached) Close() error {
	a.PipeReader.Close()
	return a.Conn.Close()
}

// TestEngine has a real engine's containers: a client that reaches a link at an
// address which no container was given, and nothing else.
func TestEngine(t *testing.T) {
	e := newEngine(t)
	for _, mode := range []string{switchboard.ModeSockets, switchboard.ModeTunnel} {
		t.Run(mode, func(t *testing.T) { testEngine(t, e, mode) })
	}
}

func testEngine(t *testing.T, e *engine, mode string) {
	dir := t.TempDir()
	config := client.ContainerCreateOptions{
		Config: &container.Config{Entrypoint: []string{switchboard.Program}, AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true},
		HostConfig: &container.HostConfig{
			CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN", "NET_RAW"},
			ReadonlyRootfs: true, SecurityOpt: []string{"no-new-privileges"},
		},
	}
	o := switchboard.HostOptions{}
	if mode == switchboard.ModeSockets {
		o.Dir = dir
		config.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: dir, Target: switchboard.Dir}}
	}
	id, streams := e.start(t, e.board, config)
	r, w := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(w, os.Stderr, streams.Reader)
		w.CloseWithError(err)
	}()
	refused := make(chan switchboard.Refused, 10)
	o.Stdio, o.OnRefused = attached{r, streams.Conn}, func(r switchboard.Refused) { refused <- r }
	b, err := switchboard.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Mode() != mode || len(b.Notes()) > 0 {
		t.Errorf("the mode is %s, want %s; notes: %q", b.Mode(), mode, b.Notes())
	}
	if err := b.Gateway(e.board.Prev()); err != nil {
		t.Fatal(err)
	}
	link := netip.AddrPortFrom(e.board.Next().Next().Next(), 80)
	l, err := b.Listen(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	service := e.board.Next()
	if err := b.Names(service, map[string]netip.Addr{"db": link.Addr()}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "hello, %s", c.RemoteAddr().(*net.TCPAddr).IP)
			c.Close()
		}
	}()
	_, said := e.start(t, service, client.ContainerCreateOptions{
		Config:     &container.Config{Entrypoint: []string{"/client", link.String(), "db:80", "192.0.2.7:443", "api.example:443"}, AttachStdout: true, AttachStderr: true},
		HostConfig: &container.HostConfig{DNS: []netip.Addr{e.board}},
	})
	var out strings.Builder
	if _, err := stdcopy.StdCopy(&out, &out, said.Reader); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		link.String() + " hello, " + service.String() + " <nil>", "db:80 hello, " + service.String() + " <nil>",
		"192.0.2.7:443 dial tcp4 192.0.2.7:443: connect: network is unreachable", "api.example:443 dial tcp4: lookup api.example",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("the client said %q, line %d should begin %q", out.String(), i, want)
		}
	}
	want := []switchboard.Refused{
		{Client: service, Proto: "tcp", To: netip.MustParseAddrPort("192.0.2.7:443")},
		{Client: service, Proto: "dns", Name: "api.example"},
	}
	if diff := cmp.Diff(want, []switchboard.Refused{<-refused, <-refused}, cmp.Comparer(func(a, b switchboard.Refused) bool { return a == b })); diff != "" {
		t.Errorf("what was refused (-want +got):\n%s", diff)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	ended := e.api.ContainerWait(t.Context(), id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case s := <-ended.Result:
		if s.StatusCode != 0 {
			t.Errorf("the program exits with %d, want 0", s.StatusCode)
		}
	case err := <-ended.Error:
		t.Error(err)
	}
}
