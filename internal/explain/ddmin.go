package explain

import "slices"

// minimise finds a smallest failing set among the numbers below n by delta
// debugging (Zeller and Hildebrandt, 2002, algorithm ddmin): all of them fail, none
// does not, and what comes back fails while it does not without any one of its
// members, as far as fails can tell. When fails returns an error, so does minimise,
// with the smallest failing set until then.
func minimise(n int, fails func([]int) (bool, error)) ([]int, error) {
	var now []int
	for i := range n {
		now = append(now, i)
	}
	for pieces := 2; len(now) > 1; {
		smaller, isPiece, err := reduce(now, pieces, fails)
		if err != nil {
			return now, err
		}
		switch {
		case smaller == nil && pieces >= len(now):
			return now, nil
		case smaller == nil:
			pieces = min(2*pieces, len(now))
		case isPiece:
			now, pieces = smaller, 2
		default:
			now, pieces = smaller, max(pieces-1, 2)
		}
	}
	return now, nil
}

// reduce looks for a failing piece of a set, and then for a set that fails without
// a piece; nil: there is none.
func reduce(now []int, pieces int, fails func([]int) (bool, error)) (smaller []int, isPiece bool, err error) {
	var cut [][]int
	for i := range pieces {
		cut = append(cut, now[i*len(now)/pieces:(i+1)*len(now)/pieces])
	}
	tries := slices.Clone(cut)
	if pieces > 2 { // of two, each is what the other leaves
		for _, c := range cut {
			tries = append(tries, slices.DeleteFunc(slices.Clone(now), func(i int) bool { return slices.Contains(c, i) }))
		}
	}
	for i, t := range tries {
		if bad, err := fails(t); bad || err != nil {
			return t, i < len(cut), err
		}
	}
	return nil, false, nil
}
