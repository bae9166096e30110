package rehearsetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/stand"
)

// Tests are what [Main] runs: a *testing.M, or what stands around one.
type Tests interface{ Run() int }

// supervised holds the settings of a shared environment, in a test binary that was
// started to stand it.
const supervised = "REHEARSE_TEST_ENVIRONMENT"

// mainCalled reports whether the binary can be started again as a part of an
// environment.
var mainCalled atomic.Bool

// Main runs the tests and ends the process with their exit code. TestMain calls it
// before it does anything else: in a process that was started as a part of an
// environment it runs that, and no test.
func Main(m Tests) {
	stand.Main()
	if text := os.Getenv(supervised); text != "" {
		os.Exit(supervise(text))
	}
	mainCalled.Store(true)
	os.Exit(m.Run())
}

// supervise stands a shared environment until its lease is over, or it is asked
// down. How it starts is told to who has started it, and so is its error.
func supervise(text string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s settings
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		// What it starts is not a supervisor.
		err = os.Unsetenv(supervised)
	}
	host, found := thisHost(s.Variables)
	if err == nil {
		err = found
	}
	if err == nil {
		err = host.Background(ctx, func(talk io.Writer) (stand.Options, error) { return s.options(ctx, host, talk) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsetest:", err)
		return 1
	}
	return 0
}

// thisHost is where we are, with some more variables.
func thisHost(variables []string) (*stand.Host, error) {
	return stand.FindHost(append(os.Environ(), variables...))
}

// supervisor is the command that stands a shared environment.
func supervisor(s settings) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), supervised+"="+string(text))
	cmd.Dir = s.Source.Dir
	return cmd, nil
}
