package link

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// fault is a fault that was set on a link. It keeps its state for as long as it
// stays in the set unchanged, through any number of other changes.
type fault struct {
	spec rehearse.Fault
	key  uint64     // of its draws: the link's seed and the fault's name
	rule *wire.Rule // which requests, for a fault of requests; nil else
	set  time.Time
	gone atomic.Bool

	holding                               atomic.Int64
	connections, requests, packets, bytes atomic.Int64
}

func newFault(spec rehearse.Fault, seed uint64) (*fault, error) {
	var rule *wire.Rule
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if wire.ProtocolOf(spec) != "" {
		var err error
		if rule, err = wire.NewRule(spec); err != nil {
			return nil, err
		}
	}
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	h.Write([]byte(spec.ID()))
	return &fault{spec: spec, key: h.Sum64(), rule: rule, set: time.Now()}, nil
}

// touches decides whether the fault is for the nth connection, request or
// packet of a series. It depends on the link's seed, the fault's name and these
// numbers only, so a run with the same seed breaks the same ones.
func (f *fault) touches(probability float64, numbers ...uint64) bool {
	return probability == 0 || probability == 1 || f.draw(numbers...) < probability
}

// draw is a number in [0, 1) for the nth of a series.
func (f *fault) draw(numbers ...uint64) float64 {
	x := f.key
	for _, n := range numbers {
		x = mix(x ^ mix(n))
	}
	return float64(x>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ofRequests reports whether the fault picks requests and not connections.
func (f *fault) ofRequests() bool { return f.rule != nil }

// ofConnects reports whether the fault is done with a connection once it is
// open.
func (f *fault) ofConnects() bool {
	return f.spec.Kind == rehearse.FaultRefuse || f.spec.Kind == rehearse.FaultLimit
}

// active says whether the schedule has the fault in force at a time, and when
// that changes next; the zero time is never.
func (f *fault) active(now time.Time) (on bool, next time.Time) {
	s := f.spec.Schedule
	start := f.set.Add(time.Duration(s.After))
	if now.Before(start) {
		return false, start
	}
	if s.For <= 0 {
		return true, time.Time{}
	}
	if s.Every > 0 {
		start = start.Add(now.Sub(start) / time.Duration(s.Every) * time.Duration(s.Every))
	}
	if end := start.Add(time.Duration(s.For)); now.Before(end) {
		return true, end
	}
	if s.Every > 0 {
		return false, start.Add(time.Duration(s.Every))
	}
	return false, time.Time{}
}

func (f *fault) dose(now time.Time) rehearse.Dose {
	on, _ := f.active(now)
	return rehearse.Dose{
		Fault: f.spec, Active: on && !f.gone.Load(), Gone: f.gone.Load(), Holding: f.holding.Load(),
		Connections: f.connections.Load(), Requests: f.requests.Load(),
		Packets: f.packets.Load(), Bytes: f.bytes.Load(),
	}
}

// bend adds the faults of a path to what the shape says of it.
func bend(p rehearse.Path, f rehearse.Fault) rehearse.Path {
	switch f.Kind {
	case rehearse.FaultDelay:
		p.Delay = min(p.Delay+f.Delay, rehearse.Duration(rehearse.LongestDelay))
		if f.Jitter > 0 {
			// The deviations of two independent delays add as squares do. A
			// path has one distribution, and the fault is the one to be seen.
			p.Jitter = rehearse.Duration(math.Hypot(float64(p.Jitter), float64(f.Jitter)))
			p.Distribution, p.Correlation = f.Distribution, f.Correlation
		}
	case rehearse.FaultLoss:
		p.Loss = 1 - (1-p.Loss)*(1-f.Share)
		p.Burst = max(p.Burst, f.Burst)
		p.Correlation = max(p.Correlation, f.Correlation)
	case rehearse.FaultRate:
		if f.Shared {
			p.Rate = tighter(p.Rate, f.Rate)
		} else {
			p.ConnectionRate = tighter(p.ConnectionRate, f.Rate)
		}
	case rehearse.FaultDuplicate:
		p.Duplicate = 1 - (1-p.Duplicate)*(1-f.Share)
	case rehearse.FaultReorder:
		p.Reorder = 1 - (1-p.Reorder)*(1-f.Share)
	}
	return p
}

// tighter is the lower of two rates, of which 0 is unlimited.
func tighter(a, b rehearse.Rate) rehearse.Rate {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
