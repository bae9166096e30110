package link

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// session is one carried connection: a client, an upstream and the direction
// from each to the other. It is open until both directions have ended, or until
// end is called.
type session struct {
	link             *Link
	client, upstream side
	up, down         direction
	// spoke is set when the client's first bytes, or its end, are handed to the
	// upstream.
	spoke atomic.Bool
	// turn is when the client began to speak, counted from the link's epoch, or
	// 0 while it is not waiting for an answer. Only the up direction sets it and
	// only the down direction clears it.
	turn atomic.Int64

	done   chan struct{} // closed when the session was ended early
	ending sync.Once
}

// side is one of the two connections of a session.
type side struct {
	conn net.Conn
	// broken is set when a write has failed. The kernel tells of a reset once,
	// to a read or to a write; a read that comes second sees an ordinary end.
	broken atomic.Bool
}

// carry takes an accepted connection from its dial to its end.
func (l *Link) carry(ctx context.Context, client net.Conn, opened time.Time, dial func(context.Context) (net.Conn, error)) {
	number := l.meter.open()
	defer l.meter.close()
	shape := l.Shape()
	upstream, err := dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.meter.refused.Add(1)
			l.wait(opened.Add(shape.RTT()), ctx.Done())
		}
		reset(client)
		return
	}

	s := &session{link: l, done: make(chan struct{})}
	s.client.conn, s.upstream.conn = client, upstream
	hands := shakeHands(shape, opened, time.Now())
	s.up = direction{session: s, up: true, src: &s.client, dst: &s.upstream, back: &s.down, lane: l.newLane(number, true), hands: hands}
	s.down = direction{session: s, src: &s.upstream, dst: &s.client, back: &s.up, lane: l.newLane(number, false), hands: hands}

	stop := context.AfterFunc(ctx, s.end)
	var directions sync.WaitGroup
	directions.Go(s.up.run)
	s.down.run()
	directions.Wait()
	if !stop() {
		<-s.done // the end is under way, and must not outlive the session
	}
	s.finish()
	if s.turn.Swap(0) != 0 {
		l.meter.inFlight.Add(-1)
	}
}

// reset ends the session as a broken one.
func (s *session) reset() {
	s.ending.Do(func() {
		s.link.meter.resets.Add(1)
		s.cut()
	})
}

// end ends the session because the link ends.
func (s *session) end() { s.ending.Do(s.cut) }

// finish closes the session after both directions have ended in good order.
func (s *session) finish() {
	s.ending.Do(func() {
		s.client.conn.Close()
		s.upstream.conn.Close()
	})
}

// cut resets both sides and wakes whoever waits. A reset, not a close: bytes may
// be lost here, and a clean end would tell the peer that it has them all.
func (s *session) cut() {
	reset(s.client.conn)
	reset(s.upstream.conn)
	close(s.done)
}

// asked notes that the client spoke at a time. It starts a turn unless one is
// under way.
func (s *session) asked(at time.Time) {
	if s.turn.Load() == 0 {
		s.turn.Store(int64(at.Sub(s.link.epoch)))
		s.link.meter.asked()
	}
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
