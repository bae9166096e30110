package synth

import "math/bits"

// mix turns any 64 bits into 64 that look like chance: the finaliser of
// SplitMix64, so that a value is a function of where it stands and of nothing
// that was drawn before it.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// seedOf is a seed of its own for a part of the dataset.
func seedOf(seed uint64, names ...string) uint64 {
	h := mix(seed)
	for _, n := range names {
		for i := range len(n) {
			h = (h ^ uint64(n[i])) * 0x100000001b3
		}
		h = mix(h)
	}
	return h
}

// stir is what an attempt at a row adds to its randomness: nothing, for the first.
func stir(attempt int) uint64 { return uint64(attempt) * 0xff51afd7ed558ccd }

// random is 64 bits of an attempt at a row's own.
func random(seed uint64, row int64, attempt int) uint64 {
	return mix(seed ^ uint64(row)*0xd1342543de82ef95 ^ stir(attempt))
}

// unit is 64 bits as a number from 0 up to 1.
func unit(r uint64) float64 { return float64(r>>11) / (1 << 53) }

// below is 64 bits as a number from 0 to n-1.
func below(r uint64, n int64) int64 {
	hi, _ := bits.Mul64(r, uint64(n))
	return int64(hi)
}

// permutation is a bijection of 0 … n-1 that costs a few nanoseconds and no
// memory: rounds of multiply and xor-shift on the smallest power of two that
// holds n, walked until the result is below n. The zero value with n set is the
// identity.
type permutation struct {
	n        int64
	mask     uint64
	shift    uint8
	identity bool
	reverse  bool
	a, b     uint64
	c        uint64
}

func permute(n int64, seed uint64) permutation {
	if n <= 1 {
		return permutation{n: n, identity: true}
	}
	width := bits.Len64(uint64(n - 1))
	return permutation{
		n: n, mask: 1<<width - 1, shift: uint8(width+1) / 2,
		a: mix(seed) | 1, b: mix(seed+1) | 1, c: mix(seed + 2),
	}
}

// inOrder is the identity, or its mirror.
func inOrder(n int64, reverse bool) permutation {
	return permutation{n: n, identity: true, reverse: reverse}
}

// at is where i goes.
func (p *permutation) at(i int64) int64 {
	if p.identity {
		if p.reverse {
			return p.n - 1 - i
		}
		return i
	}
	x := uint64(i)
	for {
		x = (x ^ p.c) * p.a & p.mask
		x ^= x >> p.shift
		x = (x*p.b + p.c) & p.mask
		if x ^= x >> p.shift; x < uint64(p.n) {
			return int64(x)
		}
	}
}
