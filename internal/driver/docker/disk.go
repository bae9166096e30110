package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/ramdisk"
)

// A volume that an experiment fills has a file system of its own, in memory: to fill
// the host's would befall everybody. The engine mounts it for as long as a running
// container has it, so the link container has it from before the first service until
// the end.

// ownDisks are the names of these volumes, of the plan.
func (e *environment) ownDisks() []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range e.spec.Plan.Services {
		for _, w := range s.Mounts {
			if w.Type == "volume" && w.OwnDisk && !seen[w.Source] {
				seen[w.Source] = true
				out = append(out, w.Source)
			}
		}
	}
	return out
}

// holdDisks makes these volumes, and mounts them in the link container.
func (e *environment) holdDisks(ctx context.Context) ([]mount.Mount, error) {
	var out []mount.Mount
	for n, name := range e.ownDisks() {
		full, err := e.makeVolume(ctx, name, true)
		if err != nil {
			return nil, err
		}
		out = append(out, mount.Mount{
			Type: mount.TypeVolume, Source: full, Target: fmt.Sprintf("/volumes/%d", n), ReadOnly: true, VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		})
	}
	return out, nil
}

// awaitDisks waits until the link container holds the volumes of a service, where it
// has such: what an image brings along is copied into one before the service starts.
func (e *environment) awaitDisks(ctx context.Context, s *service) error {
	for _, w := range s.spec.Mounts {
		if w.Type == "volume" && w.OwnDisk {
			_, err := e.awaitBoard(ctx)
			return err
		}
	}
	return nil
}

// fillDisk fills the volume that a service sees at a path, or gives it room again.
// The empty path is its only volume with a file system of its own.
func (e *environment) fillDisk(ctx context.Context, s *service, at string, full bool) error {
	var there []string
	for _, w := range s.spec.Mounts {
		if w.Type == "volume" && w.OwnDisk && !s.data.covers(w.Target) {
			there = append(there, w.Target)
		}
	}
	if at == "" && len(there) == 1 {
		at = there[0]
	}
	volume, _ := s.spec.VolumeAt(at)
	if !slices.Contains(there, volume.Target) {
		where := "and nowhere else"
		if len(there) > 0 {
			where = "only at " + strings.Join(there, ", ")
		}
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has no file system of its own at %q, %s", s.spec.Name, at, where),
			Hint: "A volume has one if an experiment of rehearse.yaml fills it, unless it holds the data of a database with generated rows; say as path which is to be full.",
		}
	}
	return e.remount(ctx, e.name("volume-"+volume.Source), full)
}

// diskName is the container's that changes a volume's file system.
const diskName = "_disk"

// ramdiskPath is where it has the volume.
const ramdiskPath = "/volume"

// remount changes how much room a volume has, in a container of the link container's
// image that does nothing else, and alone has the right to it.
func (e *environment) remount(ctx context.Context, volume string, full bool) (err error) {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	ctx, stop := e.untilClosed(ctx)
	defer stop()
	e.diskMu.Lock()
	defer e.diskMu.Unlock()
	image, err := e.engine.linkImage(ctx, findLink(e.o.Exe))
	if err != nil {
		return err
	}
	r := e.containerNamed(e.name(diskName))
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	defer func() {
		ctx, stop := e.untilAbandoned(ctx)
		defer stop()
		err = errors.Join(err, e.removeContainer(ctx, r.Name, r.Name))
	}()
	verb := ramdisk.Roomy
	if full {
		verb = ramdisk.Full
	}
	made, err := e.create(ctx, client.ContainerCreateOptions{
		Name: r.Name,
		Config: &container.Config{
			Image: image, Cmd: []string{verb, ramdiskPath}, Labels: e.labels("", nil),
			AttachStdout: true, AttachStderr: true,
		},
		HostConfig: &container.HostConfig{
			NetworkMode: "none", CapDrop: []string{"ALL"}, CapAdd: []string{"SYS_ADMIN"}, ReadonlyRootfs: true,
			SecurityOpt: []string{"no-new-privileges", "apparmor=unconfined"}, // whose profile for containers lets nobody mount
			LogConfig:   container.LogConfig{Type: "none"},
			Mounts:      []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: ramdiskPath, VolumeOptions: &mount.VolumeOptions{NoCopy: true}}},
		},
	})
	if err != nil {
		return explain(err)
	}
	if err := e.spec.Journal.Confirm(r, true); err != nil {
		return err
	}
	streams, err := e.engine.attach(ctx, made.ID, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return explain(err)
	}
	said := newStdio(streams.HijackedResponse)
	defer said.Close()
	waited := e.engine.api.ContainerWait(ctx, made.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	e.watch.acts.ask(r.Name, events.ActionStart)
	if _, err := e.engine.api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return explain(err)
	}
	select {
	case err := <-waited.Error:
		return explain(err)
	case result := <-waited.Result:
		if result.StatusCode != 0 {
			return fmt.Errorf("the engine's kernel does not change the volume: %s", strings.TrimSpace(said.said.String()))
		}
		return nil
	}
}
