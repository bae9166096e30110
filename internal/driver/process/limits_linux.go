package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/cgroup"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/passing"
)

// controlGroup holds a service to its limits. It is a directory in each
// hierarchy that the host has: one with version 2, one per resource with
// version 1; with neither it limits nothing, as a nil group does.
type controlGroup struct {
	env *environment

	mu   sync.Mutex
	dirs []string
	// squeezed says that its limit of memory is a disruption's.
	squeezed bool
}

const cgroupRoot = "/sys/fs/cgroup"

// groupName names an environment's group in each hierarchy. The label keeps the
// environments of several users, or of a test, apart.
func groupName(label, id string) string { return groupPrefix(label) + id }

func groupPrefix(label string) string { return "rehearse-" + shortHash(label)[:8] + "-" }

// setting is one limit, as both versions write it.
type setting struct {
	resource string // of version 1
	file     string
	value    string
}

func settings(version int, l rehearse.Limits) []setting {
	const period = 100_000 // µs, the kernel's default
	var out []setting
	if l.Memory > 0 {
		v := strconv.FormatInt(l.Memory, 10)
		if version == 2 {
			out = append(out, setting{"memory", "memory.max", v})
		} else {
			out = append(out, setting{"memory", "memory.limit_in_bytes", v})
		}
	}
	if l.CPUs > 0 {
		quota := strconv.Itoa(int(l.CPUs * period))
		if version == 2 {
			out = append(out, setting{"cpu", "cpu.max", quota + " " + strconv.Itoa(period)})
		} else {
			out = append(out, setting{"cpu", "cpu.cfs_quota_us", quota})
		}
	}
	if l.PIDs > 0 {
		out = append(out, setting{"pids", "pids.max", strconv.FormatInt(l.PIDs, 10)})
	}
	return out
}

func cgroupVersion() int {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return 2
	}
	return 1
}

// limit makes a service's control groups. Where the host does not let us, the
// service runs without, and the evidence says so.
func (e *environment) limit(s *service) (*controlGroup, error) {
	g := &controlGroup{env: e, squeezed: s.less.Memory > 0}
	version := cgroupVersion()
	for _, set := range settings(version, s.limits()) {
		if err := g.apply(version, string(s.spec.Name), set); err != nil {
			e.fact(rehearse.Fact{Name: "limits." + string(s.spec.Name), Value: set.resource + " not applied", Note: err.Error()})
			continue
		}
		e.fact(rehearse.Fact{Name: "limits." + string(s.spec.Name), Value: set.resource + " applied", Note: set.file + " " + set.value})
	}
	return g, nil
}

func (g *controlGroup) apply(version int, service string, set setting) error {
	dir := cgroupRoot
	if version == 1 {
		dir = filepath.Join(cgroupRoot, set.resource)
	}
	parent := filepath.Join(dir, groupName(g.env.o.Label, string(g.env.spec.ID)))
	own := filepath.Join(parent, service)
	for _, d := range []string{parent, own} {
		remnant := driver.Remnant{Environment: g.env.spec.ID, Kind: "cgroup", Name: d}
		if err := g.env.spec.Journal.Intend(remnant); err != nil {
			return err
		}
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := g.env.spec.Journal.Confirm(remnant, true); err != nil {
			return err
		}
		g.env.groups.Store(remnant, true)
		if version == 2 {
			// A group's controllers are those that its parent passes on.
			if err := os.WriteFile(filepath.Join(filepath.Dir(d), "cgroup.subtree_control"), []byte("+"+set.resource), 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(filepath.Join(own, set.file), []byte(set.value), 0o644); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.dirs, own) {
		g.dirs = append(g.dirs, own)
	}
	return nil
}

// own lists the group's directories.
func (g *controlGroup) own() []string {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.dirs)
}

// lists opens the lists that a process writes itself into.
func (g *controlGroup) lists() ([]*os.File, error) {
	var files []*os.File
	for _, d := range g.own() {
		f, err := os.OpenFile(filepath.Join(d, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			passing.CloseAll(files)
			return nil, fmt.Errorf("apply limits: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// cause is "out of memory" when the kernel has killed a process of the group for
// its memory limit.
func (g *controlGroup) cause() string {
	limit := "the limit of deploy.resources.limits.memory"
	if g != nil && g.isSqueezed() {
		limit = "what it was left on purpose"
	}
	for _, d := range g.own() {
		for _, name := range []string{"memory.events", "memory.oom_control"} {
			data, err := os.ReadFile(filepath.Join(d, name))
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(data)) {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok && n != "0" {
					return "out of memory: the kernel killed a process at " + limit
				}
			}
		}
	}
	return ""
}

// throttled is how the kernel has held the group to its limit of CPU time.
func (g *controlGroup) throttled() rehearse.Throttling {
	var t rehearse.Throttling
	for _, d := range g.own() {
		if held := cgroup.Throttling(d); held != (rehearse.Throttling{}) { // others are of another resource
			t = held
		}
	}
	return t
}

// remove takes the groups away; the last one also the environment's.
func (g *controlGroup) remove() {
	for _, d := range g.own() {
		_ = unix.Rmdir(d) // what is still busy is removed with the environment
	}
}

// removeGroups takes away what is left of an environment's groups.
func (e *environment) removeGroups() {
	for _, dir := range groupsOf(e.o.Label, string(e.spec.ID)) {
		_ = removeGroup(dir) // List finds what could not be removed
	}
	for r := range e.groups.Range {
		made := r.(driver.Remnant)
		if _, err := os.Stat(made.Name); errors.Is(err, os.ErrNotExist) {
			_ = e.spec.Journal.Confirm(made, false) // who collects looks again
		}
	}
}

// groupsOf lists the top groups of an environment; "*" is every environment.
func groupsOf(label, id string) []string {
	var out []string
	for _, pattern := range []string{filepath.Join(cgroupRoot, groupName(label, id)), filepath.Join(cgroupRoot, "*", groupName(label, id))} {
		found, _ := filepath.Glob(pattern)
		out = append(out, found...)
	}
	return out
}

func removeGroup(dir string) error {
	children, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range children {
		if c.IsDir() {
			if err := removeGroup(filepath.Join(dir, c.Name())); err != nil {
				return err
			}
		}
	}
	err = unix.Rmdir(dir)
	// A process that has been killed is in its group until its end is complete.
	for patience := time.Now().Add(2 * time.Second); errors.Is(err, unix.EBUSY) && time.Now().Before(patience); {
		time.Sleep(5 * time.Millisecond)
		err = unix.Rmdir(dir)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove control group %s: %w", dir, err)
	}
	return nil
}

// limitsFact says whether limits can be applied on this host.
func limitsFact() rehearse.Fact {
	f := rehearse.Fact{Name: "limits", Value: "yes", Note: fmt.Sprintf("control groups, version %d", cgroupVersion())}
	dir := cgroupRoot
	if cgroupVersion() == 1 {
		dir = filepath.Join(cgroupRoot, "memory")
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		f.Value, f.Note = "no", fmt.Sprintf("%s: %v; deploy.resources.limits are not applied", dir, err)
	}
	return f
}

func listGroups(label string) []driver.Remnant {
	var out []driver.Remnant
	for _, dir := range groupsOf(label, "*") {
		id := strings.TrimPrefix(filepath.Base(dir), groupPrefix(label))
		out = append(out, driver.Remnant{Environment: rehearse.EnvironmentID(id), Kind: "cgroup", Name: dir})
	}
	return out
}

// removeListedGroup removes a group only if it is named as ours are.
func removeListedGroup(label, dir string) error {
	top := dir
	for !strings.HasPrefix(filepath.Base(top), groupPrefix(label)) {
		if top == cgroupRoot || top == "/" || top == "." {
			return fmt.Errorf("remove control group %s: it is not one of ours", dir)
		}
		top = filepath.Dir(top)
	}
	return removeGroup(dir)
}
