package link

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestHistogramBucketsAreSeamless(t *testing.T) {
	for i := range 64 * octaves {
		lower := int64(0)
		if i > 0 {
			lower = upper(i-1) + 1
		}
		if bucketOf(lower) != i || bucketOf(upper(i)) != i {
			t.Fatalf("bucket %d is said to be %d to %d ns, which count in %d and %d", i, lower, upper(i), bucketOf(lower), bucketOf(upper(i)))
		}
	}
	if got, want := bucketOf(math.MaxInt64), 64*octaves-1; got != want {
		t.Errorf("the longest time counts in bucket %d, want the last, %d", got, want)
	}
}

func TestHistogramPrecision(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	h := new(histogram)
	var all []time.Duration
	var sum time.Duration
	for range 10000 {
		// Evenly over the orders of magnitude from 1 µs to 100 s.
		d := time.Duration(1e3 * math.Pow(10, 8*random.Float64()))
		h.observe(d)
		all = append(all, d)
		sum += d
	}
	slices.Sort(all)
	q := h.quantiles()
	for _, c := range []struct {
		name      string
		got       rehearse.Duration
		want      time.Duration
		precision float64
	}{
		{"min", q.Min, all[0], 0},
		{"p50", q.P50, all[4999], 0.008},
		{"p90", q.P90, all[8999], 0.008},
		{"p99", q.P99, all[9899], 0.008},
		{"max", q.Max, all[9999], 0},
		{"mean", q.Mean, sum / 10000, 0},
	} {
		if off := math.Abs(float64(c.got)/float64(c.want) - 1); off > c.precision {
			t.Errorf("%s is %v, want %v; off by %.2f %%", c.name, c.got, c.want, 100*off)
		}
	}
	if q.Count != 10000 {
		t.Errorf("count is %d", q.Count)
	}
}

func TestHistogramChart(t *testing.T) {
	h := new(histogram)
	if got := h.quantiles(); !got.IsZero() || h.buckets() != nil {
		t.Errorf("an empty histogram has %v and %v", got, h.buckets())
	}
	h.observe(-time.Second) // a clock that went backwards
	h.observe(10 * time.Millisecond)
	h.observe(20 * time.Millisecond)
	h.observe(time.Hour)
	bars := h.buckets()
	var total int64
	for i, b := range bars {
		total += b.Count
		if i > 0 && b.Upper <= bars[i-1].Upper {
			t.Errorf("bar %d ends at %v, the one before at %v", i, b.Upper, bars[i-1].Upper)
		}
	}
	if total != 4 || bars[0].Count == 0 || bars[len(bars)-1].Count == 0 {
		t.Errorf("%d bars count %d, want 4 and none empty at the ends", len(bars), total)
	}
	if q := h.quantiles(); q.Min != 0 || q.Max != rehearse.Duration(time.Hour) {
		t.Errorf("from %v to %v, want 0s to 1h", q.Min, q.Max)
	}
}

// TestHistogramWhileCounting reads while others count: what is read must make
// sense in itself.
func TestHistogramWhileCounting(t *testing.T) {
	h := new(histogram)
	var counting sync.WaitGroup
	for i := range 4 {
		counting.Go(func() {
			for j := range 5000 {
				h.observe(time.Duration((j*7919+i)%100000) * time.Microsecond)
			}
		})
	}
	for range 200 {
		q := h.quantiles()
		if sorted := []rehearse.Duration{q.Min, q.P50, q.P90, q.P99, q.Max}; q.Count > 0 && !slices.IsSorted(sorted) {
			t.Errorf("quantiles are %v", sorted)
		}
	}
	counting.Wait()
	if got := h.quantiles().Count; got != 20000 {
		t.Errorf("count is %d, want 20000", got)
	}
}
