//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// plain is what remains where the host has no namespaces: services share the
// host's network and files. A shim per service still sees to it that nothing
// outlives us.
type plain struct {
	tier string
	dir  string
	env  []string
	// block tells environments apart: theirs are the addresses 127.block.x.y.
	block     int
	blockLock net.Listener

	mu    sync.Mutex
	shims map[*jailProcess]*exec.Cmd
}

var _ isolation = (*plain)(nil)

func startPlain(tier, dir string, env []string) (isolation, error) {
	p := &plain{tier: tier, dir: dir, env: env, shims: map[*jailProcess]*exec.Cmd{}}
	if tier == TierPorts {
		return p, nil
	}
	// Holding a port of a block's first address makes the block ours, until we
	// end, however we end.
	const blockPort = 61000
	var last error
	for block := 64; block < 192; block++ {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.%d.0.1:%d", block, blockPort))
		if err == nil {
			p.block, p.blockLock = block, l
			return p, nil
		}
		last = err
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("no free block of loopback addresses: %w", last)
}

func (p *plain) start(spec jailSpec, _ string, groups []*os.File) (*jailProcess, error) {
	ch, theirs, err := passing.Socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	self, err := os.Executable()
	if err != nil {
		ch.Close()
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: self, Args: []string{shimArg}, Env: append(os.Environ(), p.env...), ExtraFiles: []*os.File{theirs}, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	theirs.Close() // now: as long as we hold it, we do not see the shim's end
	if err != nil {
		ch.Close()
		return nil, fmt.Errorf("start a supervisor: %w", err)
	}
	// The shim ends its service when the control socket ends. To kill it
	// outright would leave the service without a supervisor.
	jp := newJailProcess(ch, cmd.Process.Pid, ch.Close)
	p.mu.Lock()
	p.shims[jp] = cmd
	p.mu.Unlock()
	go func() {
		_ = cmd.Wait() // however it ended, it has ended
		p.mu.Lock()
		delete(p.shims, jp)
		p.mu.Unlock()
		jp.gone()
	}()
	if err := jp.jail(spec, groups); err != nil {
		_ = jp.Kill()
		return nil, err
	}
	return jp, nil
}

func (p *plain) listen(_ string, _ int, host string, port int) (net.Listener, error) {
	return listenTCP(net.JoinHostPort(host, strconv.Itoa(port)))
}

// listenTCP listens for a link, without Multipath TCP, Go's default, whose
// sockets take no filter: links need one to leave connects unanswered.
func listenTCP(addr string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return c.Listen(context.Background(), "tcp4", addr)
}

func (p *plain) dial(ctx context.Context, _ string, port int) (net.Conn, error) {
	return nil, errors.New("internal error: in this tier services are dialled by address")
}

func (p *plain) packets(string, int) (near, far *os.File, err error) {
	return nil, nil, fmt.Errorf("the tier %s has no networks of its own", p.tier)
}

func (p *plain) address(client, i int) string {
	if p.tier == TierPorts {
		return "127.0.0.1"
	}
	return net.IPv4(127, byte(p.block), byte(client+1), byte(i+1)).String()
}

func (p *plain) close() {
	p.mu.Lock()
	var left []*jailProcess
	for jp := range p.shims {
		left = append(left, jp)
	}
	p.mu.Unlock()
	for _, jp := range left {
		_ = jp.Kill()
	}
	for _, jp := range left {
		<-jp.Done()
	}
	if p.blockLock != nil {
		p.blockLock.Close()
	}
	_ = os.RemoveAll(filepath.Join(p.dir, "work"))
}

// freePort asks the system for a port that nobody listens on. Another process
// may take it before the service does; then the service says so and fails.
func freePort() int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
