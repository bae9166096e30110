package synth

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// parseValue reads a value in the server's text form.
func parseValue(c rows.Column, text string) (value, error) {
	switch c.Kind {
	case rows.Bool:
		switch strings.ToLower(text) {
		case "t", "true", "1", "y", "yes", "on":
			return value{int: 1}, nil
		case "f", "false", "0", "n", "no", "off":
			return value{}, nil
		}
		return value{}, fmt.Errorf("%q is no boolean", text)
	case rows.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			f, ferr := strconv.ParseFloat(text, 64)
			if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 9e18 {
				return value{}, fmt.Errorf("%q is no whole number", text)
			}
			n = int64(f)
		}
		return value{int: n}, nil
	case rows.Float:
		f, err := strconv.ParseFloat(text, 64)
		return value{float: f}, err
	case rows.Decimal:
		if strings.EqualFold(text, "nan") {
			return value{int: rows.NaN}, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(f*pow10[c.Scale]) >= 9.2e18 {
			return value{}, fmt.Errorf("%q is no number that fits", text)
		}
		return value{int: int64(math.RoundToEven(f * pow10[c.Scale]))}, nil
	case rows.Date:
		t, inf, err := parseTime(text)
		if err != nil || inf != 0 {
			return value{int: inf}, err
		}
		return value{int: floorTo(t.Unix(), 86400) / 86400}, nil
	case rows.Timestamp:
		t, inf, err := parseTime(text)
		if err != nil || inf != 0 {
			return value{int: inf}, err
		}
		return value{int: t.UnixMicro()}, nil
	case rows.Time:
		t, err := time.Parse("15:04:05.999999", text)
		if err != nil {
			return value{}, fmt.Errorf("%q is no time of day", text)
		}
		return value{int: int64(t.Hour())*hourMicros + int64(t.Minute())*60e6 + int64(t.Second())*1e6 + int64(t.Nanosecond())/1000}, nil
	case rows.UUID:
		b, err := hex.DecodeString(strings.NewReplacer("-", "", "{", "", "}", "").Replace(text))
		if err != nil || len(b) != 16 {
			return value{}, fmt.Errorf("%q is no UUID", text)
		}
		return value{text: b}, nil
	case rows.Bytes:
		if h, ok := strings.CutPrefix(text, `\x`); ok {
			b, err := hex.DecodeString(h)
			return value{text: b}, err
		}
	}
	return value{text: []byte(text)}, nil
}

var timeLayouts = []string{
	"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", "2006-01-02 15:04:05.999999", "2006-01-02",
	time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02 15:04",
}

func parseTime(text string) (t time.Time, infinity int64, err error) {
	switch text {
	case "infinity":
		return t, rows.Infinity, nil
	case "-infinity":
		return t, rows.NegInfinity, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, 0, nil
		}
	}
	return t, 0, fmt.Errorf("%q is no time", text)
}

func appendDecimal(dst []byte, n int64, scale int) []byte {
	if n == rows.NaN {
		return append(dst, "NaN"...)
	}
	if n < 0 {
		dst = append(dst, '-')
	}
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	if scale == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	unit := uint64(pow10[scale])
	dst = append(strconv.AppendUint(dst, u/unit, 10), '.')
	for d := unit / 10; d > 0; d /= 10 {
		dst = append(dst, '0'+byte(u/d%10))
	}
	return dst
}

func appendInfinity(dst []byte, n int64) ([]byte, bool) {
	switch n {
	case rows.Infinity:
		return append(dst, "infinity"...), true
	case rows.NegInfinity:
		return append(dst, "-infinity"...), true
	}
	return dst, false
}

func appendDate(dst []byte, days int64) []byte {
	if dst, ok := appendInfinity(dst, days); ok {
		return dst
	}
	return time.Unix(days*86400, 0).UTC().AppendFormat(dst, "2006-01-02")
}

func appendTimestamp(dst []byte, micros int64, zone bool) []byte {
	if dst, ok := appendInfinity(dst, micros); ok {
		return dst
	}
	layout := "2006-01-02 15:04:05.999999"
	if zone {
		layout += "+00"
	}
	return time.UnixMicro(micros).UTC().AppendFormat(dst, layout)
}

func appendClock(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, "15:04:05.999999")
}

// default values of a schema are expressions; literal is what one says when it is
// a plain literal such as 0, 'new'::text or false.
func literal(engine schema.Engine, expr string) (string, bool) {
	e := strings.TrimSpace(expr)
	for strings.HasPrefix(e, "(") && strings.HasSuffix(e, ")") {
		e = e[1 : len(e)-1]
	}
	if strings.HasPrefix(e, "'") {
		end := 1
		var b strings.Builder
		for end < len(e) {
			if e[end] == '\'' {
				if end+1 < len(e) && e[end+1] == '\'' {
					b.WriteByte('\'')
					end += 2
					continue
				}
				rest := e[end+1:]
				if rest == "" || strings.HasPrefix(rest, "::") && !strings.ContainsAny(rest, "(|+") || strings.HasPrefix(rest, "::") && strings.Contains(rest, "varying(") {
					return b.String(), true
				}
				return "", false
			}
			if e[end] == '\\' && engine == schema.MySQL && end+1 < len(e) {
				end++
			}
			b.WriteByte(e[end])
			end++
		}
		return "", false
	}
	head, _, _ := strings.Cut(e, "::")
	if _, err := strconv.ParseFloat(head, 64); err == nil {
		return head, true
	}
	if head == "true" || head == "false" {
		return head, true
	}
	if engine == schema.MySQL && !strings.ContainsAny(e, "()") && !strings.EqualFold(e, "NULL") {
		return e, true
	}
	return "", false
}
