package synth

import "github.com/rehearse-dev/rehearse/internal/rows"

// addOrders lets columns follow those that they are mostly not below.
func (t *table) addOrders() {
	for _, o := range t.profile.Orders {
		low, high := t.columnNamed(o.Low), t.columnNamed(o.High)
		if low == nil || high == nil || low.ref != nil || high.ref != nil || high.unique || high.low != nil ||
			low.out.Kind != high.out.Kind || low.out.Scale != high.out.Scale || isText(low.out.Kind) || low.out.Kind == rows.Bool || t.follows(low, high) {
			continue
		}
		high.low, high.holds, high.gap = low, o.Holds, o.Gap
	}
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
