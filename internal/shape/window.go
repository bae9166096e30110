package shape

import (
	"time"

	"github.com/rehearse-dev/rehearse"
)

const (
	// MaxChunk is the largest chunk, and the size of a carrier's buffers.
	MaxChunk = 64 << 10
	// MaxWindow is the most that one direction of one connection holds. It is
	// the largest send buffer that Linux gives a socket by default (tcp_wmem),
	// so a real sender could not have more under way either.
	MaxWindow = 4 << 20

	minChunk = 256
	// grain is how long a chunk may keep the line. A longer one would make its
	// first byte wait for its last, and other connections wait for all of it.
	grain = 5 * time.Millisecond
	// backlog is how much of its own time a line may have queued, beyond what
	// is under way. Without any, the line would stand idle whenever the carrier
	// is woken a little late; with much, small messages drown behind large ones.
	backlog = 50 * time.Millisecond
)

// Chunk is the most bytes that should enter the path at once.
func Chunk(p rehearse.Path) int {
	rate := slowest(p)
	if rate <= 0 {
		return MaxChunk
	}
	return clamp(rate, grain, minChunk, MaxChunk)
}

// Window is how many bytes one direction of one connection should hold before
// it stops reading: what the path holds under way at its full rate, and a short
// queue or the path's Limit.
func Window(p rehearse.Path) int {
	rate := slowest(p)
	if rate <= 0 {
		return MaxWindow
	}
	flight := min(max(0, time.Duration(p.Delay)), longest) + min(4*max(0, min(time.Duration(p.Jitter), longest)), longest)
	if p.Limit > 0 {
		least := int64(2 * Chunk(p))
		return int(min(max(int64(clamp(rate, flight, 0, MaxWindow))+min(p.Limit, MaxWindow), least), MaxWindow))
	}
	return clamp(rate, flight+backlog, 2*Chunk(p), MaxWindow)
}

// slowest is the rate that one connection gets at most; 0: unlimited.
func slowest(p rehearse.Path) rehearse.Rate {
	switch {
	case p.Rate <= 0:
		return max(0, p.ConnectionRate)
	case p.ConnectionRate <= 0:
		return p.Rate
	}
	return min(p.Rate, p.ConnectionRate)
}

// clamp is the bytes that a rate carries in a time, kept between two bounds.
func clamp(rate rehearse.Rate, d time.Duration, low, high int) int {
	bytes := float64(rate) / 8 * d.Seconds()
	return int(min(max(bytes, float64(low)), float64(high)))
}
