package link

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// session is one carried connection: a client, an upstream and the direction
// from each to the other. It is open until both directions have ended, or until
// it is ended early.
type session struct {
	link             *Link
	number           uint64 // from 1, in the order of their accepting
	opened           time.Time
	client, upstream side
	up, down         direction
	connected        time.Time // when the upstream was reached
	follow           *follow   // nil when nobody watches
	turns            int64     // that the client began; the up direction's
	hands            handshake
	// program is what to do with its bytes now.
	program atomic.Pointer[program]
	// editor understands the bytes, where a fault wants it; it stays once it is
	// there.
	editor  atomic.Pointer[editor]
	editing sync.Mutex // held while the editor works and what it says is queued
	// spoke is set when the client's first bytes, or its end, are handed to the
	// upstream.
	spoke atomic.Bool
	// severed is set when the upstream was taken away without the client's
	// knowing.
	severed atomic.Bool
	// turn is when the client began to speak, counted from the link's epoch, or
	// 0 while it is not waiting for an answer. Only the up direction sets it and
	// only the down direction clears it.
	turn atomic.Int64

	running atomic.Int32 // directions

	done   chan struct{} // closed when the session was ended early
	ending sync.Once

	mu       sync.Mutex
	bearings []*bearing          // in force
	rested   map[*fault]*bearing // not now; a scheduled fault may come again
	stopDial context.CancelFunc
	closed   bool
	struck   bool // by a fault that resets at once
}

// carry takes an accepted connection to its upstream, and starts its two
// directions. Dialling needs a deep stack, which a goroutine that stays would
// keep for as long as the connection is open: so the directions get goroutines
// of their own, and this one ends.
func (l *Link) carry(ctx context.Context, client net.Conn, opened time.Time, dial Dial, all *sync.WaitGroup) {
	s := &session{link: l, number: uint64(l.meter.open()), opened: opened, done: make(chan struct{})}
	s.client.use(client)
	s.follow = newFollow(s)
	s.up = direction{session: s, up: true, src: &s.client, dst: &s.upstream, back: &s.down}
	s.down = direction{session: s, src: &s.upstream, dst: &s.client, back: &s.up}
	if !l.admit(ctx, s) {
		reset(client)
		l.meter.close()
		return
	}
	s.refresh()
	if ctx.Err() != nil { // it ended before we were among those that it ends
		s.end()
	}
	if !s.connect(ctx, client, dial) {
		s.leaveLink()
		return
	}
	if s.isStruck() {
		s.reset()
	}
	s.running.Store(2)
	all.Go(s.up.run)
	all.Go(s.down.run)
}

// connect gives a session its upstream, and reports whether it has one.
func (s *session) connect(ctx context.Context, client net.Conn, dial Dial) bool {
	l := s.link
	near, far, err := s.reach(ctx, client, dial)
	if err != nil {
		if ctx.Err() == nil && !s.ended() {
			l.meter.refused.Add(1)
			l.wait(s.opened.Add(l.Shape().RTT()), ctx.Done(), s.done)
		}
		s.ending.Do(func() { reset(client) })
		return false
	}
	if crowded(far) {
		// Several were accepted while there seemed to be room for all.
		l.meter.refused.Add(1)
		reset(far)
		s.ending.Do(func() { reset(client) })
		return false
	}
	return s.begin(near, far)
}

// ran notes that a direction has ended. The second to do so closes the session.
func (s *session) ran() {
	if s.running.Add(-1) > 0 {
		return
	}
	s.finish()
	if s.turn.Swap(0) != 0 {
		s.link.meter.inFlight.Add(-1)
	}
	s.leaveLink()
}

// leaveLink takes an ended session out of its link's books.
func (s *session) leaveLink() {
	if s.follow != nil {
		s.follow.close(time.Now())
	}
	s.rest()
	s.link.remove(s)
	s.link.meter.close()
}

// reach dials the upstream, and ends TLS on both sides where the link does; a
// connection that a partition keeps from its upstream dials when that is over.
func (s *session) reach(ctx context.Context, client net.Conn, dial Dial) (near, far net.Conn, err error) {
	for {
		p := s.program.Load()
		if !s.unheard() {
			break
		}
		select {
		case <-p.changed:
		case <-s.done:
			return nil, nil, context.Canceled
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed {
		cancel()
	}
	s.stopDial = cancel
	s.mu.Unlock()
	if end := s.link.tls.Load(); end != nil {
		return (*end)(ctx, client, dial, s.flaw())
	}
	far, err = dial(ctx)
	return client, far, err
}

// flaw is what is to be wrong with the TLS handshake: the code of the fault, or
// nothing.
func (s *session) flaw() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bearings {
		if f := b.fault.spec; f.Kind == rehearse.FaultTLS && f.Code != "stall" {
			b.touch(0)
			return f.Code
		}
	}
	return ""
}

// unheard reports whether a fault keeps the client's connect from the upstream,
// or its TLS handshake from a link that ends TLS, and counts it as touched by
// that.
func (s *session) unheard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := false
	for _, b := range s.bearings {
		f := b.fault.spec
		cut := (f.Kind == rehearse.FaultPartition || f.Kind == rehearse.FaultBlackhole) && f.Direction.Has(true)
		stalled := f.Kind == rehearse.FaultTLS && f.Code == "stall" && s.link.tls.Load() != nil
		if cut || stalled {
			b.touch(0)
			is = true
		}
	}
	return is
}

// begin gives a session its upstream, and reports false when it was ended
// meanwhile.
func (s *session) begin(near, far net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopDial = nil
	s.connected = time.Now()
	if s.closed {
		reset(far)
		return false
	}
	s.client.use(near)
	s.upstream.use(far)
	if set := s.link.settings.Load(); !set.shape.IsZero() {
		s.hands = shakeHands(set, rand.New(rand.NewPCG(s.link.seed, s.number<<2|3)), near, s.opened, s.connected)
	}
	if s.severed.Load() {
		reset(far)
	}
	s.edit(false)
	return true
}

// refresh makes the session bear the faults in force, and no others. It never
// waits for the traffic.
func (s *session) refresh() {
	s.mu.Lock()
	s.bearAll()
	struck := s.struck && s.upstream.conn != nil
	s.mu.Unlock()
	if struck {
		s.reset() // here, so that not a byte passes from now on
	}
}

// isStruck reports whether a fault resets the session at once, so that not a byte of
// it may pass: a timer would come too late where the answer is quick.
func (s *session) isStruck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.struck
}

// bearAll does so. The caller holds mu.
func (s *session) bearAll() {
	if s.closed {
		return
	}
	set := s.link.settings.Load()
	maps.DeleteFunc(s.rested, func(f *fault, _ *bearing) bool { return f.gone.Load() })
	var bearings []*bearing
	held := make(map[*fault]*bearing, len(s.bearings))
	for _, b := range s.bearings {
		held[b.fault] = b
	}
	for _, f := range set.faults {
		if f.ofConnects() || !f.ofRequests() && !f.touches(f.spec.Probability, s.number) {
			continue
		}
		b := held[f]
		delete(held, f)
		if b == nil {
			b = s.bear(f)
		}
		bearings = append(bearings, b)
	}
	s.bearings = bearings
	for _, b := range held {
		s.leave(b)
	}
	program := set.base
	if len(bearings) > 0 {
		program = set.program(bearings)
	}
	last := s.program.Swap(program)
	now := time.Now()
	s.up.transit.reshape(program.up, now)
	s.down.transit.reshape(program.down, now)
	if last != nil && last != program {
		last.supersede()
	}
}

// bear makes the session bear a fault from now on. The caller holds mu.
func (s *session) bear(f *fault) *bearing {
	b := s.rested[f]
	if b == nil {
		b = &bearing{fault: f, session: s}
	}
	delete(s.rested, f)
	for i := range b.passed {
		b.passed[i].Store(0)
	}
	f.holding.Add(1)
	after := time.Duration(f.spec.Delay)
	switch f.spec.Kind {
	case rehearse.FaultReset:
		if after == 0 {
			b.touch(0)
			s.struck = true
		}
		s.strike(b, after, func() { go s.reset() })
	case rehearse.FaultHalfOpen:
		s.strike(b, after, func() { b.lost.Store(true); s.sever() })
	case rehearse.FaultTimeout:
		if after > 0 {
			s.strike(b, after, func() { go s.shut() })
		}
	}
	return b
}

// strike has a fault do something to the connection some time later, unless it
// has been taken away by then. do is called with mu held, and so is strike.
func (s *session) strike(b *bearing, after time.Duration, do func()) {
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		// A timer that was stopped as it fired is not the bearing's any more.
		if b.timer != timer {
			return
		}
		b.touch(0)
		do()
	})
	b.timer = timer
}

// leave takes a fault off the session. A connection that has lost bytes by it
// cannot go on: its upstream is back, and knows nothing of it. The caller holds
// mu.
func (s *session) leave(b *bearing) {
	s.lift(b)
	if s.rested == nil {
		s.rested = map[*fault]*bearing{}
	}
	s.rested[b.fault] = b
	if !b.lost.Load() {
		return
	}
	if b.fault.spec.Kind == rehearse.FaultTimeout {
		go s.shut()
	} else {
		go s.reset()
	}
}

// lift ends what a fault does to the session. The caller holds mu.
func (s *session) lift(b *bearing) {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.fault.holding.Add(-1)
}

// rest takes every fault off a session that has ended.
func (s *session) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, b := range s.bearings {
		s.lift(b)
	}
	s.bearings = nil
}

func (s *session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// reset ends the session as a broken one.
func (s *session) reset() {
	s.ending.Do(func() {
		s.link.meter.resets.Add(1)
		s.cut(reset)
	})
}

// end ends the session because the link ends. A reset, not a close: bytes may
// be lost here, and a clean end would tell the peer that it has them all.
func (s *session) end() { s.ending.Do(func() { s.cut(reset) }) }

// shut ends the session as if each peer had closed it.
func (s *session) shut() { s.ending.Do(func() { s.cut(hangUp) }) }

// finish closes the session after both directions have ended in good order.
func (s *session) finish() { s.ending.Do(func() { s.cut(func(c net.Conn) { c.Close() }) }) }

// cut ends both sides and wakes whoever waits. The ends are not made under the
// lock, which those who change the faults take.
func (s *session) cut(end func(net.Conn)) {
	s.mu.Lock()
	s.closed = true
	if s.stopDial != nil {
		s.stopDial()
	}
	client, upstream := s.client.conn, s.upstream.conn
	s.mu.Unlock()
	close(s.done)
	end(client)
	if upstream != nil {
		end(upstream)
	}
}

// sever takes the upstream away, without a word to the client. The caller holds
// mu.
func (s *session) sever() {
	s.severed.Store(true)
	if s.upstream.conn != nil {
		reset(s.upstream.conn)
	}
}

// asked notes that the client spoke at a time. It starts a turn unless one is
// under way, and reports whether it did.
func (s *session) asked(at time.Time) bool {
	if s.turn.Load() != 0 {
		return false
	}
	s.turn.Store(int64(at.Sub(s.link.epoch)))
	s.turns++
	s.link.meter.asked()
	return true
}

// answered notes that the upstream's next bytes are about to be written to the
// client, and returns when the turn that they end began, or the zero time. It
// must come before the write: the client may begin its next turn before the
// write has returned.
func (s *session) answered() time.Time {
	began := s.turn.Swap(0)
	if began == 0 {
		return time.Time{}
	}
	s.link.meter.answered()
	return s.link.epoch.Add(time.Duration(began))
}

// followed reports whether somebody reads along.
func (s *session) followed() bool { return s.follow != nil && !s.follow.blind.Load() }
