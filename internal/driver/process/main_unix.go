//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/archive"
)

// guestArg, shimArg and copyArg are what the binary is called, as argv[0], when it is
// started again. No user types them.
const (
	guestArg = "rehearse: environment"
	shimArg  = "rehearse: service"
	copyArg  = "rehearse: copy"
)

// controlFD is where a guest and a shim find their control socket.
const controlFD = 3

// Main runs the process as a guest, a shim or a copier if it was started as one, and
// never returns then. Every main must call it first.
func Main() {
	switch os.Args[0] {
	case guestArg:
		os.Exit(exitCode(runGuest()))
	case shimArg:
		os.Exit(exitCode(runShim()))
	case copyArg:
		os.Exit(archive.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

func exitCode(err error) int {
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		return 1
	}
	return 0
}

func fail(r *reply, err error) {
	if err == nil {
		return
	}
	r.Error = err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = int(errno)
	}
}

func status(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
