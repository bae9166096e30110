package toxiproxy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// attribute is one setting of a type of toxic. Its value, as the API shows it,
// is a float64, a bool or a string. Toxiproxy's own are all numbers, and stay
// so: toxiproxy-cli takes anything else for impossible, and dies of it.
type attribute struct {
	name  string
	extra bool // beyond Toxiproxy: not shown unless it was given
	zero  func() any
	read  func(json.RawMessage) (any, error)
	set   func(*rehearse.Fault, any)
}

// beyond makes an attribute one that Toxiproxy does not have.
func (a attribute) beyond() attribute {
	a.extra = true
	return a
}

func (sp species) attribute(name string) (attribute, bool) {
	for _, a := range sp.attributes {
		if a.name == name {
			return a, true
		}
	}
	return attribute{}, false
}

func zeroNumber() any { return 0.0 }

// duration is a number of units, or a text with a unit, as in "1.5s".
func duration(name string, unit time.Duration, field func(*rehearse.Fault) *rehearse.Duration) attribute {
	most := float64(rehearse.LongestDelay / unit)
	return attribute{
		name: name, zero: zeroNumber,
		read: func(raw json.RawMessage) (any, error) {
			var s string
			if json.Unmarshal(raw, &s) == nil {
				if d, err := time.ParseDuration(s); err == nil && d >= 0 && d <= rehearse.LongestDelay {
					return float64(d) / float64(unit), nil
				}
			}
			v, ok := readNumber(raw)
			if !ok || v < 0 || v > most {
				return nil, fmt.Errorf("%s is not a number of %ss between 0 and %.0f", raw, unitName(unit), most)
			}
			return v, nil
		},
		set: func(f *rehearse.Fault, v any) { *field(f) = rehearse.Duration(math.Round(v.(float64) * float64(unit))) },
	}
}

func milliseconds(name string, field func(*rehearse.Fault) *rehearse.Duration) attribute {
	return duration(name, time.Millisecond, field)
}

func unitName(unit time.Duration) string {
	if unit == time.Microsecond {
		return "microsecond"
	}
	return "millisecond"
}

// mostWhole bounds counts and sizes: 1 TB, which JSON's numbers hold exactly.
const mostWhole = 1e12

// whole is a whole number that is not negative.
func whole(name, what string, most float64, set func(*rehearse.Fault, float64)) attribute {
	return attribute{
		name: name, zero: zeroNumber,
		read: func(raw json.RawMessage) (any, error) {
			v, ok := readNumber(raw)
			if !ok || v < 0 || v > most || v != math.Trunc(v) {
				return nil, fmt.Errorf("%s is not a whole number%s between 0 and %.0f", raw, what, most)
			}
			return v, nil
		},
		set: func(f *rehearse.Fault, v any) { set(f, v.(float64)) },
	}
}

func byteCount(name string) attribute {
	return whole(name, " of bytes", mostWhole, func(f *rehearse.Fault, v float64) { f.Bytes = int64(v) })
}

func count(name string, field func(*rehearse.Fault) *int) attribute {
	return whole(name, "", math.MaxInt32, func(f *rehearse.Fault, v float64) { *field(f) = int(v) })
}

// kilobytes is Toxiproxy's rate: units of 1000 bytes in a second. A text has
// tc's units, as in "10Mbit".
func kilobytes(name string) attribute {
	const bits = 8000
	return attribute{
		name: name, zero: zeroNumber,
		read: func(raw json.RawMessage) (any, error) {
			var s string
			if json.Unmarshal(raw, &s) == nil {
				if r, err := rehearse.ParseRate(s); err == nil {
					return float64(r) / bits, nil
				}
			}
			v, ok := readNumber(raw)
			if !ok || v < 0 || v > mostWhole {
				return nil, fmt.Errorf("%s is not a number of kilobytes in a second between 0 and %.0f", raw, mostWhole)
			}
			return v, nil
		},
		set: func(f *rehearse.Fault, v any) { f.Rate = rehearse.Rate(math.Round(v.(float64) * bits)) },
	}
}

// number is any number; its bounds are the fault's.
func number(name string, field func(*rehearse.Fault) *float64) attribute {
	return attribute{
		name: name, zero: zeroNumber,
		read: func(raw json.RawMessage) (any, error) {
			v, ok := readNumber(raw)
			if !ok {
				return nil, fmt.Errorf("%s is not a number", raw)
			}
			return v, nil
		},
		set: func(f *rehearse.Fault, v any) { *field(f) = v.(float64) },
	}
}

func share(name string, field func(*rehearse.Fault) *float64) attribute { return number(name, field) }

// flag is true or false. toxiproxy-cli can send either only as a text, and 1 as
// a number.
func flag(name string, field func(*rehearse.Fault) *bool) attribute {
	return attribute{
		name: name, zero: func() any { return false },
		read: func(raw json.RawMessage) (any, error) {
			switch string(raw) {
			case "true", `"true"`, "1":
				return true, nil
			case "false", `"false"`, "0":
				return false, nil
			}
			return nil, fmt.Errorf("%s is neither true nor false", raw)
		},
		set: func(f *rehearse.Fault, v any) { *field(f) = v.(bool) },
	}
}

// text is a string. toxiproxy-cli sends one that looks like a number as a
// number, so 40001 is "40001".
func text[T ~string](name string, field func(*rehearse.Fault) *T) attribute {
	return attribute{
		name: name, zero: func() any { return "" },
		read: func(raw json.RawMessage) (any, error) {
			var s string
			if json.Unmarshal(raw, &s) == nil {
				return s, nil
			}
			if _, ok := readNumber(raw); ok {
				return string(raw), nil
			}
			return nil, fmt.Errorf("%s is not a string", raw)
		},
		set: func(f *rehearse.Fault, v any) { *field(f) = T(v.(string)) },
	}
}

// readNumber reads a JSON number and nothing else.
func readNumber(raw json.RawMessage) (float64, bool) {
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}
