// Package processes reads what the kernel tells of processes, for where no control
// group counts them. It changes nothing. Where there is no /proc, it finds nothing.
package processes

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// clockTick is the unit of CPU times in /proc, the same on every Linux that Go
// runs on.
const clockTick = 10 * time.Millisecond

// Usage is what processes use together. Those that have ended are left out.
func Usage(pids []int) driver.Usage {
	var u driver.Usage
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has just ended
		}
		// The second field is the name in parentheses, which may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 22 {
			continue
		}
		number := func(i int) int64 {
			n, err := strconv.ParseInt(fields[i-3], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
		u.Processes++
		u.CPU += rehearse.Duration(time.Duration(number(14)+number(15)) * clockTick)
		if own, ok := proportional(pid); ok {
			u.Memory += own
		} else {
			u.Memory += number(24) * int64(os.Getpagesize())
		}
	}
	return u
}

// proportional is a process's memory with what it shares divided among those who
// share it. PostgreSQL's processes would else count their buffers once each.
func proportional(pid int) (bytes int64, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// Inner is a process's number in the namespace one below ours; 0 when it is in none.
func Inner(pid int) int {
	if all := numbers(pid); len(all) > 1 {
		return all[1]
	}
	return 0
}

// numbers are those by which a process is known, in our namespace first and in its
// own last.
func numbers(pid int) []int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	_, line, _ := bytes.Cut(status, []byte("\nNSpid:"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	var all []int
	for _, f := range strings.Fields(string(line)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// Among lists all that are in a namespace of processes, by its first one, itself
// included. There are none for a process that is not the first of a namespace below
// ours, or which we may not look at.
func Among(first int) []int {
	all := numbers(first)
	if len(all) < 2 || all[len(all)-1] != 1 {
		return nil
	}
	namespace := namespaceOf(strconv.Itoa(first))
	entries, err := os.ReadDir("/proc")
	if namespace == "" || err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && namespaceOf(entry.Name()) == namespace {
			found = append(found, pid)
		}
	}
	return found
}

func namespaceOf(pid string) string {
	name, err := os.Readlink("/proc/" + pid + "/ns/pid")
	if err != nil {
		return ""
	}
	return name
}

// Mounts says whether a process has something mounted that comes from a place with
// this name as an element of its path.
func Mounts(pid int, name string) bool {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	return err == nil && mounts(string(list), name)
}

// mounts reads the form of proc_pid_mountinfo(5), in whose fourth field stands what
// of its file system is mounted.
func mounts(list, name string) bool {
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 4 && strings.Contains(f[3]+"/", "/"+name+"/") {
			return true
		}
	}
	return false
}
