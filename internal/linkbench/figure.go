package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// figure is a number that was measured once per round.
type figure struct {
	Median float64 `json:"median"`
	// Low and High are the quartiles: the middle half of the rounds lies between
	// them, whatever befell the machine in one round or another.
	Low    float64   `json:"low"`
	High   float64   `json:"high"`
	Rounds []float64 `json:"rounds"`
}

// newFigure is of at least one value.
func newFigure(values []float64) *figure {
	return &figure{Median: median(values), Low: quantile(values, 0.25), High: quantile(values, 0.75), Rounds: values}
}

// String is "2725 ±4%": half of the way between the quartiles, as a share of the
// median.
func (f figure) String() string {
	if f.Low == f.High || f.Median == 0 {
		return figures.Digits(f.Median)
	}
	return fmt.Sprintf("%s ±%.0f%%", figures.Digits(f.Median), (f.High-f.Low)/2/math.Abs(f.Median)*100)
}

// quantile is the smallest of the values that is not exceeded by a share of them.
// It sorts a copy.
func quantile[T cmp.Ordered](values []T, share float64) T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// median is the middle value, or the mean of the middle two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// each combines two series round by round.
func each(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

func divide(a, b float64) float64   { return a / b }
func subtract(a, b float64) float64 { return a - b }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
