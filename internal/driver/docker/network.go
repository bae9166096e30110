package docker

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/podman"
)

// pool is where environments' networks are taken from. Nothing is routed there
// from the host, so a network of the same numbers elsewhere is not disturbed; only
// two networks of one engine must not overlap.
var pool = netip.MustParsePrefix("10.213.0.0/16")

// addresses deals out those of one environment: the gateway's, the link
// container's own, those of instances from below, and those of links from the
// middle on.
type addresses struct {
	subnet              netip.Prefix
	gateway, board      netip.Addr
	instances, links    netip.Addr // the next of each
	instancesEnd, ended netip.Addr
}

func newAddresses(subnet netip.Prefix) *addresses {
	first := subnet.Addr()
	half := 1 << (31 - subnet.Bits())
	return &addresses{
		subnet: subnet, gateway: first.Next(), board: plus(first, 2),
		instances: plus(first, 3), instancesEnd: plus(first, half),
		links: plus(first, half), ended: plus(first, 2*half-1),
	}
}

func plus(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func (a *addresses) instance() (netip.Addr, error) {
	if a.instances == a.instancesEnd {
		return netip.Addr{}, fmt.Errorf("the network %s has no more addresses for containers", a.subnet)
	}
	got := a.instances
	a.instances = got.Next()
	return got, nil
}

func (a *addresses) link() (netip.Addr, error) {
	if a.links == a.ended {
		return netip.Addr{}, fmt.Errorf("the network %s has no more addresses for links", a.subnet)
	}
	got := a.links
	a.links = got.Next()
	return got, nil
}

// width is the length of the prefix of a network that is large enough for a plan,
// a golden's builder for each service included.
func width(p *rehearse.Plan) int {
	instances, links := 8, 8+2*len(p.Services)
	for _, s := range p.Services {
		instances += replicas(s) + 1
	}
	for _, l := range p.Links {
		if !rehearse.IsIngress(l.Client) {
			links++
		}
	}
	half := max(instances, links, 32)
	return 31 - bits.Len(uint(half-1))
}

// replicas is how many instances of a service run.
func replicas(s rehearse.Service) int {
	if s.Container == nil {
		return 1
	}
	return max(1, s.Container.Replicas)
}

// networkOptions keep services from the host and from the world. The host has no
// address in the network: a service that knows the gateway's would reach what
// listens on the host. The gateway is the link container, which refuses what is
// sent elsewhere. Nothing is translated that would leave the network in another
// way. It is not one of the engine's internal networks: where the host's packet
// filter sees what its bridges carry, these drop what is on its way to the gateway
// without a word, and later engines give them no gateway at all.
var networkOptions = map[string]string{
	"com.docker.network.bridge.inhibit_ipv4":         "true",
	"com.docker.network.bridge.enable_ip_masquerade": "false",
	"com.docker.network.bridge.enable_icc":           "true",
}

// openNetwork makes the environment's network. The subnet is one of its own: the
// engine's own pools end after some thirty networks.
func (e *environment) openNetwork(ctx context.Context) error {
	all, err := e.engine.networks(ctx)
	if err != nil {
		return err
	}
	if err := e.unique(all); err != nil {
		return err
	}
	taken := subnets(all)
	r := driver.Remnant{Environment: e.spec.ID, Kind: "network", Name: e.name("")}
	if err := e.spec.Journal.Intend(r); err != nil {
		return err
	}
	bits := width(e.spec.Plan)
	for range 64 {
		subnet, ok := freeSubnet(taken, bits)
		if !ok {
			return &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("no network of %d addresses is left in %s", 1<<(32-bits), pool),
				Hint: roomHint(all),
			}
		}
		a := newAddresses(subnet)
		err = e.createNetwork(ctx, r.Name, a)
		if err == nil {
			e.addresses = a
			if err := e.spec.Journal.Confirm(r, true); err != nil {
				return err
			}
			return context.Cause(ctx)
		}
		if !strings.Contains(err.Error(), "overlap") && !strings.Contains(err.Error(), "already used") {
			return fmt.Errorf("make the environment's network: %w", explain(err))
		}
		taken = append(taken, subnet) // another environment was quicker
	}
	return fmt.Errorf("make the environment's network: %w", explain(err))
}

// roomHint says what makes room for another network.
func roomHint(all []network.Summary) string {
	hint := "Take environments down that nobody needs: rehearse ls lists them."
	for _, n := range all {
		for _, s := range subnets([]network.Summary{n}) {
			if n.Labels[labelEnvironment] == "" && s.Overlaps(pool) {
				hint += fmt.Sprintf(" The network %s, which is none of them, has %s.", n.Name, s)
			}
		}
	}
	return hint
}

// createNetwork makes the environment's network. An engine makes what it was asked
// for, also for who does not wait for it: whoever left at once would look for what is
// to be removed before it is there.
func (e *environment) createNetwork(ctx context.Context, name string, a *addresses) error {
	making, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.limits.request, stop) })()
	return e.engine.createNetwork(making, name, a, e.labels("", nil))
}

// createNetwork makes an environment's network. Podman would ignore the options: its
// networks that keep services from the host and from the world have no gateway, so
// that what is sent elsewhere is refused by the service's own kernel.
func (e *engine) createNetwork(ctx context.Context, name string, a *addresses, labels map[string]string) error {
	if e.podman {
		return podman.CreateNetwork(ctx, e.api, name, a.subnet, labels)
	}
	_, err := e.api.NetworkCreate(ctx, name, client.NetworkCreateOptions{
		Driver:  "bridge",
		IPAM:    &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: a.subnet, Gateway: a.gateway}}},
		Options: networkOptions,
		Labels:  labels,
	})
	return err
}

// unique refuses an environment whose name another one on the engine has: by that
// name are its containers known.
func (e *environment) unique(all []network.Summary) error {
	for _, n := range all {
		if n.Name != e.name("") {
			continue
		}
		err := &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the engine has an environment %s already, of another state directory: its label is %s=%s", e.spec.ID, labelState, n.Labels[labelState]),
			Hint: "Names are drawn by chance, so that the next start gets another.",
		}
		if n.Labels[labelState] == e.o.Label {
			err.Msg = fmt.Sprintf("the engine has an environment %s already, which a rehearse has left that is dead", e.spec.ID)
			err.Hint = "Run rehearse gc."
		}
		return err
	}
	return nil
}

// networks are all of the engine.
func (e *engine) networks(ctx context.Context) ([]network.Summary, error) {
	all, err := e.api.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", explain(err))
	}
	return all.Items, nil
}

// subnets are those of networks.
func subnets(all []network.Summary) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range all {
		for _, c := range n.IPAM.Config {
			if c.Subnet.IsValid() {
				out = append(out, c.Subnet)
			}
		}
	}
	return out
}

// freeSubnet picks a subnet that overlaps none: a random one, so that two who look
// at once seldom meet.
func freeSubnet(taken []netip.Prefix, bits int) (netip.Prefix, bool) {
	slots := 1 << (bits - pool.Bits())
	start := rand.IntN(slots)
	for i := range slots {
		at := netip.PrefixFrom(plus(pool.Addr(), ((start+i)%slots)<<(32-bits)), bits)
		free := true
		for _, t := range taken {
			free = free && !t.Overlaps(at)
		}
		if free {
			return at, true
		}
	}
	return netip.Prefix{}, false
}
