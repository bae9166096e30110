package diagnosis

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// operation is one operation on both sides.
type operation struct {
	name             string
	passing, failing []*rehearse.Trace
	// bad are those of failing that there is something to explain of, and good
	// what they are held against.
	good, bad     []*rehearse.Trace
	change        rehearse.OperationChange
	slower, worse bool
	// extra is by how much the bad took longer than the good, in all, by group.
	extra map[group]time.Duration
	// before and after are all of passing and of failing.
	before, after sums
}

// sums are the time and the calls of some traces.
type sums struct {
	traces int
	time   map[place]time.Duration
	calls  tally
}

// each is the mean number of calls of an edge, a trace.
func (s sums) each(edge string) float64 { return share(s.calls.edges[edge], s.traces) }

// in is the mean time on a group's edge, or in its service: of all kinds but wait.
func (s sums) in(where string) float64 {
	var sum time.Duration
	for p, d := range s.time {
		if g := p.group(); g.where == where && g.kind != rehearse.SegmentWait {
			sum += d
		}
	}
	return float64(sum) / float64(max(s.traces, 1))
}

// certainty is by how much a change must exceed its noise to count. Noise is
// what 95 % of changes by chance stay below; 1.7 times as much is what 99.9 %
// do, which leaves room for ten operations.
const certainty = 1.7

// floor is the smallest change that is felt.
func floor(c rehearse.OperationChange) rehearse.Duration {
	return max(rehearse.Duration(5*time.Millisecond), c.Passing.Mean/10)
}

// measure fills in the change but its parts.
func (o *operation) measure(seed uint64) {
	p, f := figures(o.passing), figures(o.failing)
	h := fnv.New64a()
	h.Write([]byte(o.name))
	o.change = rehearse.OperationChange{
		Operation: o.name,
		Passing:   p.OperationFigures, Failing: f.OperationFigures,
		Change: f.Mean - p.Mean,
		Noise:  noise(durations(o.passing), durations(o.failing), rand.New(rand.NewPCG(seed, h.Sum64()))),
	}
}

// noise is how far the difference of two means could be off by chance, in 95 %
// of cases: the bootstrap. Of many values it draws fewer, and scales.
func noise(passing, failing []time.Duration, random *rand.Rand) rehearse.Duration {
	const resamples, most = 400, 1000
	off := make([]float64, resamples)
	for _, sample := range [][]time.Duration{passing, failing} {
		if len(sample) == 0 {
			return 0
		}
		var mean float64
		for _, d := range sample {
			mean += float64(d) / float64(len(sample))
		}
		n := min(len(sample), most)
		scale := math.Sqrt(float64(n)/float64(len(sample))) / float64(n)
		for i := range off {
			for range n {
				off[i] += (float64(sample[random.IntN(len(sample))]) - mean) * scale
			}
		}
	}
	for i := range off {
		off[i] = math.Abs(off[i])
	}
	slices.Sort(off)
	return rehearse.Duration(off[resamples*95/100])
}

// contribute fills in the sums, and the parts of the change, the largest first.
func (o *operation) contribute(names names) {
	before, after := spent(o.passing), spent(o.failing)
	o.before = sums{len(o.passing), before, names.tally(o.passing)}
	o.after = sums{len(o.failing), after, names.tally(o.failing)}
	places := map[place]bool{}
	for p := range before {
		places[p] = true
	}
	for p := range after {
		places[p] = true
	}
	sorted := slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.kind, b.kind))
	})
	examples := worst(o.failing)
	passing, failing := means(sorted, before, len(o.passing)), means(sorted, after, len(o.failing))
	for i, p := range sorted {
		c := rehearse.Contribution{
			Path: p.path, Kind: p.kind,
			Passing: passing[i], Failing: failing[i], Change: failing[i] - passing[i],
			PassingCalls: share(o.before.calls.of(p), len(o.passing)),
			FailingCalls: share(o.after.calls.of(p), len(o.failing)),
			Examples:     examples[p],
		}
		if o.change.Change != 0 {
			c.Share = float64(c.Change) / float64(o.change.Change)
		}
		o.change.Parts = append(o.change.Parts, c)
	}
	slices.SortStableFunc(o.change.Parts, func(a, b rehearse.Contribution) int { return cmp.Compare(b.Change, a.Change) })
}

// means divides totals by n such that the quotients add up to the quotient of
// their sum: each is the step that the running sum's quotient takes.
func means(order []place, totals map[place]time.Duration, n int) []rehearse.Duration {
	out := make([]rehearse.Duration, len(order))
	var sum, before time.Duration
	for i, p := range order {
		sum += totals[p]
		out[i] = rehearse.Duration(sum/time.Duration(n) - before)
		before = sum / time.Duration(n)
	}
	return out
}

// examplesEach is how many traces stand for a fact.
const examplesEach = 3

// worst are, for each place, the traces that spend the most there.
func worst(traces []*rehearse.Trace) map[place][]rehearse.TraceID {
	type example struct {
		id   rehearse.TraceID
		time time.Duration
	}
	kept := map[place][]example{}
	for _, t := range traces {
		for p, d := range spentBy(t) {
			if d <= 0 {
				continue
			}
			list := append(kept[p], example{t.ID, d})
			slices.SortFunc(list, func(a, b example) int {
				return cmp.Or(cmp.Compare(b.time, a.time), bytes.Compare(a.id[:], b.id[:]))
			})
			kept[p] = list[:min(len(list), examplesEach)]
		}
	}
	out := map[place][]rehearse.TraceID{}
	for p, list := range kept {
		for _, e := range list {
			out[p] = append(out[p], e.id)
		}
	}
	return out
}

// choose takes the bad and the good of two legs. The slowest of one leg are held
// against as large a share of the other's slowest, because what varies most is
// always long in the slowest. Where only more fail, it is the failed against all.
func (o *operation) choose(l limits) {
	o.bad, o.good = failed(o.failing), o.passing
	if o.slower {
		o.bad = l.bad(o.failing)
		o.good = slices.SortedFunc(slices.Values(o.passing), slowest)
		o.good = o.good[:max(1, len(o.good)*len(o.bad)/len(o.failing))]
	}
	o.exceed()
}

// exceed fills in extra.
func (o *operation) exceed() {
	o.extra = map[group]time.Duration{}
	for p, d := range spent(o.bad) {
		o.extra[p.group()] += d
	}
	for p, d := range spent(o.good) {
		o.extra[p.group()] -= time.Duration(float64(d) / float64(len(o.good)) * float64(len(o.bad)))
	}
}

// excess is extra of all groups.
func (o *operation) excess() time.Duration {
	var sum time.Duration
	for _, d := range o.extra {
		sum += d
	}
	return sum
}
