// Package testdocker gives tests a real container engine, and images that no
// registry has to give.
//
// A test package that uses it calls [Main] from its TestMain. [Start] then finds
// an engine: the one that DOCKER_HOST names, else the one that answers at
// /var/run/docker.sock, else one of our own, which all test processes of the host
// share. That one is a dockerd in a network namespace of its own, so that neither
// its bridges nor its packet filter are the host's: what it publishes is reached
// through [Engine.Command] alone. It ends, and all of it goes, some seconds after
// the last test process that used it, however that one ended. Where it is killed
// itself, the next to start one removes what is left.
//
// Images are made of this host's own programs, from Debian's packages, and are
// called rehearse.test/NAME:TAG after what is in them, so that asking again for
// one costs nothing.
package testdocker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/podman"
)

// Label is on every image that this package makes, with the value "1".
const Label = "dev.rehearse.test"

// keeperArgument makes a test binary a keeper: the process that has started an
// engine, and ends it when nobody uses it any more.
const keeperArgument = "testdocker-keeper"

// linger is how long an engine stays without users: until the next test package
// is there, which may have to be compiled first.
const linger = 8 * time.Second

// systemSocket is where an engine answers by default.
const systemSocket = "unix:///var/run/docker.sock"

// Main runs the tests of a package. Its result is for os.Exit.
func Main(m interface{ Run() int }) int {
	if len(os.Args) == 4 && os.Args[1] == keeperArgument {
		linger, err := time.ParseDuration(os.Args[3])
		if err == nil {
			err = keep(os.Args[2], linger)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	ready = true
	return m.Run()
}

// ready says that this process is one that calls Main, and so can become a keeper.
var ready bool

// Engine is a container engine that answers.
type Engine struct {
	host   string
	client *client.Client
	own    *shared // nil when the engine is not of our making
}

// absent is why there can be no engine on this host.
type absent string

func (a absent) Error() string { return string(a) }

var find = sync.OnceValues(func() (*Engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return connect(ctx, host, client.FromEnv)
	}
	if e, err := connect(ctx, systemSocket, client.WithHost(systemSocket)); err == nil {
		return e, nil
	}
	return join(ctx, sharedDir, linger)
})

// Start gives the engine that this process's tests use. It skips the test where
// there can be none.
func Start(t testing.TB) *Engine {
	t.Helper()
	e, err := find()
	if why := absent(""); errors.As(err, &why) {
		t.Skip(string(why))
	}
	if err != nil {
		t.Fatalf("start a container engine: %v", err)
	}
	return e
}

// connect makes an engine of the one that answers at a host.
func connect(ctx context.Context, host string, how client.Opt) (*Engine, error) {
	c, err := client.New(how)
	if err != nil {
		return nil, err
	}
	if _, err := c.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("the engine at %s: %w", host, err)
	}
	if v, err := c.ServerVersion(ctx, client.ServerVersionOptions{}); err == nil && podman.Is(v) {
		if c, err = podman.Client(host, c.ClientVersion()); err != nil {
			return nil, err
		}
	}
	return &Engine{host: host, client: c}, nil
}

// Host is where the engine is, as DOCKER_HOST says it: "unix:///…".
func (e *Engine) Host() string { return e.host }

// Client is a client of the engine's, which the tests of the process share.
func (e *Engine) Client() *client.Client { return e.client }

// Leftovers lists what carries a label, "key" or "key=value": one line for every
// container, network, volume and image, in order.
func (e *Engine) Leftovers(t testing.TB, label string) []string {
	t.Helper()
	ctx := context.Background()
	with := make(client.Filters).Add("label", label)
	var found []string
	containers, err := e.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: with})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers.Items {
		found = append(found, "container "+strings.TrimPrefix(strings.Join(c.Names, ","), "/"))
	}
	networks, err := e.client.NetworkList(ctx, client.NetworkListOptions{Filters: with})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks.Items {
		found = append(found, "network "+n.Name)
	}
	volumes, err := e.client.VolumeList(ctx, client.VolumeListOptions{Filters: with})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Items {
		found = append(found, "volume "+v.Name)
	}
	images, err := e.client.ImageList(ctx, client.ImageListOptions{All: true, Filters: with})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images.Items {
		found = append(found, "image "+strings.Join(append(i.RepoTags, i.ID), " "))
	}
	slices.Sort(found)
	return found
}
