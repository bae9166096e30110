package shape_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// moments are what a series of delays in milliseconds looks like.
type moments struct {
	mean, deviation, least, p50, p99, correlation float64
}

func observe(p rehearse.Path, n int) moments {
	dice := shape.NewDice(rand.New(rand.NewPCG(11, 12)))
	draws := make([]float64, n)
	for i := range draws {
		draws[i] = dice.Delay(p).Seconds() * 1000
	}
	var m moments
	for _, d := range draws {
		m.mean += d / float64(n)
	}
	var square, product float64
	for i, d := range draws {
		square += (d - m.mean) * (d - m.mean)
		if i > 0 {
			product += (d - m.mean) * (draws[i-1] - m.mean)
		}
	}
	m.deviation = math.Sqrt(square / float64(n))
	m.correlation = product / square
	slices.Sort(draws)
	m.least, m.p50, m.p99 = draws[0], draws[n/2], draws[n*99/100]
	return m
}

func TestDistributions(t *testing.T) {
	const any = -1 // a moment that the test does not hold
	tests := []struct {
		name string
		path rehearse.Path
		want moments
	}{
		{"normal", rehearse.Path{Delay: ms(100), Jitter: ms(10)}, moments{100, 10, any, 100, 123.26, 0}},
		{"by name", rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: rehearse.Normal}, moments{100, 10, any, 100, 123.26, 0}},
		{"uniform", rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: rehearse.Uniform}, moments{100, 10 / math.Sqrt(3), 90, 100, 109.8, 0}},
		// The least is 1/√3 of the deviation below the mean.
		{"pareto", rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: rehearse.Pareto}, moments{100, any, 94.23, 97.23, 136.3, any}},
		{"constant", rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: rehearse.Constant}, moments{100, 0, 100, 100, 100, any}},
		{"correlated", rehearse.Path{Delay: ms(100), Jitter: ms(10), Correlation: 0.7}, moments{100, 10, any, 100, 123.26, 0.7}},
		// Correlating quantiles keeps the distribution; the correlation of the
		// delays themselves is a little lower.
		{"correlated uniform", rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: rehearse.Uniform, Correlation: 0.7}, moments{100, 10 / math.Sqrt(3), 90, 100, 109.8, 0.68}},
		// What would be negative is 0.
		{"cut off", rehearse.Path{Jitter: ms(10)}, moments{10 / math.Sqrt(2*math.Pi), any, 0, 0, 23.26, any}},
		{"no jitter", rehearse.Path{Delay: ms(100), Distribution: rehearse.Pareto}, moments{100, 0, 100, 100, 100, any}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := observe(test.path, 200_000)
			for _, m := range []struct {
				name             string
				got, want, slack float64
			}{
				{"mean", got.mean, test.want.mean, 0.1},
				{"deviation", got.deviation, test.want.deviation, 0.1},
				{"least", got.least, test.want.least, 0.02},
				{"median", got.p50, test.want.p50, 0.1},
				{"99th percentile", got.p99, test.want.p99, 0.5},
				{"correlation", got.correlation, test.want.correlation, 0.01},
			} {
				if m.want != any && math.Abs(m.got-m.want) > m.slack {
					t.Errorf("%s is %.3f, want %.3f", m.name, m.got, m.want)
				}
			}
		})
	}
}

// TestLongest holds one draw of the longest of n to n draws.
func TestLongest(t *testing.T) {
	const n, rounds = 20, 20_000
	for _, d := range []rehearse.Distribution{rehearse.Normal, rehearse.Uniform, rehearse.Pareto} {
		p := rehearse.Path{Delay: ms(100), Jitter: ms(10), Distribution: d}
		one, each := shape.NewDice(rand.New(rand.NewPCG(1, 1))), shape.NewDice(rand.New(rand.NewPCG(2, 2)))
		var sum [2]time.Duration
		for range rounds {
			sum[0] += one.Longest(p, n)
			var most time.Duration
			for range n {
				most = max(most, each.Delay(p))
			}
			sum[1] += most
		}
		got, want := float64(sum[0])/rounds/1e6, float64(sum[1])/rounds/1e6
		if math.Abs(got-want) > 0.5 {
			t.Errorf("%s: the longest of %d delays is %.2f ms on average, want %.2f", d, n, got, want)
		}
	}
}
