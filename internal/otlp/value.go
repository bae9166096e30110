package otlp

import (
	"iter"
	"math"
	"strings"

	rehearse "github.com/rehearse-dev/rehearse"
)

// ValueKind is what a [Value] is.
type ValueKind uint8

// The kinds of value, with the numbers of AnyValue's fields.
const (
	ValueEmpty ValueKind = iota
	ValueString
	ValueBool
	ValueInt
	ValueDouble
	ValueArray
	ValueMap
	ValueBytes
)

// Value is an AnyValue, as a view into the bytes of its request.
type Value struct {
	raw  []byte
	data []byte // of a string, bytes, array or map
	n    uint64 // of a bool, int or double
	kind ValueKind
}

// ParseValue reads the bytes of an AnyValue, those of [Value.Raw].
func ParseValue(raw []byte) Value {
	if len(raw) > 1 && raw[0] == byte(ValueString)<<3|byte(wireBytes) && int(raw[1]) == len(raw)-2 && raw[1] < 0x80 {
		return Value{raw: raw, data: raw[2:], kind: ValueString} // a short string, as most are
	}
	v := Value{raw: raw}
	for f := (&fields{b: raw}); f.next(); {
		switch f.num {
		case int(ValueString), int(ValueArray), int(ValueMap), int(ValueBytes):
			if f.typ == wireBytes {
				v.kind, v.data = ValueKind(f.num), f.data
			}
		case int(ValueBool), int(ValueInt):
			if f.typ == wireVarint {
				v.kind, v.n = ValueKind(f.num), f.n
			}
		case int(ValueDouble):
			if f.typ == wireFixed64 {
				v.kind, v.n = ValueDouble, f.n
			}
		}
	}
	return v
}

// Raw is the AnyValue's bytes: what is equal in them is equal.
func (v Value) Raw() []byte { return v.raw }

// Kind is what the value is.
func (v Value) Kind() ValueKind { return v.kind }

// String is the text of a string or the bytes of bytes, and nil of others. It is
// a view.
func (v Value) String() []byte {
	if v.kind == ValueString || v.kind == ValueBytes {
		return v.data
	}
	return nil
}

// Int is the number of an int, and 0 of others.
func (v Value) Int() int64 {
	if v.kind != ValueInt {
		return 0
	}
	return int64(v.n)
}

// Bool is the value of a bool, and false of others.
func (v Value) Bool() bool { return v.kind == ValueBool && v.n != 0 }

// Double is the number of a double, and 0 of others.
func (v Value) Double() float64 {
	if v.kind != ValueDouble {
		return 0
	}
	return math.Float64frombits(v.n)
}

// Any is a copy of the value, as [rehearse.Attribute] has it; nil of an empty one.
func (v Value) Any() any { return v.materialise(1) }

func (v Value) materialise(depth int) any {
	switch v.kind {
	case ValueString:
		return text(v.data)
	case ValueBool:
		return v.n != 0
	case ValueInt:
		return int64(v.n)
	case ValueDouble:
		return math.Float64frombits(v.n)
	case ValueBytes:
		return append([]byte{}, v.data...)
	}
	if depth >= MaxDepth {
		return nil
	}
	switch v.kind {
	case ValueArray:
		list := []any{}
		for f := (&fields{b: v.data}); f.next() && len(list) < MaxList; {
			if f.is(1, wireBytes) {
				list = append(list, ParseValue(f.data).materialise(depth+1))
			}
		}
		return list
	case ValueMap:
		list := []rehearse.Attribute{}
		for f := (&fields{b: v.data}); f.next() && len(list) < MaxList; {
			if f.is(1, wireBytes) {
				key, value := keyValue(f.data)
				list = append(list, rehearse.Attribute{Key: text(key), Value: value.materialise(depth + 1)})
			}
		}
		return list
	}
	return nil
}

// Attributes gives the names and values of the KeyValues in field of a message,
// which is one of [SpanAttributes], [EventAttributes], [LogAttributes] and
// [ResourceAttributes]; raw is the message's bytes. It allocates nothing. Where
// raw is malformed, it stops.
func Attributes(raw []byte, field int) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) { eachAttribute(raw, field, yield) }
}

func eachAttribute(raw []byte, field int, yield func([]byte, Value) bool) {
	for f := (&fields{b: raw}); f.next(); {
		if f.is(field, wireBytes) && !yield(keyValue(f.data)) {
			return
		}
	}
}

func keyValue(raw []byte) (key []byte, value Value) {
	// A short key and a short value, as all encoders write them.
	if len(raw) > 3 && raw[0] == 1<<3|byte(wireBytes) && int(raw[1]) <= len(raw)-4 {
		key, rest := raw[2:2+raw[1]], raw[2+raw[1]:]
		if rest[0] == 2<<3|byte(wireBytes) && int(rest[1]) == len(rest)-2 && rest[1] < 0x80 && raw[1] < 0x80 {
			return key, ParseValue(rest[2:])
		}
	}
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(1, wireBytes):
			key = f.data
		case f.is(2, wireBytes):
			value = ParseValue(f.data)
		}
	}
	return key, value
}

func decodeAttributes(raw []byte, field int) []rehearse.Attribute {
	n := count(raw, field)
	if n == 0 {
		return nil
	}
	list := make([]rehearse.Attribute, 0, n)
	for key, value := range Attributes(raw, field) {
		if len(list) == MaxList {
			break
		}
		list = append(list, rehearse.Attribute{Key: text(key), Value: value.Any()})
	}
	return list
}

// count is how many messages field of a message has, as many as are kept of them.
func count(raw []byte, field int) (n int) {
	for f := (&fields{b: raw}); f.next() && n < MaxList; {
		if f.is(field, wireBytes) {
			n++
		}
	}
	return n
}

// text copies a string, and replaces what is not UTF-8 in it.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
