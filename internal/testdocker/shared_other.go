//go:build !linux

package testdocker

import (
	"context"
	"net"
	"os"
	"os/exec"
	"time"
)

const sharedDir = ""

type shared struct{}

func join(context.Context, string, time.Duration) (*Engine, error) {
	return nil, absent("no engine answers here, and only Linux runs one of our own: set DOCKER_HOST; see scripts/ci-setup.sh")
}

func keep(string, time.Duration) error { return absent("only Linux runs an engine of our own") }

// Command is one that runs where the host's own programs run beside an engine:
// what the engine publishes on 127.0.0.1 is there.
func (e *Engine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host)
	return cmd
}

// Listen listens on a port of 127.0.0.1 that the engine itself reaches, as a
// registry would.
func (e *Engine) Listen() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }
