package load

import (
	"encoding/binary"
	"math"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

var be = binary.BigEndian

// PostgreSQL counts from 2000-01-01.
const (
	epochDays   = 10957
	epochMicros = epochDays * 86400 * 1_000_000
	// minTimestamp is 4714-11-24 BC, before which there is nothing.
	minTimestamp = -211813488000000000 + epochMicros
	maxMicros    = 86400 * 1_000_000 // of a time of day; 24:00 is one
)

const null = 0xffffffff

func (e *encoder) binaryRow(dst []byte, b *rows.Batch, i int) ([]byte, error) {
	dst = be.AppendUint16(dst, uint16(len(e.forms)))
	for c, f := range e.forms {
		v := &b.Columns[c]
		if v.Null[i] {
			dst = be.AppendUint32(dst, null)
			continue
		}
		switch f {
		case formBool:
			dst = append(dst, 0, 0, 0, 1, byte(v.Ints[i]&1))
		case formInt2:
			n := v.Ints[i]
			if n != int64(int16(n)) {
				return dst, e.unfit(c, n)
			}
			dst = append(dst, 0, 0, 0, 2, byte(n>>8), byte(n))
		case formInt4:
			n := v.Ints[i]
			if n != int64(int32(n)) {
				return dst, e.unfit(c, n)
			}
			dst = be.AppendUint64(dst, 4<<32|uint64(uint32(n)))
		case formOID:
			n := v.Ints[i]
			if n != int64(uint32(n)) {
				return dst, e.unfit(c, n)
			}
			dst = be.AppendUint64(dst, 4<<32|uint64(n))
		case formInt8:
			dst = be.AppendUint64(be.AppendUint32(dst, 8), uint64(v.Ints[i]))
		case formFloat4:
			dst = be.AppendUint64(dst, 4<<32|uint64(math.Float32bits(float32(v.Floats[i]))))
		case formFloat8:
			dst = be.AppendUint64(be.AppendUint32(dst, 8), math.Float64bits(v.Floats[i]))
		case formNumeric:
			dst = appendNumeric(dst, v.Ints[i], e.columns[c].Scale)
		case formDate:
			n := v.Ints[i]
			switch n {
			case rows.Infinity:
				n = math.MaxInt32
			case rows.NegInfinity:
				n = math.MinInt32
			default:
				n -= epochDays
				if n != int64(int32(n)) || n == math.MaxInt32 || n == math.MinInt32 {
					return dst, e.unfit(c, v.Ints[i])
				}
			}
			dst = be.AppendUint64(dst, 4<<32|uint64(uint32(n)))
		case formTime:
			n := v.Ints[i]
			if n < 0 || n > maxMicros {
				return dst, e.unfit(c, n)
			}
			dst = be.AppendUint64(be.AppendUint32(dst, 8), uint64(n))
		case formTimestamp:
			n := v.Ints[i]
			if n != rows.Infinity && n != rows.NegInfinity {
				if n < minTimestamp {
					return dst, e.unfit(c, n)
				}
				n -= epochMicros
			}
			dst = be.AppendUint64(be.AppendUint32(dst, 8), uint64(n))
		case formBytes:
			t := v.Text(i)
			dst = append(be.AppendUint32(dst, uint32(len(t))), t...)
		case formJSONB:
			t := v.Text(i)
			dst = append(be.AppendUint32(dst, uint32(len(t)+1)), 1) // jsonb's version
			dst = append(dst, t...)
		}
	}
	return dst, nil
}

var pow10 = [4]uint64{1, 10, 100, 1000}

// appendNumeric appends n / 10^scale. A numeric is a row of digits to base 10,000
// around the decimal point, see numeric_recv in src/backend/utils/adt/numeric.c.
func appendNumeric(dst []byte, n int64, scale int) []byte {
	const (
		negative  = 0x4000
		notNumber = 0xC000
	)
	if n == rows.NaN {
		return append(dst, 0, 0, 0, 8, 0, 0, 0, 0, notNumber>>8, 0, 0, 0)
	}
	var sign uint16
	u := uint64(n)
	if n < 0 {
		sign, u = negative, -u
	}
	// The digits from the right. The first is cut short where the scale is not a
	// multiple of four; those that are zero at the end are left out.
	var digits [6]uint16
	count, lowest := 0, -(scale+3)/4
	put := func(d uint64) {
		if d == 0 && count == 0 {
			lowest++
			return
		}
		digits[count] = uint16(d)
		count++
	}
	if r := scale % 4; r > 0 && u > 0 {
		put(u % pow10[r] * pow10[4-r])
		u /= pow10[r]
	}
	for ; u > 0; u /= 10000 {
		put(u % 10000)
	}
	weight := lowest + count - 1
	if count == 0 {
		weight = 0
	}
	dst = be.AppendUint32(dst, uint32(8+2*count))
	dst = be.AppendUint64(dst, uint64(count)<<48|uint64(uint16(weight))<<32|uint64(sign)<<16|uint64(scale))
	for count--; count >= 0; count-- {
		dst = be.AppendUint16(dst, digits[count])
	}
	return dst
}
