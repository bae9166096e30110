package artifact

import "math"

// Number gives a number with the artifact, made from v; false where numbers have
// none of that name. Whether a column can hold it is the caller's to see.
func Number(name string, v float64, r uint64) (float64, bool) {
	switch name {
	case Negative:
		if v == 0 || v != v {
			v = float64(1 + below(r, 100))
		}
		return -math.Abs(v), true
	case NaN:
		return math.NaN(), true
	case Infinity:
		return math.Inf(1 - 2*below(r, 2)), true
	case Sentinel:
		return [...]float64{-1, 99999, 999999, math.MaxInt32}[below(r, 4)], true
	case NearOverflow:
		return float64(math.MaxInt32 - below(r, 1000)), true
	}
	return v, false
}

const yearMicros = 365 * dayMicros

// Time gives a time with the artifact, in microseconds since 1970 in UTC,
// math.MaxInt64 and math.MinInt64 being the infinities; false where times have
// none of that name. A zero date is no time, so that there is none.
func Time(name string, micros, now int64, r uint64) (int64, bool) {
	if micros == math.MaxInt64 || micros == math.MinInt64 {
		micros = now
	}
	switch name {
	case YearOne:
		return daysOf(1, 1, 1) * dayMicros, true
	case Epoch:
		return 0, true
	case FarFuture:
		if below(r, 4) > 0 {
			return daysOf(9999, 12, 31) * dayMicros, true
		}
		return daysOf(2100, 1, 1)*dayMicros + int64(below(r>>8, 800))*yearMicros, true
	case Infinity:
		return infinity(r), true
	case Future:
		// At most four years on, and before the far future begins.
		at := now + 1 + int64(below(r, 1460))*dayMicros + int64(below(r>>7, dayMicros/1000))*1000
		if last := daysOf(2100, 1, 1)*dayMicros - 1; at > last {
			return 0, false
		}
		return at, true
	case Midnight:
		day := floor(micros, dayMicros)
		if day == 0 {
			day = dayMicros // 1970-01-01 is another artifact
		}
		if first := daysOf(2, 1, 1) * dayMicros; day < first {
			day = first
		}
		return day, true
	case Before1900:
		return daysOf(1900, 1, 1)*dayMicros - dayMicros*int64(1+below(r, 36000)) + (micros - floor(micros, dayMicros)), true
	}
	return micros, false
}

// Date is Time in days, today being the day of now.
func Date(name string, day, today int64, r uint64) (int64, bool) {
	switch name {
	case Midnight:
		return day, false
	case Infinity:
		return infinity(r), true
	case Future:
		at := today + 1 + int64(below(r, 1460))
		return at, at < daysOf(2100, 1, 1)
	}
	if day == math.MaxInt64 || day == math.MinInt64 {
		day = today
	}
	micros, ok := Time(name, day*dayMicros, today*dayMicros, r)
	return floor(micros, dayMicros) / dayMicros, ok
}

func infinity(r uint64) int64 {
	if below(r, 4) == 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// floor is the multiple of unit at or below v.
func floor(v, unit int64) int64 {
	m := v % unit
	if m < 0 {
		m += unit
	}
	return v - m
}
