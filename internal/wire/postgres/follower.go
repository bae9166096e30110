package postgres

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Follower reads along one connection, from its first byte. It finds messages by
// their lengths and looks into few. In the steady state it allocates nothing but
// the text of a simple query that is not the one before.
//
// An exchange is
//
//   - the connection's login, up to the first ReadyForQuery, with the tag
//     "STARTUP". It begins with an SSLRequest that the server has declined.
//   - a simple query. Of one with several statements, the rows are all of
//     theirs, and the tag is of the last.
//   - an Execute with the Parse, Bind and Describe in front of it. One that a
//     portal's row limit ends has the tag "SUSPENDED".
//   - what else of the extended protocol makes the client wait: messages without
//     an Execute in front of a Sync or a Flush, with the tag of the first of
//     them, "PARSE", "BIND", "DESCRIBE" or "CLOSE", and its statement; and a Sync
//     behind nothing, "SYNC".
//   - a function call, with the tag "FUNCTION".
//   - a cancel request. It ends with its connection, as the server says nothing.
//
// The tag of others is that of CommandComplete without its counts: "INSERT". A
// COPY is the exchange of its statement, data included.
//
// In the extended protocol the server keeps its answers until a Sync or a Flush.
// Its last byte is Said for all requests that it makes the server answer,
// although the bytes of each are its own; and the last one's include the
// Sync and the ReadyForQuery. Of the requests of a batch only the last knows the
// Transaction. When one has failed, the server does not execute those behind it:
// they have the tag "SKIPPED", no state, and end with the batch. Of a COPY from
// the client, Said is the end of the data. What is cut before its answer begins
// has not been Answered, which is 0 then.
type Follower struct {
	tell wire.Tell
	told wire.Exchange

	up, down frames
	now      time.Duration
	units    wire.Queue[unit]
	groups   groups
	count    uint64
	ended    time.Duration // of the exchange before

	starting, negotiating bool
	login                 unit
	begun                 time.Duration // the client's message at hand
	next                  unit          // has messages of the extended protocol
	building              bool          // there is such a unit
	skipping              bool          // the batch has failed
	session               session[string]
	query                 string // the last simple one

	terminated       bool // the client has said good-bye
	upOver, downOver bool
	upEnd            time.Duration
	opaque           string
}

var _ wire.Follower = (*Follower)(nil)

// NewFollower follows a new connection.
func NewFollower(tell wire.Tell) *Follower {
	return &Follower{
		tell: tell, starting: true,
		up: frames{needs: clientNeeds}, down: frames{needs: serverNeeds},
		groups: groups{first: 1, open: 1},
	}
}

// maxName is how much of a message is looked into that is no statement: names,
// or the fields of an error.
const maxName = 1 << 10

func clientNeeds(kind byte) int {
	switch kind {
	case 'Q', 'P':
		return wire.MaxHead
	case 'B', 'E', 'C', 'D':
		return maxName
	case 'H', 'S', 'F', 'X', 'd', 'c', 'f', 'p':
		return 0
	}
	return -1
}

func serverNeeds(kind byte) int {
	switch kind {
	case 'D', '1', '2', '3', 'T', 'n', 't', 's', 'I', 'N', 'S', 'A', 'R', 'K', 'v', 'V', 'G', 'H', 'W', 'c', 'd':
		return 0
	case 'C':
		return 64
	case 'Z':
		return 1
	case 'E':
		return maxName
	}
	return -1
}

// Opaque implements [wire.Follower].
func (f *Follower) Opaque() string { return f.opaque }

// Open implements [wire.Follower]. The login is open from the connection's first
// byte, and a request from its first message.
func (f *Follower) Open() int {
	n := f.units.Len()
	switch {
	case f.opaque != "" || f.upOver || f.terminated || f.units.Len() > 0 && f.units.Front().kind == unitCancel:
	case f.starting && f.up.at > 0, f.building, !f.up.between():
		n++
	}
	return n
}

// Up implements [wire.Follower].
func (f *Follower) Up(p []byte, at time.Duration) {
	f.now = at
	for len(p) > 0 && f.opaque == "" && !f.terminated {
		if f.starting {
			p = f.start(p)
		} else {
			p = f.message(p)
		}
		if f.downOver && f.opaque == "" {
			f.cut()
		}
	}
}

// Down implements [wire.Follower].
func (f *Follower) Down(p []byte, at time.Duration) {
	f.now = at
	for len(p) > 0 && f.opaque == "" {
		if f.starting {
			p = f.negotiated(p)
			continue
		}
		if f.down.between() {
			if p = f.rows(p); len(p) == 0 {
				return
			}
			f.answers(p[0])
		}
		n, whole, ok := f.down.next(p)
		if !ok {
			f.lost()
			return
		}
		if whole {
			f.heard(f.down.kind(), f.down.body)
			f.down.release()
		}
		p = p[n:]
	}
}

// message takes a message of the client's, or a part of it, from the start of p.
func (f *Follower) message(p []byte) (rest []byte) {
	if f.up.between() {
		f.begun = f.now
	}
	n, whole, ok := f.up.next(p)
	switch {
	case !ok:
		f.lost()
	case whole:
		f.said(f.up.kind(), f.up.body)
		f.up.release()
	}
	return p[n:]
}

// End implements [wire.Follower].
func (f *Follower) End(up bool, at time.Duration) {
	f.now = at
	if up {
		f.upOver, f.upEnd = true, at
		return
	}
	f.downOver = true
	if f.opaque == "" {
		f.cut()
	}
}

// rows skips whole DataRows, of which there are most, at the start of p.
func (f *Follower) rows(p []byte) []byte {
	if len(p) < 5 || p[0] != 'D' {
		return p
	}
	u := f.front()
	if u == nil || !u.hasAnswer || u.whole || u.kind != unitSimple && u.kind != unitExtended {
		return p
	}
	for len(p) >= 5 && p[0] == 'D' {
		size := int(binary.BigEndian.Uint32(p[1:])) + 1
		if size < 5 || size > len(p) {
			break
		}
		u.sent++
		u.down += int64(size)
		f.down.at += int64(size)
		p = p[size:]
	}
	return p
}

// lost is the end of understanding.
func (f *Follower) lost() {
	if f.starting {
		f.hide("unknown")
	} else {
		f.hide("lost")
	}
}

// hide makes f opaque. It forgets everything.
func (f *Follower) hide(why string) {
	*f = Follower{opaque: why}
}

// push adds a unit that the message at hand ends.
func (f *Follower) push(u unit) {
	switch {
	case f.opaque != "":
		return
	case f.units.Len() >= wire.MaxOwed:
		f.lost()
		return
	}
	f.count++
	u.id, u.said, u.saidAt = f.count, f.now, f.up.at
	f.units.Push(u)
}

// front is the unit that the server answers, nil for none. It may not be said to
// its end.
func (f *Follower) front() *unit {
	switch {
	case f.units.Len() > 0:
		return f.units.Front()
	case f.building:
		return &f.next
	}
	return nil
}

// settle ends units whose answers were whole before the client had said whether
// a ReadyForQuery belongs to them. It has when more follows behind them.
func (f *Follower) settle(more bool) {
	for f.units.Len() > 0 {
		u := f.units.Front()
		if !u.whole || u.sync || !u.flushed && !more && f.units.Len() == 1 {
			return
		}
		f.end(0)
	}
}

// end tells of the unit in front, whose answer is whole.
func (f *Follower) end(transaction byte) {
	f.tellOf(f.units.Front(), transaction, "")
	f.units.Pop()
}

// cut tells of all units. What has no whole answer gets none any more.
func (f *Follower) cut() {
	for f.units.Len() > 0 {
		u, by := f.units.Front(), ""
		switch {
		case u.whole:
		case u.kind == unitCancel:
			f.answer(u)
			f.finish(u)
		case f.upOver || f.terminated:
			by = "client"
			f.finish(u)
			if f.upOver && (!u.hasAnswer || u.answered < f.upEnd) {
				u.ended = f.upEnd
			}
		default:
			by = "upstream"
			f.finish(u)
		}
		f.tellOf(u, 0, by)
		f.units.Pop()
	}
	f.building = false
}

// tellOf tells of a unit. Its times are in order, whatever came early.
func (f *Follower) tellOf(u *unit, transaction byte, cut string) {
	u.complete(u.tag, -1)
	if !u.hasAnswer {
		f.resolve(u)
	}
	x := &f.told
	x.ID = u.id
	x.Begun, x.Said, x.Answered, x.Ended = u.begun, u.said, 0, max(u.ended, u.said)
	if u.hasAnswer {
		x.Answered = max(u.answered, u.said)
	}
	x.SaidAt, x.EndedAt, x.BytesUp, x.BytesDown = u.saidAt, u.endedAt, u.up, u.down
	x.Ahead = 0
	if f.ended > x.Said {
		x.Ahead = f.ended
	}
	f.ended = x.Ended
	x.Cut = cut
	x.Statement, x.Prepared, x.Rows, x.Tag, x.State, x.Transaction = u.statement, u.prepared, u.rows, u.tag, u.state, transaction
	x.Parent = wire.Context{}
	if !u.prepared && strings.Contains(u.statement, parentKey) {
		x.Parent, _ = Comment(u.statement)
	}
	f.tell(x)
}
