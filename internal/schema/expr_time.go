package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	second = int64(1e6)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func infinite(n int64) bool { return n == math.MaxInt64 || n == math.MinInt64 }

func dateToTime(v Value) Value {
	if infinite(v.Int) {
		return TimeOf(v.Int)
	}
	return TimeOf(v.Int * day)
}

func timeToDate(v Value) Value {
	if infinite(v.Int) {
		return DateOf(v.Int)
	}
	return DateOf(floorDiv(v.Int, day))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// span is an interval's length as intervals are compared: months of 30 days.
func (v Value) span() int64 { return v.Int + (int64(v.days)+30*int64(v.months))*day }

func goTime(micros int64) time.Time {
	s := floorDiv(micros, second)
	return time.Unix(s, (micros-s*second)*1000).UTC()
}

func micros(t time.Time) int64 { return t.Unix()*second + int64(t.Nanosecond())/1000 }

func appendYear(dst []byte, t time.Time) (out []byte, bc bool) {
	y := t.Year()
	if y <= 0 {
		y, bc = 1-y, true
	}
	for w := 1000; w > 1 && y < w; w /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(y), 10), bc
}

func appendDate(dst []byte, days int64) []byte {
	switch days {
	case math.MaxInt64:
		return append(dst, "infinity"...)
	case math.MinInt64:
		return append(dst, "-infinity"...)
	}
	t := time.Unix(days*86400, 0).UTC()
	dst, bc := appendYear(dst, t)
	dst = t.AppendFormat(dst, "-01-02")
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendTime(dst []byte, us int64) []byte {
	switch us {
	case math.MaxInt64:
		return append(dst, "infinity"...)
	case math.MinInt64:
		return append(dst, "-infinity"...)
	}
	t := goTime(us)
	dst, bc := appendYear(dst, t)
	dst = t.AppendFormat(dst, "-01-02 15:04:05.999999")
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendClock(dst []byte, us int64) []byte {
	if us == day {
		return append(dst, "24:00:00"...)
	}
	return goTime(us).AppendFormat(dst, "15:04:05.999999")
}

func appendInterval(dst []byte, v Value) []byte {
	from := len(dst)
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(v.months/12), "year")
	part(int64(v.months%12), "mon")
	part(int64(v.days), "day")
	if v.Int != 0 || len(dst) == from {
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		us := v.Int
		if us < 0 {
			dst, us = append(dst, '-'), -us
		}
		dst = fmt.Appendf(dst, "%02d:%02d:%02d", us/hour, us/minute%60, us/second%60)
		if f := us % second; f != 0 {
			dst = append(dst, strings.TrimRight(fmt.Sprintf(".%06d", f), "0")...)
		}
	}
	return dst
}

// parseTime reads a date, or a point in time with or without an offset.
func parseTime(s string) (Value, bool) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "infinity":
		return TimeOf(math.MaxInt64), true
	case "-infinity":
		return TimeOf(math.MinInt64), true
	case "epoch":
		return TimeOf(0), true
	}
	s, bc := strings.CutSuffix(s, " BC")
	i := strings.IndexByte(s, '-')
	if i < 4 || i > 6 {
		return Value{}, false
	}
	year, err := strconv.Atoi(s[:i])
	if err != nil || year < 0 {
		return Value{}, false
	}
	if bc {
		year = 1 - year
	}
	rest := s[i:]
	var at time.Time
	dateOnly := false
	for n, layout := range []string{"2006-01-02", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04",
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05 UTC"} {
		// The year is set afterwards: the layouts know four digits. 2000 has a
		// 29th of February.
		if at, err = time.Parse(layout, "2000"+rest); err == nil {
			dateOnly = n == 0
			break
		}
	}
	if err != nil {
		return Value{}, false
	}
	at = at.UTC()
	out := time.Date(year+at.Year()-2000, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	if out.Day() != at.Day() {
		return Value{}, false
	}
	us := micros(out)
	if dateOnly {
		return DateOf(us / day), true
	}
	return TimeOf(us), true
}

func parseClock(s string) (Value, bool) {
	if s == "24:00:00" {
		return ClockOf(day), true
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return ClockOf(int64(t.Hour())*hour + int64(t.Minute())*minute + int64(t.Second())*second + int64(t.Nanosecond())/1000), true
		}
	}
	return Value{}, false
}

// parseInterval reads PostgreSQL's verbose form: "1 year 2 mons -3 days 04:05:06".
func parseInterval(s string) (Value, bool) {
	v := Value{Kind: IntervalValue}
	words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(s), "@"))
	if len(words) == 0 {
		return v, false
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if strings.Contains(w, ":") {
			negative := strings.HasPrefix(w, "-")
			part := strings.Split(strings.TrimLeft(w, "+-"), ":")
			if len(part) > 3 {
				return v, false
			}
			unit := hour
			for _, p := range part {
				f, err := strconv.ParseFloat(p, 64)
				if err != nil || f < 0 || f > 1e12 {
					return v, false
				}
				n := int64(math.Round(f * float64(unit)))
				if negative {
					n = -n
				}
				v.Int += n
				unit /= 60
			}
			continue
		}
		f, err := strconv.ParseFloat(w, 64)
		if err != nil || math.Abs(f) > 1e9 || i+1 == len(words) && len(words) > 1 {
			return v, false
		}
		unit := "second"
		if i+1 < len(words) {
			i++
			unit = words[i]
		}
		if !v.add(f, unit) {
			return v, false
		}
	}
	return v, true
}

// add adds a number of some unit to an interval.
func (v *Value) add(f float64, unit string) bool {
	unit = strings.TrimSuffix(strings.ToLower(unit), "s")
	n := int32(f)
	rest := f - float64(n)
	switch unit {
	case "year", "yr", "y":
		v.months += int32(math.Round(f * 12))
	case "quarter":
		v.months += 3 * n
	case "month", "mon":
		v.months += n
		v.days += int32(rest * 30)
	case "week", "w":
		v.days += 7 * n
		v.Int += int64(rest * 7 * float64(day))
	case "day", "d":
		v.days += n
		v.Int += int64(math.Round(rest * float64(day)))
	case "hour", "hr", "h":
		v.Int += int64(math.Round(f * float64(hour)))
	case "minute", "min", "m":
		v.Int += int64(math.Round(f * float64(minute)))
	case "second", "sec", "":
		v.Int += int64(math.Round(f * float64(second)))
	case "millisecond", "msec":
		v.Int += int64(math.Round(f * 1000))
	case "microsecond":
		v.Int += int64(math.Round(f))
	default:
		return false
	}
	return true
}

// shift is a time plus an interval, times sign.
func shift(t, by Value, sign int) Value {
	if t.Kind == ClockValue {
		return ClockOf(((t.Int+int64(sign)*by.Int)%day + day) % day)
	}
	if t.Kind == DateValue {
		t = dateToTime(t)
	}
	if infinite(t.Int) {
		return t
	}
	at := goTime(t.Int)
	if by.months != 0 {
		y, m, d := at.Date()
		first := time.Date(y, m+time.Month(sign*int(by.months)), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		at = first.AddDate(0, 0, min(d, last)-1)
	}
	at = at.AddDate(0, 0, sign*int(by.days))
	return TimeOf(micros(at) + int64(sign)*by.Int)
}

// timeArithmetic is + - * / where one side is a date, a time or an interval.
func timeArithmetic(op byte, a, b Value) (Value, bool) {
	temporal := func(v Value) bool { return v.Kind == TimeValue || v.Kind == DateValue || v.Kind == ClockValue }
	sign := 1
	if op == '-' {
		sign = -1
	}
	switch op {
	case '+', '-':
		switch {
		case temporal(a) && b.Kind == IntervalValue:
			return shift(a, b, sign), true
		case op == '+' && a.Kind == IntervalValue && temporal(b):
			return shift(b, a, 1), true
		case a.Kind == DateValue && b.Kind == IntValue:
			if infinite(a.Int) {
				return a, true
			}
			return DateOf(a.Int + int64(sign)*b.Int), true
		case op == '+' && a.Kind == IntValue && b.Kind == DateValue:
			return DateOf(a.Int + b.Int), true
		case op == '+' && a.Kind == DateValue && b.Kind == ClockValue:
			return TimeOf(a.Int*day + b.Int), true
		case op == '-' && a.Kind == DateValue && b.Kind == DateValue && !infinite(a.Int) && !infinite(b.Int):
			return IntOf(a.Int - b.Int), true
		case op == '-' && temporal(a) && temporal(b):
			if a.Kind == DateValue {
				a = dateToTime(a)
			}
			if b.Kind == DateValue {
				b = dateToTime(b)
			}
			if infinite(a.Int) || infinite(b.Int) {
				return Value{}, false
			}
			us := a.Int - b.Int
			if a.Kind == ClockValue {
				return IntervalOf(0, 0, us), true
			}
			return IntervalOf(0, int32(us/day), us%day), true
		case a.Kind == IntervalValue && b.Kind == IntervalValue:
			return IntervalOf(a.months+int32(sign)*b.months, a.days+int32(sign)*b.days, a.Int+int64(sign)*b.Int), true
		}
	case '*', '/':
		if op == '*' && b.Kind == IntervalValue {
			a, b = b, a
		}
		if a.Kind != IntervalValue || !b.numeric() {
			return Value{}, false
		}
		f := float(b)
		if op == '/' {
			if f == 0 {
				return Value{}, false
			}
			f = 1 / f
		}
		months := float64(a.months) * f
		days := float64(a.days)*f + (months-math.Trunc(months))*30
		us := float64(a.Int)*f + (days-math.Trunc(days))*float64(day)
		return IntervalOf(int32(months), int32(days), int64(math.Round(us))), true
	}
	return Value{}, false
}

// field is EXTRACT(name FROM v).
func field(name string, v Value) (Value, error) {
	name = strings.ToLower(name)
	if v.Kind == IntervalValue {
		switch name {
		case "year":
			return IntOf(int64(v.months / 12)), nil
		case "month":
			return IntOf(int64(v.months % 12)), nil
		case "day":
			return IntOf(int64(v.days)), nil
		case "epoch":
			return DecimalOf(v.Int+(int64(v.days)+30*int64(v.months%12))*day+int64(v.months/12)*31557600*second, 6), nil
		}
		return clockField(name, v.Int)
	}
	if v.Kind == ClockValue {
		return clockField(name, v.Int)
	}
	date := v.Kind == DateValue
	if date {
		v = dateToTime(v)
	}
	if v.Kind != TimeValue {
		return Value{}, fmt.Errorf("%s has no %s", v, name)
	}
	if infinite(v.Int) {
		switch name {
		case "year", "isoyear", "decade", "century", "epoch":
			return FloatOf(math.Inf(int(sign(v.Int)))), nil
		}
		return Value{}, nil
	}
	t := goTime(v.Int)
	switch name {
	case "year":
		return IntOf(int64(t.Year())), nil
	case "quarter":
		return IntOf(int64(t.Month()+2) / 3), nil
	case "month":
		return IntOf(int64(t.Month())), nil
	case "day":
		return IntOf(int64(t.Day())), nil
	case "dow":
		return IntOf(int64(t.Weekday())), nil
	case "isodow":
		return IntOf(int64(t.Weekday()+6)%7 + 1), nil
	case "doy":
		return IntOf(int64(t.YearDay())), nil
	case "week":
		_, w := t.ISOWeek()
		return IntOf(int64(w)), nil
	case "isoyear":
		y, _ := t.ISOWeek()
		return IntOf(int64(y)), nil
	case "decade":
		return IntOf(floorDiv(int64(t.Year()), 10)), nil
	case "century":
		return IntOf(int64(t.Year()+99) / 100), nil
	case "epoch":
		if date {
			return IntOf(v.Int / second), nil
		}
		return DecimalOf(v.Int, 6), nil
	}
	return clockField(name, v.Int-floorDiv(v.Int, day)*day)
}

func clockField(name string, us int64) (Value, error) {
	switch name {
	case "hour":
		return IntOf(us / hour), nil
	case "minute":
		return IntOf(us / minute % 60), nil
	case "second":
		return DecimalOf(us%minute, 6), nil
	case "millisecond", "milliseconds":
		return DecimalOf(us%minute, 3), nil
	case "microsecond", "microseconds":
		return IntOf(us % minute), nil
	case "epoch":
		return DecimalOf(us, 6), nil
	}
	return Value{}, fmt.Errorf("the field %q of a time is not understood", name)
}

// truncate is date_trunc.
func truncate(name string, v Value) (Value, error) {
	if v.Kind == DateValue {
		v = dateToTime(v)
	}
	if v.Kind != TimeValue {
		return Value{}, fmt.Errorf("date_trunc of %s is not understood", v)
	}
	if infinite(v.Int) {
		return v, nil
	}
	t := goTime(v.Int)
	y, m, d := t.Date()
	unit := int64(0)
	switch strings.ToLower(name) {
	case "year":
		m, d = 1, 1
	case "quarter":
		m, d = (m-1)/3*3+1, 1
	case "month":
		d = 1
	case "week":
		d -= int(t.Weekday()+6) % 7
	case "day":
	case "hour":
		unit = hour
	case "minute":
		unit = minute
	case "second":
		unit = second
	case "milliseconds", "millisecond":
		unit = 1000
	case "microseconds", "microsecond":
		unit = 1
	default:
		return Value{}, fmt.Errorf("the field %q of a time is not understood", name)
	}
	if unit > 0 {
		return TimeOf(floorDiv(v.Int, unit) * unit), nil
	}
	return TimeOf(micros(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))), nil
}
