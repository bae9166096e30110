package verdict

import (
	"math"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// metric computes a threshold's aggregate, in the unit of Threshold.Bound, over
// the samples of a load that took a time. It is false when there is nothing to
// compute it from, which is not the same as zero.
//
// A dropped sample is a request that was never made: only dropped_iterations
// counts it. A request that failed without an answer has the duration up to its
// failure.
func metric(t rehearse.Threshold, samples []rehearse.Sample, elapsed time.Duration) (float64, bool) {
	samples = tagged(samples, t.Tag)
	if t.Metric == "dropped_iterations" {
		dropped := len(samples) - len(sent(samples))
		return counter(t, dropped, elapsed, len(samples) > 0)
	}
	samples = sent(samples)
	if len(samples) == 0 {
		return 0, false
	}
	switch t.Metric {
	case "http_req_duration":
		return trend(t, seconds(samples, rehearse.Sample.Duration))
	case "http_req_failed":
		return float64(len(failures(samples))) / float64(len(samples)), true
	case "checks":
		passed, missed := checks(samples)
		if passed+missed == 0 {
			return 0, false
		}
		return float64(passed) / float64(passed+missed), true
	case "http_reqs":
		return counter(t, len(samples), elapsed, true)
	}
	return 0, false
}

func counter(t rehearse.Threshold, n int, elapsed time.Duration, known bool) (float64, bool) {
	if t.Aggregate != "rate" {
		return float64(n), known
	}
	if elapsed <= 0 {
		return 0, false
	}
	return float64(n) / elapsed.Seconds(), known
}

// trend aggregates values that it may reorder; there is at least one.
func trend(t rehearse.Threshold, values []float64) (float64, bool) {
	slices.Sort(values)
	switch t.Aggregate {
	case "min":
		return values[0], true
	case "max":
		return values[len(values)-1], true
	case "med":
		return percentile(values, 50), true
	case "p":
		return percentile(values, t.Percent), true
	case "avg":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values)), true
	}
	return 0, false
}

// percentile is the nearest rank: the smallest value such that p percent of all
// values are at most that. It is always a value that was seen. The values are
// sorted, and there is at least one.
func percentile(sorted []float64, p float64) float64 {
	// Without the allowance 99.9 percent of 1000 would be rank 1000, because
	// 99.9/100*1000 comes out a hair above 999.
	rank := int(math.Ceil(p/100*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// fromSent is a request's latency from the moment at which it really started:
// without the time by which the generator was late.
func fromSent(s rehearse.Sample) time.Duration { return time.Duration(s.End - s.Sent) }

func seconds(samples []rehearse.Sample, of func(rehearse.Sample) time.Duration) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = of(s).Seconds()
	}
	return out
}

// tagged are the samples of the request with a name; all for the empty name.
func tagged(samples []rehearse.Sample, name string) []rehearse.Sample {
	return filter(samples, func(s rehearse.Sample) bool { return name == "" || s.Request == name })
}

// sent are the samples of requests that were really made.
func sent(samples []rehearse.Sample) []rehearse.Sample {
	return filter(samples, func(s rehearse.Sample) bool { return !s.Dropped })
}

func failures(samples []rehearse.Sample) []rehearse.Sample { return filter(samples, failed) }

// failed reports whether a request failed. Without an error it must at least
// have a status: an answer that nobody saw is not a success.
func failed(s rehearse.Sample) bool { return s.Error != "" || s.Status == 0 }

func checks(samples []rehearse.Sample) (passed, missed int) {
	for _, s := range samples {
		passed += max(s.Passed, 0)
		missed += max(s.Missed, 0)
	}
	return passed, missed
}

func filter(samples []rehearse.Sample, keep func(rehearse.Sample) bool) []rehearse.Sample {
	var out []rehearse.Sample
	for _, s := range samples {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}
