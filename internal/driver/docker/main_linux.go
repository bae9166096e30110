package docker

import (
	"context"
	"os"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/ramdisk"
	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

// linkMain is the link container's program.
func linkMain() error {
	if done, err := ramdisk.Main(os.Args[1:]); done {
		return err
	}
	_ = syscall.SetNonblock(0, true) // so that closing it ends a read that is under way
	return switchboard.Main(context.Background(), switchboard.Options{
		Stdin: os.NewFile(0, "stdin"), Stdout: os.Stdout, Dir: switchboard.Dir, Interface: switchboard.Interface,
	})
}
