package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/packet"
	"github.com/rehearse-dev/rehearse/internal/passing"
	"github.com/rehearse-dev/rehearse/internal/ramdisk"
)

// The guest is PID 1 of an environment: our own binary, started again in a user,
// mount, PID and network namespace of its own. It makes one network namespace per
// service, with a loopback and a wire to the guest's own, and hands out listeners
// and unconnected sockets: a socket belongs to the namespace in which it was
// made, so that the host process accepts and connects inside without ever
// entering. Nothing is forwarded between namespaces, and none has a route out.
//
//	host process ──control── guest (PID 1) ──fork── shim per service ──fork── service
//	      └────────────────────control─────────────────┘
//
// It ends when the control socket does, and then the kernel ends all the rest.

// guest is the state of an environment's PID 1.
type guest struct {
	ch   *passing.Channel
	home int // our own network namespace
	mu   sync.Mutex
	nets map[string]int // service → network namespace
	// wired are the services that have a wire to our own network.
	wired map[string]bool
}

// boot is the first message to a guest.
type boot struct {
	Scratch string `json:"scratch"` // an existing directory to mount the scratch space on
}

func runGuest() error {
	ch, err := passing.FromFile(os.NewFile(controlFD, "control"))
	if err != nil {
		return err
	}
	var b boot
	if _, err := ch.Read(&b); err != nil {
		return err
	}
	g := &guest{ch: ch, nets: map[string]int{}, wired: map[string]bool{}}
	if err := g.prepare(b); err != nil {
		return errors.Join(err, ch.Write(reply{Event: "boot", Error: err.Error()}))
	}
	if err := ch.Write(reply{Event: "boot", PID: os.Getpid()}); err != nil {
		return err
	}
	go g.reap()
	for {
		var q request
		files, err := ch.Read(&q)
		if err != nil {
			return err // the host is gone, and with us goes everything
		}
		go g.serve(q, files)
	}
}

func (g *guest) prepare(b boot) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// Our /proc shows the host's processes until we mount one for our own PID
	// namespace; and /proc/self, by which we start shims, is not in the other.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("rehearse", b.Scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount the scratch space: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0o644); err != nil {
		return fmt.Errorf("forbid forwarding between services: %w", err)
	}
	home, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open our network namespace: %w", err)
	}
	g.home = home
	return nil
}

// serve answers one request.
func (g *guest) serve(q request, files []*os.File) {
	defer passing.CloseAll(files)
	r := reply{ID: q.ID}
	var out []*os.File
	var err error
	switch q.Op {
	case "listen":
		out, err = g.listen(q.Netns, q.Count, q.Addr)
	case "packets":
		out, err = g.packets(q.Netns, q.Count)
	case "sockets":
		out, err = g.sockets(q.Netns, q.Count)
	case "scratch":
		err = g.scratch(q.Dir)
	case "fill":
		err = ramdisk.Fill(q.Dir, q.Full)
	case "shim":
		r.PID, err = g.shim(q, files)
	case "kill":
		err = unix.Kill(q.PID, unix.SIGKILL)
	default:
		err = fmt.Errorf("unknown request %q", q.Op)
	}
	fail(&r, err)
	// A failed write means that the host is gone; the reading side sees it too.
	_ = g.ch.Write(r, out...)
	passing.CloseAll(out)
}

// inside runs f on a thread in a service's network namespace.
func (g *guest) inside(service string, f func() error) error {
	ns, err := g.netns(service)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network of %s: %w", service, err)
	}
	defer func() {
		if err := unix.Setns(g.home, unix.CLONE_NEWNET); err != nil {
			panic("process: internal error: cannot leave a network namespace: " + err.Error())
		}
	}()
	return f()
}

// netns finds or makes a service's network namespace.
func (g *guest) netns(service string) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ns, ok := g.nets[service]; ok {
		return ns, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return 0, fmt.Errorf("make a network for %s: %w", service, err)
	}
	defer func() {
		if err := unix.Setns(g.home, unix.CLONE_NEWNET); err != nil {
			panic("process: internal error: cannot leave a network namespace: " + err.Error())
		}
	}()
	if err := loopbackUp(); err != nil {
		return 0, err
	}
	// Containers may listen below 1024 without a capability; so may services here.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0o644); err != nil {
		return 0, fmt.Errorf("allow low ports: %w", err)
	}
	ns, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open the network of %s: %w", service, err)
	}
	g.nets[service] = ns
	return ns, nil
}

// listen makes a listener of ours that a service reaches at an address of its
// wire. The listener itself is in our own network, so that a service may use
// every port of its own, also one that an upstream has too: Linux would not let
// it listen on 0.0.0.0:8080 beside a listener on 127.0.0.2:8080.
func (g *guest) listen(service string, number int, addr string) ([]*os.File, error) {
	ns, err := g.netns(service)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	if !g.wired[service] {
		err = wire(g.home, ns, number)
		g.wired[service] = err == nil
	}
	g.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("wire %s: %w", service, err)
	}
	// On the client's own wire only: another service could else reach this link
	// by sending to its address over the other's wire.
	var bound error
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		err := raw.Control(func(fd uintptr) { bound = unix.BindToDevice(int(fd), wireEnd(number)) })
		return errors.Join(err, bound)
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", addr)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}

// packets makes a service's wire of two TUN devices, whose ends the host holds:
// every packet passes through it. It must come before the first listen.
func (g *guest) packets(service string, number int) (ends []*os.File, err error) {
	ns, err := g.netns(service)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			passing.CloseAll(ends)
			ends = nil
		}
	}()
	open := func(name string) error {
		end, err := packet.Open(name)
		if err == nil {
			ends = append(ends, end)
		}
		return err
	}
	g.mu.Lock()
	wired := g.wired[service]
	g.wired[service] = true
	g.mu.Unlock()
	if wired {
		return nil, fmt.Errorf("%s has a wire already", service)
	}
	err = join(g.home, ns, number, func(*netlink.Handle) error {
		if err := g.inside(service, func() error { return open(wireName) }); err != nil {
			return err
		}
		return open(wireEnd(number))
	})
	if err != nil {
		g.mu.Lock()
		g.wired[service] = false
		g.mu.Unlock()
	}
	return ends, err
}

func (g *guest) sockets(service string, n int) (out []*os.File, err error) {
	err = g.inside(service, func() error {
		for range n {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				passing.CloseAll(out)
				out = nil
				return fmt.Errorf("make a socket: %w", err)
			}
			out = append(out, os.NewFile(uintptr(fd), "socket"))
		}
		return nil
	})
	return out, err
}

// shim starts a service's supervisor in the service's network. Its files are its
// control socket and what it may complain to.
func (g *guest) shim(q request, files []*os.File) (pid int, err error) {
	if len(files) != 2 {
		return 0, fmt.Errorf("shim: %d files came along, not 2", len(files))
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	err = g.inside(q.Netns, func() error {
		pid, err = syscall.ForkExec("/proc/self/exe", []string{shimArg}, &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{null.Fd(), files[1].Fd(), files[1].Fd(), files[0].Fd()},
			Sys: &syscall.SysProcAttr{
				Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
			},
		})
		return err
	})
	return pid, err
}

// reap waits for shims, and for orphans, as PID 1 must. A shim is the PID 1 of
// its service's namespace: when the kernel reports its end, everything that the
// service had started has ended too.
func (g *guest) reap() {
	eachExit(func(pid int, ws unix.WaitStatus, _ *unix.Rusage) {
		_ = g.ch.Write(reply{Event: "exit", PID: pid, Status: status(ws)})
	})
}
