package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/processes"
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
			if inner := processes.Inner(pid); inner == shim {
				return descendants(pid)
			}
		}
	}
	return nil
}
