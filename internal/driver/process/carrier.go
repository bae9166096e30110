//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/packet"
)

// carrier runs the wires of clients whose links are shaped as packets. The zero
// value has none.
type carrier struct {
	wires map[rehearse.ServiceName]*packet.Wire
	ends  []*os.File
	stop  context.CancelFunc
	runs  sync.WaitGroup
}

var _ driver.Carrier = (*environment)(nil)

// packetsFact says whether links can be carried as packets on this host.
func packetsFact(tier string) rehearse.Fact {
	f := rehearse.Fact{Name: "links as packets", Value: "no"}
	switch err := packet.Available(); {
	case tier != TierNamespaces:
		f.Note = "needs the tier namespaces; links are modelled"
	case err != nil:
		f.Note = err.Error() + "; links are modelled"
		var known *rehearse.Error
		if errors.As(err, &known) && known.Hint != "" {
			f.Note += ". " + known.Hint
		}
	default:
		f.Value = "yes"
	}
	return f
}

// wantsPackets says which clients have a shaped link that is to be carried in
// the packet tier where that can be had.
func wantsPackets(p *rehearse.Plan) map[rehearse.ServiceName]bool {
	clients := map[rehearse.ServiceName]bool{}
	for _, l := range p.Links {
		if l.Shape.IsZero() || rehearse.IsIngress(l.Client) || l.Tier != "" && l.Tier != rehearse.TierPacket {
			continue
		}
		clients[l.Client] = true
	}
	return clients
}

// openWires makes and runs the wires that the plan wants. What cannot be had is
// a fact, not an error: links are modelled then.
func (e *environment) openWires(ctx context.Context) {
	clients := wantsPackets(e.spec.Plan)
	if len(clients) == 0 {
		return
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.carrier.stop = stop
	e.carrier.wires = map[rehearse.ServiceName]*packet.Wire{}
	for _, s := range e.spec.Plan.Services {
		if !clients[s.Name] {
			continue
		}
		near, far, err := e.iso.packets(string(s.Name), e.clients[s.Name].number)
		if err != nil {
			note := err.Error()
			var known *rehearse.Error
			if errors.As(err, &known) && known.Hint != "" {
				note += ". " + known.Hint
			}
			e.fact(rehearse.Fact{Name: "link.tier", Value: string(rehearse.TierModel), Note: "no packet tier: " + note})
			return
		}
		w := packet.New(near, far, e.spec.Plan.Seed+uint64(e.clients[s.Name].number))
		e.carrier.wires[s.Name] = w
		e.carrier.ends = append(e.carrier.ends, near, far)
		e.carrier.runs.Go(func() {
			if err := w.Run(life); err != nil && life.Err() == nil {
				e.fact(rehearse.Fact{Name: "link.tier", Value: "broken", Note: fmt.Sprintf("the wire of %s: %v", s.Name, err)})
			}
		})
	}
	e.fact(rehearse.Fact{Name: "link.tier", Value: string(rehearse.TierPacket)})
	// Over a lossy path it is the congestion control that decides how fast bulk is.
	if name, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
		e.fact(rehearse.Fact{Name: "tcp.congestion_control", Value: strings.TrimSpace(string(name)), Note: "this host's"})
	}
}

// closeWires ends every wire.
func (e *environment) closeWires() {
	if e.carrier.stop == nil {
		return
	}
	e.carrier.stop()
	e.carrier.runs.Wait()
	for _, f := range e.carrier.ends {
		f.Close()
	}
}

// Carries reports whether a link's packets pass through a wire of ours: all
// links of a client that has any shaped one do.
func (e *environment) Carries(l rehearse.LinkSpec) bool { return e.carrier.wires[l.Client] != nil }

// Carry gives what carries the shape of a link that listens.
func (e *environment) Carry(l rehearse.LinkSpec) (driver.Carried, error) {
	w := e.carrier.wires[l.Client]
	if w == nil {
		return driver.Carried{}, fmt.Errorf("%s has no wire for packets", l.Client)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.clients[l.Client].upstreams {
		if u.names[0] != l.Names[0] {
			continue
		}
		at, err := netip.ParseAddr(u.host)
		if err != nil {
			return driver.Carried{}, err
		}
		return driver.Carried{
			Set: func(s rehearse.Shape) {
				// It refuses faults only, and there are none.
				_ = w.Set(at, s)
			},
			Delay: func() (asked, given, off rehearse.Quantiles) { return w.Delay(at) },
		}, nil
	}
	return driver.Carried{}, fmt.Errorf("%s has no link to %s yet", l.Client, l.Upstream)
}
