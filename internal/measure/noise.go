package measure

import (
	crand "crypto/rand"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
)

// noise is the Laplace mechanism. The zero value adds none.
//
// A row is counted once in each family of counts of its table: a column's
// values, its formats, and so on. A tenth of the budget goes to the number of
// rows, and the rest is divided evenly among the families, so that the counts of a
// table as a whole stay within it. A count is drawn once and used from then on.
// Quantiles are no counts and get no noise, nor do orders.
type noise struct {
	scale    float64 // of the distribution, for the counts of a family
	rowScale float64 // for the number of rows
	rng      *rand.Rand
}

// delta is the chance that a value held by too few rows is listed all the same.
const delta = 1e-6

// newNoise is the noise for one table. Without a seed it comes from the system's
// source: noise that can be made again can be taken away again.
func newNoise(epsilon float64, families int, seed, table uint64) *noise {
	if epsilon <= 0 {
		return &noise{}
	}
	var key [32]byte
	if seed == 0 {
		if _, err := crand.Read(key[:]); err != nil {
			panic("measure: internal error: " + err.Error()) // it never fails
		}
	} else {
		binary.LittleEndian.PutUint64(key[:], seed)
		binary.LittleEndian.PutUint64(key[8:], table)
	}
	return &noise{scale: float64(max(families, 1)) / (0.9 * epsilon), rowScale: 1 / (0.1 * epsilon), rng: rand.New(rand.NewChaCha8(key))}
}

// count is a count with noise, never below 0.
func (n *noise) count(c int64) float64 { return n.laplace(c, n.scale) }

// rows is a number of rows with noise.
func (n *noise) rows(c int64) int64 { return int64(math.Round(n.laplace(c, n.rowScale))) }

func (n *noise) laplace(c int64, scale float64) float64 {
	if n.rng == nil {
		return float64(c)
	}
	u := n.rng.Float64() - 0.5
	return max(0, float64(c)-scale*math.Copysign(math.Log(max(1-2*math.Abs(u), 1e-300)), u))
}

// share is a count with noise as a share of a total, from 0 to 1.
func (n *noise) share(c, of int64) float64 { return shareOf(n.count(c), of) }

// shareOf is a count, which has its noise already, as a share.
func shareOf(count float64, of int64) float64 {
	if of == 0 {
		return 0
	}
	return rounded(min(1, count/float64(of)), 4)
}

// threshold is how many rows must hold a value, noise included.
func (n *noise) threshold(k int64) float64 {
	return float64(k) + n.scale*math.Log(1/delta)
}

// rounded has so many significant digits.
func rounded(v float64, digits int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return r
}
