package docker

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestWidth(t *testing.T) {
	plan := func(services, replicas, links int) *rehearse.Plan {
		p := &rehearse.Plan{}
		for i := range services {
			p.Services = append(p.Services, rehearse.Service{Name: rehearse.ServiceName(fmt.Sprint("s", i)), Container: &rehearse.Container{Replicas: replicas}})
		}
		for i := range links {
			p.Links = append(p.Links, rehearse.LinkSpec{Client: rehearse.ServiceName(fmt.Sprint("s", i))})
		}
		return p
	}
	for _, test := range []struct{ services, replicas, links, want int }{
		{0, 0, 0, 26}, {3, 1, 6, 26}, {12, 1, 12, 25}, {5, 30, 4, 23}, {40, 1, 780, 21}, {100, 1, 9900, 17},
	} {
		p := plan(test.services, test.replicas, test.links)
		got := width(p)
		if got != test.want {
			t.Errorf("%+v: the network's prefix is of %d bits, want %d", test, got, test.want)
		}
		// Everything that the plan has finds its address, and no two the same one.
		a := newAddresses(netip.PrefixFrom(pool.Addr(), got))
		seen := map[netip.Addr]bool{a.gateway: true, a.board: true}
		deal := func(next func() (netip.Addr, error), n int) {
			for range n {
				at, err := next()
				if err != nil {
					t.Fatalf("%+v: %v", test, err)
				}
				if seen[at] || !a.subnet.Contains(at) {
					t.Fatalf("%+v: %v is dealt twice, or is not in %v", test, at, a.subnet)
				}
				seen[at] = true
			}
		}
		deal(a.instance, test.services*(max(1, test.replicas)+1))
		deal(a.link, test.links)
	}
}

func TestAddressesEnd(t *testing.T) {
	a := newAddresses(netip.MustParsePrefix("10.213.4.64/26"))
	count := func(next func() (netip.Addr, error)) (n int, last netip.Addr) {
		for {
			at, err := next()
			if err != nil {
				return n, last
			}
			n, last = n+1, at
		}
	}
	if n, last := count(a.instance); n != 29 || last != netip.MustParseAddr("10.213.4.95") {
		t.Errorf("%d instances up to %v, want 29 up to the middle", n, last)
	}
	if n, last := count(a.link); n != 31 || last != netip.MustParseAddr("10.213.4.126") {
		t.Errorf("%d links up to %v, want 31 up to the one before the broadcast address", n, last)
	}
}

func TestFreeSubnet(t *testing.T) {
	for _, taken := range [][]string{
		nil,
		{"172.17.0.0/16", "10.213.0.0/17"},
		{"10.213.0.0/17", "10.213.128.0/18", "10.213.192.0/19", "10.213.224.0/20", "10.213.240.0/21", "10.213.248.0/22", "10.213.252.0/23", "10.213.254.0/24", "10.213.255.0/25", "10.213.255.192/26"},
	} {
		var all []netip.Prefix
		for _, p := range taken {
			all = append(all, netip.MustParsePrefix(p))
		}
		got, ok := freeSubnet(all, 26)
		if !ok || got.Bits() != 26 || got != got.Masked() || !pool.Overlaps(got) {
			t.Errorf("beside %v: %v, %v", taken, got, ok)
		}
		for _, p := range all {
			if p.Overlaps(got) {
				t.Errorf("beside %v: %v overlaps %v", taken, got, p)
			}
		}
	}
	for _, taken := range []string{"10.0.0.0/8", "10.213.0.0/16"} {
		if got, ok := freeSubnet([]netip.Prefix{netip.MustParsePrefix(taken)}, 26); ok {
			t.Errorf("beside %s: %v, want none", taken, got)
		}
	}
}
