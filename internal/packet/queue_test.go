package packet

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestQueueSorts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var q queue
	var number uint64
	for range 200 {
		for range random.IntN(100) {
			number++
			q.push(parcel{due: int64(random.IntN(20)), number: number})
		}
		last := parcel{due: -1}
		for range random.IntN(len(q) + 1) {
			p := q.pop()
			if p.due < last.due || p.due == last.due && p.number < last.number {
				t.Fatalf("%v came after %v", p, last)
			}
			last = p
		}
	}
}

func TestStore(t *testing.T) {
	var s store
	for _, n := range []int{1, smallFrame, smallFrame + 1, 10_000, 60_000, maxFrame} {
		b := s.get(n)
		if len(b) != 0 || cap(b) < n {
			t.Errorf("asked for %d bytes: length %d, capacity %d", n, len(b), cap(b))
		}
		s.put(b)
		if again := s.get(n); cap(again) != cap(b) || &again[:1][0] != &b[:1][0] {
			t.Errorf("%d bytes are not used again", n)
		}
	}
}

func TestHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var h histogram
	if got := h.quantiles(); got != (rehearse.Quantiles{}) {
		t.Errorf("nothing was counted: %+v", got)
	}
	var all []int64
	for range 10_000 {
		v := int64(math.Exp(random.Float64() * 23))
		all = append(all, v)
		h.observe(v)
	}
	slices.Sort(all)
	got := h.quantiles()
	if got.Count != 10_000 || int64(got.Min) != all[0] || int64(got.Max) != all[9999] {
		t.Errorf("%+v, want from %d to %d", got, all[0], all[9999])
	}
	for _, c := range []struct {
		got  rehearse.Duration
		rank int
	}{{got.P50, 4999}, {got.P90, 8999}, {got.P99, 9899}} {
		if want := all[c.rank]; math.Abs(float64(int64(c.got)-want)) > 0.01*float64(want) {
			t.Errorf("rank %d: %d, want %d", c.rank, c.got, want)
		}
	}
}
