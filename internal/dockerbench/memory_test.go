package dockerbench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// memory is what stays beside the services of one environment, in bytes: each
// process's share of what it has in memory (PSS).
type memory struct {
	environment float64 // the process that carries the links; of testcontainers the program
	reaper      float64
	link        float64 // the link container's process
	shim        float64 // the engine's process beside that container
}

func (m memory) megabytes() float64 { return (m.environment + m.reaper + m.link + m.shim) / 1e6 }

// parts are what a memory is made of, in megabytes.
var parts = []struct {
	name string
	of   func(memory) float64
}{
	{"the environment's process", func(m memory) float64 { return m.environment / 1e6 }},
	{"the reaper", func(m memory) float64 { return m.reaper / 1e6 }},
	{"the link container's process", func(m memory) float64 { return m.link / 1e6 }},
	{"the engine's process beside that container", func(m memory) float64 { return m.shim / 1e6 }},
}

// measureMemory is while an environment stands that is ready. Of compose nothing
// stays, and testcontainers is the largest that its program was.
func measureMemory(ctx context.Context, b *bench) ([]row, error) {
	got, err := interleave(ctx, b, []contestant[memory]{
		{ours, b.rehearseMemory}, {testcontainers, b.testcontainersMemory},
	})
	if err != nil {
		return nil, err
	}
	got[compose] = make([]memory, b.rounds)
	all := newRow("memory beside the services, all of it", "MB", got, memory.megabytes)
	all.compare("of testcontainers", got.of(ours, memory.megabytes), got.of(testcontainers, memory.megabytes), divide, figures.NoGoal)
	rows := []row{all}
	only := samples[memory]{ours: got[ours]}
	for _, part := range parts {
		rows = append(rows, newRow("– "+part.name, "MB", only, part.of))
	}
	return rows, nil
}

func (b *bench) rehearseMemory(ctx context.Context) (m memory, err error) {
	id, err := b.rehearseUp(ctx, b.cache, asInFile)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, b.rehearseDown(ctx, b.cache, id)) }()
	if err := b.ownProcesses(&m); err != nil {
		return m, err
	}
	return m, b.linkContainer(ctx, id, &m)
}

// ownProcesses finds rehearse's by the program that they run, which is this
// benchmark's alone.
func (b *bench) ownProcesses(m *memory) error {
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return err
	}
	for _, exe := range all {
		if program, err := os.Readlink(exe); err != nil || program != b.rehearseProgram() {
			continue // it has ended, or is another's
		}
		dir := filepath.Dir(exe)
		command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			return err
		}
		bytesOf, err := pss(dir)
		if err != nil {
			return err
		}
		if bytes.Contains(command, []byte("\x00--supervise\x00")) {
			m.environment += bytesOf
		} else {
			m.reaper += bytesOf
		}
	}
	if m.environment == 0 || m.reaper == 0 {
		return fmt.Errorf("%s runs no process for the environment, or none that reaps: %+v", b.rehearseProgram(), *m)
	}
	return nil
}

// linkContainer adds the container of an environment that is no service.
func (b *bench) linkContainer(ctx context.Context, id string, m *memory) error {
	api := b.engine.Client()
	found, err := api.ContainerList(ctx, client.ContainerListOptions{Filters: make(client.Filters).Add("label", "dev.rehearse.environment="+id)})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if c.Labels["dev.rehearse.service"] != "" {
			continue
		}
		got, err := api.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		dir := fmt.Sprintf("/proc/%d", got.Container.State.Pid)
		link, err := pss(dir)
		if err != nil {
			return err
		}
		parent, err := field(filepath.Join(dir, "status"), "PPid:")
		if err != nil {
			return err
		}
		shim, err := pss(fmt.Sprintf("/proc/%d", parent))
		m.link += link
		m.shim += shim
		return err
	}
	return fmt.Errorf("environment %s has no link container", id)
}

func (b *bench) testcontainersMemory(ctx context.Context) (m memory, err error) {
	p, err := b.startTestcontainers()
	if err != nil {
		return m, err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := p.wait()
		ended <- err
	}()
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	for {
		select {
		case err := <-ended:
			return m, err
		case <-time.After(20 * time.Millisecond):
			if now, err := pss(dir); err == nil { // else it has just ended
				m.environment = max(m.environment, now)
			}
		}
	}
}

// pss is a process's share of what it has in memory, see proc_pid_smaps(5).
func pss(dir string) (float64, error) {
	kib, err := field(filepath.Join(dir, "smaps_rollup"), "Pss:")
	return float64(kib) * 1024, err
}

// field is the number after a name at the beginning of a line.
func field(file, name string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			return strconv.Atoi(words[1])
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
