package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

var _ driver.Disruptor = (*environment)(nil)

// Disrupt pauses a service with SIGSTOP, leaves it less of the processor or the
// memory in control groups, and fills the file system that its data lies on.
func (e *environment) Disrupt(ctx context.Context, name rehearse.ServiceName, d rehearse.Disruption) (undo func(context.Context) error, err error) {
	s, err := e.service(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p, group := s.proc, s.group
	s.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("service %q has not been started", name)
	}
	wrong := func(err error) error {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q: %s", name, d.Kind), Err: err}
	}
	switch d.Kind {
	case rehearse.DisruptPause:
		if err := p.signalAll(unix.SIGSTOP); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return p.signalAll(unix.SIGCONT) }, nil
	case rehearse.DisruptCPU, rehearse.DisruptMemory:
		less := rehearse.Limits{CPUs: d.CPUs, Memory: d.Memory}
		if err := e.squeeze(s, p, group, less); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return group.restore(string(name), less, s.spec.Limits) }, nil
	case rehearse.DisruptDisk:
		inside, ok := e.iso.(*namespaces)
		if !ok || !s.onScratch(d.Path) {
			return nil, &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has no file system of its own at %q", name, d.Path),
				Hint: "The process driver fills the data directory of a service with a recipe, where its data is an overlay: rehearse doctor and the fact data.clone say so.",
			}
		}
		if err := inside.fill(string(name), true); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return inside.fill(string(name), false) }, nil
	}
	return nil, wrong(errors.New("this driver cannot do that"))
}

// squeeze puts what a service runs into a control group with less of something,
// and everything that it will run.
func (e *environment) squeeze(s *service, p *jailProcess, g *controlGroup, less rehearse.Limits) error {
	version := cgroupVersion()
	for _, set := range settings(version, less) {
		if g.of(set.resource) == "" {
			// A group must be there before somebody can be in it, and its limit must
			// not be in force before all are.
			if err := g.apply(version, string(s.spec.Name), unlimited(version, set)); err != nil {
				return err
			}
			if set.resource == "memory" && version == 1 {
				// What they have already counts too, where the kernel still knows how.
				_ = g.apply(version, string(s.spec.Name), setting{set.resource, "memory.move_charge_at_immigrate", "3"})
			}
			if err := g.join(set.resource, func() []int { return e.iso.processes(p) }); err != nil {
				return err
			}
		}
		if err := g.apply(version, string(s.spec.Name), set); err != nil {
			return busy(err)
		}
	}
	return nil
}

// busy says what the kernel means by EBUSY.
func busy(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return errors.New("it uses more than that, and nothing of it can be given back")
	}
	return err
}

// join writes processes into the group of a resource, again until none has been
// forked meanwhile.
func (g *controlGroup) join(resource string, list func() []int) error {
	dir := g.of(resource)
	in := map[int]bool{}
	for {
		fresh := 0
		for _, pid := range list() {
			if in[pid] {
				continue
			}
			in[pid] = true
			err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("put it into a control group: %w", err)
			}
			fresh++
		}
		if fresh == 0 {
			return nil
		}
	}
}

// of is the group's directory for a resource.
func (g *controlGroup) of(resource string) string {
	for _, d := range g.own() {
		if cgroupVersion() == 2 || filepath.Dir(filepath.Dir(d)) == filepath.Join(cgroupRoot, resource) {
			return d
		}
	}
	return ""
}

// restore gives a service back what it had.
func (g *controlGroup) restore(name string, less, had rehearse.Limits) error {
	version := cgroupVersion()
	var err error
	for _, set := range settings(version, less) {
		back := unlimited(version, set)
		for _, h := range settings(version, had) {
			if h.resource == set.resource {
				back = h
			}
		}
		e := os.WriteFile(filepath.Join(g.of(set.resource), back.file), []byte(back.value), 0o644)
		if !errors.Is(e, os.ErrNotExist) { // it has ended, and its group with it
			err = errors.Join(err, e)
		}
	}
	return err
}

// unlimited is the setting of a resource that limits nothing.
func unlimited(version int, set setting) setting {
	set.value = "-1"
	if version == 2 {
		set.value = "max"
	}
	return set
}

// onScratch says whether a path of a service lies on a file system that can be
// filled: its data directory, where that is an overlay.
func (s *service) onScratch(path string) bool {
	s.data.Lock()
	defer s.data.Unlock()
	return s.clone != nil && s.clone.Method == snapshot.Overlay && (path == "" || path == jailData)
}
