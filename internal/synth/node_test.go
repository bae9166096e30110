package synth

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPermutation(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 255, 257, 1000, 4097} {
		for seed := range uint64(20) {
			p := permute(n, mix(seed))
			seen := make([]bool, n)
			for i := range n {
				j := p.at(i)
				if j < 0 || j >= n || seen[j] {
					t.Fatalf("n %d, seed %d: %d goes to %d, which is taken or outside", n, seed, i, j)
				}
				seen[j] = true
			}
		}
	}
	if p := inOrder(5, true); p.at(0) != 4 || p.at(4) != 0 {
		t.Error("a mirrored order does not begin at the end")
	}
}

func TestApportion(t *testing.T) {
	for _, n := range []int64{0, 1, 2, 10, 99, 1000, 123457} {
		for seed := range uint64(30) {
			shares := make([]float64, 1+seed%12)
			var sum float64
			for i := range shares {
				shares[i] = unit(mix(seed*100 + uint64(i)))
				if i%4 == 3 {
					shares[i] = 0
				}
				sum += shares[i]
			}
			var total int64
			for i, got := range apportion(n, shares, 0) {
				total += got
				if want := shares[i] / sum * float64(n); math.Abs(float64(got)-want) >= 1 {
					t.Errorf("n %d, seed %d: bucket %d has %d rows, want %.2f", n, seed, i, got, want)
				}
			}
			if total != n {
				t.Errorf("n %d, seed %d: %d rows were dealt", n, seed, total)
			}
		}
	}
	if diff := cmp.Diff([]int64{96, 2, 2, 0}, apportion(100, []float64{0.999, 0.0005, 0.0005, 0}, 2)); diff != "" {
		t.Errorf("the least that a bucket has (-want +got):\n%s", diff)
	}
}

// TestNode: what is dealt is exact, for a root and for what follows it, and each
// row of a bucket has a rank of its own.
func TestNode(t *testing.T) {
	const n = 10_000
	root := deal("root", 1, n, []float64{0.5, 0.3, 0.2}, 0, permute(n, 7))
	given := [][]float64{{0.9, 0.1}, {0.25, 0.75}, {0, 1}}
	child := follow("child", 2, root, given)
	grandchild := follow("grandchild", 3, child, [][]float64{{1, 0, 0}, {0.2, 0.3, 0.5}})
	joint := make([][]int64, 3)
	for p := range joint {
		joint[p] = make([]int64, 2)
	}
	for _, d := range []*node{root, child, grandchild} {
		seen := make([][]bool, d.width)
		for b := range seen {
			seen[b] = make([]bool, d.total[b])
		}
		for row := range int64(n) {
			at := d.at(row, 0)
			if at.n != d.total[at.bucket] || seen[at.bucket][at.rank] {
				t.Fatalf("%s: row %d has rank %d of %d in bucket %d, which is taken", d.name, row, at.rank, at.n, at.bucket)
			}
			seen[at.bucket][at.rank] = true
			if d == child {
				joint[root.at(row, 0).bucket][at.bucket]++
			}
		}
	}
	if diff := cmp.Diff([]int64{5000, 3000, 2000}, root.total); diff != "" {
		t.Errorf("root (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int64{{4500, 500}, {750, 2250}, {0, 2000}}, joint); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
	for row := range int64(100) {
		if at := root.at(row, 3); at.rank < 0 || at.rank >= at.n {
			t.Errorf("a later attempt has rank %d of %d", at.rank, at.n)
		}
	}
}

func TestSearch(t *testing.T) {
	for _, counts := range [][]int64{{5}, {1, 2, 3}, {0, 4, 0, 4}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 0, 0, 0, 0, 0, 0, 2}} {
		cum := accumulate(counts)
		var want []int
		for b, n := range counts {
			for range n {
				want = append(want, b)
			}
		}
		for q := range want {
			if got := search(cum, int64(q)); got != want[q] {
				t.Errorf("%v: row %d is in bucket %d, want %d", counts, q, got, want[q])
			}
		}
	}
}

func TestCurve(t *testing.T) {
	q := []float64{10, 20, 40, 80, 160}
	for _, k := range []int{0, 20} {
		c := newCurve(q, k, 1000)
		last := math.Inf(-1)
		for i := range 1001 {
			x := c.at(float64(i) / 1000)
			if x < last {
				t.Fatalf("k %d: the curve falls from %v to %v", k, last, x)
			}
			last = x
		}
		if k == 0 && (c.at(0) != 10 || c.at(1) != 160) {
			t.Errorf("without tails: got %v to %v", c.at(0), c.at(1))
		}
		if k > 0 && (c.at(0.5) < 39.9 || c.at(0.5) > 40.1 || c.at(1) <= 160 || c.at(0) >= 10 || c.at(0) < 0) {
			t.Errorf("with tails: got %v, %v, %v", c.at(0), c.at(0.5), c.at(1))
		}
	}
}

// TestIncreasing: keys that count rise strictly, whether their quantiles leave room
// or not, and stay within the type.
func TestIncreasing(t *testing.T) {
	for name, test := range map[string]struct {
		q    []float64
		n    int64
		high float64
	}{
		"room":     {[]float64{1, 500, 1000, 50_000}, 300, 1 << 31},
		"no room":  {[]float64{1, 2, 3, 4}, 300, 1 << 31},
		"nothing":  {nil, 300, 1 << 31},
		"smallint": {[]float64{30_000, 32_000, 32_700, 32_767}, 5000, 32_767},
	} {
		m := newIncreasing(newCurve(test.q, 20, 1000), test.n, 1, limit{min: -test.high - 1, max: test.high})
		last := int64(math.MinInt64)
		for rank := range test.n {
			x := m.value(place{rank: rank, n: test.n})
			if x <= last || float64(x) > test.high {
				t.Fatalf("%s: %d follows %d, at most %v", name, x, last, test.high)
			}
			last = x
		}
	}
}

func TestAffinity(t *testing.T) {
	own, slots := []int64{600, 400}, []int64{250, 250, 500}
	a := &affinity{mine: own}
	r := &reference{slots: 1000, taken: 1000}
	a.apportion(nil, slots, []string{"c1", "c2"}, []string{"c1", "c2", "c3"}, r)
	for c, cum := range a.cum {
		if got := cum[len(cum)-1]; got != own[c] {
			t.Errorf("class %d has %d rows, want %d", c, got, own[c])
		}
	}
	for p, got := range a.theirs {
		if math.Abs(float64(got-slots[p])) > 1 {
			t.Errorf("parents of class %d have %d children, want %d", p, got, slots[p])
		}
	}
}

func TestHashes(t *testing.T) {
	var s hashes
	want := map[uint64]bool{}
	for i := range uint64(5000) {
		h := mix(i % 3000)
		if i == 0 {
			h = 0
		}
		if got := s.has(h); got != want[h] {
			t.Fatalf("%d is in the set: %v, want %v", h, got, want[h])
		}
		s.add(h)
		want[h] = true
	}
	if s.n != len(want) {
		t.Errorf("the set has %d numbers, want %d", s.n, len(want))
	}
}
