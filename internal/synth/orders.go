package synth

import (
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// addOrders lets columns follow those that they are mostly not below.
func (t *table) addOrders() {
	for _, o := range t.profile.Orders {
		low, high := t.columnNamed(o.Low), t.columnNamed(o.High)
		if low == nil || high == nil || low.ref != nil || high.ref != nil || high.unique || high.low != nil ||
			low.out.Kind != high.out.Kind || low.out.Scale != high.out.Scale || isText(low.out.Kind) || low.out.Kind == rows.Bool || t.follows(low, high) {
			continue
		}
		high.low, high.holds, high.gap = low, o.Holds, o.Gap
		high.close = near(o.Gap, high.profile)
	}
}

// near reports whether one column says where the other is: the gaps between them
// are in a range that is small beside the column's own.
func near(gap []float64, p profile.DataColumn) bool {
	if len(gap) < 2 {
		return false
	}
	span := gap[len(gap)-1] - gap[0]
	switch {
	case p.Times != nil && len(p.Times.Quantiles) > 3:
		q := p.Times.Quantiles
		return span < (q[len(q)-1]-q[0]).Seconds()/3
	case p.Numbers != nil && len(p.Numbers.Quantiles) > 3:
		q := p.Numbers.Quantiles
		return span < (q[len(q)-1]-q[0])/3
	}
	return false
}

// follows reports whether a column follows the other already, so that neither
// waits for itself.
func (t *table) follows(c, other *column) bool {
	for ; c != nil; c = c.low {
		if c == other {
			return true
		}
	}
	return false
}
