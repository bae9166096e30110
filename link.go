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
	// Tier is how truthfully the shape is carried; empty is the best that the
	// place where the link runs can give.
	Tier   Tier    `json:"tier,omitempty"`
	Faults []Fault `json:"faults,omitempty"`
	// EndTLS has the link end TLS on both sides, so that faults and decoders see
	// what is inside; else it passes TLS on as it is.
	EndTLS bool `json:"endTLS,omitempty"`
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

// Path is one direction of a shape, in tc-netem's terms. A stream is never
// reordered, whatever its path: TCP hides that from those who use it.
type Path struct {
	Delay  Duration `json:"delay,omitempty"`  // one way
	Jitter Duration `json:"jitter,omitempty"` // how far the delay strays from Delay, see Distribution
	// Distribution is what the jitter is drawn from; empty is Normal.
	Distribution Distribution `json:"distribution,omitempty"`
	// Correlation is how much one draw of the jitter, or of the loss, takes
	// after the one before it, from 0 to 1.
	Correlation float64 `json:"correlation,omitempty"`
	// Loss is the share of packets that are lost, from 0 to 1. A stream loses
	// nothing by it but time.
	Loss float64 `json:"loss,omitempty"`
	// Burst is how many packets are lost in a row, on average; 0 and 1 lose
	// each on its own (Gilbert's model).
	Burst float64 `json:"burst,omitempty"`
	// Duplicate and Reorder are shares of packets. A stream does not see them.
	Duplicate float64 `json:"duplicate,omitempty"`
	Reorder   float64 `json:"reorder,omitempty"`
	Rate      Rate    `json:"rate,omitempty"` // of all connections together; 0: unlimited
	// ConnectionRate is the rate of each connection; 0: unlimited.
	ConnectionRate Rate `json:"connectionRate,omitempty"`
	// Limit is how many bytes may wait for their turn at the rate. What comes
	// when it is full is lost, or held up where the tier cannot lose it.
	// 0 is what Window of package shape says.
	Limit int64 `json:"limit,omitempty"`
}

// Carries reports why a tier cannot carry a shape: an error of kind Invalid, or
// nil.
func (t Tier) Carries(s Shape) error {
	if t == TierStream && (s.Up.Loss > 0 || s.Down.Loss > 0) {
		return &Error{
			Kind: Invalid, Msg: fmt.Sprintf("a link of tier %s loses nothing, so it cannot have a loss", t),
			Hint: fmt.Sprintf("Use the tier %q.", TierModel),
		}
	}
	return nil
}

// Distribution is what a jitter is drawn from. All but Constant have the mean
// Delay, except that no delay is ever below 0.
type Distribution string

// The distributions.
const (
	Normal   Distribution = "normal"   // Jitter is the standard deviation
	Uniform  Distribution = "uniform"  // between Delay − Jitter and Delay + Jitter
	Pareto   Distribution = "pareto"   // tail index 3, Jitter is the standard deviation: mostly early, now and then very late
	Constant Distribution = "constant" // no jitter
)

// Tier is how truthfully a link carries its shape.
type Tier string

// The tiers, from the plainest to the most truthful.
const (
	// TierStream delays chunks of a byte stream.
	TierStream Tier = "stream"
	// TierModel releases a stream's bytes as a TCP sender over the path would:
	// handshake, slow start, bandwidth-delay product, loss and its recovery.
	TierModel Tier = "model"
	// TierPacket delays and loses real packets below the kernel's own TCP.
	TierPacket Tier = "packet"
)

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
		} else if j := s.Up.Jitter; j > 0 {
			parts = append(parts, "jitter "+Round(time.Duration(float64(j)*1.4142135623730951)).String())
		}
		if s.Up.Loss > 0 {
			parts = append(parts, "loss "+percent(s.Up.Loss))
		}
		if s.Up.Rate > 0 {
			parts = append(parts, s.Up.Rate.String())
		}
		if s.Up.ConnectionRate > 0 {
			parts = append(parts, s.Up.ConnectionRate.String()+" a connection")
		}
		if parts == nil {
			return "flat"
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
		if d.path.Loss > 0 {
			t += " loss " + percent(d.path.Loss)
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
	Tier  Tier   `json:"tier,omitempty"`

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

	// Doses are of the faults in force, and then of those that were, the
	// latest first.
	Doses []Dose `json:"doses,omitempty"`

	// DelayAsked is the one-way delay that the shape asked of each chunk,
	// jitter and rate included, and DelayGiven what the chunk got.
	// DelayError is the absolute difference of the two, chunk by chunk.
	DelayAsked Quantiles `json:"delayAsked,omitzero"`
	DelayGiven Quantiles `json:"delayGiven,omitzero"`
	DelayError Quantiles `json:"delayError,omitzero"`
	// TurnAround is the time from the client's first byte of a turn, as it
	// entered the link, to the first byte of the answer, as it left the link.
	// In the packet tier the path lies between the client and the link, so this
	// is the upstream's time alone; the client waits a round trip longer.
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
