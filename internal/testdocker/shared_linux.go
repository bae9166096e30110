package testdocker

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// sharedDir holds the engine that test processes share. Only root can be there,
// and paths of sockets in it are short enough for the kernel.
const sharedDir = "/var/lib/rehearse-testdocker"

// shared is this process's part in an engine of our own. Two files in the
// engine's directory are locked:
//
//	starting  by whoever starts the engine, or ends it, alone
//	users     by each process that uses it, until the process ends
type shared struct {
	dir    string
	linger time.Duration
	users  *os.File
}

func (s *shared) socket() string { return filepath.Join(s.dir, "docker.sock") }

// join makes this process a user of the engine in a directory, and starts that
// engine where it does not run, to stay for linger after its last user.
func join(ctx context.Context, dir string, linger time.Duration) (*Engine, error) {
	for _, program := range []string{"dockerd", "containerd", "iptables"} {
		if _, err := lookPath(program); err != nil {
			return nil, absent(program + " is not on this host, and no engine answers: run scripts/ci-setup.sh")
		}
	}
	if os.Getuid() != 0 {
		return nil, absent("no engine answers here, and starting one needs root: see scripts/ci-setup.sh")
	}
	if !ready {
		return nil, fmt.Errorf("TestMain does not call testdocker.Main")
	}
	starting, err := lockStarting(dir)
	if err != nil {
		return nil, err
	}
	defer starting.Close()
	s := &shared{dir: dir, linger: linger}
	if s.users, err = openLock(filepath.Join(dir, "users")); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(s.users.Fd()), syscall.LOCK_SH); err != nil {
		return nil, err
	}
	e, err := s.connect(ctx)
	if err != nil {
		e, err = s.start(ctx)
	}
	if err != nil {
		s.users.Close()
		return nil, err
	}
	return e, nil
}

func (s *shared) connect(ctx context.Context) (*Engine, error) {
	host := "unix://" + s.socket()
	e, err := connect(ctx, host, client.WithHost(host))
	if err != nil {
		return nil, err
	}
	e.own = s
	return e, nil
}

// start starts a keeper, which outlives this process, and waits until its engine
// answers.
func (s *shared) start(ctx context.Context) (*Engine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := sweep(s.dir); err != nil {
		return nil, fmt.Errorf("remove what an engine has left in %s: %w", s.dir, err)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, keeperArgument, s.dir, s.linger.String())
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
	for {
		e, err := s.connect(ctx)
		if err == nil {
			return e, nil
		}
		select {
		case <-gone:
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			continue
		}
		said, _ := os.ReadFile(log.Name())
		if strings.Contains(string(said), needsNamespaces) {
			return nil, absent(needsNamespaces)
		}
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
}

// lockStarting locks the right to start or end the engine in a directory, which it
// makes. Closing the file gives the lock back.
func lockStarting(dir string) (*os.File, error) {
	path := filepath.Join(dir, "starting")
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		f, err := openLock(path)
		if os.IsNotExist(err) {
			continue // a keeper removed the directory between the two
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		// The keeper that had the lock removes the file with the engine.
		mine, err := f.Stat()
		if err == nil {
			if now, err := os.Stat(path); err == nil && os.SameFile(mine, now) {
				return f, nil
			}
		}
		f.Close()
	}
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}

// Command is one that runs where the host's own programs run beside an engine:
// what the engine publishes on 127.0.0.1 is there.
func (e *Engine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	var cmd *exec.Cmd
	if e.own == nil {
		cmd = exec.CommandContext(ctx, name, args...)
	} else {
		cmd = exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + e.own.network(), name}, args...)...)
	}
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host)
	return cmd
}

// network is the engine's network namespace.
func (s *shared) network() string {
	pid, _ := os.ReadFile(filepath.Join(s.dir, "docker.pid"))
	return "/proc/" + strings.TrimSpace(string(pid)) + "/ns/net"
}

// Listen listens on a port of 127.0.0.1 that the engine itself reaches, as a
// registry would.
func (e *Engine) Listen() (net.Listener, error) {
	if e.own == nil {
		return net.Listen("tcp4", "127.0.0.1:0")
	}
	network, err := os.Open(e.own.network())
	if err != nil {
		return nil, err
	}
	defer network.Close()
	type result struct {
		l   net.Listener
		err error
	}
	made := make(chan result)
	go func() {
		// The thread stays in the other network, and goes with this goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			made <- result{err: err}
			return
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		made <- result{l, err}
	}()
	r := <-made
	return r.l, r.err
}
