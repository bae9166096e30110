//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// The shim is PID 1 of one service: it makes the service's file system, starts
// the service and whatever is executed beside it, reaps what they leave, and
// ends when the service does. Because it is PID 1, nothing that the service
// started outlives it.
type shim struct {
	ch   *passing.Channel
	spec jailSpec

	mu   sync.Mutex
	main int         // the service's PID, 0 before it is started
	ours map[int]int // PID of each program that was asked for → the request's ID
	// early holds programs that ended before their start was noted.
	early map[int]unix.WaitStatus
}

func runShim() error {
	// A terminal's Ctrl-C is for rehearse, which then stops us in order. The
	// signals are caught and dropped: if we ignored them, so would the services.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGHUP)
	ch, err := passing.FromFile(os.NewFile(controlFD, "control"))
	if err != nil {
		return err
	}
	var q request
	files, err := ch.Read(&q)
	if err != nil {
		return err
	}
	s := &shim{ch: ch, ours: map[int]int{}, early: map[int]unix.WaitStatus{}}
	r := reply{ID: q.ID}
	fail(&r, s.prepare(q, files))
	passing.CloseAll(files)
	if err := ch.Write(r); err != nil || r.Error != "" {
		return err
	}
	go eachExit(s.ended)
	spawns := make(chan func())
	go func() {
		// Programs are started from one thread that has given up gaining
		// privileges; the others still need theirs.
		runtime.LockOSThread()
		if err := noNewPrivileges(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", shimArg, err)
			os.Exit(1)
		}
		for f := range spawns {
			f()
		}
	}()
	for {
		var q request
		files, err := ch.Read(&q)
		if err != nil {
			s.killRest()
			return err
		}
		switch q.Op {
		case "run":
			spawns <- func() { s.run(q, files) }
		case "signal":
			s.signal(q)
		default:
			r := reply{ID: q.ID}
			fail(&r, fmt.Errorf("unknown request %q", q.Op))
			_ = ch.Write(r)
			passing.CloseAll(files)
		}
	}
}

// prepare makes the jail. The files are control groups' lists to join.
func (s *shim) prepare(q request, groups []*os.File) error {
	if q.Op != "jail" || q.Jail == nil {
		return fmt.Errorf("internal error: the first request is %q", q.Op)
	}
	s.spec = *q.Jail
	for _, g := range groups {
		if _, err := g.WriteString("0"); err != nil {
			return fmt.Errorf("join a control group: %w", err)
		}
	}
	if s.spec.Plain {
		return adoptOrphans()
	}
	return makeJail(s.spec)
}

// run starts a program, as the service's user, without any capability.
func (s *shim) run(q request, files []*os.File) {
	defer passing.CloseAll(files)
	r := reply{ID: q.ID}
	pid, err := s.start(q.Program, files)
	fail(&r, err)
	r.PID = pid
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.ch.Write(r)
	if err != nil {
		return
	}
	s.ours[pid] = q.ID
	if q.Program.Main {
		s.main = pid
	}
	if ws, ok := s.early[pid]; ok {
		delete(s.early, pid)
		s.report(pid, ws)
	}
}

func (s *shim) start(p *program, files []*os.File) (int, error) {
	if p == nil || len(files) != 3 || len(p.Args) == 0 {
		return 0, errors.New("internal error: an incomplete program")
	}
	path, err := selfPath()
	if !p.Self {
		path, err = lookPath(p.Args[0], p.Env, p.Dir)
	}
	if err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{
		Dir: p.Dir, Env: p.Env,
		Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
		Sys:   &syscall.SysProcAttr{},
	}
	if s.spec.Plain {
		attr.Sys.Setpgid = true
		attr.Sys.Credential = plainCredential(s.spec)
	} else {
		unprivilegedUser(attr.Sys, s.spec)
	}
	pid, err := syscall.ForkExec(path, p.Args, attr)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.Args[0], err)
	}
	return pid, nil
}

// plainCredential drops root where there is no user namespace to do it.
func plainCredential(spec jailSpec) *syscall.Credential {
	if os.Getuid() != 0 || spec.HostUID == 0 {
		return nil
	}
	return &syscall.Credential{Uid: uint32(spec.HostUID), Gid: uint32(spec.HostGID)}
}

// lookPath finds a program as the service would: in its own PATH.
func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !strings.HasPrefix(name, "/") {
			name = dir + "/" + name
		}
		return name, nil
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for dir := range strings.SplitSeq(path, ":") {
		file := dir + "/" + name
		if st, err := os.Stat(file); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: no such program in PATH: %w", name, unix.ENOENT)
}

// ended is told of every child that ends.
func (s *shim) ended(pid int, ws unix.WaitStatus, _ *unix.Rusage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.ours[pid]; !ok {
		s.early[pid] = ws
		return
	}
	s.report(pid, ws)
}

// report tells the host that a program ended, and ends the jail with its main.
func (s *shim) report(pid int, ws unix.WaitStatus) {
	delete(s.ours, pid)
	_ = s.ch.Write(reply{Event: "exit", PID: pid, Status: status(ws)})
	if pid == s.main {
		s.killRest()
		os.Exit(0)
	}
}

// signal passes a signal on; without a PID, to the service itself.
func (s *shim) signal(q request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := q.PID
	if pid == 0 {
		pid = s.main
	}
	r := reply{ID: q.ID}
	switch {
	case pid == 0:
		fail(&r, errors.New("the service has not been started"))
	case q.All:
		fail(&r, s.signalAll(unix.Signal(q.Signal)))
	default:
		fail(&r, unix.Kill(pid, unix.Signal(q.Signal)))
	}
	_ = s.ch.Write(r)
}

// signalAll signals everything that the service runs. In a PID namespace the
// kernel does it for its first process, and spares that; elsewhere our
// descendants are found in /proc.
func (s *shim) signalAll(sig unix.Signal) error {
	if !s.spec.Plain {
		return unix.Kill(-1, sig)
	}
	var err error
	for _, pid := range descendants(os.Getpid()) {
		if e := unix.Kill(pid, sig); !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// killRest ends what is left of the service. In a PID namespace the kernel does
// that when we exit; elsewhere our descendants are found in /proc, again and
// again until there are none, because they may be forking.
func (s *shim) killRest() {
	if !s.spec.Plain {
		return
	}
	for range 1000 {
		left := descendants(os.Getpid())
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
