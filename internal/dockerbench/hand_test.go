package dockerbench_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// handLabel is on what is made by hand, with the run's name.
const handLabel = "dev.rehearse.bench"

// hand is what is made by hand in one round.
type hand struct {
	api        *client.Client
	id         string
	network    string
	containers []string
}

// handDocgen starts docgen's two containers, as the project does: PostgreSQL makes
// its data, and docgen starts when it answers.
func (b *bench) handDocgen(ctx context.Context) (taken, error) {
	return b.byHand(ctx, func(h *hand) error {
		db := &container.Config{
			Image: b.dbImage, Env: []string{"POSTGRES_USER=docgen", "POSTGRES_PASSWORD=docgen", "POSTGRES_DB=docgen"},
		}
		scripts := mount.Mount{Type: mount.TypeBind, Source: filepath.Join(b.dir, "db", "init"), Target: "/docker-entrypoint-initdb.d", ReadOnly: true}
		// The server of the init files has no address.
		if err := h.start(ctx, "db", db, "pg_isready -q -h 127.0.0.1 -U docgen -d docgen", scripts); err != nil {
			return err
		}
		app := &container.Config{
			Image: b.appImage, Env: []string{"DATABASE_URL=postgres://docgen:docgen@db:5432/docgen?sslmode=disable", "DATA_LAYER=legacy", "POOL_SIZE=8"},
		}
		return h.start(ctx, "docgen", app, "curl -fsS http://localhost:8080/healthz")
	})
}

// handSingle is the engine's own floor: a network, and one container in it.
func (b *bench) handSingle(ctx context.Context) (taken, error) {
	return b.byHand(ctx, func(h *hand) error {
		return h.start(ctx, "one", &container.Config{Image: b.oneImage, Cmd: oneCommand}, "")
	})
}

// byHand makes a network, starts what start starts, and removes all of it.
func (b *bench) byHand(ctx context.Context, start func(*hand) error) (t taken, err error) {
	h := &hand{api: b.engine.Client(), id: b.id}
	began := time.Now()
	made, err := h.api.NetworkCreate(ctx, b.id+"-hand", client.NetworkCreateOptions{Driver: "bridge", Labels: map[string]string{handLabel: b.id}})
	if err != nil {
		return t, err
	}
	h.network = made.ID
	err = start(h)
	t.ready = time.Since(began)
	began = time.Now()
	err = errors.Join(err, h.remove(context.WithoutCancel(ctx)))
	t.gone = time.Since(began)
	return t, err
}

// start starts a container and asks it until the shell's question succeeds; an
// empty question is not asked.
func (h *hand) start(ctx context.Context, name string, c *container.Config, question string, mounts ...mount.Mount) error {
	c.Labels = map[string]string{handLabel: h.id}
	host := &container.HostConfig{NetworkMode: container.NetworkMode(h.network), Mounts: mounts}
	alias := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{h.network: {Aliases: []string{name}}}}
	made, err := h.api.ContainerCreate(ctx, client.ContainerCreateOptions{Name: h.id + "-hand-" + name, Config: c, HostConfig: host, NetworkingConfig: alias})
	if err != nil {
		return err
	}
	h.containers = append(h.containers, made.ID)
	if _, err := h.api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return err
	}
	if question == "" {
		return nil
	}
	return h.until(ctx, made.ID, question)
}

// until asks inside the container, every 10 ms.
func (h *hand) until(ctx context.Context, id, question string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	made, err := h.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		AttachStdout: true, AttachStderr: true, Cmd: []string{"sh", "-c", fmt.Sprintf("until %s >/dev/null 2>&1; do sleep 0.01; done", question)},
	})
	if err != nil {
		return err
	}
	streams, err := h.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { streams.Close() })()
	defer streams.Close()
	said, err := io.ReadAll(streams.Reader)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && len(said) > 0 {
		err = fmt.Errorf("%s: %s", question, said)
	}
	return err
}

func (h *hand) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTime)
	defer cancel()
	var errs []error
	for _, id := range h.containers {
		_, err := h.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		errs = append(errs, err)
	}
	_, err := h.api.NetworkRemove(ctx, h.network, client.NetworkRemoveOptions{})
	return errors.Join(append(errs, err)...)
}
