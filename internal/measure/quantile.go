package measure

import (
	"maps"
	"math"
	"slices"
	"time"
)

// How many quantiles there are at most.
const (
	numberQuantiles = 41
	lengthQuantiles = 21
)

// ranks are where in n sorted rows the quantiles stand: at even distances from
// the k-th to the k-th last, about half of k apart, or closer where there are less
// than three times k rows. Nil where there are too few rows.
func ranks(n, most int, k int64) []int {
	if int64(n) < 2*k {
		return nil
	}
	count := min(most, max(3, int(2*int64(n)/k)))
	first, last := int(k)-1, n-int(k)
	out := make([]int, count)
	for i := range out {
		out[i] = first + int(math.Round(float64(i)*float64(last-first)/float64(count-1)))
	}
	return out
}

// quantiles of numbers, which it sorts. Where there are too few, three of one
// digit: the least, the middle one, the greatest.
func quantiles(values []float64, most int, k int64, integer bool) []float64 {
	slices.Sort(values)
	if len(values) == 0 {
		return nil
	}
	at := ranks(len(values), most, k)
	if at == nil {
		last := len(values) - 1
		return []float64{rounded(values[0], 1), rounded(values[last/2], 1), rounded(values[last], 1)}
	}
	out := make([]float64, len(at))
	for i, r := range at {
		out[i] = values[r]
	}
	out = smooth(out, integer)
	if step := powerOfTen(spread(values) / 100); step > 0 && isClose(len(values), k) {
		for i, v := range out {
			out[i] = roundTo(v, step)
		}
	}
	return out
}

// isClose reports whether the ranks of quantiles are so close together that the
// difference of neighbours tells of a handful of rows.
func isClose(n int, k int64) bool { return int64(n) < 3*k }

// spread is how far the middle eight tenths of sorted values lie apart.
func spread(values []float64) float64 {
	n := len(values)
	return values[n-1-n/10] - values[n/10]
}

// smooth rounds quantiles to a thousandth of their span, or where they lie close
// together, to a hundredth of the span of their neighbours: this leaves out what
// is particular to single rows, and little changes make no difference.
func smooth(q []float64, integer bool) []float64 {
	const neighbours = 4
	out := slices.Clone(q)
	for i := range q {
		near := q[min(i+neighbours, len(q)-1)] - q[max(i-neighbours, 0)]
		step := powerOfTen(min(near/100, (q[len(q)-1]-q[0])/1000))
		if integer {
			step = max(step, 1)
		}
		if step > 0 {
			out[i] = roundTo(q[i], step)
		}
	}
	for i := 1; i < len(out); i++ {
		out[i] = max(out[i], out[i-1])
	}
	return out
}

// powerOfTen is the greatest not above v; 0 for 0.
func powerOfTen(v float64) float64 {
	if v <= 0 {
		return 0
	}
	return math.Pow(10, math.Floor(math.Log10(v)))
}

func roundTo(v, step float64) float64 {
	if step < 1 {
		// A quotient is exact where a product is not: 0.1*3 is no 0.3.
		inverse := math.Round(1 / step)
		return math.Round(v*inverse) / inverse
	}
	return math.Round(v/step) * step
}

// timeQuantiles of seconds from an instant.
func timeQuantiles(values []float64, k int64, unit time.Duration) []time.Duration {
	slices.Sort(values)
	if len(values) == 0 {
		return nil
	}
	at := ranks(len(values), numberQuantiles, k)
	few := at == nil
	if few {
		at = []int{0, (len(values) - 1) / 2, len(values) - 1}
	}
	q := make([]float64, len(at))
	for i, r := range at {
		q[i] = values[r]
	}
	out := make([]time.Duration, len(q))
	for i := range q {
		near := q[min(i+4, len(q)-1)] - q[max(i-4, 0)]
		step := niceStep(min(near/100, (q[len(q)-1]-q[0])/1000))
		if isClose(len(values), k) {
			step = niceStep(spread(values) / 100)
		}
		if few {
			days := rounded(q[i]/86400, 1)
			out[i] = seconds(days * 86400).Round(unit)
			continue
		}
		out[i] = seconds(q[i]).Round(max(step, unit))
	}
	for i := 1; i < len(out); i++ {
		out[i] = max(out[i], out[i-1])
	}
	return out
}

// niceStep is the greatest of the clock's own steps not above some seconds, a
// second at least.
func niceStep(s float64) time.Duration {
	best := time.Second
	for _, step := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour} {
		if step.Seconds() <= s {
			best = step
		}
	}
	return best
}

// longest is the longest duration that a profile tells: 292 years do not fit.
const longest = 290 * 365 * 24 * time.Hour

// seconds is a duration, cut to what fits.
func seconds(s float64) time.Duration {
	if math.Abs(s) >= longest.Seconds() {
		return time.Duration(math.Copysign(float64(longest), s))
	}
	return time.Duration(s * float64(time.Second))
}

// wholeQuantiles are quantiles of counted whole numbers.
func wholeQuantiles(counts map[int]int64, k int64) []int {
	var n int64
	for _, c := range counts {
		n += c
	}
	if n == 0 {
		return nil
	}
	at := ranks(int(n), lengthQuantiles, k)
	if at == nil {
		at = []int{0, int(n-1) / 2, int(n - 1)}
	}
	values := slices.Sorted(maps.Keys(counts))
	out := make([]int, 0, len(at))
	var seen int64
	i := 0
	for _, r := range at {
		for seen+counts[values[i]] <= int64(r) {
			seen += counts[values[i]]
			i++
		}
		out = append(out, values[i])
	}
	return out
}

// quantileAt is the value at a share of the way through quantiles.
func quantileAt(q []float64, p float64) float64 {
	x := p * float64(len(q)-1)
	i := min(int(x), len(q)-1)
	if i == len(q)-1 {
		return q[i]
	}
	return q[i] + (x-float64(i))*(q[i+1]-q[i])
}
