package mysql

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// encoder writes rows as LOAD DATA reads them by default, a line each with tabs
// between the values, and as INSERT does.
//
// Bytes are sent as hexadecimal digits: in a file of text a byte above 127 may
// swallow the tab behind it.
type encoder struct {
	columns []rows.Column
	// wrap is the function that makes a column's value of its text; "": none.
	wrap []string
}

func newEncoder(t *schema.Table, columns []rows.Column) *encoder {
	e := &encoder{columns: columns, wrap: make([]string, len(columns))}
	auto := -1
	for i, c := range columns {
		if column, _ := t.Column(c.Name); column != nil && column.Identity != "" {
			auto = i
		}
		switch {
		case c.Kind == rows.Bytes:
			e.wrap[i] = "UNHEX(%s)"
		case c.Type.Kind == schema.Bits:
			e.wrap[i] = "CAST(CONV(%s, 2, 10) AS UNSIGNED)"
		case spatial(c.Type):
			e.wrap[i] = "ST_GeomFromText(%s)"
		}
	}
	if auto >= 0 && slices.ContainsFunc(e.wrap, func(w string) bool { return w != "" }) {
		// MariaDB's LOAD DATA … SET forgets that an AUTO_INCREMENT of 0 came with the
		// line, and makes a number, unless the column is in SET too.
		e.wrap[auto] = "%s"
	}
	return e
}

// loadData is the statement that reads lines from a reader of the driver's.
func (e *encoder) loadData(reader, table string) string {
	into, set := make([]string, len(e.columns)), []string{}
	for i, c := range e.columns {
		into[i] = quote(c.Name)
		if e.wrap[i] != "" {
			into[i] = fmt.Sprintf("@v%d", i)
			set = append(set, quote(c.Name)+" = "+fmt.Sprintf(e.wrap[i], into[i]))
		}
	}
	statement := "LOAD DATA LOCAL INFILE 'Reader::" + reader + "' INTO TABLE " + quote(table) + " CHARACTER SET utf8mb4 (" + strings.Join(into, ", ") + ")"
	if len(set) > 0 {
		statement += " SET " + strings.Join(set, ", ")
	}
	return statement
}

// insert is the beginning of an INSERT, up to its first row.
func (e *encoder) insert(table string) string {
	into := make([]string, len(e.columns))
	for i, c := range e.columns {
		into[i] = quote(c.Name)
	}
	return "INSERT INTO " + quote(table) + " (" + strings.Join(into, ", ") + ") VALUES "
}

// line appends row i of a batch as a line.
func (e *encoder) line(dst []byte, b *rows.Batch, i int) ([]byte, error) {
	var err error
	for c := range e.columns {
		if c > 0 {
			dst = append(dst, '\t')
		}
		v := &b.Columns[c]
		switch {
		case v.Null[i]:
			dst = append(dst, `\N`...)
		case textual(e.columns[c].Kind):
			dst = appendEscaped(dst, v.Text(i), '\t')
		default:
			if dst, err = e.value(dst, c, v, i); err != nil {
				return dst, err
			}
		}
	}
	return append(dst, '\n'), nil
}

// tuple appends row i of a batch as INSERT has it.
func (e *encoder) tuple(dst []byte, b *rows.Batch, i int) ([]byte, error) {
	var err error
	dst = append(dst, '(')
	for c := range e.columns {
		if c > 0 {
			dst = append(dst, ',')
		}
		v := &b.Columns[c]
		if v.Null[i] {
			dst = append(dst, "NULL"...)
			continue
		}
		before, after, _ := strings.Cut(e.wrap[c], "%s")
		dst = append(append(dst, before...), '\'')
		if textual(e.columns[c].Kind) {
			dst = appendEscaped(dst, v.Text(i), '\'')
		} else if dst, err = e.value(dst, c, v, i); err != nil {
			return dst, err
		}
		dst = append(append(dst, '\''), after...)
	}
	return append(dst, ')'), nil
}

func textual(k rows.Kind) bool { return k == rows.Text || k == rows.Syntax }

// value appends a value that has no character to be escaped.
func (e *encoder) value(dst []byte, c int, v *rows.Vector, i int) ([]byte, error) {
	switch column := &e.columns[c]; column.Kind {
	case rows.Bool, rows.Int:
		return strconv.AppendInt(dst, v.Ints[i], 10), nil
	case rows.Float:
		f, bits := v.Floats[i], 64
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return dst, e.unfit(c, f)
		}
		if column.Type.Size == 4 {
			bits = 32
		}
		return strconv.AppendFloat(dst, f, 'g', -1, bits), nil
	case rows.Decimal:
		if v.Ints[i] == rows.NaN {
			return dst, e.unfit(c, "NaN")
		}
		return rows.AppendDecimal(dst, v.Ints[i], column.Scale), nil
	case rows.Date:
		days := v.Ints[i]
		if days != rows.NegInfinity && (days < firstDay || days > lastDay) {
			return dst, e.unfit(c, days)
		}
		return appendDate(dst, days), nil
	case rows.Timestamp:
		n := v.Ints[i]
		if n == rows.NegInfinity {
			return append(appendDate(dst, n), " 00:00:00"...), nil
		}
		days := floorDiv(n, microsOfDay)
		if days < firstDay || days > lastDay {
			return dst, e.unfit(c, n)
		}
		return appendClock(append(appendDate(dst, days), ' '), n-days*microsOfDay), nil
	case rows.Time:
		n := v.Ints[i]
		if n < 0 {
			dst, n = append(dst, '-'), -n
		}
		if n < 0 || n >= 839*3600_000_000 {
			return dst, e.unfit(c, v.Ints[i])
		}
		return appendClock(dst, n), nil
	case rows.UUID:
		return appendUUID(dst, v.Text(i)), nil
	default: // rows.Bytes
		return hex.AppendEncode(dst, v.Text(i)), nil
	}
}

func (e *encoder) unfit(c int, value any) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("column %q, %s, cannot hold the value %v", e.columns[c].Name, e.columns[c].Type.SQL, value),
		Hint: "Give the column a rule in the data plan."}
}

// appendEscaped appends a text with a backslash before what would be read
// otherwise, end being what ends it.
func appendEscaped(dst, text []byte, end byte) []byte {
	from := 0
	for i, c := range text {
		switch c {
		case 0:
			c = '0'
		case '\n':
			c = 'n'
		case '\t':
			c = 't'
		case '\\', end:
		default:
			continue
		}
		dst = append(append(dst, text[from:i]...), '\\', c)
		from = i + 1
	}
	return append(dst, text[from:]...)
}

const microsOfDay = 86400 * 1_000_000

// The days of the years 0 to 9999, which is what dates reach.
const (
	firstDay = -719528
	lastDay  = 2932896
)

// appendDate writes a day. The one before all others is the zero date.
func appendDate(dst []byte, days int64) []byte {
	if days == rows.NegInfinity {
		return append(dst, "0000-00-00"...)
	}
	// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
	z := days + 719468
	era := floorDiv(z, 146097)
	day := z - era*146097
	year := (day - day/1460 + day/36524 - day/146096) / 365
	ofYear := day - (365*year + year/4 - year/100)
	m := (5*ofYear + 2) / 153
	d := ofYear - (153*m+2)/5 + 1
	year += era * 400
	if m < 10 {
		m += 3
	} else {
		m -= 9
		year++
	}
	dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-')
	return appendTwo(append(appendTwo(dst, m), '-'), d)
}

// appendClock writes a time of day, or a span of hours.
func appendClock(dst []byte, micros int64) []byte {
	seconds, fraction := micros/1_000_000, micros%1_000_000
	hours := seconds / 3600
	if hours >= 100 {
		dst = strconv.AppendInt(dst, hours, 10)
	} else {
		dst = appendTwo(dst, hours)
	}
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	if fraction != 0 {
		dst = append(dst, '.')
		for unit := int64(100_000); unit > 0; unit /= 10 {
			dst = append(dst, byte('0'+fraction/unit%10))
		}
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func appendUUID(dst, id []byte) []byte {
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
