package postgres

import (
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// unit is a request that has no whole answer yet.
type unit struct {
	kind unitKind
	id   uint64

	begun, said, answered, ended time.Duration
	saidAt, endedAt              int64
	up, down                     int64 // bytes

	statement  string
	prepared   bool
	rows, sent int64 // those that were counted, -1 for none; and sent since
	tag, state string

	hasAnswer bool // it has begun
	whole     bool // but for a ReadyForQuery

	// Of the extended protocol.
	group   uint64 // the units that one Sync or Flush makes the server answer
	execute bool   // or nothing is executed
	owes    int    // completions before the one of the Execute
	sync    bool   // a Sync follows, whose ReadyForQuery ends it
	flushed bool   // a Flush follows

	// Of COPY from the client.
	copying bool // the server is ready for data
	fed     bool // there were some
	fedEnd  bool // to their end
	final   bool // and the Sync behind it is passed
}

type unitKind byte

const (
	unitStartup unitKind = iota
	unitSimple
	unitExtended
	unitCancel
)

// feeds reports whether the client is in the middle of a COPY's data, where the
// server takes no notice of a Sync.
func (u *unit) feeds() bool { return (u.copying || u.fed) && !u.fedEnd && u.state == "" }

// complete ends one of several statements of a unit.
func (u *unit) complete(tag string, rows int64) {
	if rows < 0 && u.sent > 0 {
		rows = u.sent
	}
	if rows >= 0 {
		u.rows = max(u.rows, 0) + rows
	}
	u.tag, u.sent = tag, 0
}

// groups tells when the units of the extended protocol were said. A group is
// what one Sync or Flush, or a query behind it, makes the server answer. Groups
// are counted from 1.
type groups struct {
	ends  wire.Queue[groupEnd] // of the groups that are closed
	first uint64               // the group of the oldest end
	open  uint64
	units int // in the open one
}

type groupEnd struct {
	said   time.Duration
	saidAt int64
}

// add is the group of one unit more.
func (g *groups) add() uint64 {
	g.units++
	return g.open
}

// close ends the open group, unless it is empty.
func (g *groups) close(said time.Duration, saidAt int64) {
	if g.units > 0 {
		g.ends.Push(groupEnd{said, saidAt})
		g.open++
		g.units = 0
	}
}

// end is where a group has ended. It forgets those before it.
func (g *groups) end(group uint64) (groupEnd, bool) {
	for ; g.first < group && g.ends.Len() > 0; g.first++ {
		g.ends.Pop()
	}
	if g.first != group || g.ends.Len() == 0 {
		return groupEnd{}, false
	}
	return *g.ends.Front(), true
}
