package load

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Arrival is one request to come.
type Arrival struct {
	At      time.Duration // since the load's start
	Request int           // index in Traffic.Requests
	Origin  int           // index in Traffic.Origins
}

// The streams of chance that come of one seed. Each question has its own, so
// that another mix of requests does not change when they arrive.
const (
	streamTimes uint64 = iota + 1
	streamRequests
	streamOrigins
	streamTemplates // and all above, one for each arrival
)

// Schedule is all arrivals of the traffic, in ascending order of time. It is a
// function of its arguments.
//
// Arrivals are points on the integral of the rate, where one unit is one expected
// arrival: a half, one and a half, and so on for even arrivals, which makes
// their number the rounded total; a walk of exponentially distributed steps with
// mean one for a Poisson process.
func Schedule(t rehearse.Traffic, seed uint64) []Arrival {
	times := rand.New(rand.NewPCG(seed, streamTimes))
	requests := rand.New(rand.NewPCG(seed, streamRequests))
	origins := rand.New(rand.NewPCG(seed, streamOrigins))
	requestWeights := make([]float64, len(t.Requests))
	for i, r := range t.Requests {
		requestWeights[i] = r.Weight
	}
	originWeights := make([]float64, len(t.Origins))
	for i, o := range t.Origins {
		originWeights[i] = o.Weight
	}

	var arrivals []Arrival
	var last time.Duration
	curve := newCurve(t)
	step := func() float64 { return times.ExpFloat64() }
	next := step()
	if t.Arrivals == rehearse.Even {
		step = func() float64 { return 1 }
		next = 0.5
	}
	for {
		at, ok := curve.find(next)
		if !ok {
			return arrivals
		}
		last = max(last, at) // rounding must not turn two neighbours round
		arrivals = append(arrivals, Arrival{
			At:      last,
			Request: choose(requests, requestWeights),
			Origin:  choose(origins, originWeights),
		})
		next += step()
	}
}

// curve inverts the integral of the rate. It is asked with ascending values, so
// that it never looks back.
type curve struct {
	segments []segment
	before   float64 // the integral up to the first segment
}

// segment is a stretch of linear rate.
type segment struct {
	start, end time.Duration
	from, to   float64 // requests per second at its ends
}

func (s segment) area() float64 { return (s.from + s.to) / 2 * (s.end - s.start).Seconds() }

// newCurve cuts the traffic's rate at its points and at its end.
func newCurve(t rehearse.Traffic) *curve {
	c := &curve{}
	end := time.Duration(t.Duration)
	if len(t.Rate) == 0 {
		return c
	}
	last := rehearse.RatePoint{PerSecond: t.Rate[0].PerSecond}
	closing := rehearse.RatePoint{At: rehearse.Duration(math.MaxInt64), PerSecond: t.Rate[len(t.Rate)-1].PerSecond}
	for _, p := range append(t.Rate[:len(t.Rate):len(t.Rate)], closing) {
		s := segment{time.Duration(last.At), time.Duration(p.At), last.PerSecond, p.PerSecond}
		if s.end > end {
			part := float64(end-s.start) / float64(s.end-s.start)
			s.end, s.to = end, s.from+part*(s.to-s.from)
		}
		if s.end > s.start {
			c.segments = append(c.segments, s)
		}
		last = p
	}
	return c
}

// find gives the time before which the integral is the given value; false if
// that is after the end.
func (c *curve) find(value float64) (time.Duration, bool) {
	for len(c.segments) > 0 {
		s := c.segments[0]
		area := s.area()
		if rest := value - c.before; rest < area {
			// The positive root of from·x + slope/2·x² = rest, in the form that does
			// not cancel when the slope is small.
			slope := (s.to - s.from) / (s.end - s.start).Seconds()
			root := math.Sqrt(max(0, s.from*s.from+2*slope*rest))
			x := 0.0
			if rest > 0 {
				x = 2 * rest / (s.from + root)
			}
			return min(s.start+time.Duration(x*float64(time.Second)), s.end), true
		}
		c.before += area
		c.segments = c.segments[1:]
	}
	return 0, false
}

// choose draws an index by weight.
func choose(rng *rand.Rand, weights []float64) int {
	var total float64
	for _, w := range weights {
		total += w
	}
	point := rng.Float64() * total
	for i, w := range weights {
		if point < w {
			return i
		}
		point -= w
	}
	return max(0, len(weights)-1) // rounding
}
