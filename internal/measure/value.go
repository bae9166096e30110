package measure

import (
	"math"
	"strconv"
	"time"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// parseNumber reads a number in the server's text form.
func parseNumber(b []byte) (float64, bool) {
	if n, ok := parseWhole(b); ok {
		return float64(n), true
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// parseWhole reads whole numbers of at most 18 digits without an allocation.
func parseWhole(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if b[0] == '-' {
		n = -n
	}
	return n, true
}

// decimals is how many digits stand behind the point.
func decimals(b string) int {
	for i := len(b) - 1; i >= 0; i-- {
		switch c := b[i]; {
		case c == '.':
			return len(b) - 1 - i
		case c == 'e' || c == 'E':
			return 0
		}
	}
	return 0
}

// parseTime reads dates, times of day and timestamps as PostgreSQL (DateStyle
// ISO) and MariaDB write them, in microseconds since 1970 in UTC, or since
// midnight.
func parseTime(b []byte, kind schema.Kind) (micros int64, ok bool) {
	var day int64
	if kind != schema.Time {
		y, rest, ok := leading(b)
		if !ok || len(rest) < 6 || rest[0] != '-' || rest[3] != '-' {
			return 0, false
		}
		m, _, okM := leading(rest[1:3])
		d, _, okD := leading(rest[4:6])
		if !okM || !okD || m < 1 || m > 12 || d < 1 || d > 31 || y < 1 || y > 9999 {
			return 0, false
		}
		b = rest[6:]
		if len(b) >= 3 && string(b[len(b)-3:]) == " BC" {
			return 0, false
		}
		day = time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC).Unix() * 1e6
		if len(b) == 0 {
			return day, true
		}
		b = b[1:] // a space or a T
	}
	h, rest, ok := leading(b)
	if !ok || len(rest) < 3 || rest[0] != ':' {
		return 0, false
	}
	m, rest, ok := leading(rest[1:])
	if !ok {
		return 0, false
	}
	micros = day + (h*3600+m*60)*1e6
	if len(rest) >= 3 && rest[0] == ':' {
		s, tail, ok := leading(rest[1:])
		if !ok {
			return 0, false
		}
		micros += s * 1e6
		rest = tail
		if len(rest) > 1 && rest[0] == '.' {
			unit := int64(100_000)
			for rest = rest[1:]; len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
				micros += int64(rest[0]-'0') * unit
				unit /= 10
			}
		}
	}
	if len(rest) >= 3 && (rest[0] == '+' || rest[0] == '-') {
		zh, tail, _ := leading(rest[1:])
		offset := zh * 3600
		if len(tail) >= 3 && tail[0] == ':' {
			zm, _, _ := leading(tail[1:3])
			offset += zm * 60
		}
		if rest[0] == '+' {
			offset = -offset
		}
		micros += offset * 1e6
	}
	return micros, true
}

// leading is the number that a text starts with.
func leading(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < 9 && b[i] >= '0' && b[i] <= '9' {
		n = 10*n + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0
}

// parseArray calls do for each element of an array in PostgreSQL's syntax, nil
// being NULL. Arrays in arrays are flattened. It reports whether all was read.
func parseArray(b []byte, do func([]byte)) bool {
	for len(b) > 0 && b[0] == '[' { // bounds other than 1: [0:2]={1,2,3}
		for len(b) > 0 && b[0] != '=' {
			b = b[1:]
		}
		b = b[min(len(b), 1):]
	}
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return false
	}
	var item []byte
	quoted, inside := false, false
	end := func() {
		switch {
		case !quoted && len(item) == 0:
		case !quoted && string(item) == "NULL":
			do(nil)
		default:
			do(item)
		}
		item, quoted = item[:0], false
	}
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b):
			i++
			item = append(item, b[i])
		case c == '"':
			inside, quoted = !inside, true
			if item == nil {
				item = []byte{}
			}
		case inside:
			item = append(item, c)
		case c == '{':
		case c == ',' || c == '}':
			end()
		default:
			item = append(item, c)
		}
	}
	return !inside
}

// parseRange reads the bounds of a range; nil is no bound.
func parseRange(b []byte) (low, high []byte, ok bool) {
	if len(b) < 3 || b[0] != '[' && b[0] != '(' {
		return nil, nil, false
	}
	inside := b[1 : len(b)-1]
	quoted := false
	for i, c := range inside {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return unquoted(inside[:i]), unquoted(inside[i+1:]), true
		}
	}
	return nil, nil, false
}

func unquoted(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' {
		return b[1 : len(b)-1]
	}
	if len(b) == 0 {
		return nil
	}
	return b
}
