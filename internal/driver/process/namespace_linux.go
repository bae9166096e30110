package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/packet"
	"github.com/rehearse-dev/rehearse/internal/passing"
)

// namespaces is the best tier: every service in a network, mount, PID, IPC and
// UTS namespace of its own, below one user and PID namespace per environment.
type namespaces struct {
	dir     string // the scratch space's mount point
	guest   *client
	pid     int           // of the guest, as the host sees it
	ended   chan struct{} // closed when the guest has been waited for
	control *passing.Channel

	mu    sync.Mutex
	dead  bool                 // the guest has ended
	shims map[int]*jailProcess // by the PID that the guest knows them by
	early map[int]int          // status of shims that ended before they were noted
	pools map[string]*passing.Pool
}

var _ isolation = (*namespaces)(nil)

// unprivileged is the user and group that services run as, on the host, when
// rehearse itself runs as root. It is the overflow user of every Linux, which
// owns no file.
const unprivileged = 65534

// startNamespaces starts an environment's guest.
func startNamespaces(dir string, env []string) (*namespaces, error) {
	scratch := filepath.Join(dir, "scratch")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return nil, err
	}
	ch, theirs, err := passing.Socketpair()
	if err != nil {
		return nil, err
	}
	n := &namespaces{
		dir: scratch, control: ch, ended: make(chan struct{}),
		shims: map[int]*jailProcess{}, early: map[int]int{}, pools: map[string]*passing.Pool{},
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{guestArg}, Env: env,
		ExtraFiles: []*os.File{theirs}, Stderr: os.Stderr,
		SysProcAttr: guestAttr(),
	}
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the
		// guest ends, not the process: keep the thread until the guest is gone.
		runtime.LockOSThread()
		defer close(n.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // however it ended, it has ended
			n.allGone()
		}
	}()
	err = <-started
	theirs.Close() // now: as long as we hold it, we do not see the guest's end
	if err != nil {
		ch.Close()
		return nil, fmt.Errorf("start the environment's namespaces: %w", err)
	}
	n.pid = cmd.Process.Pid
	if err := ch.Write(boot{Scratch: scratch}); err != nil {
		n.close()
		return nil, fmt.Errorf("start the environment: %w", err)
	}
	var first reply
	if _, err := ch.Read(&first); err != nil {
		n.close()
		return nil, fmt.Errorf("start the environment: %w", err)
	}
	if first.Error != "" {
		n.close()
		return nil, fmt.Errorf("start the environment: %s", first.Error)
	}
	n.guest = newClient(ch, n.event)
	return n, nil
}

func guestAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Pdeathsig:  unix.SIGKILL,
		Setsid:     true, // a terminal's Ctrl-C is for us alone
	}
	if os.Getuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// owner is whom services are, in the guest's user namespace.
func (n *namespaces) owner() (uid, gid int) {
	if os.Getuid() == 0 {
		return unprivileged, unprivileged
	}
	return 0, 0
}

func (n *namespaces) event(r reply) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.shims[r.PID]
	if !ok {
		n.early[r.PID] = r.Status
		return
	}
	delete(n.shims, r.PID)
	p.gone()
}

// start makes a jail and its shim. The returned process has no main program yet.
func (n *namespaces) start(spec jailSpec, network string, groups []*os.File) (*jailProcess, error) {
	uid, gid := n.owner()
	spec.HostUID, spec.HostGID = uid, gid
	spec.Work = filepath.Join(n.dir, spec.Name)
	for _, dir := range fileSystems(spec) {
		if _, _, err := n.guest.call(request{Op: "scratch", Dir: dir}); err != nil {
			return nil, err
		}
	}
	ch, theirs, err := passing.Socketpair()
	if err != nil {
		return nil, err
	}
	r, _, err := n.guest.call(request{Op: "shim", Netns: network}, theirs, os.Stderr)
	theirs.Close() // now: as long as we hold it, we do not see the shim's end
	if err != nil {
		ch.Close()
		return nil, fmt.Errorf("start a supervisor: %w", err)
	}
	p := newJailProcess(ch, r.PID, func() error {
		_, _, err := n.guest.call(request{Op: "kill", PID: r.PID})
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return err
	})
	n.mu.Lock()
	if _, ok := n.early[r.PID]; ok || n.dead {
		delete(n.early, r.PID)
		p.gone()
	} else {
		n.shims[r.PID] = p
	}
	n.mu.Unlock()
	if err := p.jail(spec, groups); err != nil {
		_ = p.Kill()
		return nil, err
	}
	return p, nil
}

// fill makes the file system on a directory of the scratch space full as it is, or
// gives it room again, which nobody needs who has gone.
func (n *namespaces) fill(dir string, full bool) error {
	_, _, err := n.guest.call(request{Op: "fill", Dir: filepath.Join(n.dir, dir), Full: full})
	if !full && errors.Is(err, errGone) {
		return nil
	}
	return err
}

func (n *namespaces) listen(network string, number int, host string, port int) (net.Listener, error) {
	_, files, err := n.guest.call(request{Op: "listen", Netns: network, Count: number, Addr: net.JoinHostPort(host, strconv.Itoa(port))})
	if err != nil {
		return nil, err
	}
	defer passing.CloseAll(files)
	if len(files) != 1 {
		return nil, fmt.Errorf("listen: %d files came back, not 1", len(files))
	}
	return net.FileListener(files[0])
}

// packets makes a client's wire one whose packets pass through this process, and
// returns the client's end and the links'.
func (n *namespaces) packets(network string, number int) (near, far *os.File, err error) {
	if err := packet.Available(); err != nil {
		return nil, nil, err
	}
	_, files, err := n.guest.call(request{Op: "packets", Netns: network, Count: number})
	if err != nil {
		return nil, nil, err
	}
	defer passing.CloseAll(files)
	if len(files) != 2 {
		return nil, nil, fmt.Errorf("packets: %d files came back, not 2", len(files))
	}
	var ends [2]*os.File
	for i, f := range files {
		// A file that came over a socket does not wait in the poller.
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("take over a device: %w", err)
		}
		ends[i] = os.NewFile(uintptr(fd), "tun")
	}
	return ends[0], ends[1], nil
}

func (n *namespaces) dial(ctx context.Context, network string, port int) (net.Conn, error) {
	n.mu.Lock()
	pool, ok := n.pools[network]
	if !ok {
		pool = &passing.Pool{Fill: func(count int) ([]*os.File, error) {
			_, files, err := n.guest.call(request{Op: "sockets", Netns: network, Count: count})
			return files, err
		}}
		n.pools[network] = pool
	}
	n.mu.Unlock()
	s, err := pool.Get()
	if errors.Is(err, net.ErrClosed) {
		err = errGone
	}
	if err != nil {
		return nil, err
	}
	return passing.Connect(ctx, s, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)))
}

// address is where a client's link to its i-th upstream listens.
func (n *namespaces) address(client, i int) string { return wireAddress(client, i+1).String() }

func (n *namespaces) processes(p *jailProcess) []int { return jailedProcesses(n.pid, p.pid) }

// close ends the guest, and with it everything in the environment.
func (n *namespaces) close() {
	n.control.Close()
	// The guest ends by itself when it reads the end of its control socket; the
	// kill is for one that is stuck.
	select {
	case <-n.ended:
	case <-time.After(2 * time.Second):
		_ = unix.Kill(n.pid, unix.SIGKILL)
		<-n.ended
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, pool := range n.pools {
		pool.Close()
	}
	_ = os.Remove(n.dir)
}

// allGone is called when the guest has ended, and so has everything in it.
func (n *namespaces) allGone() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = true
	for pid, p := range n.shims {
		delete(n.shims, pid)
		p.gone()
	}
}
