package packet

import (
	"slices"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestChance: the same seed strikes the same packets, another seed or link
// others, and no effect moves another's.
func TestChance(t *testing.T) {
	lost := func(seed, lane uint64, p rehearse.Path) []bool {
		d := newDice(seed, lane)
		var out []bool
		for range 1000 {
			q := &path{Path: p}
			out = append(out, d.lost(q))
			d.delay(q)
			strikes(d.duplicate, q.Duplicate)
			strikes(d.reorder, q.Reorder)
		}
		return out
	}
	once := lost(7, 1, rehearse.Path{Loss: 0.1})
	if !slices.Equal(once, lost(7, 1, rehearse.Path{Loss: 0.1})) {
		t.Error("the same seed loses others")
	}
	if slices.Equal(once, lost(8, 1, rehearse.Path{Loss: 0.1})) || slices.Equal(once, lost(7, 2, rehearse.Path{Loss: 0.1})) {
		t.Error("another seed or link loses the same")
	}
	if !slices.Equal(once, lost(7, 1, rehearse.Path{Loss: 0.1, Delay: ms(5), Jitter: ms(1), Duplicate: 0.1, Reorder: 0.2})) {
		t.Error("a jitter, a duplicate or a change of order moves the loss")
	}
}
