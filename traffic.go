package rehearse

import (
	"slices"
	"time"
)

// Traffic is a traffic profile made concrete for one leg: what arrives, when,
// from where. It is an open model: arrivals do not wait for answers.
type Traffic struct {
	Duration Duration    `json:"duration"`
	Arrivals Arrivals    `json:"arrivals"`
	Rate     []RatePoint `json:"rate"` // at least one, ascending; linear in between, constant outside
	// Origins says where requests come from; each has its own ingress link. A
	// single origin with an empty region is the flat case.
	Origins  []Origin  `json:"origins"`
	Requests []Request `json:"requests"`
	Timeout  Duration  `json:"timeout"` // of one request, from its intended start
	// Lists are the named value lists that templates pick from.
	Lists map[string][]string `json:"lists,omitempty"`
}

// Arrivals is the arrival process.
type Arrivals string

// The arrival processes. Production's independent users make a Poisson process;
// a load test that fires on a fixed beat is kinder than they are.
const (
	Poisson Arrivals = "poisson"
	Even    Arrivals = "even"
)

// RatePoint is one point of the arrival rate over time.
type RatePoint struct {
	At        Duration `json:"at"`
	PerSecond float64  `json:"perSecond"`
}

// Origin is a region that a share of the requests come from.
type Origin struct {
	Region Region  `json:"region,omitempty"`
	Weight float64 `json:"weight"`
	Link   LinkID  `json:"link"`
}

// Request is one kind of request in the mix. Path, Headers and Body are
// templates (see the format of traffic profiles in package profile).
type Request struct {
	Name    string            `json:"name"`
	Weight  float64           `json:"weight"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Capture maps a name to the JSON path of a value in the response, kept for
	// later requests' templates.
	Capture map[string]string `json:"capture,omitempty"`
	// Status lists the statuses that count as success; empty means 200 to 399.
	Status []int `json:"status,omitempty"`
	// Contains lists texts that the body must hold. Each is a check.
	Contains []string `json:"contains,omitempty"`
}

// At is the arrival rate at a time since the start, in requests per second. Where
// two points have the same time the rate jumps, and the later point counts.
func (t Traffic) At(since time.Duration) float64 {
	if len(t.Rate) == 0 {
		return 0
	}
	prev := t.Rate[0]
	if since < time.Duration(prev.At) {
		return prev.PerSecond
	}
	for _, next := range t.Rate[1:] {
		if since < time.Duration(next.At) {
			part := float64(since-time.Duration(prev.At)) / float64(next.At-prev.At)
			return prev.PerSecond + part*(next.PerSecond-prev.PerSecond)
		}
		prev = next
	}
	return prev.PerSecond
}

// Total is the expected number of arrivals: the integral of the rate.
func (t Traffic) Total() float64 { return t.Before(time.Duration(t.Duration)) }

// Before is the expected number of arrivals before a time since the start.
func (t Traffic) Before(since time.Duration) float64 {
	if len(t.Rate) == 0 {
		return 0
	}
	since = min(since, time.Duration(t.Duration))
	prev := RatePoint{PerSecond: t.Rate[0].PerSecond}
	var total float64
	for _, next := range append(t.Rate[:len(t.Rate):len(t.Rate)], RatePoint{At: t.Duration, PerSecond: t.Rate[len(t.Rate)-1].PerSecond}) {
		from, to := time.Duration(prev.At), min(time.Duration(next.At), since)
		if to > from {
			end := prev.PerSecond + (next.PerSecond-prev.PerSecond)*float64(to-from)/float64(time.Duration(next.At)-from)
			total += (prev.PerSecond + end) / 2 * (to - from).Seconds()
		}
		prev = next
	}
	return total
}

// Peak is the highest arrival rate.
func (t Traffic) Peak() float64 {
	var peak float64
	for _, p := range t.Rate {
		peak = max(peak, p.PerSecond)
	}
	return peak
}

// Over is the traffic with its time axis scaled to d and its rates unchanged; 0
// keeps its own duration.
func (t Traffic) Over(d time.Duration) Traffic {
	if d <= 0 || t.Duration <= 0 {
		return t
	}
	stretch := float64(d) / float64(t.Duration)
	t.Rate = slices.Clone(t.Rate)
	for i := range t.Rate {
		t.Rate[i].At = Duration(float64(t.Rate[i].At) * stretch)
	}
	t.Duration = Duration(d)
	return t
}

// WithPeak is the traffic with another highest rate: between flat traffic and the
// traffic itself, so that the number of requests stays, where the peak is between
// theirs; below, an even stream at that rate; above, every rate in proportion.
func (t Traffic) WithPeak(perSecond float64) Traffic {
	full, flat := t.Peak(), t.Flat().Peak()
	if full == perSecond || full <= 0 {
		return t
	}
	t.Rate = slices.Clone(t.Rate)
	switch {
	case perSecond > full:
		for i := range t.Rate {
			t.Rate[i].PerSecond *= perSecond / full
		}
	case perSecond <= flat:
		t.Rate = []RatePoint{{PerSecond: perSecond}}
	default:
		near := (perSecond - flat) / (full - flat)
		for i := range t.Rate {
			t.Rate[i].PerSecond = flat + near*(t.Rate[i].PerSecond-flat)
		}
	}
	return t
}

// Flat is the same requests at the same mean rate in an even stream: what a load
// test on staging usually sends. Its origin is nowhere.
func (t Traffic) Flat() Traffic {
	if d := time.Duration(t.Duration).Seconds(); d > 0 {
		t.Rate = []RatePoint{{PerSecond: t.Total() / d}}
	}
	t.Arrivals = Even
	t.Origins = []Origin{{Weight: 1}}
	return t
}
