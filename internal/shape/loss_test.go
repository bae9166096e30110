package shape_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// fates is which of n packets a path loses, asked for in pieces of a size.
func fates(seed uint64, p rehearse.Path, n, size int) []bool {
	losses := shape.NewLosses(rand.New(rand.NewPCG(seed, 5)))
	out := make([]bool, 0, n)
	for len(out) < n {
		pass, lost := losses.Run(p, min(size, n-len(out)))
		for range pass {
			out = append(out, false)
		}
		for range lost {
			out = append(out, true)
		}
	}
	return out
}

func TestLosses(t *testing.T) {
	tests := []struct {
		name         string
		path         rehearse.Path
		share, burst float64 // of all packets, and losses in a row
	}{
		{"none", rehearse.Path{}, 0, 0},
		{"all", rehearse.Path{Loss: 1}, 1, 1e6},
		{"each on its own", rehearse.Path{Loss: 0.02}, 0.02, 1 / 0.98},
		{"most of them", rehearse.Path{Loss: 0.7}, 0.7, 1 / 0.3},
		{"a burst of one is none", rehearse.Path{Loss: 0.02, Burst: 1}, 0.02, 1 / 0.98},
		{"bursts", rehearse.Path{Loss: 0.02, Burst: 5}, 0.02, 5},
		{"bursts of which correlation says nothing", rehearse.Path{Loss: 0.02, Burst: 5, Correlation: 0.9}, 0.02, 5},
		{"correlated", rehearse.Path{Loss: 0.02, Correlation: 0.8}, 0.02, 1.73},
		// A pass lasts a packet at least, which bounds the share.
		{"hardly a pass", rehearse.Path{Loss: 0.9, Burst: 3}, 0.75, 3},
		{"nonsense", rehearse.Path{Loss: math.NaN(), Burst: -1}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const n = 1_000_000
			got := fates(3, test.path, n, 1000)
			lost, bursts := 0, 0
			for i, is := range got {
				if is {
					lost++
					if i == 0 || !got[i-1] {
						bursts++
					}
				}
			}
			if share := float64(lost) / n; math.Abs(share-test.share) > 0.03*test.share {
				t.Errorf("a share of %.4f is lost, want %.4f", share, test.share)
			}
			if bursts > 0 {
				if burst := float64(lost) / float64(bursts); math.Abs(burst-test.burst) > 0.05*test.burst {
					t.Errorf("%.2f are lost in a row, want %.2f", burst, test.burst)
				}
			}
			if whole := fates(3, test.path, 10_000, 10_000); !slices.Equal(whole, fates(3, test.path, 10_000, 7)) {
				t.Error("which packets are lost depends on how many are asked for at once")
			}
		})
	}
}

func TestFirstPacketIsLostLikeOthers(t *testing.T) {
	for _, p := range []rehearse.Path{{Loss: 0.1}, {Loss: 0.1, Burst: 4}, {Loss: 0.1, Correlation: 0.5}} {
		lost := 0
		const n = 20_000
		for i := range uint64(n) {
			if fates(i, p, 1, 1)[0] {
				lost++
			}
		}
		if share := float64(lost) / n; math.Abs(share-0.1) > 0.01 {
			t.Errorf("%v loses a share of %.3f of first packets, want 0.1", p, share)
		}
	}
}
