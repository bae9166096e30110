package packet

import (
	"fmt"
	"math"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// longest bounds every single delay, in nanoseconds, so that no sum overflows.
const longest = int64(24 * time.Hour)

// path is one direction of a link with its faults folded in.
type path struct {
	rehearse.Path
	corrupt float64
	blocked bool
	limit   int64 // of the queue in front of the rate, in bytes
}

// whole reports whether a train can pass as one: nothing on the path tells its
// packets apart.
func (p *path) whole() bool {
	return p.Loss <= 0 && p.Duplicate <= 0 && p.Reorder <= 0 && p.corrupt <= 0 && p.Rate <= 0 && p.ConnectionRate <= 0
}

// Check reports why packets cannot carry a fault; nil when they can. Those of
// connections and requests happen where connections are known, and one that is
// to strike only some of the connections needs to know them too.
func Check(f rehearse.Fault) error {
	no := func(format string, args ...any) error {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("fault %s: ", f.ID()) + fmt.Sprintf(format, args...)}
	}
	switch f.Kind {
	case rehearse.FaultDelay, rehearse.FaultLoss, rehearse.FaultRate, rehearse.FaultDuplicate, rehearse.FaultReorder,
		rehearse.FaultCorrupt, rehearse.FaultPartition, rehearse.FaultBlackhole:
	default:
		return no("packets know nothing of %s", f.Kind)
	}
	if f.Probability > 0 && f.Probability < 1 {
		return no("packets cannot strike a share of the connections")
	}
	if !f.Match.IsZero() {
		return no("packets know no requests")
	}
	return nil
}

// with is one direction of a shape and what faults add to it.
func with(p rehearse.Path, up bool, faults []rehearse.Fault) *path {
	out := path{Path: p}
	either := func(a, b float64) float64 { return 1 - (1-a)*(1-b) }
	tighter := func(a, b rehearse.Rate) rehearse.Rate {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	for _, f := range faults {
		if !f.Direction.Has(up) {
			continue
		}
		switch f.Kind {
		case rehearse.FaultDelay:
			out.Delay += f.Delay
			if f.Jitter > 0 {
				out.Jitter = rehearse.Duration(math.Hypot(float64(out.Jitter), float64(f.Jitter)))
				out.Distribution, out.Correlation = f.Distribution, f.Correlation
			}
		case rehearse.FaultLoss:
			out.Loss, out.Burst = either(out.Loss, f.Share), max(out.Burst, f.Burst)
		case rehearse.FaultRate:
			if f.Shared {
				out.Rate = tighter(out.Rate, f.Rate)
			} else {
				out.ConnectionRate = tighter(out.ConnectionRate, f.Rate)
			}
		case rehearse.FaultDuplicate:
			out.Duplicate = either(out.Duplicate, f.Share)
		case rehearse.FaultReorder:
			out.Reorder = either(out.Reorder, f.Share)
		case rehearse.FaultCorrupt:
			out.corrupt = either(out.corrupt, f.Share)
		case rehearse.FaultPartition, rehearse.FaultBlackhole:
			out.blocked = true
		}
	}
	if out.limit = out.Limit; out.limit == 0 {
		out.limit = int64(shape.Window(out.Path))
	}
	return &out
}
