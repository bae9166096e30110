package driver

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Signal reads a signal as Compose's stop_signal writes it: "SIGINT", "INT" or a
// number. The empty and the unknown are SIGTERM.
func Signal(name string) syscall.Signal {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n)
	}
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")); sig != 0 {
		return sig
	}
	return syscall.SIGTERM
}
