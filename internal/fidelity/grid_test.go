package fidelity

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Cell is one point of the grid: an exchange on a path.
type Cell struct {
	RTT  time.Duration `json:"rttNs"`
	Loss float64       `json:"loss"` // each way
	Size int           `json:"bytes"`
	// Warm exchanges are the 5th to the 8th of a connection, back to back, all
	// of the same size. The others are the first, their connect included.
	Warm bool `json:"warm"`
}

// String is the cell as messages have it.
func (c Cell) String() string {
	return fmt.Sprintf("round trip %v, loss %v %%, %d bytes, %s", c.RTT, 100*c.Loss, c.Size, c.state())
}

func (c Cell) state() string {
	if c.Warm {
		return "warm"
	}
	return "fresh"
}

// The axes of the grid.
var (
	rtts   = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}
	losses = []float64{0, 0.001, 0.005, 0.01, 0.02}
	sizes  = []int{64, 1_000, 10_000, 50_000, 200_000, 1_000_000, 5_000_000}
)

const (
	requestSize = 64
	before      = 4 // exchanges that warm a connection
	measured    = 4 // exchanges after them that count
)

// Result is what was measured of a cell.
type Result struct {
	Cell
	N      int     `json:"n"`
	P50    float64 `json:"p50ms"`
	P90    float64 `json:"p90ms"`
	P99    float64 `json:"p99ms"`
	Mean   float64 `json:"meanMs"`
	Lowest float64 `json:"minMs"`
	// Connect is the median time of the handshake, of fresh exchanges.
	Connect float64 `json:"connectP50ms,omitempty"`
}

func summarise(c Cell, took, connects []time.Duration) Result {
	slices.Sort(took)
	slices.Sort(connects)
	r := Result{Cell: c, N: len(took), P50: at(took, 0.5), P90: at(took, 0.9), P99: at(took, 0.99), Lowest: at(took, 0)}
	for _, d := range took {
		r.Mean += d.Seconds() * 1e3 / float64(len(took))
	}
	if !c.Warm {
		r.Connect = at(connects, 0.5)
	}
	return r
}

// at is a quantile of sorted times, in milliseconds.
func at(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Seconds() * 1e3
}

// expected is roughly how long an exchange takes: slow start from the initial
// window, up to what the loss or the socket's buffer allows.
func expected(c Cell) time.Duration {
	const segment = 1448
	highest := 4e6
	if c.Loss > 0 {
		highest = segment * max(6, 1.3/math.Sqrt(c.Loss))
	}
	rounds, window := 1, 10.*segment
	for sent := 0.; sent < float64(c.Size); rounds++ {
		sent += min(window, highest)
		window *= 2
	}
	return time.Duration(rounds) * c.RTT
}

// Measured is a file of results.
type Measured struct {
	Tier    string    `json:"tier"`
	Kernel  string    `json:"kernel"`
	Date    time.Time `json:"date"`
	Results []Result  `json:"results"`
}
