package docker_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// BenchmarkUp makes an environment of one service, has it answer, and takes it
// down. BenchmarkEngine is what of that the engine alone takes.
func BenchmarkUp(b *testing.B) {
	d := newDriver(b, "bench")
	service := server(b, "up")
	for n := 0; b.Loop(); n++ {
		s, j, said := spec(b, fmt.Sprint("bench-", n), service)
		e, err := d.Open(b.Context(), s)
		if err != nil {
			b.Fatal(hinted(err))
		}
		p := &place{Environment: e, t: b, id: s.ID, label: "bench", journal: j, said: said}
		p.start("up")
		p.ask("up", "hostname")
		p.close()
	}
}

func BenchmarkEngine(b *testing.B) {
	api := testdocker.Start(b).Client()
	ctx := context.Background()
	image := programImage(b)
	for b.Loop() {
		network, err := api.NetworkCreate(ctx, "rehearse-bench-engine", client.NetworkCreateOptions{})
		if err != nil {
			b.Fatal(err)
		}
		made, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
			Config: &container.Config{Image: image, Cmd: []string{"sleep", "600"}}, HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(network.ID)},
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
			b.Error(err)
		}
		if _, err := api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			b.Error(err)
		}
		if _, err := api.NetworkRemove(ctx, network.ID, client.NetworkRemoveOptions{}); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkRestart ends and starts a service of an environment that stands.
func BenchmarkRestart(b *testing.B) {
	p := open(b, newDriver(b, "bench-restart"), "bench-restart", "bench-restart", server(b, "up"))
	proc, _ := p.start("up")
	for b.Loop() {
		if err := proc.Kill(); err != nil {
			b.Fatal(err)
		}
		p.ended(proc)
		var err error
		if proc, err = p.Start(b.Context(), "up", driver.Output{}); err != nil {
			b.Fatal(hinted(err))
		}
		p.ask("up", "hostname")
	}
}
