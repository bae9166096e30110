//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// List finds our processes by their labels, our control groups by name, and our
// clones of data by their owner.
func (d *Driver) List(ctx context.Context) ([]driver.Remnant, error) {
	clones, err := d.clones()
	if err != nil {
		return nil, err
	}
	var out []driver.Remnant
	us := ancestors()
	procs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	for _, file := range procs {
		env, err := os.ReadFile(file)
		if err != nil {
			continue // ended, or not ours
		}
		id, state := labelsIn(env)
		pid := filepath.Base(filepath.Dir(file))
		if id == "" || state != d.o.Label || us[pid] {
			continue
		}
		born, alive := birth(pid)
		if !alive {
			continue
		}
		out = append(out, driver.Remnant{Environment: rehearse.EnvironmentID(id), Kind: "process", Name: pid + "@" + born})
	}
	// The groups that hold processes, and what these write into, go after them.
	return slices.Concat(out, listGroups(d.o.Label), clones), nil
}

// Remove kills a process, or removes a control group or a clone. A process is known by its
// number and its birth, so that a number used again is never mistaken.
func (d *Driver) Remove(ctx context.Context, r driver.Remnant) error {
	switch r.Kind {
	case "process":
		pid, born, _ := strings.Cut(r.Name, "@")
		n, err := strconv.Atoi(pid)
		if err != nil {
			return fmt.Errorf("remove process %q: %w", r.Name, err)
		}
		if now, alive := birth(pid); !alive || now != born {
			return nil
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", n, err)
		}
		return nil
	case "cgroup":
		return removeListedGroup(d.o.Label, r.Name)
	case "clone":
		return d.removeClone(ctx, r)
	}
	return fmt.Errorf("remove %s %s: not a thing of the process driver", r.Kind, r.Name)
}

func labelsIn(environ []byte) (id, state string) {
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(driver.LabelEnvironment+"=")); ok {
			id = string(v)
		}
		if v, ok := bytes.CutPrefix(kv, []byte(driver.LabelState+"=")); ok {
			state = string(v)
		}
	}
	return id, state
}

// birth is a living process's start time, in the kernel's clock ticks.
func birth(pid string) (born string, alive bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", false
	}
	return fields[19], true
}

// ancestors are this process and those that it descends from. When somebody runs
// rehearse inside of an environment, they carry that one's label.
func ancestors() map[string]bool {
	out := map[string]bool{}
	for pid := strconv.Itoa(os.Getpid()); pid != "0" && !out[pid]; {
		out[pid] = true
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			break
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 {
			break
		}
		pid = fields[1]
	}
	return out
}
