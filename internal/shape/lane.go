package shape

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Lane is one connection's share of one direction: its own rate, its jitter and
// its order. It is used by one goroutine at a time.
type Lane struct {
	line *Line
	own  transmitter
	dice Dice
	last time.Time
}

// NewLane makes a lane on a line. The lane draws its jitter from rng, one number
// per chunk while there is jitter, and nobody else may use rng meanwhile.
func NewLane(line *Line, rng *rand.Rand) Lane {
	return Lane{line: line, dice: NewDice(rng)}
}

// Due is when n bytes that arrived at a time come out at the other end of the
// path. It is never before that time and never before the answer to an earlier
// call, whatever the path was then: the lane may be asked with another path for
// every chunk. A chunk of 0 bytes, the end of a stream, is delayed like any
// other and takes no time on the line.
func (l *Lane) Due(p rehearse.Path, at time.Time, n int) time.Time {
	due := l.line.Send(p.Rate, at, n)
	// The connection's own rate comes behind the link's: in front of it, what
	// it holds back would keep the link's line from those that could use it.
	due = l.own.send(p.ConnectionRate, due, n).Add(l.dice.Delay(p))
	if due.Before(l.last) {
		due = l.last
	}
	l.last = due
	return due
}
