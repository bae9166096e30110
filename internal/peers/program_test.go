package peers

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needs skips a test on a host without one of the programs.
func needs(t *testing.T, pkg string, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + p); len(found) == 0 {
			t.Skipf("%s is not on this host: apt-get install %s", p, pkg)
		}
	}
}

// run runs a client to its end and returns what it said. Its error says what the
// client said of it, and its exit code.
func run(ctx context.Context, stdin []byte, name string, args ...string) (stdout []byte, err error) {
	stdout, stderr, err := runBoth(ctx, stdin, name, args...)
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, stderr)
	}
	return stdout, err
}

// runBoth is run for a client that may end well and complain all the same.
func runBoth(ctx context.Context, stdin []byte, name string, args ...string) (stdout []byte, stderr string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var out, talk bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &talk
	err = cmd.Run()
	return out.Bytes(), strings.TrimSpace(talk.String()), err
}
