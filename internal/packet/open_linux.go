package packet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
)

const control = "/dev/net/tun"

// Open makes a TUN device of that name in the calling thread's network
// namespace, where the caller must have CAP_NET_ADMIN. It is down and has no
// address yet. It lives as long as the file, of which a duplicate may be sent to
// another process.
func Open(name string) (*os.File, error) {
	fd, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("make TUN device %q: %w", name, err)
	}
	// Not before now: a descriptor that has no device yet always looks ready.
	return os.NewFile(uintptr(fd), name), nil
}

func open(name string) (_ int, err error) {
	fd, err := unix.Open(control, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", control, err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	r, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return -1, fmt.Errorf("TUNSETIFF: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6); err != nil {
		return -1, fmt.Errorf("TUNSETOFFLOAD: %w", err)
	}
	if err := lengthen(name); err != nil {
		return -1, fmt.Errorf("set the length of the queue: %w", err)
	}
	return fd, nil
}

// lengthen makes the device's own queue so long that only the wire drops
// packets: 500, the default, is less than a window of small ones.
func lengthen(name string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint32(10000)
	return unix.IoctlIfreq(s, unix.SIOCSIFTXQLEN, r)
}

// Available reports why this process cannot open the control device that [Open]
// needs; nil when it can. Whether it may make devices in a namespace is seen
// there: the process that made the namespace may.
func Available() error {
	fd, err := unix.Open(control, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
		return nil
	}
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: "open " + control, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
		e.Hint = "Load the kernel's module tun: modprobe tun. In a container, pass the device in: --device " + control + "."
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "Let everyone open it, as most distributions do: chmod 0666 " + control + "."
	}
	return e
}
