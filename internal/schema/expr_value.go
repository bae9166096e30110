package schema

import (
	"fmt"
	"math"
	"strings"
)

// ValueKind is the form of a [Value].
type ValueKind uint8

// The forms of values.
const (
	NullValue     ValueKind = iota
	BoolValue               // Int, 0 or 1
	IntValue                // Int
	DecimalValue            // Int, the number times 10^Scale; math.MinInt64 is NaN
	FloatValue              // Float
	TextValue               // Text
	BytesValue              // Text, as they are
	TimeValue               // Int, µs since 1970-01-01 00:00 UTC; math.MaxInt64 and math.MinInt64 are the infinities
	DateValue               // Int, days since 1970-01-01; infinities too
	ClockValue              // Int, µs since midnight
	IntervalValue           // Int in µs, and days and months beside it
	JSONValue               // Text, a JSON document
	ListValue               // an array's elements
	OtherValue              // Text, in the server's syntax: ranges, addresses
)

// Value is one SQL value. The zero Value is NULL.
type Value struct {
	Kind  ValueKind
	Scale int8 // of decimals
	Int   int64
	Float float64
	Text  string

	days, months int32 // of intervals
	list         []Value
}

// IntOf is an integer.
func IntOf(n int64) Value { return Value{Kind: IntValue, Int: n} }

// DecimalOf is the number n / 10^scale, exactly.
func DecimalOf(n int64, scale int) Value {
	return Value{Kind: DecimalValue, Int: n, Scale: int8(scale)}
}

// FloatOf is a floating-point number.
func FloatOf(f float64) Value { return Value{Kind: FloatValue, Float: f} }

// BoolOf is a truth value.
func BoolOf(b bool) Value {
	if b {
		return Value{Kind: BoolValue, Int: 1}
	}
	return Value{Kind: BoolValue}
}

// TextOf is a text.
func TextOf(s string) Value { return Value{Kind: TextValue, Text: s} }

// BytesOf is a string of bytes.
func BytesOf(s string) Value { return Value{Kind: BytesValue, Text: s} }

// TimeOf is a point in time, in µs since 1970. Sessions are taken to be in UTC.
func TimeOf(micros int64) Value { return Value{Kind: TimeValue, Int: micros} }

// DateOf is a day, counted from 1970-01-01.
func DateOf(days int64) Value { return Value{Kind: DateValue, Int: days} }

// ClockOf is a time of day, in µs since midnight.
func ClockOf(micros int64) Value { return Value{Kind: ClockValue, Int: micros} }

// IntervalOf is an interval.
func IntervalOf(months, days int32, micros int64) Value {
	return Value{Kind: IntervalValue, Int: micros, days: days, months: months}
}

// JSONOf is a JSON document.
func JSONOf(s string) Value { return Value{Kind: JSONValue, Text: s} }

// OtherOf is a value in the server's own syntax, such as a range.
func OtherOf(s string) Value { return Value{Kind: OtherValue, Text: s} }

// ListOf is an array. Arrays may also be given as texts in the server's syntax.
func ListOf(elems ...Value) Value { return Value{Kind: ListValue, list: elems} }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == NullValue }

// IsFalse reports whether v is false: what a CHECK does not let pass. NULL is
// not false.
func (v Value) IsFalse() bool {
	t, err := v.truth()
	return err == nil && !v.IsNull() && !t
}

// Elems are the elements of a list.
func (v Value) Elems() []Value { return v.list }

// String is the value in PostgreSQL's text form; NULL is "NULL".
func (v Value) String() string {
	switch v.Kind {
	case NullValue:
		return "NULL"
	case BoolValue:
		if v.Int != 0 {
			return "true"
		}
		return "false"
	case IntValue:
		return fmt.Sprint(v.Int)
	case DecimalValue:
		return string(appendDecimal(nil, v.Int, int(v.Scale)))
	case FloatValue:
		return string(appendFloat(nil, v.Float))
	case TimeValue:
		return string(appendTime(nil, v.Int))
	case DateValue:
		return string(appendDate(nil, v.Int))
	case ClockValue:
		return string(appendClock(nil, v.Int))
	case IntervalValue:
		return string(appendInterval(nil, v))
	case BytesValue:
		return fmt.Sprintf(`\x%x`, v.Text)
	case ListValue:
		return listText(v.list)
	}
	return v.Text
}

// truth is the value as a condition. NULL is not for it.
func (v Value) truth() (bool, error) {
	switch v.Kind {
	case NullValue:
		return false, nil
	case BoolValue, IntValue, DecimalValue:
		return v.Int != 0, nil
	case FloatValue:
		return v.Float != 0, nil
	case TextValue:
		b, ok := parseBool(v.Text)
		if ok {
			return b, nil
		}
	}
	return false, fmt.Errorf("%s is no truth value", v)
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "t", "true", "y", "yes", "on", "1":
		return true, true
	case "f", "false", "n", "no", "off", "0":
		return false, true
	}
	return false, false
}

func (v Value) numeric() bool {
	return v.Kind == IntValue || v.Kind == DecimalValue || v.Kind == FloatValue || v.Kind == BoolValue
}

// compare orders two values that are not NULL as a server would after bringing
// them to one type. Texts are ordered by their bytes.
func compare(a, b Value) (int, error) {
	if a.numeric() && b.numeric() {
		return compareNumbers(a, b), nil
	}
	if a.Kind != b.Kind {
		var err error
		if a, b, err = alike(a, b); err != nil {
			return 0, err
		}
		if a.numeric() && b.numeric() {
			return compareNumbers(a, b), nil
		}
	}
	switch a.Kind {
	case TimeValue, DateValue, ClockValue:
		return order(a.Int, b.Int), nil
	case IntervalValue:
		return order(a.span(), b.span()), nil
	case JSONValue:
		return compareJSON(a.Text, b.Text)
	case ListValue:
		for i := range min(len(a.list), len(b.list)) {
			x, y := a.list[i], b.list[i]
			switch {
			case x.IsNull() && y.IsNull():
				continue
			case x.IsNull():
				return 1, nil
			case y.IsNull():
				return -1, nil
			}
			if c, err := compare(x, y); c != 0 || err != nil {
				return c, err
			}
		}
		return order(int64(len(a.list)), int64(len(b.list))), nil
	}
	return strings.Compare(a.Text, b.Text), nil
}

// alike brings two values of different kinds to one.
func alike(a, b Value) (Value, Value, error) {
	if stringy(a) && stringy(b) {
		if a.Kind == JSONValue || b.Kind == JSONValue {
			a.Kind, b.Kind = JSONValue, JSONValue
			return a, b, nil
		}
		a.Kind, b.Kind = TextValue, TextValue
		return a, b, nil
	}
	if a.Kind == DateValue && b.Kind == TimeValue {
		return dateToTime(a), b, nil
	}
	if a.Kind == TimeValue && b.Kind == DateValue {
		return a, dateToTime(b), nil
	}
	if stringy(a) {
		x, err := parseAs(a.Text, b.Kind)
		if err == nil && x.Kind != b.Kind && !(x.numeric() && b.numeric()) {
			return alike(x, b)
		}
		return x, b, err
	}
	if stringy(b) {
		y, err := parseAs(b.Text, a.Kind)
		if err == nil && y.Kind != a.Kind && !(y.numeric() && a.numeric()) {
			return alike(a, y)
		}
		return a, y, err
	}
	return a, b, fmt.Errorf("%s and %s cannot be compared", a, b)
}

func stringy(v Value) bool {
	switch v.Kind {
	case TextValue, OtherValue, JSONValue, BytesValue:
		return true
	}
	return false
}

// parseAs reads a text as a value of a kind. Decimals and integers may come out
// as each other, and dates as points in time.
func parseAs(s string, kind ValueKind) (Value, error) {
	var v Value
	ok := true
	switch kind {
	case BoolValue:
		var b bool
		b, ok = parseBool(s)
		v = BoolOf(b)
	case IntValue, DecimalValue, FloatValue:
		v, ok = parseNumber(strings.TrimSpace(s))
	case TimeValue, DateValue:
		v, ok = parseTime(s)
	case ClockValue:
		v, ok = parseClock(s)
	case IntervalValue:
		v, ok = parseInterval(s)
	case ListValue:
		v, ok = parseList(s)
	default:
		v = Value{Kind: kind, Text: s}
	}
	if !ok {
		return Value{}, fmt.Errorf("%q cannot be read as a value of the other side's type", s)
	}
	return v, nil
}

func order(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// guess reads a bound of a range, whose type its text alone says.
func guess(s string) Value {
	if v, ok := parseNumber(s); ok {
		return v
	}
	if v, ok := parseTime(s); ok {
		return v
	}
	return TextOf(s)
}

// parseList reads an array in PostgreSQL's syntax. Its elements are texts.
func parseList(s string) (Value, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return Value{}, false
	}
	list, rest, ok := parseElems(s[1:], 0)
	return Value{Kind: ListValue, list: list}, ok && rest == ""
}

// maxDepth bounds how deep things may stand in one another.
const maxDepth = 100

func parseElems(s string, depth int) (list []Value, rest string, ok bool) {
	if depth > maxDepth {
		return nil, "", false
	}
	for {
		s = strings.TrimLeft(s, " ")
		switch {
		case s == "":
			return nil, "", false
		case s[0] == '}' && len(list) == 0:
			return list, s[1:], true
		case s[0] == '{':
			var inner []Value
			if inner, s, ok = parseElems(s[1:], depth+1); !ok {
				return nil, "", false
			}
			list = append(list, Value{Kind: ListValue, list: inner})
		case s[0] == '"':
			var b strings.Builder
			i := 1
			for ; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
				if i < len(s) {
					b.WriteByte(s[i])
				}
			}
			if i >= len(s) {
				return nil, "", false
			}
			list, s = append(list, TextOf(b.String())), s[i+1:]
		default:
			i := strings.IndexAny(s, ",}")
			if i < 0 {
				return nil, "", false
			}
			word := strings.TrimRight(s[:i], " ")
			if strings.EqualFold(word, "null") {
				list = append(list, Value{})
			} else {
				list = append(list, TextOf(word))
			}
			s = s[i:]
		}
		s = strings.TrimLeft(s, " ")
		if s == "" {
			return nil, "", false
		}
		if s[0] == '}' {
			return list, s[1:], true
		}
		if s[0] != ',' {
			return nil, "", false
		}
		s = s[1:]
	}
}

func listText(list []Value) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		s := v.String()
		if v.Kind != ListValue && !v.IsNull() && (s == "" || strings.EqualFold(s, "null") || strings.ContainsAny(s, "{},\"\\ \t\n\r\v\f")) {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
		} else {
			b.WriteString(s)
		}
	}
	b.WriteByte('}')
	return b.String()
}

func float(v Value) float64 {
	switch v.Kind {
	case FloatValue:
		return v.Float
	case DecimalValue:
		if v.Int == math.MinInt64 {
			return math.NaN()
		}
		return float64(v.Int) / pow10f(int(v.Scale))
	}
	return float64(v.Int)
}
