package schema

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// maxScale is the most digits behind the point that an int64 can carry.
const maxScale = 18

var powers = func() (p [maxScale + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func pow10f(n int) float64 { return math.Pow(10, float64(n)) }

func appendDecimal(dst []byte, n int64, scale int) []byte {
	if n == math.MinInt64 {
		return append(dst, "NaN"...)
	}
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	from := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	if scale <= 0 {
		return dst
	}
	for len(dst)-from <= scale {
		dst = append(dst, 0)
		copy(dst[from+1:], dst[from:])
		dst[from] = '0'
	}
	point := len(dst) - scale
	dst = append(dst, 0)
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// appendFloat writes the shortest text that reads back as f, as PostgreSQL does.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// parseNumber reads an integer, a decimal where it fits, or else a float.
func parseNumber(s string) (Value, bool) {
	if s == "" {
		return Value{}, false
	}
	digits, scale, point := 0, 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
			if point {
				scale++
			}
		case c == '.' && !point:
			point = true
		case (c == '-' || c == '+') && i == 0:
		default:
			return parseFloat(s)
		}
	}
	if digits == 0 {
		return Value{}, false
	}
	if scale > maxScale {
		return parseFloat(s)
	}
	whole := s
	if point {
		whole = strings.Replace(s, ".", "", 1)
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n == math.MinInt64 && point {
		return parseFloat(s)
	}
	if !point {
		return IntOf(n), true
	}
	return DecimalOf(n, scale), true
}

func parseFloat(s string) (Value, bool) {
	if strings.ContainsAny(s, "xX_pP") {
		return Value{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Value{}, false
	}
	return FloatOf(f), true
}

// rescale gives n at a higher scale, if it fits.
func rescale(n int64, from, to int) (int64, bool) {
	if from == to {
		return n, true
	}
	if to-from > maxScale {
		return 0, n == 0
	}
	return multiply(n, powers[to-from])
}

func multiply(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func compareNumbers(a, b Value) int {
	if a.Kind != FloatValue && b.Kind != FloatValue && !isNaN(a) && !isNaN(b) {
		scale := max(int(a.Scale), int(b.Scale))
		x, ok1 := rescale(a.Int, int(a.Scale), scale)
		y, ok2 := rescale(b.Int, int(b.Scale), scale)
		if ok1 && ok2 {
			return order(x, y)
		}
	}
	x, y := float(a), float(b)
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return 0
	case math.IsNaN(x): // greater than all, to PostgreSQL
		return 1
	case math.IsNaN(y), x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func isNaN(v Value) bool { return v.Kind == DecimalValue && v.Int == math.MinInt64 }

// arithmetic is one of + - * / % on numbers. Integers stay integers, and decimals
// are exact as long as 18 digits suffice.
func arithmetic(op byte, a, b Value, mysql bool) (Value, error) {
	zero := (op == '/' || op == '%') && b.Int == 0 && b.Float == 0
	if zero && mysql {
		return Value{}, nil
	}
	if zero {
		return Value{}, errors.New("division by zero")
	}
	if a.Kind == FloatValue || b.Kind == FloatValue || isNaN(a) || isNaN(b) {
		x, y := float(a), float(b)
		switch op {
		case '+':
			x += y
		case '-':
			x -= y
		case '*':
			x *= y
		case '/':
			x /= y
		default:
			x = math.Mod(x, y)
		}
		return FloatOf(x), nil
	}
	decimal := a.Kind == DecimalValue || b.Kind == DecimalValue
	if op == '/' && (decimal || mysql) {
		return divide(a, b), nil
	}
	scale := max(a.Scale, b.Scale)
	if op == '*' {
		scale = a.Scale + b.Scale
		if n, ok := multiply(a.Int, b.Int); ok && scale <= maxScale {
			return whole(n, scale, decimal), nil
		}
		return overflow(float(a)*float(b), decimal)
	}
	x, ok1 := rescale(a.Int, int(a.Scale), int(scale))
	y, ok2 := rescale(b.Int, int(b.Scale), int(scale))
	if !ok1 || !ok2 {
		a.Kind, a.Float, b.Kind, b.Float = FloatValue, float(a), FloatValue, float(b)
		return arithmetic(op, a, b, mysql)
	}
	switch op {
	case '+', '-':
		n := x + y
		bad := (y > 0) != (n > x) && y != 0
		if op == '-' {
			n = x - y
			bad = (y > 0) != (n < x) && y != 0
		}
		if bad {
			f := float(a) + float(b)
			if op == '-' {
				f = float(a) - float(b)
			}
			return overflow(f, decimal)
		}
		return whole(n, scale, decimal), nil
	case '/':
		if y == -1 {
			return whole(-x, 0, false), nil
		}
		return IntOf(x / y), nil
	}
	if y == -1 {
		return whole(0, scale, decimal), nil
	}
	return whole(x%y, scale, decimal), nil
}

func overflow(f float64, decimal bool) (Value, error) {
	if decimal {
		return FloatOf(f), nil
	}
	return Value{}, fmt.Errorf("%g is out of range of integers", f)
}

func whole(n int64, scale int8, decimal bool) Value {
	if decimal {
		return Value{Kind: DecimalValue, Int: n, Scale: scale}
	}
	return IntOf(n)
}

// divide divides decimals to as many digits as PostgreSQL's select_div_scale
// gives, or as fit.
func divide(a, b Value) Value {
	wa, fa := leading(a)
	wb, fb := leading(b)
	weight := wa - wb
	if fa <= fb {
		weight--
	}
	scale := min(max(16-4*weight, int(a.Scale), int(b.Scale), 0), 40)
	for ; ; scale-- {
		// a/10^sa / (b/10^sb) * 10^scale = a * 10^(scale+sb-sa) / b
		num, den := big.NewInt(a.Int), big.NewInt(b.Int)
		if e := scale + int(b.Scale) - int(a.Scale); e >= 0 {
			num.Mul(num, bigPower(e))
		} else {
			den.Mul(den, bigPower(-e))
		}
		q := roundedQuotient(num, den)
		if q.IsInt64() && scale <= maxScale {
			return DecimalOf(q.Int64(), scale)
		}
		if scale <= 0 {
			return FloatOf(float(a) / float(b))
		}
	}
}

func bigPower(e int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil) }

// roundedQuotient is num/den, halves away from zero.
func roundedQuotient(num, den *big.Int) *big.Int {
	negative := num.Sign()*den.Sign() < 0
	num.Abs(num)
	den.Abs(den)
	num.Lsh(num, 1).Add(num, den)
	num.Quo(num, den.Lsh(den, 1))
	if negative {
		num.Neg(num)
	}
	return num
}

// leading is the weight of a number's first digit to the base 10,000, and that
// digit.
func leading(v Value) (weight, digit int) {
	n := magnitude(v.Int)
	if n == 0 {
		return 0, 0
	}
	digits := len(strconv.FormatUint(n, 10))
	exponent := digits - 1 - int(v.Scale) // of the first decimal digit
	weight = int(math.Floor(float64(exponent) / 4))
	keep := exponent - 4*weight + 1
	for ; digits > keep; digits-- {
		n /= 10
	}
	for ; digits < keep; digits++ {
		n *= 10
	}
	return weight, int(n)
}

// rounded is a number cut to some digits behind the point: 'r' halves away from
// zero, 't' towards zero, 'f' down, 'c' up.
func rounded(v Value, digits int, how byte) Value {
	if v.Kind == FloatValue {
		p := pow10f(digits)
		switch how {
		case 'r':
			return FloatOf(math.RoundToEven(v.Float*p) / p)
		case 't':
			return FloatOf(math.Trunc(v.Float*p) / p)
		case 'f':
			return FloatOf(math.Floor(v.Float*p) / p)
		}
		return FloatOf(math.Ceil(v.Float*p) / p)
	}
	cut := int(v.Scale) - digits
	if isNaN(v) || cut <= 0 {
		return v
	}
	if cut > maxScale {
		return whole(0, 0, v.Kind == DecimalValue)
	}
	p := powers[cut]
	n, rest := v.Int/p, v.Int%p
	switch {
	case how == 'r' && magnitude(rest) >= uint64(p)-magnitude(rest):
		n += sign(rest)
	case how == 'f' && rest < 0:
		n--
	case how == 'c' && rest > 0:
		n++
	}
	if digits < 0 {
		n, _ = multiply(n, powers[-digits])
		return whole(n, 0, v.Kind == DecimalValue)
	}
	return whole(n, int8(digits), v.Kind == DecimalValue)
}

func sign(n int64) int64 { return int64(order(n, 0)) }

func shortest15(f float64) string { return strconv.FormatFloat(f, 'f', decimals15(f), 64) }

// decimals15 is how many digits behind the point make 15 significant ones.
func decimals15(f float64) int {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return min(max(14-int(math.Floor(math.Log10(math.Abs(f)))), 0), maxScale)
}
