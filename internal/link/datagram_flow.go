package link

import (
	"container/list"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// mapping is a flow of datagrams: a client, the upstream's socket that is its
// own, and the way from each to the other.
type mapping struct {
	nat      *nat
	number   uint64 // as a session's
	from     client
	addr     net.Addr // where answers go, when from is not an address of UDP
	up, down way
	// bears is what the settings in force mean for this flow.
	bears atomic.Pointer[terms]
	// opened is set with the first datagram that is let in.
	opened atomic.Bool
	// upstream is nil until it was dialled.
	upstream atomic.Pointer[side]
	// turn is as a session's.
	turn atomic.Int64
	ctx  context.Context // of the dial and of what it makes; ends with the flow
	stop context.CancelFunc

	place *list.Element // guarded by nat.mu, as is last
	last  time.Time

	mu      sync.Mutex
	burdens []*burden // in force
	rested  []*burden // not now; a scheduled fault may come again
	dialing bool
	early   [][]byte // datagrams that wait for the dial
	held    int      // what they cost
	closed  bool
}

// terms are what a flow does with its datagrams under some settings.
type terms struct {
	of       *settings
	up, down passage
}

// maxEarly is how many bytes wait for a dial: about what a socket's receive
// buffer holds for a program that is slow to begin.
const maxEarly = 256 << 10

func newMapping(ctx context.Context, n *nat, from client, addr net.Addr) *mapping {
	m := &mapping{nat: n, number: uint64(n.link.meter.connections.Add(1)), from: from, addr: addr}
	m.ctx, m.stop = context.WithCancel(ctx)
	m.up = way{mapping: m, up: true, courier: &n.up, line: &n.link.up}
	m.down = way{mapping: m, courier: &n.down, line: &n.link.down}
	m.bears.Store(&terms{})
	return m
}

// terms are what the settings in force mean for this flow.
func (m *mapping) terms() *terms {
	if t := m.bears.Load(); t.of == m.nat.link.settings.Load() {
		return t
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return m.bears.Load()
	}
	// As of now: whoever came in between must not be undone.
	set := m.nat.link.settings.Load()
	var burdens []*burden
	for _, f := range set.faults {
		if !f.ofRequests() && f.touches(f.spec.Probability, m.number) {
			burdens = append(burdens, m.bear(f))
		}
	}
	for _, b := range m.burdens {
		if !slices.Contains(burdens, b) {
			b.leave()
			m.rested = append(m.rested, b)
		}
	}
	m.rested = slices.DeleteFunc(m.rested, func(b *burden) bool { return b.fault.gone.Load() })
	m.burdens = burdens
	var s rehearse.Shape
	if set.tier != rehearse.TierPacket {
		s = set.shape
	}
	t := &terms{of: set, up: passageOf(s.Up, burdens, true), down: passageOf(s.Down, burdens, false)}
	m.bears.Store(t)
	return t
}

// bear finds or makes the flow's burden of a fault. The caller holds mu.
func (m *mapping) bear(f *fault) *burden {
	is := func(b *burden) bool { return b.fault == f }
	if i := slices.IndexFunc(m.burdens, is); i >= 0 {
		return m.burdens[i]
	}
	var b *burden
	if i := slices.IndexFunc(m.rested, is); i >= 0 {
		b = m.rested[i]
		m.rested = slices.Delete(m.rested, i, i+1)
		b.renew()
	} else {
		b = newBurden(f, m.number)
	}
	f.holding.Add(1)
	after := time.Duration(f.spec.Delay)
	switch f.spec.Kind {
	case rehearse.FaultReset:
		b.timer = time.AfterFunc(after, func() {
			b.touch()
			m.nat.link.meter.resets.Add(1)
			m.nat.drop(m)
		})
	case rehearse.FaultHalfOpen:
		b.timer = time.AfterFunc(after, func() { b.touch(); b.lost.Store(true) })
	case rehearse.FaultTimeout:
		if after > 0 {
			b.timer = time.AfterFunc(after, func() { b.touch(); m.nat.drop(m) })
		}
	}
	return b
}

// open counts the flow as open.
func (m *mapping) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed && !m.opened.Swap(true) {
		meter := &m.nat.link.meter
		raise(&meter.maxActive, meter.active.Add(1))
	}
}

// busy reports whether datagrams of the flow are under way.
func (m *mapping) busy() bool { return m.up.pending.Load()+m.down.pending.Load() > 0 }

// close ends a flow that is in the table no more. What is under way to the
// client still arrives.
func (m *mapping) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.stop()
	for _, b := range m.burdens {
		b.leave()
	}
	m.burdens, m.early = nil, nil
	m.bears.Store(&terms{})
	if m.opened.Load() {
		m.nat.link.meter.active.Add(-1)
	}
	if m.turn.Swap(0) != 0 {
		m.nat.link.meter.inFlight.Add(-1)
	}
	if s := m.upstream.Load(); s != nil {
		s.conn.Close()
	}
}

// write hands a datagram to the upstream, now or when it has been dialled.
func (m *mapping) write(data []byte) {
	s := m.upstream.Load()
	if s == nil {
		if s = m.await(data); s == nil {
			return
		}
	}
	m.writeTo(s, data)
}

func (m *mapping) writeTo(s *side, data []byte) {
	m.nat.link.meter.bytesUp.Add(int64(len(data)))
	// The first failure may be an ICMP message about an earlier datagram, and
	// then this one has not been sent. What cannot be sent is lost.
	if _, err := s.conn.Write(data); err != nil && unreachable(err) {
		_, _ = s.conn.Write(data)
	}
}

// await keeps a datagram until the upstream has been dialled, which it sees to.
// It returns the upstream when that has happened meanwhile.
func (m *mapping) await(data []byte) *side {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.upstream.Load(); s != nil {
		return s
	}
	if m.closed {
		return nil
	}
	if cost := cost(len(data)); m.held+cost <= maxEarly {
		m.held += cost
		m.early = append(m.early, slices.Clone(data))
	}
	if !m.dialing {
		m.dialing = true
		m.nat.running.Go(m.run)
	}
	return nil
}

// run dials the upstream and carries what comes from there until the flow ends.
// When the dial fails, the flow's next datagram tries again.
func (m *mapping) run() {
	conn, err := m.nat.dial(m.ctx)
	m.mu.Lock()
	if err != nil || m.closed {
		m.dialing, m.early, m.held = false, nil, 0
		if err == nil {
			conn.Close()
		} else if m.ctx.Err() == nil {
			m.nat.link.meter.refused.Add(1)
		}
		m.mu.Unlock()
		return
	}
	widen(conn)
	s := &side{conn: conn}
	if c, ok := conn.(*net.UDPConn); ok {
		s.fd, _ = c.SyscallConn()
	}
	for _, data := range m.early {
		m.writeTo(s, data)
	}
	m.early = nil
	m.upstream.Store(s)
	m.mu.Unlock()

	for {
		buf, size, err := s.read(maxDatagram, false)
		at := time.Now()
		switch {
		case size > 0:
			m.nat.touch(m, at)
			m.down.carry(buf.data[:size], at)
			buf.release()
		case err == nil || err == io.EOF && s.fd != nil:
			m.nat.touch(m, at)
			m.down.carry(nil, at) // a datagram without bytes is not an end
		case unreachable(err):
			m.nat.link.meter.refused.Add(1)
		default:
			m.nat.drop(m)
			return
		}
	}
}

// answer puts a datagram of our own on the way to the client, in the upstream's
// place.
func (m *mapping) answer(data []byte) { m.down.carry(data, time.Now()) }

// asked notes that the client spoke at a time.
func (m *mapping) asked(at time.Time) {
	if m.turn.Load() != 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.nat.link.meter.asked()
		m.turn.Store(int64(at.Sub(m.nat.link.epoch)))
	}
}

// reply hands a datagram to the client.
func (m *mapping) reply(data []byte) {
	meter := &m.nat.link.meter
	meter.bytesDown.Add(int64(len(data)))
	began := m.turn.Swap(0) // before the write, as in session.answered
	if began != 0 {
		meter.answered()
	}
	if m.nat.socket.send(data, m) == nil && began != 0 {
		meter.turnAround.observe(time.Since(m.nat.link.epoch.Add(time.Duration(began))))
	}
}
