package toxiproxy

import (
	"errors"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// species is a type of toxic: the kind of fault that it is on the link, and its
// attributes.
type species struct {
	kind       rehearse.FaultKind // empty does nothing
	attributes []attribute
	// finish sees the fault before it is validated. It reports whether the
	// link is given it at all.
	finish     func(*rehearse.Fault) (acts bool, err error)
	undirected bool // the stream says nothing
}

// toxiproxys are the types that Toxiproxy has, with their attributes and units.
var toxiproxys = map[string]species{
	"noop": {},
	"latency": {
		kind: rehearse.FaultDelay,
		attributes: []attribute{
			milliseconds("latency", func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
			milliseconds("jitter", func(f *rehearse.Fault) *rehearse.Duration { return &f.Jitter }),
		},
		finish: func(f *rehearse.Fault) (bool, error) {
			f.Distribution = rehearse.Uniform
			return f.Delay > 0 || f.Jitter > 0, nil
		},
	},
	"bandwidth": {
		kind: rehearse.FaultRate,
		attributes: []attribute{
			kilobytes("rate"),
			flag("shared", func(f *rehearse.Fault) *bool { return &f.Shared }).beyond(),
		},
		finish: func(f *rehearse.Fault) (bool, error) {
			if f.Rate == 0 {
				// Toxiproxy's bandwidth of 0 lets nothing through and keeps what
				// was sent until the toxic is gone.
				f.Kind, f.Shared = rehearse.FaultStall, false
			}
			return true, nil
		},
	},
	"slow_close": {
		kind: rehearse.FaultSlowClose,
		attributes: []attribute{
			milliseconds("delay", func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
		},
		finish: func(f *rehearse.Fault) (bool, error) { return f.Delay > 0, nil },
	},
	"timeout": {
		kind: rehearse.FaultTimeout,
		attributes: []attribute{
			milliseconds("timeout", func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
		},
	},
	"reset_peer": {
		kind: rehearse.FaultReset,
		attributes: []attribute{
			milliseconds("timeout", func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
		},
	},
	"slicer": {
		kind: rehearse.FaultSlice,
		attributes: []attribute{
			count("average_size", func(f *rehearse.Fault) *int { return &f.Size }),
			count("size_variation", func(f *rehearse.Fault) *int { return &f.Variation }),
			duration("delay", time.Microsecond, func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
		},
		finish: func(f *rehearse.Fault) (bool, error) {
			if f.Size == 0 {
				// Toxiproxy takes it, and dies of the first byte.
				return false, errors.New("attribute average_size: a slice has at least 1 byte")
			}
			// No slice is empty or below, whatever the variation.
			f.Variation = min(f.Variation, f.Size-1)
			return true, nil
		},
	},
	"limit_data": {
		kind:       rehearse.FaultTruncate,
		attributes: []attribute{byteCount("bytes")},
	},
}

// parameters are the attributes of toxics of our own kinds: the names of a
// fault's parameters. Which of them a kind takes, its validation knows. A
// duration is in milliseconds, or a text with a unit.
var parameters = []attribute{
	milliseconds("delay", func(f *rehearse.Fault) *rehearse.Duration { return &f.Delay }),
	milliseconds("jitter", func(f *rehearse.Fault) *rehearse.Duration { return &f.Jitter }),
	text("distribution", func(f *rehearse.Fault) *rehearse.Distribution { return &f.Distribution }),
	share("correlation", func(f *rehearse.Fault) *float64 { return &f.Correlation }),
	share("share", func(f *rehearse.Fault) *float64 { return &f.Share }),
	number("burst", func(f *rehearse.Fault) *float64 { return &f.Burst }),
	kilobytes("rate"),
	flag("shared", func(f *rehearse.Fault) *bool { return &f.Shared }),
	byteCount("bytes"),
	count("size", func(f *rehearse.Fault) *int { return &f.Size }),
	count("variation", func(f *rehearse.Fault) *int { return &f.Variation }),
	count("count", func(f *rehearse.Fault) *int { return &f.Count }),
	count("status", func(f *rehearse.Fault) *int { return &f.Status }),
	text("code", func(f *rehearse.Fault) *string { return &f.Code }),
	text("header", func(f *rehearse.Fault) *string { return &f.Header }),
	text("body", func(f *rehearse.Fault) *string { return &f.Body }),
	text("match.method", func(f *rehearse.Fault) *string { return &f.Match.Method }),
	text("match.path", func(f *rehearse.Fault) *string { return &f.Match.Path }),
	text("match.header", func(f *rehearse.Fault) *string { return &f.Match.Header }),
	text("match.statement", func(f *rehearse.Fault) *string { return &f.Match.Statement }),
	text("match.command", func(f *rehearse.Fault) *string { return &f.Match.Command }),
	text("match.key", func(f *rehearse.Fault) *string { return &f.Match.Key }),
	milliseconds("schedule.after", func(f *rehearse.Fault) *rehearse.Duration { return &f.Schedule.After }),
	milliseconds("schedule.for", func(f *rehearse.Fault) *rehearse.Duration { return &f.Schedule.For }),
	milliseconds("schedule.every", func(f *rehearse.Fault) *rehearse.Duration { return &f.Schedule.Every }),
}

// directed are our own kinds that a stream means something to.
var directed = []rehearse.FaultKind{
	rehearse.FaultDelay, rehearse.FaultLoss, rehearse.FaultRate, rehearse.FaultDuplicate, rehearse.FaultReorder, rehearse.FaultCorrupt,
	rehearse.FaultSlice, rehearse.FaultPartition, rehearse.FaultBlackhole, rehearse.FaultStall, rehearse.FaultReset, rehearse.FaultSlowClose,
	rehearse.FaultTruncate, rehearse.FaultDropHeader,
}

// speciesOf finds a type of toxic. Where Toxiproxy and we have a type of the same
// name, which is "timeout", it is Toxiproxy's.
func speciesOf(name string) (species, bool) {
	if sp, ok := toxiproxys[name]; ok {
		return sp, true
	}
	kind := rehearse.FaultKind(name)
	if !slices.Contains(rehearse.FaultKinds(), kind) {
		return species{}, false
	}
	sp := species{kind: kind, undirected: !slices.Contains(directed, kind)}
	for _, a := range parameters {
		sp.attributes = append(sp.attributes, a.beyond())
	}
	return sp, true
}

func speciesNames() []string {
	var names []string
	for name := range toxiproxys {
		names = append(names, name)
	}
	for _, k := range rehearse.FaultKinds() {
		names = append(names, string(k))
	}
	return names
}
