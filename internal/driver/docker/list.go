package docker

import (
	"context"
	"fmt"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// List finds what carries our label: containers, then volumes and networks, which
// go when no container has them any more, and our clones of data. An engine that
// does not answer has nothing that could be found.
func (d *Driver) List(ctx context.Context) ([]driver.Remnant, error) {
	clones, err := d.clones()
	if err != nil {
		return nil, err
	}
	e, err := d.connect(ctx)
	if err != nil {
		return clones, nil
	}
	asking, cancel := context.WithTimeoutCause(ctx, answerTime, errSilent)
	defer cancel()
	found, err := e.list(asking, d.o.Label, "")
	return append(found, clones...), inTime(asking, err)
}

func (e *engine) list(ctx context.Context, state string, id rehearse.EnvironmentID) ([]driver.Remnant, error) {
	var out []driver.Remnant
	add := func(kind, name string, labels map[string]string) {
		out = append(out, driver.Remnant{Environment: rehearse.EnvironmentID(labels[labelEnvironment]), Kind: kind, Name: name})
	}
	containers, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours(state, id)})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", explain(err))
	}
	for _, c := range containers.Items {
		if len(c.Names) > 0 && c.Labels[labelEnvironment] != "" {
			add("container", strings.TrimPrefix(c.Names[0], "/"), c.Labels)
		}
	}
	volumes, err := e.api.VolumeList(ctx, client.VolumeListOptions{Filters: ours(state, id)})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", explain(err))
	}
	for _, v := range volumes.Items {
		if v.Labels[labelEnvironment] != "" {
			add("volume", v.Name, v.Labels)
		}
	}
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: ours(state, id)})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", explain(err))
	}
	for _, n := range networks.Items {
		if n.Labels[labelEnvironment] != "" {
			add("network", n.Name, n.Labels)
		}
	}
	return out, nil
}

// Remove removes one thing that List found, unless it does not carry our label.
func (d *Driver) Remove(ctx context.Context, r driver.Remnant) error {
	if r.Kind == "clone" {
		return d.removeClone(ctx, r)
	}
	e, err := d.connect(ctx)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeoutCause(ctx, answerTime, errSilent)
	defer cancel()
	return inTime(asking, e.remove(asking, d.o.Label, r))
}

func (e *engine) remove(ctx context.Context, state string, r driver.Remnant) error {
	labels, err := e.labelsOf(ctx, r)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s %s: %w", r.Kind, r.Name, explain(err))
	}
	if labels[labelState] != state || labels[labelEnvironment] != string(r.Environment) {
		return fmt.Errorf("remove %s %s: it is not ours", r.Kind, r.Name)
	}
	switch r.Kind {
	case "container":
		err = e.removeContainer(ctx, r.Name)
	case "volume":
		_, err = e.api.VolumeRemove(ctx, r.Name, client.VolumeRemoveOptions{Force: true})
	case "network":
		_, err = e.api.NetworkRemove(ctx, r.Name, client.NetworkRemoveOptions{})
	}
	if err != nil && !isGone(err) {
		return fmt.Errorf("remove %s %s: %w", r.Kind, r.Name, explain(err))
	}
	return nil
}

// removeContainer removes a container with its anonymous volumes, whether or not it
// runs. Podman cannot kill one that ends in the same moment; the next attempt finds
// it ended.
func (e *engine) removeContainer(ctx context.Context, id string) (err error) {
	for range 5 {
		_, err = e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || !strings.Contains(err.Error(), "container state improper") {
			break
		}
	}
	return err
}

// labelsOf asks the engine what a thing carries.
func (e *engine) labelsOf(ctx context.Context, r driver.Remnant) (map[string]string, error) {
	switch r.Kind {
	case "container":
		got, err := e.api.ContainerInspect(ctx, r.Name, client.ContainerInspectOptions{})
		if err != nil {
			return nil, err
		}
		return got.Container.Config.Labels, nil
	case "volume":
		got, err := e.api.VolumeInspect(ctx, r.Name, client.VolumeInspectOptions{})
		return got.Volume.Labels, err
	case "network":
		got, err := e.api.NetworkInspect(ctx, r.Name, client.NetworkInspectOptions{})
		return got.Network.Labels, err
	}
	return nil, fmt.Errorf("%s is not a thing of the docker driver", r.Kind)
}

// isGone says that a thing does not exist, or is being removed by somebody else.
func isGone(err error) bool {
	return cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")
}
