package telemetry

import (
	"math"
	"math/bits"

	"github.com/rehearse-dev/rehearse"
)

// histogram is a distribution of times in log-linear buckets, as HdrHistogram
// has them: 64 for each doubling, so that a bucket's middle is within 0.8 % of
// every time in it. Count, minimum, maximum and mean are exact. A doubling takes
// memory when something falls into it: most operations need five. The zero value
// is empty.
type histogram struct {
	octaves  [58]*[64]uint32
	count    int64
	sum      [2]uint64 // of nanoseconds, high and low word: one nonsensical span takes most of 64 bits
	min, max int64
}

// observe counts one time, in nanoseconds and not negative.
func (h *histogram) observe(v int64) {
	shift := max(0, bits.Len64(uint64(v))-7)
	bucket := shift*64 + int(v>>shift)
	o := h.octaves[bucket/64]
	if o == nil {
		o = new([64]uint32)
		h.octaves[bucket/64] = o
	}
	o[bucket%64]++
	if h.count == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.count++
	var carry uint64
	h.sum[1], carry = bits.Add64(h.sum[1], uint64(v), 0)
	h.sum[0] += carry
}

// bounds are the smallest and the largest time of a bucket.
func bounds(bucket int) (low, high int64) {
	if bucket < 64 {
		return int64(bucket), int64(bucket)
	}
	shift := bucket/64 - 1
	low = int64(bucket%64+64) << shift
	return low, low + 1<<shift - 1
}

// quantiles summarises what was observed.
func (h *histogram) quantiles() rehearse.Quantiles {
	if h.count == 0 {
		return rehearse.Quantiles{}
	}
	mean, _ := bits.Div64(h.sum[0], h.sum[1], uint64(h.count))
	return rehearse.Quantiles{
		Count: h.count,
		Min:   rehearse.Duration(h.min),
		P50:   h.at(0.50),
		P90:   h.at(0.90),
		P99:   h.at(0.99),
		Max:   rehearse.Duration(h.max),
		Mean:  rehearse.Duration(mean),
	}
}

func (h *histogram) at(q float64) rehearse.Duration {
	rank := int64(math.Ceil(q * float64(h.count)))
	var seen int64
	for i, o := range h.octaves {
		if o == nil {
			continue
		}
		for j, n := range o {
			if seen += int64(n); seen >= rank && n > 0 {
				low, high := bounds(i*64 + j)
				return rehearse.Duration(min(max(low+(high-low)/2, h.min), h.max))
			}
		}
	}
	return rehearse.Duration(h.max)
}
