package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

func point(at time.Duration, rps float64) rehearse.RatePoint {
	return rehearse.RatePoint{At: rehearse.Duration(at), PerSecond: rps}
}

func TestEvenSchedule(t *testing.T) {
	tests := []struct {
		name     string
		duration time.Duration
		rate     []rehearse.RatePoint
		want     []time.Duration
	}{
		{"constant", 2 * time.Second, []rehearse.RatePoint{point(0, 2)},
			[]time.Duration{250 * time.Millisecond, 750 * time.Millisecond, 1250 * time.Millisecond, 1750 * time.Millisecond}},
		// The integral of t is t²/2, so that arrivals come at the roots of 1, 3, 5, 7.
		{"ramp", 3 * time.Second, []rehearse.RatePoint{point(0, 0), point(3*time.Second, 3)},
			[]time.Duration{seconds(1), seconds(math.Sqrt(3)), seconds(math.Sqrt(5)), seconds(math.Sqrt(7))}},
		{"pause", 4 * time.Second, []rehearse.RatePoint{point(seconds(1), 1), point(seconds(1.001), 0), point(seconds(3), 0), point(seconds(3.001), 2)},
			[]time.Duration{seconds(0.5), seconds(3.25025), seconds(3.75025)}},
		{"cut off in a ramp", time.Second, []rehearse.RatePoint{point(0, 0), point(seconds(100), 300)},
			[]time.Duration{seconds(math.Sqrt(1. / 3))}},
		{"nothing", time.Second, []rehearse.RatePoint{point(0, 0)}, nil},
		{"no rate", time.Second, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			traffic := rehearse.Traffic{Duration: rehearse.Duration(tt.duration), Arrivals: rehearse.Even, Rate: tt.rate}
			var got []time.Duration
			for _, a := range Schedule(traffic, 1) {
				got = append(got, a.At.Round(10*time.Microsecond))
			}
			var want []time.Duration
			for _, at := range tt.want {
				want = append(want, at.Round(10*time.Microsecond))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("arrivals (-want +got):\n%s", diff)
			}
		})
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// peak is a traffic of about 12,900 arrivals.
func peak(arrivals rehearse.Arrivals) rehearse.Traffic {
	return rehearse.Traffic{
		Duration: rehearse.Duration(30 * time.Second),
		Arrivals: arrivals,
		Rate:     []rehearse.RatePoint{point(0, 100), point(7*time.Second, 500), point(20*time.Second, 500), point(25*time.Second, 200)},
		Origins:  []rehearse.Origin{{Region: "a", Weight: 0.7}, {Region: "b", Weight: 0.3}},
		Requests: []rehearse.Request{{Name: "create", Weight: 8}, {Name: "read", Weight: 2}, {Name: "list", Weight: 6}},
	}
}

func TestScheduleCounts(t *testing.T) {
	total := peak(rehearse.Even).Total()
	if got, want := len(Schedule(peak(rehearse.Even), 1)), int(math.Round(total)); got != want {
		t.Errorf("even: %d arrivals, want exactly %d", got, want)
	}
	// Each bound is five standard deviations, and the seeds are fixed.
	for seed := range uint64(10) {
		arrivals := Schedule(peak(rehearse.Poisson), seed)
		if got, sd := float64(len(arrivals)), math.Sqrt(total); math.Abs(got-total) > 5*sd {
			t.Errorf("seed %d: %v arrivals, want %v ± %v", seed, got, total, 5*sd)
		}
		n := float64(len(arrivals))
		within := func(what string, share float64, is func(Arrival) bool) {
			t.Helper()
			got := 0.0
			for _, a := range arrivals {
				if is(a) {
					got++
				}
			}
			if sd := math.Sqrt(n * share * (1 - share)); math.Abs(got-n*share) > 5*sd {
				t.Errorf("seed %d: %v arrivals are %s, want %v ± %v", seed, got, what, n*share, 5*sd)
			}
		}
		within("create", 0.5, func(a Arrival) bool { return a.Request == 0 })
		within("read", 0.125, func(a Arrival) bool { return a.Request == 1 })
		within("from a", 0.7, func(a Arrival) bool { return a.Origin == 0 })
		before := peak(rehearse.Poisson).Before(7 * time.Second)
		within("in the ramp", before/total, func(a Arrival) bool { return a.At < 7*time.Second })
	}
}

// TestSchedulePoisson checks the spread: in a Poisson process the variance of
// the count per second is its mean, in an even stream it is next to nothing.
func TestSchedulePoisson(t *testing.T) {
	dispersion := func(arrivals rehearse.Arrivals) float64 {
		traffic := peak(arrivals)
		traffic.Duration, traffic.Rate = rehearse.Duration(1000*time.Second), []rehearse.RatePoint{point(0, 20)}
		counts := make([]float64, 1000)
		for _, a := range Schedule(traffic, 4) {
			counts[min(999, int(a.At/time.Second))]++
		}
		var mean, variance float64
		for _, c := range counts {
			mean += c / 1000
		}
		for _, c := range counts {
			variance += (c - mean) * (c - mean) / 999
		}
		return variance / mean
	}
	if got := dispersion(rehearse.Poisson); got < 0.8 || got > 1.25 {
		t.Errorf("poisson: variance over mean is %v, want about 1", got)
	}
	if got := dispersion(rehearse.Even); got > 0.05 {
		t.Errorf("even: variance over mean is %v, want about 0", got)
	}
}

func TestScheduleIsAFunction(t *testing.T) {
	for _, arrivals := range []rehearse.Arrivals{rehearse.Poisson, rehearse.Even} {
		traffic := peak(arrivals)
		first := Schedule(traffic, 42)
		if !slices.Equal(first, Schedule(traffic, 42)) {
			t.Errorf("%s: one seed gave two schedules", arrivals)
		}
		if slices.Equal(first, Schedule(traffic, 43)) {
			t.Errorf("%s: two seeds gave one schedule", arrivals)
		}
		if !slices.IsSortedFunc(first, func(a, b Arrival) int { return int(a.At - b.At) }) {
			t.Errorf("%s: arrivals are not in order", arrivals)
		}
		if last := first[len(first)-1].At; last > time.Duration(traffic.Duration) {
			t.Errorf("%s: an arrival at %v, after the end", arrivals, last)
		}

		mixed := traffic
		mixed.Requests = traffic.Requests[:1]
		for i, a := range Schedule(mixed, 42) {
			if a.At != first[i].At || a.Origin != first[i].Origin {
				t.Fatalf("%s: another mix moved arrival %d: %+v became %+v", arrivals, i, first[i], a)
			}
		}
	}
}
