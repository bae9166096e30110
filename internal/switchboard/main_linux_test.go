package switchboard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/passing"
	"github.com/rehearse-dev/rehearse/internal/switchboard"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// linkArg is what the test's binary is called when it is the link container's
// program; its argument is the directory of the host's socket.
const linkArg = "switchboard test: link"

func TestMain(m *testing.M) {
	if os.Args[0] == linkArg {
		signal.Ignore(syscall.SIGPIPE) // as the command does
		for fd := range 2 {
			if err := syscall.SetNonblock(fd, true); err != nil {
				panic(err)
			}
		}
		err := switchboard.Main(context.Background(), switchboard.Options{
			Stdin: os.NewFile(0, "stdin"), Stdout: os.NewFile(1, "stdout"), Dir: os.Args[1], Interface: switchboard.Interface,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testdocker.Main(m))
}

// The addresses of the tests' network. Its client does not answer when it is
// asked where it is, as services do not.
var (
	ownAddr     = netip.MustParseAddr("10.77.0.2")
	clientAddr  = netip.MustParseAddr("10.77.0.3")
	gatewayAddr = netip.MustParseAddr("10.77.0.1")
	linkAddr    = netip.MustParseAddr("10.77.0.130")
)

// world is a link container, of a network namespace and no more, with one client.
type world struct {
	client  netns.NsHandle
	mac     net.HardwareAddr // the client's
	link    *exec.Cmd
	stdio   stdio
	refused chan switchboard.Refused
}

type stdio struct {
	io.ReadCloser
	in io.WriteCloser
}

func (s stdio) Write(p []byte) (int, error) { return s.in.Write(p) }
func (s stdio) Close() error                { return errors.Join(s.in.Close(), s.ReadCloser.Close()) }

// newWorld starts the program; it finds the host's socket in dir.
func newWorld(t testing.TB, dir string) *world {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces and addresses need root: run the tests as root")
	}
	w := &world{refused: make(chan switchboard.Refused, 1000)}
	w.start(t, dir)
	w.join(t)
	return w
}

func (w *world) start(t testing.TB, dir string) {
	t.Helper()
	w.link = exec.Command("/proc/self/exe", dir)
	w.link.Args[0] = linkArg
	w.link.Stderr = os.Stderr
	w.link.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	in, err := w.link.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.link.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.link.Start(); err != nil {
		t.Fatal(err)
	}
	w.stdio = stdio{out, in}
	t.Cleanup(func() {
		_ = w.link.Process.Kill()
		_ = w.link.Wait()
	})
}

// join makes the client's namespace and the wire between the two.
func (w *world) join(t testing.TB) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	link, err := netns.GetFromPid(w.link.Process.Pid)
	must(err)
	defer link.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	must(err)
	defer home.Close()
	w.client, err = netns.New()
	must(err)
	t.Cleanup(func() { w.client.Close() })
	err = os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("8"), 0)
	must(errors.Join(err, netns.Set(home)))

	inside, err := netlink.NewHandleAt(w.client)
	must(err)
	defer inside.Close()
	outside, err := netlink.NewHandleAt(link)
	must(err)
	defer outside.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	must(inside.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: switchboard.Interface, PeerNamespace: netlink.NsFd(link)}))
	for _, end := range []struct {
		h    *netlink.Handle
		addr netip.Addr
	}{{inside, clientAddr}, {outside, ownAddr}} {
		for _, name := range []string{"lo", "eth0"} {
			l, err := end.h.LinkByName(name)
			must(err)
			if name == "eth0" {
				must(end.h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: end.addr.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
				if end.h == inside {
					w.mac = l.Attrs().HardwareAddr
				}
			}
			must(end.h.LinkSetUp(l))
		}
	}
	// Both have a default route; the container is to lose its own.
	must(inside.RouteAdd(&netlink.Route{Gw: gatewayAddr.AsSlice()}))
	must(outside.RouteAdd(&netlink.Route{Gw: clientAddr.AsSlice()}))
}

// inside runs f on a thread in the client's namespace.
func (w *world) inside(t testing.TB, f func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if err := netns.Set(w.client); err != nil {
		t.Fatal(err)
	}
	err = f()
	if err := netns.Set(home); err != nil {
		panic(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// dial connects as the client does.
func (w *world) dial(t testing.TB, addr netip.AddrPort) (*net.TCPConn, error) {
	t.Helper()
	var f *os.File
	w.inside(t, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		f = os.NewFile(uintptr(fd), "client")
		return err
	})
	c, err := passing.Connect(t.Context(), f, addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), nil
}

// listen listens at the client's address, as a service does.
func (w *world) listen(t testing.TB) (net.Listener, netip.AddrPort) {
	t.Helper()
	var l net.Listener
	w.inside(t, func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(clientAddr, 0).String())
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

// connect takes command of the container, which then knows where its client is.
func (w *world) connect(t testing.TB, dir string) *switchboard.Board {
	t.Helper()
	b, err := switchboard.Connect(t.Context(), switchboard.HostOptions{
		Stdio: w.stdio, Dir: dir, OnRefused: func(r switchboard.Refused) { w.refused <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if err := b.Neighbour(clientAddr, w.mac); err != nil {
		t.Fatal(err)
	}
	return b
}

// eachMode runs a test in both modes.
func eachMode(t *testing.T, f func(*testing.T, *world, *switchboard.Board)) {
	for _, mode := range []string{switchboard.ModeSockets, switchboard.ModeTunnel} {
		t.Run(mode, func(t *testing.T) {
			w, b := inMode(t, mode)
			f(t, w, b)
		})
	}
}

func inMode(t testing.TB, mode string) (*world, *switchboard.Board) {
	t.Helper()
	dir, offered := t.TempDir(), ""
	if mode == switchboard.ModeSockets {
		offered = dir
	}
	w := newWorld(t, dir)
	b := w.connect(t, offered)
	if b.Mode() != mode || len(b.Notes()) > 0 {
		t.Fatalf("the mode is %s, want %s; notes: %q", b.Mode(), mode, b.Notes())
	}
	return w, b
}

// endpoint is one end of a connection.
type endpoint interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// pairs gives connected ends, the host's and the client's, for connections that
// come from the client and for those that go to it.
func pairs(t *testing.T, w *world, b *switchboard.Board, f func(t *testing.T, host, client endpoint)) {
	t.Run("accepted", func(t *testing.T) {
		l, err := b.Listen(t.Context(), netip.AddrPortFrom(linkAddr, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		client, err := w.dial(t, l.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		host, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		f(t, host.(endpoint), client)
	})
	t.Run("dialled", func(t *testing.T) {
		l, addr := w.listen(t)
		host, err := b.Dial(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		defer host.Close()
		client, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		f(t, host.(endpoint), client.(endpoint))
	})
}

// atOnce runs functions beside one another and waits for all.
func atOnce(fs ...func()) {
	var all sync.WaitGroup
	for _, f := range fs {
		all.Go(f)
	}
	all.Wait()
}
