package explain

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// What minimise gives fails, and does not without any one member, whatever the
// oracle; and with one smallest set it is that.
func TestMinimise(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + rnd.IntN(30)
		need := rnd.Perm(n)[:1+rnd.IntN(min(n, 5))]
		slices.Sort(need)
		asked := 0
		fails := func(set []int) (bool, error) {
			asked++
			return within(need, set), nil
		}
		got, err := minimise(n, fails)
		if err != nil || !slices.Equal(got, need) {
			t.Fatalf("of %d, where %v are needed: %v (%v)", n, need, got, err)
		}
		// Zeller and Hildebrandt's bound of the worst case.
		if asked > n*n+3*n {
			t.Errorf("of %d it asked %d times", n, asked)
		}
	}
}

// With an oracle that knows nothing of order, the result is still one from which
// nothing can be left out.
func TestMinimiseOfAnyOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		n := 2 + rnd.IntN(7)
		truth := make([]bool, 1<<n)
		for i := range truth {
			truth[i] = rnd.IntN(3) == 0
		}
		truth[0], truth[len(truth)-1] = false, true
		of := func(set []int) bool {
			bits := 0
			for _, i := range set {
				bits |= 1 << i
			}
			return truth[bits]
		}
		got, _ := minimise(n, func(set []int) (bool, error) { return of(set), nil })
		if !of(got) {
			t.Fatalf("%v does not fail", got)
		}
		for i := range got {
			if without := slices.Delete(slices.Clone(got), i, i+1); of(without) {
				t.Fatalf("%v fails without its member %d", got, i)
			}
		}
	}
}

func TestMinimiseKeepsWhatItHas(t *testing.T) {
	stop := errors.New("stop")
	asked := 0
	got, err := minimise(8, func(set []int) (bool, error) {
		if asked++; asked == 3 {
			return false, stop
		}
		return within([]int{5}, set), nil
	})
	if !errors.Is(err, stop) || !slices.Equal(got, []int{4, 5, 6, 7}) {
		t.Errorf("got %v, %v", got, err)
	}
}
