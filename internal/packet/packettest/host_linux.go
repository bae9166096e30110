package packettest

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/packet"
)

// Host is a network namespace with one device in it.
type Host struct {
	// Device is ready for a wire.
	Device *os.File
	ns     int
}

// NewHost makes a namespace whose device is called tun0, is up and has the
// addresses, each of which routes its whole prefix to the device. Both are gone
// when the test is over. It skips the test where it cannot be done.
func NewHost(tb testing.TB, addresses ...netip.Prefix) *Host {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("making network namespaces needs root here")
	}
	if err := packet.Available(); err != nil {
		tb.Skip(err)
	}
	h := &Host{ns: -1}
	made := make(chan error)
	go func() {
		// The thread stays in the namespace, so it must end with the goroutine:
		// it is never unlocked.
		runtime.LockOSThread()
		made <- h.make(addresses)
	}()
	err := <-made
	tb.Cleanup(func() {
		if h.Device != nil {
			h.Device.Close()
		}
		if h.ns >= 0 {
			unix.Close(h.ns)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *Host) make(addresses []netip.Prefix) (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if h.ns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	if h.Device, err = packet.Open("tun0"); err != nil {
		return err
	}
	// What is measured is the same on every machine: the kernel's own defaults,
	// and no connection that learns from those before it.
	for name, value := range map[string]string{
		"tcp_no_metrics_save": "1",
		"tcp_rmem":            "4096 131072 6291456",
		"tcp_wmem":            "4096 16384 4194304",
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	for i, a := range addresses {
		if err := assign(i, a); err != nil {
			return fmt.Errorf("assign %v: %w", a, err)
		}
	}
	return nil
}

// assign gives the device an address and switches it on.
func assign(i int, a netip.Prefix) error {
	if a.Addr().Is6() {
		return assign6(a)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	name := "tun0"
	if i > 0 {
		name = fmt.Sprintf("tun0:%d", i)
	}
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := r.SetInet4Addr(a.Addr().AsSlice()); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, r); err != nil {
		return err
	}
	mask := ^uint32(0) << (32 - a.Bits())
	if err := r.SetInet4Addr([]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCSIFNETMASK, r); err != nil {
		return err
	}
	return flag(s, true)
}

// Switch switches the device on or off.
func (h *Host) Switch(tb testing.TB, on bool) {
	tb.Helper()
	var err error
	h.Do(func() {
		var s int
		if s, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = flag(s, on)
			unix.Close(s)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// flag switches the device on or off, by a socket of the namespace.
func flag(s int, on bool) error {
	r, err := unix.NewIfreq("tun0")
	if err != nil {
		return err
	}
	// Its other flags stay: without IFF_NOARP the kernel would look for others
	// with its IPv6 addresses, and let nobody use them meanwhile.
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	flags := r.Uint16() &^ unix.IFF_UP
	if on {
		flags |= unix.IFF_UP
	}
	r.SetUint16(flags)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

func assign6(a netip.Prefix) error {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := flag(s, true); err != nil {
		return err
	}
	r, err := unix.NewIfreq("tun0")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, r); err != nil {
		return err
	}
	request := struct { // struct in6_ifreq
		addr   [16]byte
		prefix uint32
		index  int32
	}{a.Addr().As16(), uint32(a.Bits()), int32(r.Uint32())}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	// The kernel finds out a moment later that there is nobody to ask whether
	// the address is taken. Until then nobody may use it.
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := unix.Bind(s, &unix.SockaddrInet6{Addr: request.addr})
		if err != unix.EADDRNOTAVAIL || time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// Do runs a function inside the namespace, on a thread of its own: sockets that
// it opens, in this goroutine, belong there.
func (h *Host) Do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Setns(h.ns, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("enter a network namespace: %v", err))
		}
		f()
	}()
	<-done
}
