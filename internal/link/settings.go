package link

import (
	"math"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// settings are what a link does to its connections at one moment: its shape and
// the faults that are in force. They are immutable; a change makes new ones.
type settings struct {
	shape  rehearse.Shape
	tier   rehearse.Tier
	faults []*fault
	// base is the program of connections that no fault touches.
	base *program
}

// program is what one connection does with its bytes: the settings in force, as
// far as they touch it. It is immutable, but for the bearings it points at.
type program struct {
	up, down course
	requests []*bearing    // the faults of requests
	changed  chan struct{} // closed when another program has taken its place
	once     sync.Once
}

// supersede tells those who wait that another program has taken its place.
func (p *program) supersede() { p.once.Do(func() { close(p.changed) }) }

// course is one direction's part of a program.
type course struct {
	path, back rehearse.Path
	chunk      int // the most bytes to read at once
	// plain: bytes may go straight from one descriptor to the other.
	plain bool
	// faults are those that touch the bytes of this direction.
	faults []*bearing
}

func newSettings(s rehearse.Shape, tier rehearse.Tier, faults []*fault) *settings {
	set := &settings{shape: s, tier: tier, faults: faults}
	set.base = set.program(nil)
	return set
}

// program makes the program of a connection that bears some of the faults.
func (set *settings) program(bearings []*bearing) *program {
	var up, down rehearse.Path
	if set.tier != rehearse.TierPacket {
		up, down = set.shape.Up, set.shape.Down
	}
	var upFaults, downFaults, requests []*bearing
	for _, b := range bearings {
		f := b.fault.spec
		if b.fault.ofRequests() {
			requests = append(requests, b)
			continue
		}
		if f.Direction.Has(true) {
			up = bend(up, f)
			upFaults = append(upFaults, b)
		}
		if f.Direction.Has(false) {
			down = bend(down, f)
			downFaults = append(downFaults, b)
		}
	}
	return &program{
		up:       newCourse(up, down, upFaults, len(requests) > 0),
		down:     newCourse(down, up, downFaults, len(requests) > 0),
		requests: requests,
		changed:  make(chan struct{}),
	}
}

func newCourse(p, back rehearse.Path, faults []*bearing, edited bool) course {
	// Datagrams' alone: a stream does not see them.
	p.Duplicate, p.Reorder = 0, 0
	return course{path: p, back: back, chunk: chunkOf(p), faults: faults, plain: p.IsZero() && len(faults) == 0 && !edited}
}

// chunkOf is the most bytes to read at once for a path.
func chunkOf(p rehearse.Path) int {
	if p.IsZero() {
		return math.MaxInt // as many as the buffer has room for
	}
	p.Rate = tighter(p.Rate, p.ConnectionRate)
	return shape.Chunk(p)
}
