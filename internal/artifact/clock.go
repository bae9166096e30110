package artifact

// clock is a date, and a time of day, as servers print them.
type clock struct {
	year, month, day int
	inDay            int64 // microseconds since midnight
	offset           int64 // the zone's, in seconds
	bc, infinite     bool
}

// readClock reads "2026-01-02", "2026-01-02 03:04:05.678+02", "infinity", and
// years before Christ.
func readClock(v []byte) (clock, bool) {
	var c clock
	switch string(v) {
	case "infinity", "-infinity":
		c.infinite = true
		return c, true
	}
	r := reader{v: v}
	c.year = r.number(9)
	r.skip('-')
	c.month = r.number(2)
	r.skip('-')
	c.day = r.number(2)
	if r.failed || c.month > 12 || c.day > 31 {
		return c, false
	}
	if r.peek() == ' ' && r.i+1 < len(v) && v[r.i+1] >= '0' && v[r.i+1] <= '9' || r.peek() == 'T' {
		r.i++
		hour := r.number(2)
		r.skip(':')
		minute := r.number(2)
		second := 0
		if r.peek() == ':' {
			r.i++
			second = r.number(2)
		}
		c.inDay = int64(hour*3600+minute*60+second) * 1e6
		if r.peek() == '.' {
			r.i++
			scale := int64(1e5)
			for r.peek() >= '0' && r.peek() <= '9' {
				c.inDay += int64(v[r.i]-'0') * scale
				scale /= 10
				r.i++
			}
		}
		if sign := r.peek(); sign == '+' || sign == '-' {
			r.i++
			c.offset = int64(r.number(2)) * 3600
			if r.peek() == ':' {
				r.i++
				c.offset += int64(r.number(2)) * 60
			}
			if sign == '-' {
				c.offset = -c.offset
			}
		}
	}
	if string(v[r.i:]) == " BC" {
		c.bc = true
	}
	return c, !r.failed
}

// micros is the number of microseconds since 1970 in UTC, the years being far
// from where it ends.
func (c clock) micros() int64 {
	return daysOf(c.year, c.month, c.day)*dayMicros + c.inDay - c.offset*1e6
}

const dayMicros = 86400 * 1000000

// daysOf is the number of days since 1970 (H. Hinnant's days_from_civil).
func daysOf(year, month, day int) int64 {
	y := int64(min(year, 290000))
	if month <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := int64((153*((month+9)%12)+2)/5 + day - 1)
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// reader reads digits.
type reader struct {
	v      []byte
	i      int
	failed bool
}

func (r *reader) peek() byte {
	if r.i < len(r.v) {
		return r.v[r.i]
	}
	return 0
}

func (r *reader) skip(c byte) {
	if r.peek() != c {
		r.failed = true
		return
	}
	r.i++
}

// number reads at most width digits, and at least one.
func (r *reader) number(width int) int {
	n, from := 0, r.i
	for r.i < len(r.v) && r.i-from < width && r.v[r.i] >= '0' && r.v[r.i] <= '9' {
		n = n*10 + int(r.v[r.i]-'0')
		r.i++
	}
	if r.i == from {
		r.failed = true
	}
	return n
}
