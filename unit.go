package rehearse

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes as "84ms" in JSON.
type Duration time.Duration

// String is the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// Seconds is the duration as a number of seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

// MarshalText makes a duration a JSON string.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// Round keeps three significant figures, which is what tables have room for.
func Round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for v := max(d, -d); v >= 1000; v /= 10 {
		unit *= 10
	}
	return d.Round(unit)
}

// Rate is bits per second. Zero is unlimited.
type Rate int64

// The units in which a rate is written, decimal as in tc and in every bill.
const (
	Bit  Rate = 1
	Kbit      = 1000 * Bit
	Mbit      = 1000 * Kbit
	Gbit      = 1000 * Mbit
)

var rateUnits = []struct {
	suffix string
	rate   Rate
}{{"Gbit", Gbit}, {"Mbit", Mbit}, {"Kbit", Kbit}, {"bit", Bit}}

// ParseRate reads a rate as tc writes it: "1Gbit", "20mbit", "512kbit",
// optionally with "/s" or "ps" behind it.
func ParseRate(s string) (Rate, error) {
	t := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(s), "/s"), "ps")
	for _, u := range rateUnits {
		n := len(t) - len(u.suffix)
		if n <= 0 || !strings.EqualFold(t[n:], u.suffix) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(t[:n]), 64)
		if err != nil || v <= 0 || v > 1e6 {
			break
		}
		return Rate(math.Round(v * float64(u.rate))), nil
	}
	return 0, fmt.Errorf("%q is not a rate; write a number and a unit, as in 100Mbit or 1Gbit", s)
}

// String is the rate in its largest whole unit, as in "1Gbit/s".
func (r Rate) String() string {
	if r == 0 {
		return "unlimited"
	}
	for _, u := range rateUnits {
		if r >= u.rate {
			return strconv.FormatFloat(float64(r)/float64(u.rate), 'f', -1, 64) + u.suffix + "/s"
		}
	}
	return strconv.FormatInt(int64(r), 10) + "bit/s"
}

// MarshalJSON writes a rate as ParseRate reads it.
func (r Rate) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Rate) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s == "unlimited" {
		*r = 0
		return nil
	}
	v, err := ParseRate(s)
	*r = v
	return err
}

// ParseShare reads a share of a whole as a percentage or a fraction: "0.01%",
// "0.0001".
func ParseShare(s string) (float64, error) {
	t, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share; write a percentage, as in 0.1%%, or a fraction from 0 to 1", s)
	}
	return v, nil
}

// percent writes a share as ParseShare reads it.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e8)/1e6, 'f', -1, 64) + "%"
}

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// ParseBytes reads a number of bytes: "256KB", "1MiB", "1500B".
func ParseBytes(s string) (int64, error) {
	t := strings.TrimSpace(s)
	for _, u := range byteUnits {
		n := len(t) - len(u.suffix)
		if n <= 0 || !strings.EqualFold(t[n:], u.suffix) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(t[:n]), 64)
		if err != nil || !(v > 0 && v <= 1e6) {
			break
		}
		return int64(math.Round(v * float64(u.bytes))), nil
	}
	return 0, fmt.Errorf("%q is not a number of bytes; write a number and a unit, as in 256KB or 1MiB", s)
}
