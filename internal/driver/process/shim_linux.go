package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes orphans come to us instead of to init, so that we can find
// them.
func adoptOrphans() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// noNewPrivileges makes the calling thread, and what it starts, unable to gain
// privileges by executing a set-user-ID program.
func noNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

// selfPath is our own program, which a jail may hide.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// unprivilegedUser gives a program an ordinary user in a user namespace of its
// own, which takes every capability, and a mount namespace that locks the jail's
// read-only flags.
func unprivilegedUser(attr *syscall.SysProcAttr, spec jailSpec) {
	attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: spec.UID, HostID: spec.HostUID, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: spec.GID, HostID: spec.HostGID, Size: 1}}
	attr.Credential = &syscall.Credential{Uid: uint32(spec.UID), Gid: uint32(spec.GID), NoSetGroups: true}
}

// descendants lists the living processes below a process.
func descendants(root int) []int {
	var out []int
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", root))
	for _, t := range tasks {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", root, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(f); err == nil {
				out = append(out, pid)
				out = append(out, descendants(pid)...)
			}
		}
	}
	return out
}
