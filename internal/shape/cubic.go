package shape

import (
	"math"
	"time"
)

// cubic is Linux's default congestion control (net/ipv4/tcp_cubic.c, RFC 9438)
// with HyStart. Windows are in packets.
type cubic struct {
	window    int
	threshold int // slow start ends there
	part      int // of the packets that the next step up takes
	// The last reduction and the curve back up from it.
	lastMax  int
	epoch    time.Duration // when the curve began; below 0: it has not
	back     time.Duration // from then until the window is at the origin
	origin   int
	reno     int // the window that Reno would have
	renoPart int
	// The latest answer of step, for which window and when.
	steps      int
	stepsFor   int
	stepsSince time.Duration
	minDelay   time.Duration // the shortest round trip seen
	// HyStart's round: it began when, its last acknowledgement came when, and it
	// ends with the acknowledgement of seq.
	roundStart, lastAck time.Duration
	roundEnd            int64
	roundDelay          time.Duration
	samples             int
	found               bool
}

const (
	initialWindow = 10
	endless       = math.MaxInt32 // a threshold that was not found yet
	beta          = 717. / 1024
	curvature     = 0.4
)

func newCubic(rtt time.Duration) cubic {
	return cubic{window: initialWindow, threshold: endless, epoch: -1, minDelay: rtt}
}

func (c *cubic) slowStart() bool { return c.window < c.threshold }

// reduced is the threshold after a loss, which it notes.
func (c *cubic) reduced() int {
	c.epoch = -1
	if c.window < c.lastMax {
		c.lastMax = int(float64(c.window) * (1 + beta) / 2) // fast convergence
	} else {
		c.lastMax = c.window
	}
	return max(int(float64(c.window)*beta), 2)
}

// reset forgets the curve, as a time-out does.
func (c *cubic) reset() {
	c.lastMax, c.epoch, c.part, c.found, c.stepsFor = 0, -1, 0, false, 0
}

// rest moves the curve on by a time in which nothing was sent.
func (c *cubic) rest(d time.Duration) {
	if c.epoch >= 0 {
		c.epoch += d
	}
}

// acked grows the window for packets that were acknowledged.
func (c *cubic) acked(now time.Duration, n int) {
	if c.slowStart() {
		grown := min(c.window+n, c.threshold)
		n -= grown - c.window
		c.window = grown
		if n == 0 {
			return
		}
	}
	step := c.step(now, n)
	if c.part >= step {
		c.part = 0
		c.window++
	}
	c.part += n
	c.window += c.part / step
	c.part %= step
}

// step is how many packets must be acknowledged for the window to grow by one.
func (c *cubic) step(now time.Duration, n int) int {
	c.renoPart += n
	// Linux looks again after a 32nd of a second, or when the window has moved.
	// On short paths that slows growth down a good deal.
	if c.window == c.stepsFor && now-c.stepsSince <= time.Second/32 {
		return c.steps
	}
	c.stepsFor, c.stepsSince = c.window, now
	if c.epoch < 0 {
		c.epoch, c.renoPart, c.reno = now, n, c.window
		c.origin, c.back = max(c.lastMax, c.window), 0
		if c.lastMax > c.window {
			c.back = time.Duration(math.Cbrt(float64(c.lastMax-c.window)/curvature) * float64(time.Second))
		}
	}
	t := (now - c.epoch + c.minDelay - c.back).Seconds()
	w := float64(c.window)
	step := 100 * w
	if target := float64(c.origin) + curvature*t*t*t; target > w {
		step = w / (target - w)
	}
	if c.lastMax == 0 {
		step = min(step, 20)
	}
	for per := max(1, c.window*15/8); c.renoPart > per; c.renoPart -= per {
		c.reno++
	}
	if c.reno > c.window {
		step = min(step, w/float64(c.reno-c.window))
	}
	c.steps = max(2, int(step))
	return c.steps
}

// hystart ends slow start when the acknowledgements of a round are spread over
// half a round trip, or come an eighth of one late: the path is full before it
// has to say so by a loss.
func (c *cubic) hystart(now time.Duration, una, nxt int64, delay time.Duration, n int) {
	c.minDelay = min(c.minDelay, delay)
	if !c.slowStart() || c.found || c.window < 16 {
		return
	}
	if una > c.roundEnd {
		c.roundStart, c.lastAck, c.roundEnd = now, now, nxt
		c.roundDelay, c.samples = longest, 0
	}
	if now-c.lastAck <= 2*time.Millisecond {
		c.lastAck = now
		c.found = now-c.roundStart > c.minDelay/2
	}
	c.roundDelay = min(c.roundDelay, delay)
	if c.samples += n; c.samples > 8 {
		late := min(max(c.minDelay/8, 4*time.Millisecond), 16*time.Millisecond)
		c.found = c.found || c.roundDelay > c.minDelay+late
	}
	if c.found {
		c.threshold = c.window
	}
}
