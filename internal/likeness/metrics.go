package likeness

import (
	"math"
	"slices"
)

// KSComplement is one minus the two-sample Kolmogorov-Smirnov statistic, the
// largest distance between the two empirical distribution functions. NaN is a
// missing value and does not count. It is NaN itself where either side has no value.
func KSComplement(real, synthetic []float64) float64 {
	a, b := sorted(real), sorted(synthetic)
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	var d float64
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return 1 - d
}

// sorted are the values in ascending order, without those that are missing.
func sorted(values []float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// missing is the code of a missing value.
const missing = -1

// TVComplement is one minus the total variation distance, half of the sum of the
// differences of the categories' frequencies. Values are codes of categories,
// negative ones missing, which do not count. It is NaN where either side has no value.
func TVComplement(real, synthetic []int32) float64 {
	a, b := counts(real), counts(synthetic)
	var n, m int
	for _, c := range a {
		n += c
	}
	for _, c := range b {
		m += c
	}
	if n == 0 || m == 0 {
		return math.NaN()
	}
	var sum float64
	for i := range max(len(a), len(b)) {
		sum += math.Abs(share(a, i, n) - share(b, i, m))
	}
	return 1 - sum/2
}

// counts says how often each code occurs, those that are missing left out.
func counts(codes []int32) []int {
	var out []int
	for _, c := range codes {
		if c < 0 {
			continue
		}
		for int(c) >= len(out) {
			out = append(out, 0)
		}
		out[c]++
	}
	return out
}

func share(counts []int, i, of int) float64 {
	if i >= len(counts) {
		return 0
	}
	return float64(counts[i]) / float64(of)
}

// MissingValueSimilarity is one minus the difference of the shares of missing values.
func MissingValueSimilarity(real, synthetic float64) float64 {
	return 1 - math.Abs(real-synthetic)
}

// CorrelationSimilarity is one minus half the difference of two coefficients of
// correlation.
func CorrelationSimilarity(real, synthetic float64) float64 {
	return 1 - math.Abs(real-synthetic)/2
}

// Pearson is the coefficient of correlation over the rows where both values are
// there and finite. It is NaN where fewer than two rows are left or where either
// side is constant.
func Pearson(x, y []float64) float64 {
	var n, meanX, meanY, xx, yy, xy float64
	for i, a := range x {
		b := y[i]
		if !finite(a) || !finite(b) {
			continue
		}
		// Welford's update: times in microseconds squared leave a plain sum no digits.
		n++
		dx, dy := a-meanX, b-meanY
		meanX += dx / n
		meanY += dy / n
		xx += dx * (a - meanX)
		yy += dy * (b - meanY)
		xy += dx * (b - meanY)
	}
	if n < 2 || xx <= 0 || yy <= 0 {
		return math.NaN()
	}
	return max(-1, min(1, xy/math.Sqrt(xx)/math.Sqrt(yy)))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// ContingencySimilarity is one minus the total variation distance between two
// tables of pairs of categories. A missing value is a category like any other. It
// is NaN where either side has no row.
func ContingencySimilarity(real, synthetic [2][]int32) float64 {
	n, m := len(real[0]), len(synthetic[0])
	if n == 0 || m == 0 {
		return math.NaN()
	}
	a, b := tabulate(real, synthetic)
	var sum float64
	for i := range a {
		sum += math.Abs(float64(a[i])/float64(n) - float64(b[i])/float64(m))
	}
	return 1 - sum/2
}

// dense is how many cells a table may have that is held as a slice.
const dense = 1 << 18

// tabulate counts pairs on both sides, cell by cell in one order.
func tabulate(real, synthetic [2][]int32) (a, b []int) {
	width := int64(max(top(real[1]), top(synthetic[1]))) + 2
	height := int64(max(top(real[0]), top(synthetic[0]))) + 2
	if width*height <= dense {
		a, b = make([]int, width*height), make([]int, width*height)
		for i, c := range real[0] {
			a[int64(c+1)*width+int64(real[1][i]+1)]++
		}
		for i, c := range synthetic[0] {
			b[int64(c+1)*width+int64(synthetic[1][i]+1)]++
		}
		return a, b
	}
	at := map[int64]int{}
	cell := func(x, y int32) int {
		key := int64(x+1)*width + int64(y+1)
		i, ok := at[key]
		if !ok {
			i = len(a)
			at[key] = i
			a, b = append(a, 0), append(b, 0)
		}
		return i
	}
	for i, c := range real[0] {
		a[cell(c, real[1][i])]++
	}
	for i, c := range synthetic[0] {
		b[cell(c, synthetic[1][i])]++
	}
	return a, b
}

func top(codes []int32) int32 {
	out := int32(missing)
	for _, c := range codes {
		out = max(out, c)
	}
	return out
}

// CramersV is the association of two columns of categories, from 0 to 1, missing
// values being a category. It is NaN where either has fewer than two categories.
func CramersV(x, y []int32) float64 {
	cells := map[[2]int32]int{}
	rows, columns := map[int32]int{}, map[int32]int{}
	for i := range x {
		cells[[2]int32{x[i], y[i]}]++
		rows[x[i]]++
		columns[y[i]]++
	}
	least := min(len(rows), len(columns))
	if least < 2 {
		return math.NaN()
	}
	// χ²/n is the sum of n_ij²/(n_i·n_j), less one. The terms are sorted, because a
	// map has no order and sums of floats do.
	terms := make([]float64, 0, len(cells))
	for at, n := range cells {
		terms = append(terms, float64(n)*float64(n)/(float64(rows[at[0]])*float64(columns[at[1]])))
	}
	slices.Sort(terms)
	var sum float64
	for _, t := range terms {
		sum += t
	}
	return math.Sqrt(max(0, sum-1) / float64(least-1))
}

// bins is how many bins a range of numbers is cut into.
const bins = 10

// edges are the bounds of ten bins of equal width over the finite values, eleven
// in all; nil where there is none.
func edges(values []float64) []float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	switch {
	case low > high:
		return nil
	case low == high:
		low, high = low-0.5, high+0.5
	}
	out := make([]float64, bins+1)
	for i := range out {
		out[i] = low + (high-low)*float64(i)/bins
	}
	out[bins] = high
	return out
}

// digitize gives each value the number of bounds at or below it, so that 0 is
// below the first bin and 11 at or above the end of the last.
func digitize(values, edges []float64) []int32 {
	out := make([]int32, len(values))
	for i, v := range values {
		if math.IsNaN(v) {
			out[i] = missing
			continue
		}
		at, exact := slices.BinarySearch(edges, v)
		if exact {
			at++
		}
		out[i] = int32(at)
	}
	return out
}

// BoundaryAdherence is the share of synthetic values that lie between the least
// and the greatest real one. It is NaN where either side has no value.
func BoundaryAdherence(real, synthetic []float64) float64 {
	a := sorted(real)
	var n, within int
	for _, v := range synthetic {
		if math.IsNaN(v) || len(a) == 0 {
			continue
		}
		n++
		if v >= a[0] && v <= a[len(a)-1] {
			within++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return float64(within) / float64(n)
}

// CategoryAdherence is the share of synthetic values that are categories of the
// real ones. A missing value is one where there is a real one missing.
func CategoryAdherence(real, synthetic []int32) float64 {
	if len(synthetic) == 0 {
		return math.NaN()
	}
	known := map[int32]bool{}
	for _, c := range real {
		known[c] = true
	}
	var within int
	for _, c := range synthetic {
		if known[c] {
			within++
		}
	}
	return float64(within) / float64(len(synthetic))
}

// mean is NaN of nothing.
func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
