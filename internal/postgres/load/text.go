package load

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// textRow appends a row in COPY's text format: columns parted by tabs, \N for
// NULL, and a backslash before what would be read otherwise.
func (e *encoder) textRow(dst []byte, b *rows.Batch, i int) ([]byte, error) {
	for c := range e.columns {
		if c > 0 {
			dst = append(dst, '\t')
		}
		v, column := &b.Columns[c], &e.columns[c]
		if v.Null[i] {
			dst = append(dst, `\N`...)
			continue
		}
		switch column.Kind {
		case rows.Bool:
			dst = append(dst, "ft"[v.Ints[i]&1])
		case rows.Int:
			dst = strconv.AppendInt(dst, v.Ints[i], 10)
		case rows.Float:
			dst = appendFloat(dst, v.Floats[i], column.Type.Size)
		case rows.Decimal:
			dst = appendDecimal(dst, v.Ints[i], column.Scale)
		case rows.Date:
			dst = appendDate(dst, v.Ints[i])
		case rows.Time:
			if n := v.Ints[i]; n < 0 || n > maxMicros {
				return dst, e.unfit(c, n)
			}
			dst = appendTime(dst, v.Ints[i])
		case rows.Timestamp:
			dst = appendTimestamp(dst, v.Ints[i], column.Type.Kind == schema.Instant)
		case rows.UUID:
			dst = appendUUID(dst, v.Text(i))
		case rows.Bytes:
			dst = hex.AppendEncode(append(dst, `\\x`...), v.Text(i))
		default:
			dst = appendEscaped(dst, v.Text(i))
		}
	}
	return append(dst, '\n'), nil
}

func appendEscaped(dst, text []byte) []byte {
	from := 0
	for i, c := range text {
		var escape byte
		switch c {
		case '\\':
			escape = '\\'
		case '\t':
			escape = 't'
		case '\n':
			escape = 'n'
		case '\r':
			escape = 'r'
		default:
			continue
		}
		dst = append(append(dst, text[from:i]...), '\\', escape)
		from = i + 1
	}
	return append(dst, text[from:]...)
}

func appendFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case size == 4:
		return strconv.AppendFloat(dst, float64(float32(f)), 'g', -1, 32)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

func appendDecimal(dst []byte, n int64, scale int) []byte {
	if n == rows.NaN {
		return append(dst, "NaN"...)
	}
	return rows.AppendDecimal(dst, n, scale)
}

const microsOfDay = 86400 * 1_000_000

func appendDate(dst []byte, days int64) []byte {
	if days == rows.Infinity || days == rows.NegInfinity {
		return appendInfinity(dst, days)
	}
	dst, before := appendCivil(dst, days)
	return append(dst, before...)
}

func appendTimestamp(dst []byte, micros int64, zone bool) []byte {
	if micros == rows.Infinity || micros == rows.NegInfinity {
		return appendInfinity(dst, micros)
	}
	days, rest := micros/microsOfDay, micros%microsOfDay
	if rest < 0 {
		days, rest = days-1, rest+microsOfDay
	}
	dst, before := appendCivil(dst, days)
	dst = appendTime(append(dst, ' '), rest)
	if zone {
		dst = append(dst, "+00"...)
	}
	return append(dst, before...)
}

func appendInfinity(dst []byte, n int64) []byte {
	if n == rows.NegInfinity {
		dst = append(dst, '-')
	}
	return append(dst, "infinity"...)
}

// appendCivil appends year-month-day in the Gregorian calendar, as
// http://howardhinnant.github.io/date_algorithms.html#civil_from_days computes it,
// and says what has to stand behind date and time. The time package is not
// used, since it does not print years as the server reads them outside of 0 to
// 9999.
func appendCivil(dst []byte, days int64) (_ []byte, before string) {
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	day := z - era*146097
	yearOfEra := (day - day/1460 + day/36524 - day/146096) / 365
	day -= 365*yearOfEra + yearOfEra/4 - yearOfEra/100
	month := (5*day + 2) / 153
	day -= (153*month+2)/5 - 1
	year := yearOfEra + era*400
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	if year <= 0 {
		year, before = 1-year, " BC"
	}
	for limit := int64(1000); limit > year && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = append(strconv.AppendInt(dst, year, 10), '-')
	dst = append(appendTwo(dst, month), '-')
	return appendTwo(dst, day), before
}

func appendTime(dst []byte, micros int64) []byte {
	seconds, rest := micros/1_000_000, micros%1_000_000
	dst = append(appendTwo(dst, seconds/3600), ':')
	dst = append(appendTwo(dst, seconds/60%60), ':')
	dst = appendTwo(dst, seconds%60)
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	for limit := int64(100_000); limit > 0; limit /= 10 {
		dst = append(dst, byte('0'+rest/limit%10))
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func appendUUID(dst, id []byte) []byte {
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	return dst
}
