package http

import (
	"bytes"
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Follower is the follower of one connection. It is to be given what the client
// says and what the client is told.
//
// A request is known when its head is there: of one whose head ends in the middle
// nothing is told. What an upstream says unasked is no exchange. Of a request that
// was answered before its end, Said is its last byte up to then. Interim answers
// count among the answer's bytes, but it begins with the final one.
//
// Requests that are open when no answer will come any more are cut by the side
// that ended first. An answer without a length is whole when the upstream ends.
// Exchanges that are open when the follower loses its way are not told of.
type Follower struct {
	tell wire.Tell
	up   asking
	down answering

	calls  wire.Queue[call]
	number uint64        // of requests so far
	ended  time.Duration // the last whole answer's end
	first  string        // the side that ended first
	why    string
	texts  texts
	x      wire.Exchange
}

var _ wire.Follower = (*Follower)(nil)

// way is one direction's bytes.
type way struct {
	side
	total int64         // bytes so far
	last  time.Duration // when the newest came
	begun time.Duration // the first byte of the head under way, or of the last
	end   time.Duration
}

// asking is the direction of requests.
type asking struct {
	way
	from int64 // the place of the first byte of the head under way
	late bool  // the request whose body is under way was told of already
}

// answering is the direction of answers.
type answering struct {
	way
	from    int64 // the place behind the last answer
	unasked bool  // the answer under way is to no request
	hangsUp bool  // the connection ends behind it
}

// NewFollower makes the follower of a connection that is new.
func NewFollower(tell wire.Tell) *Follower { return &Follower{tell: tell} }

// Opaque implements [wire.Follower]. It says "upgraded" behind an answer that
// switches protocols. While answers are to come that will be understood, it is
// empty.
func (f *Follower) Opaque() string {
	if !f.up.opaque || !f.down.opaque {
		return ""
	}
	return f.why
}

// Open implements [wire.Follower].
func (f *Follower) Open() int { return f.calls.Len() }

// Up implements [wire.Follower].
func (f *Follower) Up(p []byte, at time.Duration) {
	f.up.took(p, at)
	for len(p) > 0 {
		switch {
		case f.up.opaque:
			return
		case f.up.inBody:
			p = f.requestBody(p)
		case f.calls.Len() > 0 && f.calls.Back().switches():
			// Nobody can tell what this is before the answer has come.
			f.deaf("lost")
		default:
			p = f.requestHead(p)
		}
	}
}

// Down implements [wire.Follower].
func (f *Follower) Down(p []byte, at time.Duration) {
	f.down.took(p, at)
	for len(p) > 0 {
		switch {
		case f.down.opaque:
			return
		case f.down.inBody:
			p = f.answerBody(p)
		default:
			p = f.answerHead(p)
		}
	}
}

// End implements [wire.Follower].
func (f *Follower) End(up bool, at time.Duration) {
	if up {
		f.up.end = at
		if f.first == "" {
			f.first = "client"
		}
		return
	}
	if f.down.inBody && f.down.body.kind == endless {
		f.down.last = at
		f.answered(f.down.total)
	}
	f.over(at, f.down.total)
}

func (w *way) took(p []byte, at time.Duration) {
	if len(p) > 0 {
		w.total += int64(len(p))
		w.last = at
	}
}

// before is the place where rest begins, which is the end of what was taken.
func (w *way) before(rest []byte) int64 { return w.total - int64(len(rest)) }

// head takes a head, or a part of it, from the start of p. There is none yet
// while h is nil, and there never will be when ok is false.
func (w *way) head(p []byte, could func([]byte) bool) (h, rest []byte, ok bool) {
	if w.kept.Len() == 0 {
		w.begun = w.last
	}
	ok = true
	h, rest = w.whole(p, could, func([]byte) { ok = false })
	return h, rest, ok
}

func (f *Follower) requestHead(p []byte) (rest []byte) {
	if f.up.kept.Len() == 0 {
		// Empty lines in front of a request mean nothing.
		if p = bytes.TrimLeft(p, "\r\n"); len(p) == 0 {
			return nil
		}
		f.up.from = f.up.before(p)
		if f.number == 0 && p[0] == 0x16 {
			f.deaf("tls")
			return nil
		}
	}
	h, rest, ok := f.up.head(p, couldBeRequest)
	var r request
	switch {
	case h == nil && ok:
	case !ok || !parseRequest(h, &r) || f.calls.Len() >= wire.MaxOwed:
		f.deaf(f.lost())
	default:
		f.request(&r, f.up.before(rest))
	}
	return rest
}

// request takes a request whose head ends at a place.
func (f *Follower) request(r *request, end int64) {
	f.number++
	f.calls.Push(call{
		id: f.number, minor: r.minor, parent: r.parent(),
		method: same(&f.texts.method, r.method), path: same(&f.texts.path, r.path),
		host: same(&f.texts.host, r.host), agent: same(&f.texts.agent, r.agent),
		toHead: string(r.method) == "HEAD", tunnel: string(r.method) == "CONNECT", upgrade: r.upgrade,
		begun: f.up.begun, said: f.up.last, from: f.up.from, saidAt: end,
	})
	f.up.body = r.body()
	f.up.inBody = f.up.body.kind != none
	f.up.late = false
	if f.down.opaque {
		f.giveUp(f.down.total)
	}
}

// requestBody takes the first run of a request's body from p.
func (f *Follower) requestBody(p []byte) (rest []byte) {
	r := f.up.body.next(p)
	rest = p[r.n:]
	if !f.up.late && r.n > 0 {
		c := f.calls.Back()
		c.said, c.saidAt = f.up.last, f.up.before(rest)
	}
	if r.bad {
		f.deaf("lost")
	}
	f.up.inBody = !r.done
	return rest
}

// deaf says why no further request is understood.
func (f *Follower) deaf(why string) {
	f.up.opaque, f.why = true, why
	if f.calls.Len() == 0 {
		f.down.opaque = true
	}
}

// lost is why bytes are not understood, where nothing else is known of them.
func (f *Follower) lost() string {
	if f.number == 0 {
		return "unknown"
	}
	return "lost"
}

// blind says why nothing at all is understood from here on.
func (f *Follower) blind(why string) {
	f.up.opaque, f.down.opaque, f.why = true, true, why
	for f.calls.Len() > 0 {
		f.calls.Pop()
	}
}

func (f *Follower) answerHead(p []byte) (rest []byte) {
	h, rest, ok := f.down.head(p, couldBeResponse)
	var r response
	switch {
	case h == nil && ok:
	case !ok || !parseResponse(h, &r):
		f.blind(f.lost())
	default:
		f.answer(&r, f.down.before(rest))
	}
	return rest
}

// answer takes an answer whose head ends at a place.
func (f *Follower) answer(r *response, end int64) {
	c := &call{} // of an answer that nobody has asked for, as some give before they hang up
	if f.down.unasked = f.calls.Len() == 0; !f.down.unasked {
		c = f.calls.Front()
	}
	switched := r.status == 101 || c.tunnel && r.status/100 == 2
	if r.status < 200 && !switched {
		return
	}
	c.status, c.answered = r.status, f.down.begun
	if switched {
		f.down.hangsUp = false
		f.answered(end)
		f.blind("upgraded")
		return
	}
	f.down.body = r.body(c.toHead)
	f.down.inBody = f.down.body.kind != none
	f.down.hangsUp = r.last() || f.down.body.kind == endless
	if !f.down.inBody {
		f.answered(end)
	}
}

// answerBody takes the first run of an answer's body from p.
func (f *Follower) answerBody(p []byte) (rest []byte) {
	r := f.down.body.next(p)
	switch rest = p[r.n:]; {
	case r.bad:
		f.blind("lost")
	case r.done:
		f.answered(f.down.before(rest))
	}
	return rest
}

// answered notes that the answer in front is whole, and ends at a place.
func (f *Follower) answered(end int64) {
	f.down.inBody = false
	if f.down.unasked {
		f.down.from = end
	} else {
		f.finish(f.down.last, end, "")
		f.ended = f.down.last
	}
	switch {
	case f.down.hangsUp:
		f.over(f.down.last, end)
	case f.up.opaque && f.calls.Len() == 0:
		f.down.opaque = true
	}
}

// over notes that no answer will come any more behind a place.
func (f *Follower) over(at time.Duration, place int64) {
	f.down.opaque, f.down.end = true, at
	if f.first == "" {
		f.first = "upstream"
	}
	f.giveUp(place)
}

// giveUp tells of the requests that are open and will have no answer.
func (f *Follower) giveUp(place int64) {
	for f.calls.Len() > 0 {
		ended := max(f.down.end, f.calls.Front().said)
		if f.first == "client" {
			ended = f.up.end
			if place > f.down.from {
				ended = max(ended, f.down.last) // the answer went on for a while
			}
		}
		f.finish(ended, place, f.first)
	}
}

// finish tells of the request in front, whose answer ends at a place.
func (f *Follower) finish(ended time.Duration, end int64, cut string) {
	c := f.calls.Front()
	c.exchange(&f.x)
	f.x.Ended, f.x.EndedAt, f.x.BytesDown, f.x.Cut = ended, end, end-f.down.from, cut
	if f.ended > c.said {
		f.x.Ahead = f.ended
	}
	f.down.from = end
	f.calls.Pop()
	f.up.late = f.calls.Len() == 0 // if a body is under way
	f.tell(&f.x)
}
