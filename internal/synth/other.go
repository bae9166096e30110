package synth

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// flags makes booleans.
type flags struct{}

func (flags) put(v *rows.Vector, i int, _ place, _ int, r uint64) { v.Ints[i] = int64(r >> 20 & 1) }

// labels makes enums.
type labels struct{ labels []string }

func (m *labels) put(v *rows.Vector, _ int, _ place, _ int, r uint64) {
	v.Data = append(v.Data, m.labels[below(r, int64(len(m.labels)))]...)
}

// uuids makes version 4 UUIDs.
type uuids struct{}

func (uuids) put(v *rows.Vector, _ int, _ place, _ int, r uint64) {
	v.Data = appendUUID(v.Data, mix(r), mix(r+1))
}

func appendUUID(dst []byte, a, b uint64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, a&^0xf000|0x4000)
	return binary.BigEndian.AppendUint64(dst, b&^(3<<62)|1<<63)
}

// blobs makes bytes.
type blobs struct {
	length []float64
	limit  limit
}

// size is a length that is allowed.
func (l *limit) size(n int) int {
	if n = max(n, l.least); l.length > 0 {
		n = min(n, l.length)
	}
	return n
}

func (m *blobs) put(v *rows.Vector, _ int, at place, _ int, r uint64) {
	n := 16
	if len(m.length) > 0 {
		n = int(quantile(m.length, position(at)) + 0.5)
	}
	n = m.limit.size(n)
	for ; n >= 8; n -= 8 {
		r = mix(r)
		v.Data = binary.BigEndian.AppendUint64(v.Data, r)
	}
	for ; n > 0; n-- {
		r = mix(r)
		v.Data = append(v.Data, byte(r))
	}
}

// arrays makes arrays in PostgreSQL's syntax.
type arrays struct {
	length []float64
	item   *column
}

func (m *arrays) put(v *rows.Vector, _ int, at place, _ int, r uint64) {
	n := 2
	if len(m.length) > 0 {
		n = int(quantile(m.length, position(at)) + 0.5)
	} else {
		n = int(r >> 50 & 3)
	}
	var one rows.Batch
	v.Data = append(v.Data, '{')
	for k := range n {
		if k > 0 {
			v.Data = append(v.Data, ',')
		}
		one.Reset([]rows.Column{m.item.out}, 1)
		m.item.put(&one.Columns[0], 0, below(mix(r+uint64(k)), m.item.node.rows), 0)
		v.Data = m.item.appendItem(v.Data, &one.Columns[0])
	}
	v.Data = append(v.Data, '}')
}

// appendItem adds the element that a vector holds as its only value.
func (c *column) appendItem(dst []byte, w *rows.Vector) []byte {
	if isText(c.out.Kind) {
		w.End()
	}
	if w.Null[0] {
		return append(dst, "NULL"...)
	}
	dst = append(dst, '"')
	for _, b := range appendText(nil, c.out, w, 0) {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

// uniqueArrays makes arrays of one element each, of which no two are the same.
type uniqueArrays struct{ item *column }

func (m *uniqueArrays) put(v *rows.Vector, _ int, at place, tenth int, r uint64) {
	var one rows.Batch
	one.Reset([]rows.Column{m.item.out}, 1)
	m.item.make.put(&one.Columns[0], 0, at, tenth, r)
	v.Data = append(m.item.appendItem(append(v.Data, '{'), &one.Columns[0]), '}')
}

// ranges makes ranges, or multiranges of one. Where apart is set no two of them
// overlap, whatever else is in their rows.
type ranges struct {
	elem  rows.Column
	multi bool
	apart bool
	now   int64
}

func (m *ranges) put(v *rows.Vector, i int, at place, _ int, r uint64) {
	ordinal := at.rank
	if !m.apart {
		ordinal = below(r, 1<<20)
	}
	var step int64
	var from int64
	switch m.elem.Kind {
	case rows.Date:
		step, from = 7, m.now/(24*hourMicros)-7*(at.n/2)
	case rows.Timestamp:
		step, from = 4*hourMicros, floorTo(m.now-4*hourMicros*(at.n/2), hourMicros)
	case rows.Decimal:
		step, from = int64(10*pow10[m.elem.Scale]), 0
	default:
		step, from = 10, 0
	}
	if !m.apart {
		ordinal %= max(at.n, 1)
	}
	low := from + ordinal*step
	high := low + step/2 + int64(mix(r+1)%uint64(step/2+1))
	var one rows.Batch
	one.Reset([]rows.Column{m.elem}, 2)
	w := &one.Columns[0]
	if m.elem.Kind == rows.Float {
		w.Floats[0], w.Floats[1] = float64(low), float64(high)
	} else {
		w.Ints[0], w.Ints[1] = low, high
	}
	if m.multi {
		v.Data = append(v.Data, '{')
	}
	v.Data = append(v.Data, '[', '"')
	v.Data = appendText(v.Data, m.elem, w, 0)
	v.Data = append(v.Data, '"', ',', '"')
	v.Data = appendText(v.Data, m.elem, w, 1)
	v.Data = append(v.Data, '"', ')')
	if m.multi {
		v.Data = append(v.Data, '}')
	}
}

// syntaxes are the types whose values are short texts in the server's syntax.
var syntaxes = map[string]func(dst []byte, t schema.Type, r uint64) []byte{
	"interval": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "%d days %02d:%02d:%02d", r%30, r>>8%24, r>>16%60, r>>24%60)
	},
	"inet": address, "cidr": address, "inet4": address,
	"inet6": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "2001:db8::%x:%x", uint16(r>>16), uint16(r))
	},
	"macaddr": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "00:00:5e:%02x:%02x:%02x", byte(r), byte(r>>8), byte(r>>16))
	},
	"macaddr8": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "00:00:5e:ff:fe:%02x:%02x:%02x", byte(r), byte(r>>8), byte(r>>16))
	},
	"bit": bitString, "varbit": bitString,
	"tsvector": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "'%s':1 '%s':2", word(r), word(r>>16))
	},
	"tsquery": func(dst []byte, _ schema.Type, r uint64) []byte { return fmt.Appendf(dst, "'%s'", word(r)) },
	"money": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "%d.%02d", r%5000, r>>16%100)
	},
	"xml":   func(dst []byte, _ schema.Type, r uint64) []byte { return fmt.Appendf(dst, "<a>%s</a>", word(r)) },
	"point": func(dst []byte, _ schema.Type, r uint64) []byte { return fmt.Appendf(dst, "(%d,%d)", r%180, r>>16%90) },
	"box": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "((0,0),(%d,%d))", r%90, r>>16%90)
	},
	"lseg": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "[(0,0),(%d,%d)]", r%90, r>>16%90)
	},
	"line": func(dst []byte, _ schema.Type, r uint64) []byte { return fmt.Appendf(dst, "{1,%d,%d}", r%90, r>>16%90) },
	"path": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "[(0,0),(%d,%d)]", r%90, r>>16%90)
	},
	"polygon": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "((0,0),(0,%d),(%d,0))", 1+r%90, 1+r>>16%90)
	},
	"circle": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "<(%d,%d),1>", r%90, r>>16%90)
	},
	"char":   func(dst []byte, _ schema.Type, r uint64) []byte { return append(dst, 'a'+byte(r%26)) },
	"pg_lsn": func(dst []byte, _ schema.Type, r uint64) []byte { return fmt.Appendf(dst, "%X/%X", r%16, r>>16%65536) },
	"oid":    func(dst []byte, _ schema.Type, r uint64) []byte { return strconv.AppendUint(dst, 16384+r%10000, 10) },
	"xid":    func(dst []byte, _ schema.Type, r uint64) []byte { return strconv.AppendUint(dst, 3+r%10000, 10) },
	"ltree": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "%s.%s", word(r), word(r>>16))
	},
	"hstore": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "\"%s\"=>\"%d\"", word(r), r%100)
	},
	"jsonpath": func(dst []byte, _ schema.Type, r uint64) []byte { return append(append(dst, "$."...), word(r)...) },
	"timetz": func(dst []byte, _ schema.Type, r uint64) []byte {
		return fmt.Appendf(dst, "%02d:%02d:%02d+00", r%24, r>>8%60, r>>16%60)
	},
	"set":  func(dst []byte, t schema.Type, r uint64) []byte { return appendSet(dst, t.Labels, r) },
	"year": func(dst []byte, _ schema.Type, r uint64) []byte { return strconv.AppendUint(dst, 1990+r%40, 10) },
}

func address(dst []byte, _ schema.Type, r uint64) []byte {
	net := [3]string{"192.0.2.", "198.51.100.", "203.0.113."}[r>>32%3]
	return strconv.AppendUint(append(dst, net...), r%254+1, 10)
}

func bitString(dst []byte, t schema.Type, r uint64) []byte {
	n := t.Length
	if n == 0 || !t.Fixed && t.Length > 64 {
		n = 8
	}
	for i := range n {
		if i%64 == 0 {
			r = mix(r)
		}
		dst = append(dst, '0'+byte(r>>(i%64)&1))
	}
	return dst
}

func appendSet(dst []byte, labels []string, r uint64) []byte {
	var chosen []string
	for i, l := range labels {
		if r>>i&3 == 0 {
			chosen = append(chosen, l)
		}
	}
	return append(dst, strings.Join(chosen, ",")...)
}

// word is a short lower-case word.
func word(r uint64) string {
	b := [4]byte{'b' + byte(r%20), "aeiou"[r>>5%5], 'c' + byte(r>>8%20), "aeiou"[r>>13%5]}
	return string(b[:])
}

// syntax makes values of those types.
type syntax struct {
	t    schema.Type
	make func(dst []byte, t schema.Type, r uint64) []byte
}

func (m *syntax) put(v *rows.Vector, _ int, _ place, _ int, r uint64) {
	v.Data = m.make(v.Data, m.t, r)
}

// appendText is a value in the server's text form.
func appendText(dst []byte, c rows.Column, v *rows.Vector, i int) []byte {
	switch c.Kind {
	case rows.Bool:
		return append(dst, "ft"[v.Ints[i]&1])
	case rows.Int:
		return strconv.AppendInt(dst, v.Ints[i], 10)
	case rows.Float:
		return strconv.AppendFloat(dst, v.Floats[i], 'g', -1, 64)
	case rows.Decimal:
		return appendDecimal(dst, v.Ints[i], c.Scale)
	case rows.Date:
		return appendDate(dst, v.Ints[i])
	case rows.Time:
		return appendClock(dst, v.Ints[i])
	case rows.Timestamp:
		return appendTimestamp(dst, v.Ints[i], c.Type.Kind == schema.Instant)
	case rows.UUID:
		b := v.Text(i)
		dst = hex.AppendEncode(dst, b[:4])
		for _, part := range [][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
			dst = hex.AppendEncode(append(dst, '-'), part)
		}
		return dst
	case rows.Bytes:
		return hex.AppendEncode(append(dst, `\x`...), v.Text(i))
	}
	return append(dst, v.Text(i)...)
}
