package rehearse

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Threshold is a bound on one aggregate of one metric, in k6's words:
//
//	http_req_duration p(99)<800ms
//	http_req_duration{name:create} med<100ms
//	http_req_failed rate<0.001
//	checks rate>=0.99
//	http_reqs count>100
//
// Durations without a unit are milliseconds, as in k6.
type Threshold struct {
	Metric    string  // one of [Metrics]
	Tag       string  // the request's name; empty for all requests
	Aggregate string  // avg, min, max, med, p, rate, count
	Percent   float64 // of the aggregate p, in (0, 100]
	Op        string  // <, <=, >, >=, ==, !=
	Bound     float64 // seconds for durations, requests per second for http_reqs rate, else a plain number
	source    string
}

// MetricKind says how a metric is aggregated.
type MetricKind string

// The kinds of metric, with k6's aggregates: a trend has avg, min, max, med and
// p(N); a rate has rate, the share in 0 to 1; a counter has count and rate, per
// second.
const (
	Trend   MetricKind = "trend"
	Share   MetricKind = "rate"
	Counter MetricKind = "counter"
)

// Metrics are the metrics that thresholds speak of, under k6's names. One
// differs on purpose: http_req_duration counts from the moment at which the
// profile says that the request starts, so that a slow service cannot hide its
// slowness by slowing its clients (coordinated omission).
var Metrics = map[string]MetricKind{
	"http_req_duration":  Trend,
	"http_req_failed":    Share,
	"checks":             Share,
	"http_reqs":          Counter,
	"dropped_iterations": Counter,
}

var thresholdSyntax = regexp.MustCompile(`^\s*([a-z_]+)\s*(?:\{\s*name\s*:\s*([^}]*?)\s*\})?\s+(avg|min|max|med|rate|count|p\(\s*([0-9.]+)\s*\))\s*(<=|>=|==|!=|<|>)\s*([0-9.]+)\s*(us|µs|ms|s|m|%)?\s*$`)

// ParseThreshold reads a threshold.
func ParseThreshold(s string) (Threshold, error) {
	m := thresholdSyntax.FindStringSubmatch(s)
	if m == nil {
		return Threshold{}, fmt.Errorf("%q is not a threshold; write METRIC AGGREGATE OP NUMBER, as in \"http_req_duration p(99)<800ms\"", s)
	}
	t := Threshold{Metric: m[1], Tag: m[2], Aggregate: m[3], Op: m[5], source: strings.Join(strings.Fields(s), " ")}
	kind, ok := Metrics[t.Metric]
	if !ok {
		return Threshold{}, fmt.Errorf("%q: there is no metric %q%s", s, t.Metric, didYouMean(t.Metric, keys(Metrics)))
	}
	if m[4] != "" {
		t.Aggregate = "p"
		p, err := strconv.ParseFloat(m[4], 64)
		if err != nil || p <= 0 || p > 100 {
			return Threshold{}, fmt.Errorf("%q: a percentile is above 0 and at most 100, not %s", s, m[4])
		}
		t.Percent = p
	}
	allowed := map[MetricKind]string{Trend: " avg min max med p ", Share: " rate ", Counter: " count rate "}[kind]
	if !strings.Contains(allowed, " "+t.Aggregate+" ") {
		return Threshold{}, fmt.Errorf("%q: %s has no aggregate %s; it has %s", s, t.Metric, m[3], strings.Join(strings.Fields(strings.Replace(allowed, " p ", " p(N) ", 1)), ", "))
	}
	bound, err := strconv.ParseFloat(m[6], 64)
	if err != nil {
		return Threshold{}, fmt.Errorf("%q: %s is not a number", s, m[6])
	}
	unit := m[7]
	switch {
	case kind == Trend && unit == "%", kind != Trend && unit != "" && unit != "%", kind == Counter && unit == "%":
		return Threshold{}, fmt.Errorf("%q: the unit %s does not fit %s", s, unit, t.Metric)
	case kind == Trend:
		t.Bound = bound * map[string]float64{"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1, "m": 60}[unit]
	case unit == "%":
		t.Bound = bound / 100
	default:
		t.Bound = bound
	}
	return t, nil
}

// String is the threshold as it was written, with single spaces.
func (t Threshold) String() string { return t.source }

// MarshalText writes the threshold as it was written.
func (t Threshold) MarshalText() ([]byte, error) { return []byte(t.source), nil }

// UnmarshalText reads a threshold.
func (t *Threshold) UnmarshalText(text []byte) error {
	v, err := ParseThreshold(string(text))
	*t = v
	return err
}

// Holds reports whether an observed value is within the bound. Nothing is within
// the zero threshold's.
func (t Threshold) Holds(v float64) bool {
	c := cmp.Compare(v, t.Bound)
	switch t.Op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "==":
		return c == 0
	case "!=":
		return c != 0
	}
	return false // the zero threshold, which nothing meets
}

// Format prints a value of the threshold's aggregate in its unit.
func (t Threshold) Format(v float64) string {
	switch {
	case Metrics[t.Metric] == Trend:
		return Round(time.Duration(v * float64(time.Second))).String()
	case Metrics[t.Metric] == Share:
		return strconv.FormatFloat(v*100, 'f', -1, 64)[:min(len(strconv.FormatFloat(v*100, 'f', -1, 64)), 5)] + "%"
	case t.Aggregate == "rate":
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
