package switchboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The few requests to the kernel's routing that the container makes are written
// by hand: rtnetlink(7), a header, a body and attributes.

// addAddress gives an interface one more address, without a network of its own.
func addAddress(name string, addr netip.Addr) error {
	index, err := interfaceIndex(name)
	if err != nil {
		return err
	}
	// struct ifaddrmsg: family, prefix length, flags, scope, index.
	body := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE}, index)
	body = attribute(body, unix.IFA_LOCAL, addr.AsSlice())
	body = attribute(body, unix.IFA_ADDRESS, addr.AsSlice())
	if err := netlink(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body); err != nil {
		return fmt.Errorf("add %s to %s: %w", addr, name, err)
	}
	return nil
}

// setNeighbour makes an entry for an address that nothing takes away.
func setNeighbour(name string, addr netip.Addr, mac net.HardwareAddr) error {
	index, err := interfaceIndex(name)
	if err != nil {
		return err
	}
	// struct ndmsg: family, three bytes of padding, index, state, flags, type.
	body := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 0, 0, 0}, index)
	body = binary.NativeEndian.AppendUint16(body, unix.NUD_PERMANENT)
	body = append(body, 0, unix.RTN_UNICAST)
	body = attribute(body, unix.NDA_DST, addr.AsSlice())
	body = attribute(body, unix.NDA_LLADDR, mac)
	if err := netlink(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body); err != nil {
		return fmt.Errorf("make %s a neighbour: %w", addr, err)
	}
	return nil
}

// deleteDefaultRoutes leaves no way out of the network.
func deleteDefaultRoutes() error {
	for {
		// struct rtmsg: family, lengths of destination and source, TOS, table,
		// protocol, scope, type, flags. What is not said matches any route.
		body := []byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_UNSPEC, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC, 0, 0, 0, 0}
		switch err := netlink(unix.RTM_DELROUTE, 0, body); {
		case errors.Is(err, unix.ESRCH):
			return nil
		case err != nil:
			return fmt.Errorf("delete the default route: %w", err)
		}
	}
}

func interfaceIndex(name string) (uint32, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	return uint32(ifi.Index), nil
}

// attribute appends an attribute: length, type, value, padding to four bytes.
func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.RTA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// netlink makes one request and waits for the kernel's word on it.
func netlink(kind, flags uint16, body []byte) error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	// struct nlmsghdr: length, type, flags, sequence, port.
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = append(b, make([]byte, 8)...)
	if err := unix.Sendto(s, append(b, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("a strange answer of %d bytes", n)
	}
	// struct nlmsgerr begins with the error, negative; 0 is the acknowledgement.
	if e := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); e != 0 {
		return unix.Errno(-e)
	}
	return nil
}
