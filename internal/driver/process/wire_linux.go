package process

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A service's wire is a pair of virtual interfaces between its network and the
// guest's. The service's end has the first address of a subnet of the service's
// own; all others are the guest's, one per upstream, and links listen on them.
const wireName = "links"

// wireEnd is the guest's end of a service's wire.
func wireEnd(number int) string { return fmt.Sprintf("%s%d", wireName, number) }

// wireAddress is address i of service number n's subnet.
func wireAddress(n, i int) net.IP { return net.IPv4(10, 213, byte(n), byte(i+1)).To4() }

func wireSubnet(n int) *net.IPNet {
	return &net.IPNet{IP: wireAddress(n, -1), Mask: net.CIDRMask(24, 32)}
}

// wire joins a service's network to the guest's by a pair of virtual interfaces.
func wire(home, service, number int) error {
	return join(home, service, number, func(inside *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = wireName
		if err := inside.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: wireEnd(number), PeerNamespace: netlink.NsFd(home)}); err != nil {
			return fmt.Errorf("make a pair of interfaces: %w", err)
		}
		return nil
	})
}

// join makes a wire's two interfaces, by whatever way, and gives them their
// addresses and routes.
func join(home, service, number int, make func(inside *netlink.Handle) error) error {
	if number < 1 || number > 250 {
		return fmt.Errorf("an environment has at most 250 services, and this is number %d", number)
	}
	inside, err := netlink.NewHandleAt(netns.NsHandle(service), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	outside, err := netlink.NewHandleAt(netns.NsHandle(home), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer outside.Close()
	if err := make(inside); err != nil {
		return err
	}
	near, err := inside.LinkByName(wireName)
	if err != nil {
		return err
	}
	far, err := outside.LinkByName(wireEnd(number))
	if err != nil {
		return err
	}
	subnet := wireSubnet(number)
	if err := inside.AddrAdd(near, &netlink.Addr{IPNet: &net.IPNet{IP: wireAddress(number, 0), Mask: subnet.Mask}}); err != nil {
		return fmt.Errorf("give the service an address: %w", err)
	}
	for _, end := range []struct {
		h *netlink.Handle
		l netlink.Link
	}{{inside, near}, {outside, far}} {
		if err := end.h.LinkSetUp(end.l); err != nil {
			return fmt.Errorf("bring up an interface: %w", err)
		}
	}
	// The guest answers for the whole subnet, without an address for each.
	if err := outside.RouteAdd(&netlink.Route{LinkIndex: far.Attrs().Index, Dst: subnet, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}); err != nil {
		return fmt.Errorf("claim the subnet: %w", err)
	}
	// The service's own address is the one exception. It is found first, because
	// without rules of policy the kernel keeps both tables in one tree.
	return outside.RouteAdd(&netlink.Route{
		LinkIndex: far.Attrs().Index, Dst: &net.IPNet{IP: wireAddress(number, 0), Mask: net.CIDRMask(32, 32)}, Scope: netlink.SCOPE_LINK,
	})
}

// loopbackUp brings up the loopback of the calling thread's network.
func loopbackUp() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("bring up the loopback: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("bring up the loopback: %w", err)
	}
	return h.LinkSetUp(lo)
}
