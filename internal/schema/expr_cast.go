package schema

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

var typeNames = map[string]string{
	"character varying": "varchar", "character": "bpchar", "char": "bpchar", "bpchar": "bpchar", "varchar": "varchar", "text": "text", "name": "text", "citext": "citext",
	"smallint": "int2", "integer": "int4", "int": "int4", "bigint": "int8", "int2": "int2", "int4": "int4", "int8": "int8",
	"unsigned": "int8", "signed": "int8", "unsigned integer": "int8", "signed integer": "int8",
	"double precision": "float8", "double": "float8", "real": "float4", "float4": "float4", "float8": "float8", "numeric": "numeric", "decimal": "numeric",
	"boolean": "bool", "bool": "bool", "date": "date", "interval": "interval", "uuid": "uuid", "bytea": "bytea", "json": "json", "jsonb": "jsonb",
	"timestamp": "timestamp", "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz", "timestamptz": "timestamptz", "datetime": "timestamp",
	"time": "time", "time without time zone": "time",
}

// canonicalType is the short name of a type, or the name as it is.
func canonicalType(name string) string {
	if n, ok := typeNames[name]; ok {
		return n
	}
	return name
}

func knownType(name string) bool { return typeNames[name] != "" }

// castTo is v::t. A text cast to a type that is not known, such as an enum, stays
// a text.
func castTo(v Value, t typeName) (Value, error) {
	if v.IsNull() {
		return v, nil
	}
	if t.arrays > 0 {
		l, err := toList(v)
		if err != nil {
			return v, err
		}
		out := make([]Value, len(l.list))
		for i, e := range l.list {
			inner := typeName{name: t.name, args: t.args}
			if e.Kind == ListValue {
				inner.arrays = 1
			}
			if out[i], err = castTo(e, inner); err != nil {
				return v, err
			}
		}
		return ListOf(out...), nil
	}
	switch t.name {
	case "text", "varchar", "bpchar", "citext":
		s := v.String()
		if t.name != "bpchar" && v.Kind == TextValue && len(t.args) == 0 {
			return v, nil
		}
		if len(t.args) == 1 && utf8.RuneCountInString(s) > t.args[0] {
			s = string([]rune(s)[:t.args[0]])
		}
		return TextOf(s), nil
	case "int2", "int4", "int8":
		return toInt(v, t.name)
	case "numeric":
		return toDecimal(v, t)
	case "float4", "float8":
		n, err := toNumber(v)
		f := float(n)
		if t.name == "float4" {
			f = float64(float32(f))
		}
		return FloatOf(f), err
	case "bool":
		b, err := v.truth()
		return BoolOf(b), err
	case "date", "timestamp", "timestamptz", "time", "interval":
		return toTime(v, t)
	case "bytea":
		return toBytes(v)
	case "json", "jsonb":
		if _, err := parseJSON(v.Text); err != nil {
			return v, err
		}
		return JSONOf(v.Text), nil
	case "uuid":
		s := strings.ToLower(v.Text)
		if !isUUID(s) {
			return v, fmt.Errorf("%q is no uuid", v.Text)
		}
		return TextOf(s), nil
	}
	return v, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && strings.IndexByte("0123456789abcdef", s[i]) < 0 {
			return false
		}
	}
	return true
}

func toNumber(v Value) (Value, error) {
	if v.Kind == BoolValue {
		return IntOf(v.Int), nil
	}
	if v.numeric() {
		return v, nil
	}
	if stringy(v) {
		if n, ok := parseNumber(strings.TrimSpace(v.Text)); ok {
			return n, nil
		}
	}
	return v, fmt.Errorf("%s is no number", v)
}

func toInt(v Value, name string) (Value, error) {
	n, err := toNumber(v)
	if err != nil {
		return v, err
	}
	if stringy(v) && n.Kind != IntValue {
		return v, fmt.Errorf("%q is no integer", v.Text)
	}
	switch n.Kind {
	case FloatValue:
		f := math.RoundToEven(n.Float)
		if !(f >= -1<<63 && f < 1<<63) {
			return v, fmt.Errorf("%s is out of range", v)
		}
		n = IntOf(int64(f))
	case DecimalValue:
		if isNaN(n) {
			return v, fmt.Errorf("%s is out of range", v)
		}
		n = IntOf(rounded(n, 0, 'r').Int)
	}
	if name == "int4" && n.Int != int64(int32(n.Int)) || name == "int2" && n.Int != int64(int16(n.Int)) {
		return v, fmt.Errorf("%s is out of range", v)
	}
	return n, nil
}

func toDecimal(v Value, t typeName) (Value, error) {
	n, err := toNumber(v)
	if err != nil {
		return v, err
	}
	if n.Kind == FloatValue {
		// A float becomes a decimal of 15 digits, as on the server.
		if d, ok := parseNumber(shortest15(n.Float)); ok {
			n = d
		}
	}
	if n.Kind == IntValue {
		n.Kind = DecimalValue
	}
	if len(t.args) == 0 || n.Kind != DecimalValue {
		return n, nil
	}
	scale := 0
	if len(t.args) > 1 {
		scale = t.args[1]
	}
	n = rounded(n, scale, 'r')
	if n.Int, _ = rescale(n.Int, int(n.Scale), max(scale, int(n.Scale))); int(n.Scale) < scale {
		n.Scale = int8(scale)
	}
	if whole := t.args[0]; whole <= maxScale && magnitude(n.Int) >= uint64(powers[whole]) {
		return v, fmt.Errorf("%s is out of range of numeric(%d,%d)", v, t.args[0], scale)
	}
	return n, nil
}

func toTime(v Value, t typeName) (Value, error) {
	want := map[string]ValueKind{"date": DateValue, "timestamp": TimeValue, "timestamptz": TimeValue, "time": ClockValue, "interval": IntervalValue}[t.name]
	if stringy(v) {
		x, err := parseAs(v.Text, want)
		if err != nil {
			return v, fmt.Errorf("%q is no %s", v.Text, t.name)
		}
		v = x
	}
	switch {
	case v.Kind == want:
	case want == DateValue && v.Kind == TimeValue:
		return timeToDate(v), nil
	case want == TimeValue && v.Kind == DateValue:
		return dateToTime(v), nil
	case want == ClockValue && v.Kind == TimeValue && !infinite(v.Int):
		v = ClockOf(v.Int - floorDiv(v.Int, day)*day)
	case want == IntervalValue && v.Kind == ClockValue:
		v = IntervalOf(0, 0, v.Int)
	default:
		return v, fmt.Errorf("%s is no %s", v, t.name)
	}
	if len(t.args) == 1 && t.args[0] < 6 && !infinite(v.Int) && want != DateValue {
		unit := powers[6-t.args[0]]
		v.Int = floorDiv(v.Int+unit/2, unit) * unit
	}
	return v, nil
}

func toBytes(v Value) (Value, error) {
	if v.Kind == BytesValue {
		return v, nil
	}
	if v.Kind != TextValue {
		return v, fmt.Errorf("%s is no bytea", v)
	}
	if hex, ok := strings.CutPrefix(v.Text, `\x`); ok {
		if b, ok := unhex(hex); ok {
			return BytesOf(b), nil
		}
		return v, fmt.Errorf("%q is no bytea", v.Text)
	}
	if strings.Contains(v.Text, `\`) {
		return v, fmt.Errorf("the bytea %q is not understood", v.Text)
	}
	return BytesOf(v.Text), nil
}

func toList(v Value) (Value, error) {
	if v.Kind == ListValue {
		return v, nil
	}
	if l, ok := parseList(v.Text); ok && stringy(v) {
		return l, nil
	}
	return v, fmt.Errorf("%s is no array", v)
}
