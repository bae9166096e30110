package link

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// histogram is a distribution of times from 0 to over 100 s in log-linear
// buckets, as HdrHistogram has them: 64 for each doubling, so that a bucket's
// middle is within 0.8 % of every time in it. Anything longer counts in the last
// bucket; the minimum, the maximum and the mean are exact. The zero value is
// empty. Any goroutine may observe and read at any time.
type histogram struct {
	counts [64 * octaves]atomic.Int64
	sum    atomic.Int64
	max    atomic.Int64
	// low is how far the minimum lies below the largest integer, so that it is
	// a number that only grows from 0, as max is.
	low atomic.Int64
}

const (
	octaves  = 32 // the last ends at 2^37 ns, 137 s
	perChart = 8  // buckets of a chart per doubling
)

// observe counts one time. A negative one counts as 0.
func (h *histogram) observe(d time.Duration) {
	v := max(0, int64(d))
	h.sum.Add(v)
	raise(&h.max, v)
	raise(&h.low, math.MaxInt64-v)
	// The count comes last: what a reader counts, it finds within min and max.
	h.counts[bucketOf(v)].Add(1)
}

// bucketOf is the bucket that a time in nanoseconds counts in.
func bucketOf(v int64) int {
	shift := max(0, bits.Len64(uint64(v))-7)
	return min(shift*64+int(v>>shift), 64*octaves-1)
}

// upper is the largest time in a bucket.
func upper(bucket int) int64 {
	if bucket < 64 {
		return int64(bucket)
	}
	shift := bucket/64 - 1
	return int64(bucket%64+65)<<shift - 1
}

// quantiles summarises what was observed.
func (h *histogram) quantiles() rehearse.Quantiles {
	var counts [64 * octaves]int64
	var total int64
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		total += counts[i]
	}
	if total == 0 {
		return rehearse.Quantiles{}
	}
	low, high := math.MaxInt64-h.low.Load(), h.max.Load()
	within := func(v int64) rehearse.Duration { return rehearse.Duration(min(max(v, low), high)) }
	at := func(q float64) rehearse.Duration {
		rank := int64(math.Ceil(q * float64(total)))
		var seen int64
		for i, n := range counts {
			if seen += n; seen >= rank && n > 0 {
				lower := int64(0)
				if i > 0 {
					lower = upper(i-1) + 1
				}
				return within(lower + (upper(i)-lower)/2)
			}
		}
		return rehearse.Duration(high)
	}
	return rehearse.Quantiles{
		Count: total,
		Min:   rehearse.Duration(low),
		P50:   at(0.50),
		P90:   at(0.90),
		P99:   at(0.99),
		Max:   rehearse.Duration(high),
		Mean:  within(h.sum.Load() / total),
	}
}

// buckets is the distribution as a chart shows it: 8 bars for each doubling,
// from the first that counts anything to the last, empty ones between them
// included. The bounds are the same for every histogram, so charts of two runs
// can be laid over each other.
func (h *histogram) buckets() []rehearse.Bucket {
	var bars []rehearse.Bucket
	filled := 0
	for i := 0; i < len(h.counts); i += 64 / perChart {
		var n int64
		for j := range 64 / perChart {
			n += h.counts[i+j].Load()
		}
		if n == 0 && len(bars) == 0 {
			continue
		}
		bars = append(bars, rehearse.Bucket{Upper: rehearse.Duration(upper(i + 64/perChart - 1)), Count: n})
		if n > 0 {
			filled = len(bars)
		}
	}
	return bars[:filled]
}
