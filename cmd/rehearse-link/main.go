//go:build linux

// Command rehearse-link is the program of the link container, which makes sockets
// for a host's process. No person runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/ramdisk"
	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

func main() {
	if done, err := ramdisk.Main(os.Args[1:]); done {
		exit(err)
	}
	signal.Ignore(syscall.SIGPIPE) // a host that has gone is no failure of ours
	exit(switchboard.Main(context.Background(), switchboard.Options{
		Stdin: stream(0), Stdout: stream(1), Dir: switchboard.Dir, Interface: switchboard.Interface,
	}))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearse-link:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// stream opens a standard stream so that closing it ends what is under way.
func stream(fd int) *os.File {
	_ = syscall.SetNonblock(fd, true) // what cannot wait has no need
	return os.NewFile(uintptr(fd), "stdio")
}
