package telemetry

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// A share below its part is never refused, and all together never have more than
// the total, whatever the others do.
func TestBudget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		shares := 1 + r.IntN(6)
		b := budget{total: 1000 + r.Int64N(1000), used: make([]int64, shares)}
		part := b.total / 2 / int64(shares)
		for range 300 {
			share, n := r.IntN(shares), r.Int64N(200)
			if share > 0 && r.IntN(3) > 0 {
				share = 0 // the greedy one
			}
			before := b.used[share]
			took := b.take(share, n)
			if !took && before+n <= part {
				t.Fatalf("share %d has %d of its part of %d, and %d was refused", share, before, part, n)
			}
			if got, want := b.used[share]-before, n; took != (got == want) && n > 0 {
				t.Fatalf("take(%d) = %v took %d", n, took, got)
			}
			if b.sum() > b.total {
				t.Fatalf("%v together have more than %d", b.used, b.total)
			}
			if r.IntN(10) == 0 {
				b.give(share, b.used[share]/2)
			}
		}
	}
}

// Alone, a share can have the half that is nobody's, and its part of the other.
func TestBudgetLends(t *testing.T) {
	b := budget{total: 1000, used: make([]int64, 5)}
	for b.take(2, 1) {
	}
	if got, want := b.used[2], int64(600); got != want {
		t.Errorf("one share alone has %d of 1000, want %d", got, want)
	}
}

func TestHistogram(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, draw := range []struct {
		name string
		next func() int64
	}{
		{"microseconds", func() int64 { return r.Int64N(1000) }},
		{"milliseconds", func() int64 { return int64(r.ExpFloat64() * float64(20*time.Millisecond)) }},
		{"hours", func() int64 { return r.Int64N(int64(100 * time.Hour)) }},
		{"nonsense", func() int64 { return math.MaxInt64 - r.Int64N(1<<62) }},
		{"the same", func() int64 { return 84_000_000 }},
	} {
		var h histogram
		var all []int64
		var sum float64
		for range 10_000 {
			v := draw.next()
			h.observe(v)
			all = append(all, v)
			sum += float64(v)
		}
		slices.Sort(all)
		q := h.quantiles()
		if q.Count != 10_000 || int64(q.Min) != all[0] || int64(q.Max) != all[len(all)-1] {
			t.Errorf("%s: %+v, want minimum %d and maximum %d", draw.name, q, all[0], all[len(all)-1])
		}
		if mean := sum / 10_000; math.Abs(float64(q.Mean)-mean) > 1+mean*1e-12 {
			t.Errorf("%s: mean %d, want %f", draw.name, q.Mean, mean)
		}
		for _, at := range []struct {
			rank int
			got  rehearse.Duration
		}{{5_000, q.P50}, {9_000, q.P90}, {9_900, q.P99}} {
			if want := float64(all[at.rank-1]); math.Abs(float64(at.got)-want) > want/100 {
				t.Errorf("%s: the %dth of 10000 is %d, want %.0f within 1 %%", draw.name, at.rank, at.got, want)
			}
		}
	}
}
