package link

import (
	"bytes"
	"cmp"
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
	hungUp    bool             // it did so itself: nobody has ended the session
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

// marks are the places of a stream up to which it was handed over, in order, and
// when. A request is asked for when its answer has come, and by then its client
// may have said much else, on other streams of HTTP/2 or behind it.
type marks struct {
	all   []mark
	every int // so many that came are one of all, the last of them
	more  int // that still go into the last one
}

type mark struct {
	at   int64
	when time.Duration
}

// maxMarks bounds them. Where more come, every second is forgotten: what is asked
// for then seems to have been handed over a little later than it was.
const maxMarks = 512

// add adds a mark, the first that will be asked for if fresh is set.
func (m *marks) add(k mark, fresh bool) {
	switch {
	case fresh:
		m.all, m.every, m.more = m.all[:0], 1, 0
	case m.more > 0:
		m.more--
		m.all[len(m.all)-1] = k
		return
	case len(m.all) == maxMarks:
		for i := range maxMarks / 2 {
			m.all[i] = m.all[2*i+1]
		}
		m.all = m.all[:maxMarks/2]
		m.every = 2 * max(m.every, 1)
	}
	m.all = append(m.all, k)
	m.more = max(m.every, 1) - 1
}

// reached is when a place was handed over, or 0 when it was not yet.
func (m *marks) reached(at int64) time.Duration {
	i, _ := slices.BinarySearchFunc(m.all, at, func(k mark, at int64) int { return cmp.Compare(k.at, at) })
	if i == len(m.all) {
		return 0
	}
	return m.all[i].when
}

func index(up bool) int {
	if up {
		return 0
	}
	return 1
}

// since is a time as the follower has it.
func (f *follow) since(at time.Time) time.Duration { return at.Sub(f.session.link.epoch) }

// meet finds out what a connection speaks by the first bytes of a side, before
// anything is done with them. If that is HTTP, each request goes on as the link's
// own span.
func (f *follow) meet(up bool, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.follower == nil && f.undecoded == "" {
		f.choose(up, p)
	}
	if _, ok := f.follower.(*http2.Follower); ok {
		f.session.stamp()
	}
}

// saw takes bytes that were read at a time.
func (f *follow) saw(up bool, p []byte, at time.Time) {
	if f.blind.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.survive()
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
	case !up: // an upstream that speaks first speaks nothing else of what we know
		f.giveUp("unknown")
	case p[0] == 0x16:
		f.giveUp("tls")
	case p[0] == 0:
		f.follower, f.kept = postgres.NewFollower(f.tell), true
	case isHTTP(p):
		f.follower = http2.NewFollower(f.tell)
	case isRedis(p):
		f.follower, f.kept = redis.NewFollower(f.tell), true
	default:
		f.giveUp("unknown")
	}
}

// isRedis reports whether a client's first bytes are a command as clients write
// it, or one of those that people type. Other protocols of words are not Redis.
func isRedis(p []byte) bool {
	if p[0] == '*' {
		return len(p) < 2 || p[1] >= '0' && p[1] <= '9'
	}
	word, _, _ := bytes.Cut(bytes.TrimRight(p, "\r\n"), []byte(" "))
	for _, command := range []string{"PING", "INFO", "QUIT", "AUTH", "HELLO", "MONITOR", "COMMAND"} {
		if strings.EqualFold(string(word), command) {
			return true
		}
	}
	return false
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

// quiet reports whether no call is open. It is not known where nothing is decoded.
func (f *follow) quiet() (quiet, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.follower == nil {
		return false, false
	}
	return f.follower.Open() == 0, true
}

// sent notes that the bytes of a direction up to a place were handed over.
func (f *follow) sent(up bool, at int64, when time.Time) {
	if f.blind.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh := f.waiting.Len() == 0 && (!up || f.follower == nil || f.follower.Open() == 0)
	f.handed[index(up)].add(mark{at, f.since(when)}, fresh)
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
		f.left, f.hungUp = at, !f.session.ended()
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
	if f.left > 0 && f.left < c.Ended || arrived == 0 && f.hungUp && c.Cut == "" {
		c.Abandoned = "client" // also when it left before the answer had come to it
	}
	limit := max(c.Ended, arrived)
	if c.Abandoned == "client" && f.left > 0 {
		if arrived == 0 {
			limit = max(limit, f.left)
		}
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
	sent := f.handed[0].reached(c.SaidAt)
	if sent == 0 { // the link has it still, or it was a fault that answered
		sent = answered
	}
	c.Shape = next(min(sent, answered))
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
