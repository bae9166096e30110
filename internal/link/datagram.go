package link

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

const (
	// flowIdle is how long a flow lives without a datagram either way: the
	// least that RFC 4787 allows is 2 minutes, and what many NATs really do is
	// 30 seconds.
	flowIdle = 30 * time.Second
	// maxFlows is how many flows there may be. For one more the one that has
	// been idle for longest makes room.
	maxFlows = 4096
	// maxDatagram is more than UDP can carry.
	maxDatagram = smallBuffer
)

// ServePacket carries datagrams that come in at pc to the upstream, and its
// answers back, until ctx ends; then it closes pc and every socket that was
// dialled, and returns nil once every goroutine that it started has ended. When
// pc fails before that, it ends in the same way and returns the error. It may be
// called for several sockets at once, beside Serve, and for more than UDP: what
// dial gives must keep the bounds of datagrams.
//
// As in a NAT, each client address has a flow: an upstream socket of its own,
// dialled for its first datagram, that lives until nothing has come either way
// for a while, or until there are too many. A flow is a connection in the link's
// counters and to its faults; a turn begins with the client's datagram and ends
// with the next one of the upstream.
//
//	client ─▶ read ─┬─ nothing to do: written at once ─────────────────▶ upstream
//	                └─ faults ─ rate ─ loss ─ courier: until it is due ───┘
//
// Every datagram has a delay of its own, and they keep their order whatever the
// jitter is: those of a flow overtake one another only where Reorder says so,
// which lets its share skip the delay. A datagram that finds the queue in front
// of a rate full is lost. With 28 bytes of headers it takes its time at a rate.
//
// What a fault does to a stream's bytes until they may go on, it does to
// datagrams for good, since nobody keeps and repeats them: a partition and a
// stall lose what they would hold. A time-out and a reset end the flow; the
// client's next datagram begins another, from another port, as behind a NAT that
// has forgotten it. Half-open loses all that comes after its delay. Truncate cuts
// each datagram. Refuse takes every datagram of the client, also where the flow
// was there before: where the system can, and the fault is for all flows, clients
// are told that the port is closed, by ICMP and without a dose, and else the
// datagrams are lost. Limit loses those of flows beyond its count. DNS answers
// queries itself, see answerDNS. Slices, slow closes, TLS and the faults of
// requests are nothing to datagrams.
//
// pc should be bound to one address: answers leave from the one that the system
// chooses. An upstream that is not there is counted as refused, and its flows
// stay; the ICMP message does not reach the client.
func (l *Link) ServePacket(ctx context.Context, pc net.PacketConn, dial Dial) error {
	ctx, cancel := context.WithCancel(ctx)
	n := &nat{link: l, socket: newSocket(pc), dial: dial, flows: map[client]*mapping{}}
	n.up.more, n.down.more = make(chan struct{}, 1), make(chan struct{}, 1)
	l.mu.Lock()
	l.nats[n] = true
	l.mu.Unlock()
	l.serves(1)
	defer l.serves(-1)
	defer n.running.Wait()
	n.running.Go(func() { n.up.run(l, ctx.Done()) })
	n.running.Go(func() { n.down.run(l, ctx.Done()) })
	defer context.AfterFunc(ctx, func() { pc.Close() })()
	defer func() {
		cancel()
		l.mu.Lock()
		delete(l.nats, n)
		l.mu.Unlock()
		pc.Close()
		n.end()
	}()

	buf := make([]byte, maxDatagram)
	for {
		size, from, addr, err := n.socket.receive(buf)
		switch {
		case err == nil:
			at := time.Now()
			if m := n.find(ctx, from, addr, at); m != nil {
				m.asked(at)
				m.up.carry(buf[:size], at)
			}
		case ctx.Err() != nil:
			return nil
		case unreachable(err):
			// An answer to one client; others are well.
		case exhausted(err):
			l.wait(time.Now().Add(10*time.Millisecond), ctx.Done(), nil)
		default:
			return fmt.Errorf("link %s: receive: %w", l.spec.ID, err)
		}
	}
}

// unreachable reports whether an error is an ICMP message that the socket tells
// of once.
func unreachable(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EMSGSIZE,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// nat is one call of ServePacket: a socket, and the flows of its clients.
type nat struct {
	link     *Link
	socket   socket
	dial     Dial
	up, down courier
	running  sync.WaitGroup

	mu     sync.Mutex
	flows  map[client]*mapping
	order  list.List   // of *mapping, the one that was idle for longest first
	expiry *time.Timer // nil until there is a flow
	ended  bool
}

// find gives the flow of a client that has sent something, which may be a new
// one. It is nil when the link has ended.
func (n *nat) find(ctx context.Context, from client, addr net.Addr, at time.Time) *mapping {
	n.mu.Lock()
	if m := n.flows[from]; m != nil || n.ended {
		if m != nil {
			m.last = at
			n.order.MoveToBack(m.place)
		}
		n.mu.Unlock()
		return m
	}
	var old *mapping
	if len(n.flows) == maxFlows {
		old = n.order.Front().Value.(*mapping)
		n.forget(old)
	}
	m := newMapping(ctx, n, from, addr)
	m.last = at
	m.place = n.order.PushBack(m)
	n.flows[from] = m
	if n.expiry == nil {
		n.expiry = time.AfterFunc(flowIdle, n.expire)
	} else if len(n.flows) == 1 {
		n.expiry.Reset(flowIdle)
	}
	n.mu.Unlock()
	if old != nil {
		old.close()
	}
	return m
}

// touch notes that a flow is alive.
func (n *nat) touch(m *mapping, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.last = at
	n.order.MoveToBack(m.place)
}

// forget takes a flow out of the table and reports whether it was there. The
// caller holds mu, and closes it then.
func (n *nat) forget(m *mapping) bool {
	if n.flows[m.from] != m {
		return false
	}
	delete(n.flows, m.from)
	n.order.Remove(m.place)
	return true
}

// drop ends a flow.
func (n *nat) drop(m *mapping) {
	n.mu.Lock()
	known := n.forget(m)
	n.mu.Unlock()
	if known {
		m.close()
	}
}

// expire ends the flows that have been idle for long enough.
func (n *nat) expire() {
	now := time.Now()
	var idle []*mapping
	n.mu.Lock()
	for n.order.Len() > 0 {
		m := n.order.Front().Value.(*mapping)
		if left := m.last.Add(flowIdle).Sub(now); left > 0 {
			n.expiry.Reset(left)
			break
		}
		if m.busy() { // with datagrams that take longer than that
			m.last = now
			n.order.MoveToBack(m.place)
			continue
		}
		n.forget(m)
		idle = append(idle, m)
	}
	n.mu.Unlock()
	for _, m := range idle {
		m.close()
	}
}

// all are the flows there are.
func (n *nat) all() []*mapping {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*mapping, 0, len(n.flows))
	for _, m := range n.flows {
		out = append(out, m)
	}
	return out
}

// end ends every flow, and lets no other begin.
func (n *nat) end() {
	n.mu.Lock()
	n.ended = true
	if n.expiry != nil {
		n.expiry.Stop()
	}
	n.mu.Unlock()
	for _, m := range n.all() {
		n.drop(m)
	}
}

// refresh has every flow bear the faults in force, idle ones too.
func (n *nat) refresh() {
	for _, m := range n.all() {
		m.terms()
	}
}

// refusesAll reports whether the port is to look closed to everyone. Behind a
// network that lets nothing pass nobody would hear of it.
func refusesAll(faults []*fault) bool {
	all := false
	for _, f := range faults {
		switch f.spec.Kind {
		case rehearse.FaultPartition, rehearse.FaultBlackhole:
			return false
		case rehearse.FaultRefuse:
			if p := f.spec.Probability; p == 0 || p == 1 {
				all = true
			}
		}
	}
	return all
}
