package http2

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/http"
)

// Follower is the follower of one connection of any version of HTTP. It is to be
// given what the client says and what the client is told. What does not begin
// with HTTP/2's preface it leaves to the follower in package http, and all that
// is said there holds here.
//
// The bytes of an exchange are those of its HEADERS, CONTINUATION and DATA, with
// their heads. A stream that is reset, or that GOAWAY says was not looked at, is
// cut by the side that says so. Streams that the server opens are no exchanges.
type Follower struct {
	tell  wire.Tell
	plain *http.Follower // nil as long as the connection may be HTTP/2

	preface int           // how much of it has come
	since   time.Duration // when it began
	up      way
	down    way

	streams map[uint32]*call
	spare   []*call
	newest  uint32 // the newest stream of a request
	last    uint32 // the last stream that the server will answer
	first   string // the side that ended first
	why     string
	x       wire.Exchange
}

var _ wire.Follower = (*Follower)(nil)

// way is one direction's bytes.
type way struct {
	units
	blocks *blocks
	total  int64         // bytes so far
	latest time.Duration // when the newest came
	begun  time.Duration // the first byte of the unit under way, or of the last
	end    time.Duration

	// Of the frame under way, left bytes are still to come. They are of a
	// stream's body when of is not 0, which ends with them if closes is set.
	left   int
	of     uint32
	closes bool
}

// anyStream is the highest there is.
const anyStream = 1<<31 - 1

// NewFollower makes the follower of a connection that is new.
func NewFollower(tell wire.Tell) *Follower { return &Follower{tell: tell, last: anyStream} }

// Opaque implements [wire.Follower].
func (f *Follower) Opaque() string {
	if f.plain != nil {
		return f.plain.Opaque()
	}
	return f.why
}

// Open implements [wire.Follower].
func (f *Follower) Open() int {
	if f.plain != nil {
		return f.plain.Open()
	}
	return len(f.streams)
}

// Up implements [wire.Follower].
func (f *Follower) Up(p []byte, at time.Duration) {
	f.up.took(p, at)
	if f.plain == nil && f.preface < len(preface) {
		p = f.sniff(p)
	}
	if f.plain != nil {
		f.plain.Up(p, at)
		return
	}
	f.run(&f.up, p)
}

// Down implements [wire.Follower].
func (f *Follower) Down(p []byte, at time.Duration) {
	f.down.took(p, at)
	if f.plain == nil {
		p = f.run(&f.down, p)
	}
	if f.plain != nil {
		f.plain.Down(p, at)
	}
}

// End implements [wire.Follower].
func (f *Follower) End(up bool, at time.Duration) {
	if f.plain != nil {
		f.plain.End(up, at)
		return
	}
	if up {
		f.up.end = at
		if f.first == "" {
			f.first = "client"
		}
		return
	}
	f.down.end = at
	if f.first == "" {
		f.first = "upstream"
	}
	f.last = 0
	f.giveUp(f.down.total)
}

func (w *way) took(p []byte, at time.Duration) {
	if len(p) > 0 {
		w.total += int64(len(p))
		w.latest = at
	}
}

// before is the place where rest begins, which is the end of what was taken.
func (w *way) before(rest []byte) int64 { return w.total - int64(len(rest)) }

// sniff compares what the client says first with the preface. It returns what is
// behind that, or p when the connection turns out to be another.
func (f *Follower) sniff(p []byte) (rest []byte) {
	n := min(len(p), len(preface)-f.preface)
	if string(p[:n]) != preface[f.preface:f.preface+n] {
		f.leave()
		return p
	}
	if f.preface == 0 {
		f.since = f.up.latest
	}
	f.preface += n
	return p[n:]
}

// leave leaves the connection to the other follower, with what has come so far.
func (f *Follower) leave() {
	f.plain = http.NewFollower(f.tell)
	f.plain.Up([]byte(preface[:f.preface]), f.since)
	f.plain.Down(f.down.kept.Take(), f.down.begun)
	switch f.first {
	case "client":
		f.plain.End(true, f.up.end)
	case "upstream":
		f.plain.End(false, f.down.end)
	}
}

// run takes bytes of one direction. It returns what is left of them when the
// connection is left to the other follower.
func (f *Follower) run(w *way, p []byte) (rest []byte) {
	for len(p) > 0 && f.why == "" {
		switch {
		case w.left > 0:
			n := min(len(p), w.left)
			w.left -= n
			p = p[n:]
			f.pass(w, n, p)
		case !w.started && !opens(w.kept.Len(), p):
			if f.preface < len(preface) {
				f.leave() // an upstream that does not begin like one of HTTP/2 is none
				return p
			}
			f.lose()
		default:
			if w.kept.Len() == 0 {
				w.begun = w.latest
			}
			u, rest, ok := w.next(p)
			switch {
			case !ok:
				f.lose()
			case u == nil:
				return nil
			default:
				f.frame(w, u, rest)
				w.started = true
			}
			p = rest
		}
	}
	return nil
}

// lose says that nothing is understood from here on.
func (f *Follower) lose() {
	f.why = "lost"
	if f.newest == 0 {
		f.why = "unknown"
	}
	f.streams, f.spare = nil, nil
}

// begin makes what only HTTP/2 needs.
func (f *Follower) begin() {
	if f.streams == nil {
		f.up.blocks, f.down.blocks, f.streams = newBlocks(), newBlocks(), map[uint32]*call{}
	}
}

// frame takes one unit, behind which is rest.
func (f *Follower) frame(w *way, u, rest []byte) {
	f.begin()
	h := parse(u)
	w.left, w.of, w.closes = max(0, frameHead+h.length-len(u)), 0, false
	switch h.kind {
	case headersFrame, pushPromiseFrame:
		b, err := w.blocks.read(u)
		switch {
		case err != nil:
			f.lose()
		case h.kind == pushPromiseFrame:
		case w == &f.up:
			f.request(&b, u, rest)
		default:
			f.answer(&b, u, rest)
		}
	case dataFrame:
		w.of, w.closes = h.stream, h.has(endStream)
		f.pass(w, len(u), rest)
	case settingsFrame:
		if h.stream == 0 && !h.has(ack) {
			f.settings(w, u[frameHead:])
		}
	case rstStreamFrame:
		if c := f.streams[h.stream]; c != nil {
			f.reset(w, c, rest)
		}
	case goAwayFrame:
		if w == &f.down && len(u) == frameHead+4 {
			f.last = min(f.last, binary.BigEndian.Uint32(u[frameHead:])&anyStream)
			f.giveUp(w.before(rest))
		}
	}
}

// settings reads what a side says of what it takes.
func (f *Follower) settings(w *way, p []byte) {
	back := &f.down
	if w == back {
		back = &f.up
	}
	for name, value := range settings(p) {
		if name == headerTableSize {
			back.blocks.allow(value)
		}
	}
}

// request takes a request's head, or its trailers. Clients have the odd streams.
func (f *Follower) request(b *block, u, rest []byte) {
	if b.stream > f.newest && b.stream%2 == 1 {
		f.newest = b.stream
		c := f.fresh(b.stream)
		switch {
		case !c.ask(b.fields):
			f.spare = append(f.spare, c)
			return
		case len(f.streams) >= wire.MaxOwed:
			f.lose()
			return
		}
		c.begun = f.up.begun
		f.streams[b.stream] = c
	}
	if c := f.streams[b.stream]; c != nil {
		c.up += int64(len(u))
		c.said, c.saidAt = f.up.latest, f.up.before(rest)
		if b.stream > f.last {
			f.giveUp(f.down.total)
		}
	}
}

// fresh is memory for a call.
func (f *Follower) fresh(stream uint32) *call {
	n := len(f.spare)
	if n == 0 {
		return &call{stream: stream}
	}
	c := f.spare[n-1]
	f.spare = f.spare[:n-1]
	c.stream = stream
	return c
}

// answer takes an answer's head, or its trailers.
func (f *Follower) answer(b *block, u, rest []byte) {
	c := f.streams[b.stream]
	if c == nil {
		return
	}
	c.down += int64(len(u))
	c.heard = f.down.latest
	c.answer(b.fields, f.down.begun)
	if b.has(endStream) {
		f.finish(c, f.down.latest, f.down.before(rest), "")
	}
}

// pass takes n bytes of a frame of DATA, behind which is rest.
func (f *Follower) pass(w *way, n int, rest []byte) {
	c := f.streams[w.of]
	switch {
	case c == nil:
	case w == &f.up:
		c.up += int64(n)
		c.said, c.saidAt = w.latest, w.before(rest)
	default:
		c.down += int64(n)
		c.heard = w.latest
		if w.left == 0 && w.closes {
			f.finish(c, w.latest, w.before(rest), "")
		}
	}
}

// reset takes a side's RST_STREAM.
func (f *Follower) reset(w *way, c *call, rest []byte) {
	if w == &f.up {
		f.finish(c, w.latest, f.down.total, "client")
		return
	}
	f.finish(c, w.latest, w.before(rest), "upstream")
}

// giveUp tells of the streams that will not be answered any more, in order. Where
// the upstream's bytes have shown that is the place.
func (f *Follower) giveUp(place int64) {
	for _, stream := range slices.Sorted(maps.Keys(f.streams)) {
		c := f.streams[stream]
		switch {
		case stream <= f.last:
		case f.first == "client":
			f.finish(c, max(f.up.end, c.heard), place, "client")
		default:
			f.finish(c, max(f.down.latest, f.down.end, c.said), place, "upstream")
		}
	}
}

// maxSpare is how many calls are kept for their memory.
const maxSpare = 64

// finish tells of a call, whose answer ends at a place.
func (f *Follower) finish(c *call, ended time.Duration, end int64, cut string) {
	c.exchange(&f.x)
	f.x.Ended, f.x.EndedAt, f.x.Cut = ended, end, cut
	delete(f.streams, c.stream)
	if len(f.spare) < maxSpare {
		f.spare = append(f.spare, c)
	}
	f.tell(&f.x)
}
