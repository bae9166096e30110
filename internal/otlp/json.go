package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// ToJSON writes a request as OTLP/JSON, on one line: ids are hexadecimal, other
// bytes base64, 64-bit integers strings, enums numbers. What the request has
// beyond the schema is left out. The error is a [*Malformed].
func ToJSON(b []byte, signal Signal) ([]byte, error) {
	return toJSON(b, signal.request())
}

func toJSON(b []byte, of messageID) ([]byte, error) {
	if fault := check(b, 0, len(b), of, 0); fault != nil {
		return nil, fault
	}
	return appendJSON(make([]byte, 0, 2*len(b)+2), b, of), nil
}

// appendJSON writes a message that check has passed. Its fields come in the order
// of their numbers.
func appendJSON(out, b []byte, of messageID) []byte {
	m := &schema[of]
	var present [maxField + 1]bool
	choice := 0
	for f := (&fields{b: b}); f.next(); {
		if f.num >= len(m.fields) || m.fields[f.num].kind == kindNone {
			continue
		}
		if m.fields[f.num].oneof {
			present[choice] = false
			choice = f.num
		}
		present[f.num] = true
	}
	out = append(out, '{')
	first := true
	for num := range m.fields {
		if !present[num] {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, '"')
		out = append(out, m.fields[num].name...)
		out = append(out, '"', ':')
		out = appendJSONField(out, b, num, &m.fields[num])
	}
	return append(out, '}')
}

// appendJSONField writes the values of field num in message b: all of a repeated
// one, else the last.
func appendJSONField(out, b []byte, num int, fd *field) []byte {
	if !fd.repeated {
		var last fields
		for f := (&fields{b: b}); f.next(); {
			if f.num == num {
				last = *f
			}
		}
		return appendJSONValue(out, &last, fd)
	}
	out = append(out, '[')
	start := len(out)
	for f := (&fields{b: b}); f.next(); {
		if f.num != num {
			continue
		}
		if f.typ == wireBytes && fd.packable() {
			for packed := f.data; len(packed) > 0; {
				v := fields{typ: fd.kind.wire()}
				v.n, packed = unpack(packed, v.typ)
				out = appendJSONValue(comma(out, start), &v, fd)
			}
			continue
		}
		out = appendJSONValue(comma(out, start), f, fd)
	}
	return append(out, ']')
}

func comma(out []byte, start int) []byte {
	if len(out) == start {
		return out
	}
	return append(out, ',')
}

// unpack takes a value off a packed field, which check has passed.
func unpack(b []byte, typ wire) (uint64, []byte) {
	if typ == wireFixed64 {
		return binary.LittleEndian.Uint64(b), b[8:]
	}
	v, i := varint(b, 0, len(b))
	return v, b[i:]
}

func appendJSONValue(out []byte, f *fields, fd *field) []byte {
	switch fd.kind {
	case kindMessage:
		return appendJSON(out, f.data, fd.of)
	case kindString:
		return appendQuoted(out, f.data)
	case kindTrace, kindSpan:
		out = hex.AppendEncode(append(out, '"'), f.data)
		return append(out, '"')
	case kindBytes:
		out = base64.StdEncoding.AppendEncode(append(out, '"'), f.data)
		return append(out, '"')
	case kindBool:
		return strconv.AppendBool(out, f.n != 0)
	case kindInt32, kindEnum:
		return strconv.AppendInt(out, int64(int32(f.n)), 10)
	case kindUint32, kindFixed32:
		return strconv.AppendUint(out, uint64(uint32(f.n)), 10)
	case kindSint32:
		return strconv.AppendInt(out, int64(unzigzag(f.n)), 10)
	case kindInt64, kindSfixed64:
		out = strconv.AppendInt(append(out, '"'), int64(f.n), 10)
		return append(out, '"')
	case kindUint64, kindFixed64:
		out = strconv.AppendUint(append(out, '"'), f.n, 10)
		return append(out, '"')
	case kindDouble:
		return appendDouble(out, math.Float64frombits(f.n))
	}
	panic("otlp: internal error: a field without a kind")
}

func unzigzag(n uint64) int32 { return int32(uint32(n)>>1) ^ -int32(n&1) }
func zigzag(n int32) uint64   { return uint64(uint32(n<<1) ^ uint32(n>>31)) }

// appendDouble writes NaN and the infinities, which JSON has not, as protobuf's
// JSON has them.
func appendDouble(out []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	return strconv.AppendFloat(out, v, 'g', -1, 64)
}

// appendQuoted writes a string. Most need no escapes.
func appendQuoted(out, s []byte) []byte {
	special := func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= utf8.RuneSelf }
	if !bytes.ContainsFunc(s, special) {
		out = append(append(out, '"'), s...)
		return append(out, '"')
	}
	quoted, err := json.Marshal(text(s))
	if err != nil {
		panic("otlp: internal error: " + err.Error())
	}
	return append(out, quoted...)
}
