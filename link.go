package rehearse

import (
	"fmt"
	"strings"
	"time"
)

// LinkSpec is the carried edge between a client and its upstream, as planned.
// A link is an address and port in the client's view that leads to a socket in
// the upstream's view; the client is known by where the listener is.
type LinkSpec struct {
	ID       LinkID      `json:"id"`
	Client   ServiceName `json:"client"`
	Upstream ServiceName `json:"upstream"`
	// Names are what the client calls the upstream: its service name first.
	Names []string `json:"names"`
	Ports []int    `json:"ports"`
	Shape Shape    `json:"shape"`
	// Declared is false for an edge that the Compose file's networks allow but
	// that no depends_on, link or environment variable speaks of.
	Declared bool `json:"declared"`
	// From and To are the regions that the shape comes from.
	From Region `json:"from,omitempty"`
	To   Region `json:"to,omitempty"`
}

// Shape is what a link does to the traffic it carries. The zero value is a
// plain wire.
type Shape struct {
	Up   Path `json:"up,omitzero"`   // client to upstream
	Down Path `json:"down,omitzero"` // upstream to client
}

// Path is one direction of a shape, in tc-netem's terms.
type Path struct {
	Delay  Duration `json:"delay,omitempty"`  // one way
	Jitter Duration `json:"jitter,omitempty"` // standard deviation of the delay, normally distributed; never reorders
	Rate   Rate     `json:"rate,omitempty"`   // 0: unlimited
}

// IsZero reports whether the path does nothing.
func (p Path) IsZero() bool { return p == Path{} }

// IsZero reports whether the shape is a plain wire.
func (s Shape) IsZero() bool { return s == Shape{} }

// RTT is the round trip that the shape adds, without jitter and transfer time.
func (s Shape) RTT() time.Duration {
	return time.Duration(s.Up.Delay) + time.Duration(s.Down.Delay)
}

// Symmetric is a shape with half the round trip each way. The jitter is that of
// the round trip: each direction gets its share, 1/√2, so that their sum has it.
func Symmetric(rtt, jitter time.Duration, rate Rate) Shape {
	const invSqrt2 = 0.7071067811865476
	p := Path{Delay: Duration(rtt / 2), Jitter: Duration(float64(jitter) * invSqrt2), Rate: rate}
	return Shape{Up: p, Down: p}
}

// String is how tables print a shape: "rtt 84ms ±6ms, 1Gbit/s", or "flat".
func (s Shape) String() string {
	if s.IsZero() {
		return "flat"
	}
	var parts []string
	if s.Up == s.Down {
		if rtt := s.RTT(); rtt > 0 {
			t := "rtt " + Round(rtt).String()
			if j := s.Up.Jitter; j > 0 {
				t += " ±" + Round(time.Duration(float64(j)*1.4142135623730951)).String()
			}
			parts = append(parts, t)
		}
		if s.Up.Rate > 0 {
			parts = append(parts, s.Up.Rate.String())
		}
		return strings.Join(parts, ", ")
	}
	for _, d := range []struct {
		name string
		path Path
	}{{"up", s.Up}, {"down", s.Down}} {
		t := d.name
		if d.path.Delay > 0 {
			t += " " + Round(time.Duration(d.path.Delay)).String()
		}
		if d.path.Jitter > 0 {
			t += " ±" + Round(time.Duration(d.path.Jitter)).String()
		}
		if d.path.Rate > 0 {
			t += " " + d.path.Rate.String()
		}
		if d.path.IsZero() {
			t += " flat"
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, ", ")
}

// LinkStats is what a link saw. Counters only grow; Active and InFlight are of
// the moment. Times are of the data path inside rehearse and hold no time that
// the upstream took, except FirstByte.
type LinkStats struct {
	ID    LinkID `json:"id"`
	Shape Shape  `json:"shape"`

	Connections int64 `json:"connections"` // accepted, in all
	Active      int64 `json:"active"`      // open now
	MaxActive   int64 `json:"maxActive"`
	// InFlight counts connections whose client spoke last and waits for an
	// answer: requests in flight, whatever the protocol, without pipelining.
	InFlight    int64 `json:"inFlight"`
	MaxInFlight int64 `json:"maxInFlight"`
	// RoundTrips counts turns: the client spoke, then the upstream answered.
	RoundTrips int64 `json:"roundTrips"`
	BytesUp    int64 `json:"bytesUp"`   // client to upstream
	BytesDown  int64 `json:"bytesDown"` // upstream to client

	Refused int64 `json:"refused"` // the upstream refused or could not be dialled
	Resets  int64 `json:"resets"`  // connections that ended in an error

	// DelayAsked is the one-way delay that the shape asked of each chunk,
	// jitter and rate included, and DelayGiven what the chunk got.
	// DelayError is the absolute difference of the two, chunk by chunk.
	DelayAsked Quantiles `json:"delayAsked,omitzero"`
	DelayGiven Quantiles `json:"delayGiven,omitzero"`
	DelayError Quantiles `json:"delayError,omitzero"`
	// TurnAround is the time from the client's first byte of a turn, as it
	// entered the link, to the first byte of the answer, as it left the link.
	TurnAround Quantiles `json:"turnAround,omitzero"`
	// Histogram holds the turn-around times for charts: upper bounds in
	// seconds and counts.
	Histogram []Bucket `json:"histogram,omitempty"`
}

// Quantiles summarises a distribution of times.
type Quantiles struct {
	Count int64    `json:"count"`
	Min   Duration `json:"min"`
	P50   Duration `json:"p50"`
	P90   Duration `json:"p90"`
	P99   Duration `json:"p99"`
	Max   Duration `json:"max"`
	Mean  Duration `json:"mean"`
}

// Bucket is one bar of a histogram.
type Bucket struct {
	Upper Duration `json:"upper"` // inclusive upper bound
	Count int64    `json:"count"`
}

// IsZero reports whether nothing was counted.
func (q Quantiles) IsZero() bool { return q.Count == 0 }

// String is "p50 42ms p99 58ms", or "–" when nothing was counted.
func (q Quantiles) String() string {
	if q.Count == 0 {
		return "–"
	}
	return fmt.Sprintf("p50 %v p99 %v", Round(time.Duration(q.P50)), Round(time.Duration(q.P99)))
}
