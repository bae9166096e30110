package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/ramdisk"
)

// Prepare gets or builds the service's image, and makes its containers and what
// is mounted in them.
func (e *environment) Prepare(ctx context.Context, name rehearse.ServiceName) error {
	s, err := e.service(name)
	if err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	s.prepare.Lock()
	defer s.prepare.Unlock()
	if s.prepared {
		return nil
	}
	ctx, stop := e.untilClosed(ctx)
	defer stop()
	if s.image, err = e.imageOf(ctx, s.spec); err != nil {
		return err
	}
	e.fact(rehearse.Fact{Name: "image." + string(name), Value: s.image.Digest, Note: s.image.Ref})
	e.tellUnlimited(s.spec)
	if err := e.prepareHooks(ctx, s); err != nil {
		return err
	}
	if err := e.prepareData(ctx, s); err != nil {
		return err
	}
	return e.makeInstances(ctx, s)
}

// imageOf pulls or builds, as Compose does: what can be built is built, unless the
// service says that it is to be pulled. within are the services whose builds wait
// for this image.
func (e *environment) imageOf(ctx context.Context, s rehearse.Service, within ...rehearse.ServiceName) (image, error) {
	policy := ""
	if s.Container != nil {
		policy = s.Container.PullPolicy
	}
	progress := &prefixed{to: e.spec.Log, prefix: string(s.Name) + ": "}
	if s.Build != nil && (s.Image == "" || policy == "" || policy == "build") {
		build, err := e.withContexts(ctx, s, append(within, s.Name))
		if err != nil {
			return image{}, err
		}
		s.Build = build
		return e.engine.build(ctx, e.spec.Plan.Project, s, map[string]string{labelState: e.o.Label}, progress)
	}
	return e.engine.image(ctx, s, policy, progress)
}

// withContexts is a service's build in which every context that is another
// service's image, as in "service:NAME", has been built and is named by its tag.
func (e *environment) withContexts(ctx context.Context, s rehearse.Service, within []rehearse.ServiceName) (*rehearse.Build, error) {
	build := *s.Build
	build.Contexts = maps.Clone(build.Contexts)
	for name, from := range build.Contexts {
		target, ok := strings.CutPrefix(from, "service:")
		if !ok {
			continue
		}
		of, known := e.spec.Plan.Service(rehearse.ServiceName(target))
		if !known || of.Build == nil {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("the build of %q has the context %s, and the plan builds no service of that name", s.Name, from),
				Hint: "Take its profile into the plan, or name a directory in services." + string(s.Name) + ".build.additional_contexts.",
			}
		}
		if slices.Contains(within, of.Name) {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("the build of %q has the context %s, whose build waits for it", s.Name, from),
				Hint: "Take one of these services out of the other's build.additional_contexts.",
			}
		}
		if _, ok := e.engine.buildx(); !ok {
			continue // the engine's own builder says what it does not know
		}
		made, err := e.imageOf(ctx, of, within...)
		if err != nil {
			return nil, err
		}
		build.Contexts[name] = "docker-image://" + made.Ref
	}
	return &build, nil
}

// makeInstances makes the containers of a service anew.
func (e *environment) makeInstances(ctx context.Context, s *service) error {
	if err := e.removeInstances(ctx, s); err != nil {
		return err
	}
	if err := e.awaitDisks(ctx, s); err != nil {
		return err
	}
	mounts, err := e.mounts(ctx, s)
	if err != nil {
		return err
	}
	n := replicas(s.spec)
	for number := 1; number <= n; number++ {
		of := string(s.spec.Name)
		if n > 1 {
			of = fmt.Sprintf("%s-%d", of, number)
		}
		i := &instance{number: number, name: e.name(of)}
		own, err := e.ownVolumes(ctx, s, mounts, number)
		if err != nil {
			return err
		}
		if err := e.makeInstance(ctx, s, i, own); err != nil {
			return fmt.Errorf("make the container of %s: %w", s.spec.Name, err)
		}
	}
	s.prepared = true
	return nil
}

func (e *environment) removeInstances(ctx context.Context, s *service) error {
	for _, i := range s.instances {
		if err := e.removeContainer(ctx, i.name, i.id); err != nil {
			return err
		}
	}
	s.prepared, s.hooked, s.instances = false, false, nil
	return nil
}

// makeInstance makes one container. It belongs to the service as soon as it is
// about to exist, so that Close finds it whatever happens next.
func (e *environment) makeInstance(ctx context.Context, s *service, i *instance, m mounts) error {
	q, err := e.container(s, i, m)
	if err != nil {
		return err
	}
	r := e.containerNamed(i.name)
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	i.id = i.name // until the engine has given it another
	s.instances = append(s.instances, i)
	made, err := e.create(ctx, q)
	if err != nil {
		return refused(err)
	}
	i.id = made.ID
	for _, w := range made.Warnings {
		if !strings.Contains(w, "platform") {
			e.fact(rehearse.Fact{Name: "engine.warning", Value: string(s.spec.Name), Note: w})
		}
	}
	if err := e.spec.Journal.Confirm(r, true); err != nil {
		return err
	}
	return e.copyFiles(ctx, i.id, m.copied)
}

// create makes a container. An engine makes what it was asked for, also for who does
// not wait for it.
func (e *environment) create(ctx context.Context, q client.ContainerCreateOptions) (client.ContainerCreateResult, error) {
	ctx, stop := e.untilAbandoned(ctx)
	defer stop()
	return e.engine.api.ContainerCreate(ctx, q)
}

// makeVolume makes a named volume, once.
func (e *environment) makeVolume(ctx context.Context, name string, ownDisk bool) (string, error) {
	full := e.name("volume-" + name)
	// Nobody mounts it before it carries our label: an engine makes what is missing.
	e.volumeMu.Lock()
	defer e.volumeMu.Unlock()
	e.mu.Lock()
	known := e.volumes[full]
	e.volumes[full] = true // from now on, Close removes it
	e.mu.Unlock()
	if known {
		return full, nil
	}
	r := e.volumeNamed(full)
	if err := e.spec.Journal.Intend(r); err != nil {
		return "", err
	}
	q := client.VolumeCreateOptions{Name: full, Labels: e.labels("", nil)}
	if ownDisk {
		q.DriverOpts = map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "nosuid,nodev,mode=755," + ramdisk.Options}
	}
	making, stop := e.untilAbandoned(ctx) // as create
	defer stop()
	if _, err := e.engine.api.VolumeCreate(making, q); err != nil {
		return "", fmt.Errorf("make volume %s: %w", name, explain(err))
	}
	return full, e.spec.Journal.Confirm(r, true)
}
