package process

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

func (p *plain) processes(jp *jailProcess) []int { return descendants(jp.pid) }

// jailedProcesses finds what runs below a shim, as the host numbers processes.
// The guest knows the shim by another number, which the kernel tells in NSpid.
func jailedProcesses(guest, shim int) []int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", guest))
	for _, t := range tasks {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", guest, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(children)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				continue
			}
			if inner := innerPID(pid); inner == shim {
				return descendants(pid)
			}
		}
	}
	return nil
}

// innerPID is a process's number in the namespace one below ours.
func innerPID(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("\nNSpid:"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return 0
	}
	inner, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return inner
}

// clockTick is the unit of CPU times in /proc, the same on every Linux that Go
// runs on.
const clockTick = 10 * time.Millisecond

func usageOf(pids []int) driver.Usage {
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
