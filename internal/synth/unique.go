package synth

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// increasing makes numbers and times that differ from one another: along the
// quantiles where these leave room for every one, else from base on in steps.
type increasing struct {
	curve // in the vector's unit, in steps
	base  int64
	step  int64
	real  bool // Floats
}

func newIncreasing(c curve, n, step int64, l limit) *increasing {
	q := slices.Clone(c.q)
	m := &increasing{step: max(step, 1), base: 1}
	for i := range q {
		q[i] = min(max(q[i], l.min), l.max)
		q[i] = math.Floor(q[i] / float64(m.step))
	}
	room := len(q) > 1
	for k := 0; room && k+1 < len(q); k++ {
		room = (q[k+1]-q[k])*(1-2*c.tail) >= float64(n-1)/float64(len(q)-1)
	}
	if room {
		m.curve = curve{q: q, tail: c.tail}
		// Beyond the quantiles there may be no room, as above a lookup table's 1.
		if low, high := m.at(0), m.at(1); low < math.Ceil(l.min/float64(m.step)) || high > l.max/float64(m.step) || low <= 0 && q[0] > 0 {
			m.tail = 0
			for k := 0; k+1 < len(q); k++ {
				if q[k+1]-q[k] < float64(n-1)/float64(len(q)-1) {
					m.q = nil
				}
			}
			m.base = int64(q[0])
		}
	} else if len(q) > 0 {
		m.base = int64(q[0])
	}
	if highest := float64(m.base+n-1) * float64(m.step); m.q == nil && highest > l.max {
		m.base -= int64((highest-l.max)/float64(m.step)) + 1
	}
	if lowest := float64(m.base) * float64(m.step); m.q == nil && lowest < l.min {
		m.base = int64(math.Ceil(l.min / float64(m.step)))
	}
	return m
}

func (m *increasing) value(at place) int64 {
	if m.q == nil {
		return (m.base + at.rank) * m.step
	}
	if at.n < 2 {
		return int64(m.q[0]) * m.step
	}
	return int64(math.Floor(m.at(float64(at.rank)/float64(at.n-1)))) * m.step
}

func (m *increasing) put(v *rows.Vector, i int, at place, _ int, _ uint64) {
	if m.real {
		v.Floats[i] = float64(m.value(at))
		return
	}
	v.Ints[i] = m.value(at)
}

// names makes texts that differ from one another.
type names struct {
	maker  words.Maker
	made   bool
	format string
	length []float64
	limit  limit
	fold   bool // values that differ in case alone are equal
	short  bool // the maker's texts do not fit
	seed   uint64
	// order shuffles the ordinals, so that neighbours do not look alike.
	order permutation
}

func (m *names) put(v *rows.Vector, _ int, at place, _ int, r uint64) {
	from := len(v.Data)
	switch {
	case m.limit.letters != nil:
		defer func() { v.Data = append(v.Data[:from], m.limit.letters(v.Data[from:])...) }()
	case m.fold:
		// What differs in case alone is equal here.
		defer func() { lower(v.Data[from:]) }()
	}
	switch {
	case m.made && !m.short:
		v.Data = m.maker.AppendUnique(v.Data, uint64(m.order.at(at.rank)))
		if n := runes(v.Data[from:]); n >= m.limit.least && (m.limit.length == 0 || n <= m.limit.length) {
			return
		}
		v.Data = v.Data[:from]
	case m.format == "uuid":
		var id [16]byte
		appendUUID(id[:0], mix(m.seed^uint64(at.rank)), mix(m.seed+1)<<40|uint64(at.rank))
		v.Data = appendText(v.Data, rows.Column{Kind: rows.UUID}, &rows.Vector{Data: id[:], Ends: []int32{16}}, 0)
		return
	case m.format == "hex":
		n := 32
		if len(m.length) > 0 {
			n = int(quantile(m.length, position(at)) + 0.5)
		}
		v.Data = fmt.Appendf(v.Data, "%016x", mix(m.seed^uint64(at.rank)))
		for len(v.Data)-from < n {
			r = mix(r)
			v.Data = fmt.Appendf(v.Data, "%016x", r)
		}
		if n >= 16 {
			v.Data = v.Data[:from+n]
		}
		if m.limit.length == 0 || len(v.Data)-from <= m.limit.length {
			return
		}
		v.Data = v.Data[:from]
	}
	chars := 12
	if len(m.length) > 0 {
		chars = int(quantile(m.length, position(at)) + 0.5)
	}
	if chars = max(chars, m.limit.least); m.limit.length > 0 {
		chars = min(chars, m.limit.length)
	}
	// A number at the end tells it from all others: fewer characters are for words
	// the more there are.
	width := len(strconv.FormatInt(max(at.n-1, 1), 36))
	if n := chars - width - 1; n >= 3 {
		v.Data = words.Filler(v.Data, r, n, max(1, n/7), "Latin")
		v.Data = append(v.Data, '-')
	}
	num := strconv.AppendInt(nil, at.rank, 36)
	v.Data = pad(v.Data, from, m.limit.least-max(width, len(num)))
	for range width - len(num) {
		v.Data = append(v.Data, '0')
	}
	v.Data = append(v.Data, num...)
}

// uniqueText makes the maker of a unique text.
func uniqueText(c *column, locales []string, n int64) *names {
	m := &names{limit: c.limit, seed: c.seed, fold: c.schema.CaseInsensitive, order: permute(max(n, 1), mix(c.seed+7))}
	if p := c.profile.Text; p != nil {
		m.length = floats(p.Length)
		for _, f := range p.Formats {
			if f.Share > 0.5 {
				m.format = f.Name
			}
		}
	}
	if maker, ok := words.For(words.Meaning(c.profile.Meaning), locales); ok && c.limit.highest == 0 {
		m.maker, m.made = maker, true
		for ordinal := int64(0); c.limit.length > 0 && ordinal < n && !m.short; ordinal += max(n/5000, 1) {
			m.short = runes(maker.AppendUnique(nil, uint64(ordinal))) > c.limit.length
		}
	}
	return m
}

// uniqueBlobs makes bytes that differ from one another.
type uniqueBlobs struct {
	length []float64
	limit  limit
	seed   uint64
}

func (m *uniqueBlobs) put(v *rows.Vector, _ int, at place, _ int, r uint64) {
	n := 16
	if len(m.length) > 0 {
		n = int(quantile(m.length, position(at)) + 0.5)
	}
	n = m.limit.size(n)
	if n < 8 {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(at.rank))
		v.Data = append(v.Data, b[8-max(n, bytesFor(at.n)):]...)
		return
	}
	v.Data = binary.BigEndian.AppendUint64(v.Data, mix(m.seed^uint64(at.rank)))
	for n -= 8; n > 0; n-- {
		r = mix(r)
		v.Data = append(v.Data, byte(r))
	}
}

func bytesFor(n int64) int {
	k := 1
	for n > 256 {
		n >>= 8
		k++
	}
	return k
}

// uniqueSyntax makes values of other types that differ from one another.
type uniqueSyntax struct {
	t     schema.Type
	print func(dst []byte, n int64, t schema.Type) []byte
}

func (m *uniqueSyntax) put(v *rows.Vector, _ int, at place, _ int, _ uint64) {
	v.Data = m.print(v.Data, at.rank, m.t)
}

var uniqueSyntaxes = map[string]func(dst []byte, n int64, t schema.Type) []byte{
	"inet": uniqueAddress, "cidr": uniqueAddress, "inet4": uniqueAddress,
	"inet6": func(dst []byte, n int64, _ schema.Type) []byte {
		return fmt.Appendf(dst, "2001:db8::%x:%x", n>>16&0xffff, n&0xffff)
	},
	"macaddr": func(dst []byte, n int64, _ schema.Type) []byte {
		return fmt.Appendf(dst, "02:00:%02x:%02x:%02x:%02x", byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	},
	"macaddr8": func(dst []byte, n int64, _ schema.Type) []byte {
		return fmt.Appendf(dst, "02:00:00:00:%02x:%02x:%02x:%02x", byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	},
	"interval": func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, "%d seconds", n) },
	"money":    func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, "%d.%02d", n/100, n%100) },
	"oid":      func(dst []byte, n int64, _ schema.Type) []byte { return strconv.AppendInt(dst, 16384+n, 10) },
	"ltree":    func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, "top.n%d", n) },
	"pg_lsn":   func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, "0/%X", n) },
	"json":     func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, `{"id":%d}`, n) },
	"jsonb":    func(dst []byte, n int64, _ schema.Type) []byte { return fmt.Appendf(dst, `{"id":%d}`, n) },
	"bit":      uniqueBits, "varbit": uniqueBits,
	"timetz": func(dst []byte, n int64, _ schema.Type) []byte {
		return fmt.Appendf(dst, "%02d:%02d:%02d.%06d+00", n/3600%24, n/60%60, n%60, n/86400)
	},
}

func uniqueAddress(dst []byte, n int64, _ schema.Type) []byte {
	return fmt.Appendf(dst, "10.%d.%d.%d", byte(n>>16), byte(n>>8), byte(n))
}

func uniqueBits(dst []byte, n int64, t schema.Type) []byte {
	width := t.Length
	if width == 0 {
		width = 64
	}
	for k := width - 1; k >= 0; k-- {
		if k < 63 {
			dst = append(dst, '0'+byte(n>>k&1))
		} else {
			dst = append(dst, '0')
		}
	}
	return dst
}

// capacity is how many different values a unique column can have.
func capacity(t schema.Type, l limit) int64 {
	const most = math.MaxInt64
	if len(l.in) > 0 {
		return int64(len(l.in))
	}
	switch t.Kind {
	case schema.Bool:
		return 2
	case schema.Enum:
		return int64(len(t.Labels))
	case schema.Int:
		if span := l.max - l.min; span < 1e18 {
			return int64(span) + 1
		}
	case schema.Decimal:
		if span := (l.max - l.min) * pow10[min(max(t.Scale, 0), 18)]; span < 1e18 {
			return int64(span) + 1
		}
	case schema.Text:
		if t.Length > 0 && t.Length < 12 {
			return int64(math.Pow(36, float64(t.Length)))
		}
	case schema.Bytes:
		if t.Length > 0 && t.Length < 8 {
			return int64(1) << (8 * t.Length)
		}
	case schema.Date:
		return 1 << 20
	}
	return most
}
