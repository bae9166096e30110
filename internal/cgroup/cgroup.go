// Package cgroup reads what the kernel tells of control groups, of version 1 and 2.
// It changes nothing.
package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// root is where the kernel shows control groups.
const root = "/sys/fs/cgroup"

// Group is a container's control groups: of version 1 there is one for each
// controller, of version 2 a single one, whose controller is "".
type Group map[string]string

// Of finds the groups of the container that a process is in; name is part of what its
// groups are called. There are none of a process that is not in it, as where the
// process's number is another system's.
func Of(pid int, name string) Group {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	return groups(string(data), name)
}

func groups(list, name string) Group {
	g := Group{}
	for line := range strings.Lines(list) {
		_, of, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(of, ":")
		i := strings.Index(path, name)
		if i < 0 {
			continue
		}
		// What the container has made below its own is its own.
		end := len(path)
		if more := strings.IndexByte(path[i:], '/'); more >= 0 {
			end = i + more
		}
		for _, c := range strings.Split(controllers, ",") {
			g[c] = filepath.Join(root, c, path[:end])
		}
	}
	return g
}

// Usage is what all processes of a container use.
func (g Group) Usage() (u driver.Usage, err error) {
	one, versionOne := g["memory"]
	if !versionOne {
		own := g[""]
		memory, cpu := stat(own, "memory.stat"), stat(own, "cpu.stat")
		all, err := number(own, "memory.current")
		if err != nil {
			return u, err
		}
		u.Memory = all - memory["inactive_file"]
		u.CPU = rehearse.Duration(time.Duration(cpu["usage_usec"]) * time.Microsecond)
		processes, err := number(own, "pids.current")
		u.Processes, u.Throttled = int(processes), Throttling(own)
		return u, err
	}
	all, err := number(one, "memory.usage_in_bytes")
	if err != nil {
		return u, err
	}
	u.Memory = all - stat(one, "memory.stat")["total_inactive_file"]
	used, err := number(g["cpuacct"], "cpuacct.usage")
	if err != nil {
		return u, err
	}
	processes, err := number(g["pids"], "pids.current")
	u.CPU, u.Processes, u.Throttled = rehearse.Duration(used), int(processes), Throttling(g["cpu"])
	return u, err
}

// Throttling is how a group has been held to its limit of CPU time; dir is its
// directory, of version 1 that of the controller cpu.
func Throttling(dir string) rehearse.Throttling {
	s := stat(dir, "cpu.stat")
	held := time.Duration(s["throttled_time"]) // of version 1; of 2 there is the other
	return rehearse.Throttling{
		Periods: s["nr_periods"], Throttled: s["nr_throttled"],
		For: rehearse.Duration(held + time.Duration(s["throttled_usec"])*time.Microsecond),
	}
}

// stat reads a file of names and numbers; it is empty where there is none.
func stat(dir, file string) map[string]int64 {
	all := map[string]int64{}
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			all[name] = n
		}
	}
	return all
}

func number(dir, file string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
