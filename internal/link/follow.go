package link

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/http2"
	"github.com/rehearse-dev/rehearse/internal/wire/postgres"
	"github.com/rehearse-dev/rehearse/internal/wire/redis"
)

// follow reads along one session and makes calls of its exchanges:
//
//	read ─▶ saw: the follower decodes ─▶ tell: an exchange has ended ─┐
//	write ─▶ handed: the bytes have arrived ──────────────────────────┴▶ a call
//
// Both are a few hundred nanoseconds of arithmetic under a lock of the session's
// own, before the bytes go on and after they have gone.
type follow struct {
	watch   *watcher
	session *session
	// blind is set when nothing more can be understood.
	blind atomic.Bool

	mu        sync.Mutex
	follower  wire.Follower // nil until the first bytes tell which
	undecoded string
	handed    [2]marks         // up, down
	ended     [2]bool          // up, down
	left      time.Duration    // when the client hung up; 0 while it has not
	kept      bool             // it speaks a protocol whose clients keep their connections
	waiting   wire.Queue[Call] // ended, but their answers are not all handed over
}

// newFollow is nil on a link that nobody watches.
func newFollow(s *session) *follow {
	if s.link.watch == nil {
		return nil
	}
	return &follow{watch: s.link.watch, session: s}
}

// marks are the latest places of a stream up to which it was handed over, and
// when.
type marks struct {
	all  [16]mark
	next int
	last mark
}

type mark struct {
	at   int64
	when time.Duration
}

func (m *marks) add(k mark) {
	m.all[m.next%len(m.all)] = k
	m.next++
	m.last = k
}

// reached is when a place was handed over, or 0 where that is not known.
func (m *marks) reached(at int64) time.Duration {
	for i := max(0, m.next-len(m.all)); i < m.next; i++ {
		if k := m.all[i%len(m.all)]; k.at >= at {
			return k.when
		}
	}
	return 0
}

func index(up bool) int {
	if up {
		return 0
	}
	return 1
}

// since is a time as the follower has it.
func (f *follow) since(at time.Time) time.Duration { return at.Sub(f.session.link.epoch) }

// saw takes bytes that were read at a time.
func (f *follow) saw(up bool, p []byte, at time.Time) {
	if f.blind.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.survive()
	if f.follower == nil {
		f.choose(up, p)
	}
	if f.follower == nil {
		return
	}
	if up {
		f.follower.Up(p, f.since(at))
	} else {
		f.follower.Down(p, f.since(at))
	}
	f.check()
}

// check gives up when the follower has. The caller holds mu.
func (f *follow) check() {
	if f.follower == nil || f.undecoded != "" {
		return
	}
	if why := f.follower.Opaque(); why != "" {
		f.giveUp(why)
	}
}

// giveUp ends the following of a session. Exchanges that have ended are told of;
// how long their last bytes were under way is not known any more.
func (f *follow) giveUp(why string) {
	f.undecoded = why
	f.follower = nil
	f.blind.Store(true)
	f.settle(true)
}

// survive keeps a decoder's error from ending more than the decoding.
func (f *follow) survive() {
	if recover() != nil {
		f.giveUp("lost")
	}
}

// choose finds the follower for a connection that begins with p.
func (f *follow) choose(up bool, p []byte) {
	switch {
	case !up && isSettings(p):
		f.follower = http2.NewFollower(f.tell)
	case !up: // an upstream that speaks first speaks none of what we know
		f.giveUp("unknown")
	case p[0] == 0x16:
		f.giveUp("tls")
	case p[0] == 0:
		f.follower, f.kept = postgres.NewFollower(f.tell), true
	case isHTTP(p):
		f.follower = http2.NewFollower(f.tell)
	default:
		f.follower, f.kept = redis.NewFollower(f.tell), true
	}
}

// isSettings reports whether an upstream's first bytes are the head of HTTP/2's
// SETTINGS frame, which servers may send before they have heard anything.
func isSettings(p []byte) bool {
	return len(p) >= 9 && p[0] == 0 && p[1] == 0 && bytes.Equal(p[3:9], []byte{4, 0, 0, 0, 0, 0})
}

// isHTTP reports whether a client's first bytes may be a request of HTTP, and
// are no inline command of Redis.
func isHTTP(p []byte) bool {
	if p[0] < 'A' || p[0] > 'Z' && p[0] < 'a' || p[0] > 'z' {
		return false
	}
	line, _, whole := bytes.Cut(p, []byte("\n"))
	return !whole || bytes.Contains(line, []byte(" HTTP/"))
}

// speaksHTTP reports whether the connection's requests are HTTP's.
func (f *follow) speaksHTTP() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.follower.(*http2.Follower)
	return ok
}

// sent notes that the bytes of a direction up to a place were handed over.
func (f *follow) sent(up bool, at int64, when time.Time) {
	if f.blind.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handed[index(up)].add(mark{at, f.since(when)})
	if !up {
		f.settle(false)
	}
}

// end notes that a side has said its last.
func (f *follow) end(up bool, when time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.survive()
	at := f.since(when)
	f.ended[index(up)] = true
	if up && f.left == 0 {
		f.left = at
	}
	if f.follower != nil {
		f.follower.End(up, at)
		f.check()
	}
}

// close tells of what is left when the session has ended.
func (f *follow) close(when time.Time) {
	for _, up := range []bool{true, false} {
		if !f.ended[index(up)] {
			f.end(up, when)
		}
	}
	f.mu.Lock()
	f.settle(true)
	why, kept, left := f.undecoded, f.kept, f.left
	f.mu.Unlock()
	s := f.session
	up, down := s.up.got.Load(), s.down.got.Load()
	if why == "" && !kept || up+down == 0 {
		return
	}
	closed := when
	if left > 0 {
		closed = s.link.epoch.Add(left)
	}
	if s.link.tier == rehearse.TierPacket { // that it left took as long to come here
		closed = later(s.opened, closed.Add(-time.Duration(s.link.Shape().Up.Delay)))
	}
	f.watch.Connection(Connection{
		Number: int64(s.number), Opened: s.opened, Closed: closed, BytesUp: up, BytesDown: down, Turns: s.turns,
		Undecoded: why, Context: f.watch.context(s.number, 0, wire.Context{}),
	})
}

// tell takes an exchange that has ended. It is called by the follower.
func (f *follow) tell(e *wire.Exchange) {
	f.waiting.Push(Call{Exchange: *e})
	f.settle(false)
}

// settle makes calls of exchanges whose answers were handed over, or of all that
// have ended. The caller holds mu.
func (f *follow) settle(all bool) {
	for f.waiting.Len() > 0 {
		c := f.waiting.Front()
		arrived := f.handed[1].reached(c.EndedAt)
		if arrived == 0 && !all && c.Cut == "" {
			return
		}
		f.finish(c, arrived)
		f.watch.add(c)
		f.waiting.Pop()
	}
}

// finish says where a call's time went.
func (f *follow) finish(c *Call, arrived time.Duration) {
	s := f.session
	c.Connection = int64(s.number)
	c.Context = f.watch.context(s.number, c.ID, c.Parent)
	c.Faults = s.faultsInForce()
	c.Abandoned = c.Cut
	if f.left > 0 && f.left < c.Ended {
		c.Abandoned = "client"
	}
	limit := max(c.Ended, arrived)
	if c.Abandoned == "client" && f.left > 0 {
		limit = max(min(limit, f.left), c.Begun)
	}
	// The moments of a call, none before the one in front of it.
	var now time.Duration
	next := func(at time.Duration) (took time.Duration) {
		at = min(max(at, now), limit)
		took, now = at-now, at
		return took
	}
	now = c.Begun
	answered := c.Answered
	if answered == 0 {
		answered = c.Ended
	}
	c.Transfer = next(c.Said)
	c.Queue = next(f.since(s.connected))
	c.Shape = next(min(f.handed[0].reached(c.SaidAt), answered))
	c.Queue += next(c.Ahead)
	c.Server = next(answered)
	c.Transfer += next(c.Ended)
	c.Shape += next(limit)

	l := s.link
	c.Start, c.End = l.epoch.Add(c.Begun), l.epoch.Add(now)
	if l.tier == rehearse.TierPacket {
		p := l.Shape()
		up, down := time.Duration(p.Up.Delay), time.Duration(p.Down.Delay)
		c.Nominal = up+down > 0
		c.Shape += up + down
		c.Start, c.End = c.Start.Add(-up), c.End.Add(down)
	}
}

// faultsInForce names the faults that the session bears.
func (s *session) faultsInForce() string {
	p := s.program.Load()
	if len(p.requests)+len(p.up.faults)+len(p.down.faults) == 0 {
		return ""
	}
	var names []string
	for _, list := range [][]*bearing{p.requests, p.up.faults, p.down.faults} {
		for _, b := range list {
			if name := b.fault.spec.ID(); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}
