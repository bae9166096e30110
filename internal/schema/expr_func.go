package schema

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// function is an operator or a function on values.
type function struct {
	min, max int  // how many arguments; 0: any number
	nulls    bool // it is called with NULLs too; otherwise they make the result NULL
	call     func(ev *evaluation, args []Value) (Value, error)
	check    func(args []*node) error
}

var binaryOperators = map[string]function{
	"+": arithmeticOf('+', false), "-": {call: minus}, "*": arithmeticOf('*', false), "/": arithmeticOf('/', false), "%": arithmeticOf('%', false),
	"^": {call: power}, "||": {call: concat},
	"->": {call: jsonGet}, "->>": {call: jsonGetText}, "#>": {call: jsonPath}, "#>>": {call: jsonPathText},
	"?": {call: jsonHas}, "?|": {call: jsonHasAny}, "?&": {call: jsonHasAll}, "@>": {call: contains}, "<@": {call: contained}, "&&": {call: overlap},
	"&": {call: bitAnd}, "|": {call: bitOr},
}

var mysqlOperators = map[string]function{
	"+": arithmeticOf('+', true), "-": arithmeticOf('-', true), "*": arithmeticOf('*', true), "/": arithmeticOf('/', true), "%": arithmeticOf('%', true),
	"MOD": arithmeticOf('%', true), "DIV": {call: intDivide}, "&": {call: bitAnd}, "|": {call: bitOr},
}

var functions = map[string]function{
	"length": {min: 1, max: 1, call: length}, "char_length": {min: 1, max: 1, call: length}, "character_length": {min: 1, max: 1, call: length},
	"octet_length": {min: 1, max: 1, call: octets}, "bit_length": {min: 1, max: 1, call: bitLength},
	"lower": {min: 1, max: 1, call: lower}, "upper": {min: 1, max: 1, call: upper}, "initcap": textOf(1, func(a []Value) string { return initcap(a[0].Text) }),
	"btrim": {min: 1, max: 2, call: trimmer(strings.Trim)}, "ltrim": {min: 1, max: 2, call: trimmer(strings.TrimLeft)}, "rtrim": {min: 1, max: 2, call: trimmer(strings.TrimRight)},
	"substring": {min: 2, max: 3, call: substring}, "substr": {min: 2, max: 3, call: substring},
	"left": {min: 2, max: 2, call: left}, "right": {min: 2, max: 2, call: right},
	"position": {min: 2, max: 2, call: position}, "strpos": {min: 2, max: 2, call: func(ev *evaluation, a []Value) (Value, error) { return positionOf(a[1].String(), a[0].String()), nil }},
	"replace": textOf(3, func(a []Value) string { return replaceAll(a[0].String(), a[1].String(), a[2].String()) }),
	"reverse": textOf(1, func(a []Value) string { return reverse(a[0].String()) }), "translate": textOf(3, func(a []Value) string { return translate(a[0].Text, a[1].Text, a[2].Text) }),
	"split_part": {min: 3, max: 3, call: splitPart}, "repeat": {min: 2, max: 2, call: repeat}, "lpad": {min: 2, max: 3, call: padder(true)}, "rpad": {min: 2, max: 3, call: padder(false)},
	"concat": {nulls: true, call: concatAll}, "concat_ws": {min: 1, nulls: true, call: concatWith}, "ascii": {min: 1, max: 1, call: ascii},
	"abs": {min: 1, max: 1, call: absolute}, "sign": {min: 1, max: 1, call: signum}, "mod": {min: 2, max: 2, call: arithmeticOf('%', false).call}, "div": {min: 2, max: 2, call: intDivide},
	"round": rounder('r'), "trunc": rounder('t'), "floor": rounder('f'), "ceil": rounder('c'), "ceiling": rounder('c'), "power": {min: 2, max: 2, call: power}, "pow": {min: 2, max: 2, call: power},
	"sqrt": floatOf(math.Sqrt), "exp": floatOf(math.Exp), "ln": floatOf(math.Log),
	"greatest": {min: 1, nulls: true, call: extreme(1)}, "least": {min: 1, nulls: true, call: extreme(-1)},
	"num_nonnulls": {min: 1, nulls: true, call: countNulls(false)}, "num_nulls": {min: 1, nulls: true, call: countNulls(true)},
	"date_part": {min: 2, max: 2, call: func(ev *evaluation, a []Value) (Value, error) { return field(a[0].Text, a[1]) }}, "date_trunc": {min: 2, max: 2, call: func(ev *evaluation, a []Value) (Value, error) { return truncate(a[0].Text, a[1]) }},
	"date": {min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) { return castTo(a[0], typeName{name: "date"}) }}, "make_date": {min: 3, max: 3, call: makeDate},
	"isfinite": {min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) {
		return BoolOf(a[0].Kind == IntervalValue || !infinite(a[0].Int)), nil
	}},
	"jsonb_typeof": {min: 1, max: 1, call: jsonType}, "json_typeof": {min: 1, max: 1, call: jsonType},
	"jsonb_array_length": {min: 1, max: 1, call: jsonLength}, "json_array_length": {min: 1, max: 1, call: jsonLength},
	"jsonb_exists": {min: 2, max: 2, call: jsonHas}, "jsonb_exists_any": {min: 2, max: 2, call: jsonHasAny}, "jsonb_exists_all": {min: 2, max: 2, call: jsonHasAll},
	"jsonb_extract_path": {min: 2, call: jsonExtract(false)}, "jsonb_extract_path_text": {min: 2, call: jsonExtract(true)},
	"similar_to_escape": {min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) { return TextOf(similarPattern(a[0].Text)), nil }},
	"array_length":      {min: 2, max: 2, call: arrayLength}, "cardinality": {min: 1, max: 1, call: cardinality}, "array_ndims": {min: 1, max: 1, call: dimensions},
	"array_position": {min: 2, max: 2, nulls: true, call: arrayPosition}, "array_remove": {min: 2, max: 2, nulls: true, call: arrayRemove},
	"isempty": rangeOf(func(r span) Value { return BoolOf(r.empty) }), "lower_inc": rangeOf(func(r span) Value { return BoolOf(r.lowerInc) }), "upper_inc": rangeOf(func(r span) Value { return BoolOf(r.upperInc) }),
	"lower_inf": rangeOf(func(r span) Value { return BoolOf(!r.empty && r.lower.IsNull()) }), "upper_inf": rangeOf(func(r span) Value { return BoolOf(!r.empty && r.upper.IsNull()) }),
}

var mysqlFunctions = map[string]function{
	"lcase": {min: 1, max: 1, call: lower}, "ucase": {min: 1, max: 1, call: upper}, "json_valid": {min: 1, max: 1, call: jsonValid},
	"mod": {min: 2, max: 2, call: arithmeticOf('%', true).call}, "truncate": rounder('t'), "mid": {min: 2, max: 3, call: substring},
	"concat": {call: func(ev *evaluation, a []Value) (Value, error) { return concatAll(ev, a) }}, "locate": {min: 2, max: 2, call: position}, "instr": {min: 2, max: 2, call: func(ev *evaluation, a []Value) (Value, error) { return positionOf(fold(a[1]), fold(a[0])), nil }},
	"year": fieldOf("year"), "month": fieldOf("month"), "day": fieldOf("day"), "dayofmonth": fieldOf("day"), "hour": fieldOf("hour"), "minute": fieldOf("minute"), "second": fieldOf("second"), "quarter": fieldOf("quarter"), "dayofyear": fieldOf("doy"),
	"greatest": {min: 1, call: extreme(1)}, "least": {min: 1, call: extreme(-1)}, "unhex": {min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) {
		b, ok := unhex(a[0].Text)
		if !ok {
			return Value{}, nil
		}
		return BytesOf(b), nil
	}},
}

func fold(v Value) string { return strings.ToLower(v.String()) }

func fieldOf(name string) function {
	return function{min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) {
		v := a[0]
		if stringy(v) {
			var err error
			if v, err = parseAs(v.Text, TimeValue); err != nil {
				return v, err
			}
		}
		return field(name, v)
	}}
}

func textOf(n int, f func([]Value) string) function {
	return function{min: n, max: n, call: func(ev *evaluation, a []Value) (Value, error) { return TextOf(f(a)), nil }}
}

func floatOf(f func(float64) float64) function {
	return function{min: 1, max: 1, call: func(ev *evaluation, a []Value) (Value, error) {
		n, err := toNumber(a[0])
		x := f(float(n))
		if err == nil && math.IsNaN(x) && !math.IsNaN(float(n)) {
			err = fmt.Errorf("%s is out of the function's range", a[0])
		}
		return FloatOf(x), err
	}}
}

func arithmeticOf(op byte, mysql bool) function {
	return function{min: 2, max: 2, call: func(ev *evaluation, a []Value) (Value, error) {
		if v, ok := timeArithmetic(op, a[0], a[1]); ok {
			return v, nil
		}
		x, err := toNumber(a[0])
		if err != nil {
			return x, err
		}
		y, err := toNumber(a[1])
		if err != nil {
			return y, err
		}
		return arithmetic(op, x, y, mysql)
	}}
}

// minus is a difference, of a JSON document and a key too.
func minus(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == JSONValue {
		return jsonWithout(a[0], a[1])
	}
	return arithmeticOf('-', false).call(ev, a)
}

func negate(ev *evaluation, a []Value) (Value, error) {
	if v := a[0]; v.Kind == IntervalValue {
		return IntervalOf(-v.months, -v.days, -v.Int), nil
	}
	n, err := toNumber(a[0])
	if err != nil || isNaN(n) {
		return n, err
	}
	n.Int, n.Float = -n.Int, -n.Float
	return n, nil
}

func intDivide(ev *evaluation, a []Value) (Value, error) {
	v, err := arithmetic('/', a[0], a[1], a[0].Kind == DecimalValue || a[1].Kind == DecimalValue)
	if err != nil || v.IsNull() {
		return v, err
	}
	return rounded(v, 0, 't'), nil
}

func power(ev *evaluation, a []Value) (Value, error) {
	x, err1 := toNumber(a[0])
	y, err2 := toNumber(a[1])
	if err := errors.Join(err1, err2); err != nil {
		return Value{}, err
	}
	f := math.Pow(float(x), float(y))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("%s to the power of %s is out of range", x, y)
	}
	return FloatOf(f), nil
}

func bitAnd(ev *evaluation, a []Value) (Value, error) { return bitwise(a, a[0].Int&a[1].Int) }
func bitOr(ev *evaluation, a []Value) (Value, error)  { return bitwise(a, a[0].Int|a[1].Int) }

func bitwise(a []Value, n int64) (Value, error) {
	if a[0].Kind != IntValue || a[1].Kind != IntValue {
		return Value{}, errors.New("bits of what is no integer are not understood")
	}
	return IntOf(n), nil
}

func absolute(ev *evaluation, a []Value) (Value, error) {
	n, err := toNumber(a[0])
	if err == nil && float(n) < 0 {
		return negate(ev, []Value{n})
	}
	return n, err
}

func signum(ev *evaluation, a []Value) (Value, error) {
	n, err := toNumber(a[0])
	return IntOf(int64(compareNumbers(n, IntOf(0)))), err
}

func rounder(how byte) function {
	return function{min: 1, max: 2, call: func(ev *evaluation, a []Value) (Value, error) {
		n, err := toNumber(a[0])
		if err != nil {
			return n, err
		}
		digits := 0
		if len(a) == 2 {
			if a[1].Kind != IntValue || a[1].Int > 30 || a[1].Int < -maxScale {
				return n, fmt.Errorf("rounding to %s digits is not understood", a[1])
			}
			digits = int(a[1].Int)
		}
		return rounded(n, digits, how), nil
	}}
}

func extreme(sign int) func(*evaluation, []Value) (Value, error) {
	return func(ev *evaluation, args []Value) (best Value, err error) {
		for _, v := range args {
			if v.IsNull() {
				continue
			}
			if best.IsNull() {
				best = v
				continue
			}
			c, err := compare(v, best)
			if err != nil {
				return v, err
			}
			if c == sign {
				best = v
			}
		}
		return best, nil
	}
}

func countNulls(null bool) func(*evaluation, []Value) (Value, error) {
	return func(ev *evaluation, args []Value) (Value, error) {
		n := int64(0)
		for _, v := range args {
			if v.IsNull() == null {
				n++
			}
		}
		return IntOf(n), nil
	}
}

func makeDate(ev *evaluation, a []Value) (Value, error) {
	s := fmt.Sprintf("%04d-%02d-%02d", a[0].Int, a[1].Int, a[2].Int)
	v, ok := parseTime(s)
	if !ok {
		return v, fmt.Errorf("%s is no date", s)
	}
	return v, nil
}

func inUTC(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == DateValue {
		return dateToTime(a[0]), nil
	}
	return a[0], nil
}

func length(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == BytesValue {
		return IntOf(int64(len(a[0].Text))), nil
	}
	if a[0].Kind == TextValue {
		return IntOf(int64(utf8.RuneCountInString(a[0].Text))), nil
	}
	return IntOf(int64(utf8.RuneCountInString(a[0].String()))), nil
}

func octets(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == BytesValue || a[0].Kind == TextValue {
		return IntOf(int64(len(a[0].Text))), nil
	}
	return IntOf(int64(len(a[0].String()))), nil
}

func bitLength(ev *evaluation, a []Value) (Value, error) {
	n, err := octets(ev, a)
	return IntOf(n.Int * 8), err
}

// lower is lower(text), or the lower bound of a range.
func lower(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == OtherValue {
		r, err := parseRange(a[0].Text)
		return r.lower, err
	}
	return TextOf(strings.ToLower(a[0].String())), nil
}

func upper(ev *evaluation, a []Value) (Value, error) {
	if a[0].Kind == OtherValue {
		r, err := parseRange(a[0].Text)
		return r.upper, err
	}
	return TextOf(strings.ToUpper(a[0].String())), nil
}

func initcap(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func trimmer(trim func(s, cutset string) string) func(*evaluation, []Value) (Value, error) {
	return func(ev *evaluation, a []Value) (Value, error) {
		cut := " "
		if len(a) == 2 {
			cut = a[1].Text
		}
		return TextOf(trim(a[0].String(), cut)), nil
	}
}
