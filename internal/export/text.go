package export

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// TextOf appends the text form of row i of a column, as the server that the column
// is of reads and PostgreSQL writes it. Points in time are in UTC, which those of a
// PostgreSQL column with a time zone say themselves. NULL has no text: the caller
// looks first.
func TextOf(dst []byte, c rows.Column, v *rows.Vector, i int) []byte {
	switch c.Kind {
	case rows.Bool:
		yes := v.Ints[i] != 0
		switch {
		case c.Type.Name != "bool":
			return strconv.AppendInt(dst, v.Ints[i], 10)
		case yes:
			return append(dst, 't')
		}
		return append(dst, 'f')
	case rows.Int:
		if c.Type.Unsigned {
			return strconv.AppendUint(dst, uint64(v.Ints[i]), 10)
		}
		return strconv.AppendInt(dst, v.Ints[i], 10)
	case rows.Float:
		return appendFloat(dst, v.Floats[i], c.Type.Size)
	case rows.Decimal:
		return appendDecimal(dst, v.Ints[i], c.Scale)
	case rows.Date:
		return appendDate(dst, v.Ints[i])
	case rows.Time:
		return appendClock(dst, v.Ints[i])
	case rows.Timestamp:
		return appendTimestamp(dst, v.Ints[i], c.Type.Name == "timestamptz")
	case rows.UUID:
		return appendUUID(dst, v.Text(i))
	case rows.Bytes:
		if c.Type.Name == "bytea" {
			return hex.AppendEncode(append(dst, `\x`...), v.Text(i))
		}
	}
	return append(dst, v.Text(i)...)
}

func appendFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	bits := 64
	if size == 4 {
		bits = 32
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

func appendDecimal(dst []byte, n int64, scale int) []byte {
	if n == rows.NaN {
		return append(dst, "NaN"...)
	}
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	if scale <= 0 {
		return strconv.AppendInt(dst, n, 10)
	}
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], n, 10)
	if whole := len(digits) - scale; whole > 0 {
		dst = append(append(dst, digits[:whole]...), '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(dst, "0."...)
	for range scale - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

const day = int64(24 * time.Hour / time.Microsecond)

// appendInfinity appends a date or time that is none.
func appendInfinity(dst []byte, n int64) ([]byte, bool) {
	switch n {
	case rows.Infinity:
		return append(dst, "infinity"...), true
	case rows.NegInfinity:
		return append(dst, "-infinity"...), true
	}
	return dst, false
}

func appendDate(dst []byte, days int64) []byte {
	if dst, ok := appendInfinity(dst, days); ok {
		return dst
	}
	dst, bc := appendDay(dst, time.Unix(days*86400, 0).UTC())
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendDay(dst []byte, t time.Time) (out []byte, bc bool) {
	y, m, d := t.Date()
	if y <= 0 {
		y, bc = 1-y, true
	}
	for w := 1000; w > 1 && y < w; w /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(y), 10)
	dst = append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
	return dst, bc
}

func appendTimestamp(dst []byte, us int64, zone bool) []byte {
	if dst, ok := appendInfinity(dst, us); ok {
		return dst
	}
	of := us % day
	if of < 0 {
		of += day
	}
	dst, bc := appendDay(dst, time.Unix((us-of)/1e6, 0).UTC())
	dst = appendClock(append(dst, ' '), of)
	if zone {
		dst = append(dst, "+00"...)
	}
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendClock(dst []byte, us int64) []byte {
	s := us / 1e6
	two := func(n int64) { dst = append(dst, byte('0'+n/10), byte('0'+n%10)) }
	two(s / 3600)
	dst = append(dst, ':')
	two(s / 60 % 60)
	dst = append(dst, ':')
	two(s % 60)
	if f := us % 1e6; f > 0 {
		dst = append(dst, '.')
		for unit := int64(100000); f > 0; unit /= 10 {
			dst = append(dst, byte('0'+f/unit))
			f %= unit
		}
	}
	return dst
}

func appendUUID(dst, id []byte) []byte {
	for i, n := range []int{0, 4, 6, 8, 10} {
		if i > 0 {
			dst = append(dst, '-')
		}
		end := 16
		if i < 4 {
			end = []int{4, 6, 8, 10}[i]
		}
		dst = hex.AppendEncode(dst, id[n:end])
	}
	return dst
}

// bare reports whether SQL takes the text of a value without quotes.
func bare(c rows.Column, v *rows.Vector, i int) bool {
	switch c.Kind {
	case rows.Int:
		return true
	case rows.Bool:
		return c.Type.Name != "bool"
	case rows.Decimal:
		return v.Ints[i] != rows.NaN
	case rows.Float:
		return !math.IsNaN(v.Floats[i]) && !math.IsInf(v.Floats[i], 0)
	}
	return false
}
