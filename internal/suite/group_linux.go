package suite

import "syscall"

// ownGroup puts a command into a process group of its own and ties its life to
// ours.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
