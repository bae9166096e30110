package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a contestant.
type process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// startProcess starts a child that lives until stop, or until ctx ends. What it
// says on its standard error is thrown away, as a log that nobody reads.
func startProcess(ctx context.Context, name string, args ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, name, args...)
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
	return &process{cmd: cmd, cancel: cancel, stdin: stdin, stdout: bufio.NewReader(stdout)}, nil
}

// end lets a child end by itself that does so with its standard input.
func (p *process) end() error {
	p.stdin.Close()
	defer p.cancel()
	return p.cmd.Wait()
}

// stop ends the child and waits for it. It may be called after end.
func (p *process) stop() {
	p.stdin.Close()
	p.cancel()
	// How it ended is of no interest: it was told to.
	_ = p.cmd.Wait()
}

// ticks is how many of its ticks Linux counts as a second in /proc, on every
// architecture that Go knows.
const ticks = 100

// cpu is the processor time that the child has used.
func (p *process) cpu() (time.Duration, error) {
	data, err := p.read("stat")
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

// rss is the child's resident memory in bytes.
func (p *process) rss() (float64, error) {
	data, err := p.read("statm")
	if err != nil {
		return 0, err
	}
	var total, resident int
	if _, err := fmt.Sscan(string(data), &total, &resident); err != nil {
		return 0, err
	}
	return float64(resident * os.Getpagesize()), nil
}

func (p *process) read(file string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
}
