package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("service %q has not been started", name)
	}
	wrong := func(err error) error {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q: %s", name, d.Kind), Err: err}
	}
	switch d.Kind {
	case rehearse.DisruptPause:
		if err := e.pause(ctx, p); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return p.signalAll(unix.SIGCONT) }, nil
	case rehearse.DisruptCPU, rehearse.DisruptMemory:
		less := rehearse.Limits{CPUs: d.CPUs, Memory: d.Memory}
		if err := e.squeeze(s, less); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return s.relieve(less) }, nil
	case rehearse.DisruptDisk:
		inside, ok := e.iso.(*namespaces)
		if !ok {
			return nil, &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has no file system of its own", name),
				Hint: "Services have their own in the tier namespaces; rehearse doctor says what it needs.",
			}
		}
		dir, err := s.disk(d.Path)
		if err != nil {
			return nil, err
		}
		if err := inside.fill(dir, true); err != nil {
			return nil, wrong(err)
		}
		return func(context.Context) error { return inside.fill(dir, false) }, nil
	}
	return nil, wrong(errors.New("this driver cannot do that"))
}

// limits are what a service may use now.
func (s *service) limits() rehearse.Limits {
	now := s.spec.Limits
	if s.less.CPUs > 0 {
		now.CPUs = s.less.CPUs
	}
	if s.less.Memory > 0 {
		now.Memory = s.less.Memory
	}
	return now
}

// squeeze puts what a service runs into a control group with less of something,
// and everything that it will run, also after it was started again.
func (e *environment) squeeze(s *service, less rehearse.Limits) (err error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	s.mu.Lock()
	p, g := s.proc, s.group
	s.mu.Unlock()
	if less.Memory > 0 {
		g.setSqueezed(true)
		defer func() { g.setSqueezed(err == nil) }()
	}
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
	s.left(less, less)
	return nil
}

// left notes what a service has left now of what a disruption is about. The caller
// holds s.starting.
func (s *service) left(about, now rehearse.Limits) {
	if about.CPUs > 0 {
		s.less.CPUs = now.CPUs
	}
	if about.Memory > 0 {
		s.less.Memory = now.Memory
	}
}

// relieve gives a service back what it had, and the one that was started in its
// place.
func (s *service) relieve(less rehearse.Limits) error {
	s.starting.Lock()
	defer s.starting.Unlock()
	s.left(less, rehearse.Limits{})
	s.mu.Lock()
	g := s.group
	s.mu.Unlock()
	return g.restore(less, s.spec.Limits)
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

func (g *controlGroup) isSqueezed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.squeezed
}

func (g *controlGroup) setSqueezed(yes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.squeezed = yes
}

// restore gives a group back what it had.
func (g *controlGroup) restore(less, had rehearse.Limits) error {
	version := cgroupVersion()
	if less.Memory > 0 {
		g.setSqueezed(false)
	}
	var err error
	for _, set := range settings(version, less) {
		dir := g.of(set.resource)
		if dir == "" {
			continue // it was started again, and could not be limited
		}
		back := unlimited(version, set)
		for _, h := range settings(version, had) {
			if h.resource == set.resource {
				back = h
			}
		}
		e := os.WriteFile(filepath.Join(dir, back.file), []byte(back.value), 0o644)
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

// disk finds the file system that a service sees at a path, as a directory of the
// scratch space: a volume, or its data directory. The empty path is where its data
// lies: the data directory of a recipe's service, or else its only volume.
func (s *service) disk(path string) (dir string, err error) {
	at, places := "", map[string]string{} // where the service sees each
	for _, m := range s.launch.mounts {
		if m.Kind == "volume" {
			places[m.Target] = filepath.Join(volumesDir, m.Keep)
			at = m.Target
		}
	}
	alone := len(places) == 1
	if s.spec.Recipe != "" && s.writesToScratch() {
		data := filepath.Join(string(s.spec.Name), writtenDir)
		for _, m := range s.spec.Mounts {
			if _, own := places[m.Target]; m.Type == "volume" && !own { // the recipe has its place
				places[m.Target] = data
			}
		}
		places[jailData] = data
		at, alone = jailData, true
	}
	if path != "" {
		at, alone = "", true
		for target := range places {
			if strings.HasPrefix(filepath.Clean(path)+"/", target+"/") && len(target) > len(at) {
				at = target
			}
		}
	}
	if dir, ok := places[at]; ok && alone {
		return dir, nil
	}
	where := "and nowhere else"
	if len(places) > 0 {
		where = "only at " + strings.Join(slices.Sorted(maps.Keys(places)), ", ")
	}
	return "", &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has no file system of its own at %q, %s", s.spec.Name, path, where),
		Hint: "Say as path which is to be full. Volumes in the Compose file can be, and the data of a service with a recipe, unless the fact data.clone says that it is a large dataset.",
	}
}

// writesToScratch says whether what a recipe's service writes lies in the scratch
// space: it does unless its data is a copy elsewhere.
func (s *service) writesToScratch() bool {
	s.data.Lock()
	defer s.data.Unlock()
	return s.clone == nil || s.clone.Method == snapshot.Overlay
}
