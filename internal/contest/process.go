// Package contest is what benchmarks need of the programs that they compare: a
// [Process] is one of them and says what it takes, an [Account] tells what else the
// machine did meanwhile.
package contest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Process is a child of a benchmark.
type Process struct {
	Stdin  io.WriteCloser // a child of ours ends with it
	Stdout *bufio.Reader

	cmd    *exec.Cmd
	cancel context.CancelFunc
}

// Start starts a child that lives until Stop or End, or until ctx ends. env is added
// to our own environment. What the child says on its standard error is thrown away, as
// a log that nobody reads.
func Start(ctx context.Context, env []string, name string, args ...string) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &Process{Stdin: stdin, Stdout: bufio.NewReader(stdout), cmd: cmd, cancel: cancel}, nil
}

// End lets a child end by itself that does so with its standard input.
func (p *Process) End() error {
	p.Stdin.Close()
	defer p.cancel()
	return p.cmd.Wait()
}

// Stop ends the child and waits for it. It may be called again, and after End.
func (p *Process) Stop() {
	p.Stdin.Close()
	p.cancel()
	// How it ended is of no interest: it was told to.
	_ = p.cmd.Wait()
}

// Greeting decodes the first line that the child prints.
func (p *Process) Greeting(into any) error {
	line, err := p.Stdout.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s: said nothing: %w", p.cmd.Path, err)
	}
	return json.Unmarshal(line, into)
}

// Discard throws away what the child prints, until it ends.
func (p *Process) Discard() {
	// An error is the child's end.
	_, _ = io.Copy(io.Discard, p.Stdout)
}

// ticks is how many of its ticks Linux counts as a second in /proc, on every
// architecture that Go knows.
const ticks = 100

// CPU is the processor time that the child has used.
func (p *Process) CPU() (time.Duration, error) {
	data, err := os.ReadFile(p.path("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses and may hold
	// spaces. User and system time are fields 14 and 15, see proc(5).
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: its stat has %d fields", p.cmd.Process.Pid, len(fields))
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * time.Second / ticks
	}
	return sum, nil
}

// Resident is the child's resident memory in bytes.
func (p *Process) Resident() (float64, error) {
	data, err := os.ReadFile(p.path("statm"))
	if err != nil {
		return 0, err
	}
	var total, resident int
	if _, err := fmt.Sscan(string(data), &total, &resident); err != nil {
		return 0, err
	}
	return float64(resident * os.Getpagesize()), nil
}

// Descriptors is how many files and sockets the child has open.
func (p *Process) Descriptors() (float64, error) {
	entries, err := os.ReadDir(p.path("fd"))
	return float64(len(entries)), err
}

func (p *Process) path(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}
