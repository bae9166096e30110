package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// expect asks an expression of every trace.
func (q *inquiry) expect() rehearse.Finding {
	e, err := Parse(q.check.Expect)
	if err != nil {
		return unverified("not an expression", fmt.Sprintf("The expression cannot be read: %v.", err))
	}
	percent, ok := Over(q.check.Over)
	if !ok {
		return unverified("not a share", fmt.Sprintf("%q does not say over how many traces it must hold.", q.check.Over))
	}
	matters := lostPass | lostFail | unread | unattributed | missed
	var bad []*rehearse.Trace
	samples, sure := 0, 0
	for _, t := range q.traces() {
		holds, isSample := e.Holds(t)
		if !isSample {
			continue
		}
		samples++
		if holds {
			continue
		}
		bad = append(bad, t)
		if certain(look(t)) {
			sure++
		}
	}
	need := q.check.MinSamples
	if need == 0 {
		need = samplesOf(percent)
	}
	if f, enough := q.enough(samples, need, "trace"); !enough {
		if samples == 0 {
			f.Detail = strings.TrimSuffix(f.Detail, ".") + " to which it is a question."
		}
		return q.hold(f, matters)
	}
	held := samples - len(bad)
	allowed := int((1 - percent/100) * float64(samples) * (1 + 1e-12))
	if percent == 0 {
		allowed = samples - 1
	}
	f := rehearse.Finding{
		Outcome: rehearse.Pass, Got: share(held, samples), Value: pointer(float64(held) / float64(samples)),
		Detail: fmt.Sprintf("It holds for %d of %s.", held, counted(samples, "trace")),
	}
	if len(bad) > allowed {
		f.Outcome = rehearse.Fail
		slices.SortFunc(bad, func(a, b *rehearse.Trace) int { return cmp.Or(cmp.Compare(b.Duration, a.Duration), byID(a.ID, b.ID)) })
		for _, t := range bad {
			f.Traces = append(f.Traces, t.ID)
		}
		f.Traces = examples(f.Traces)
		if sure <= allowed && 2*len(bad) <= samples {
			f.Outcome = rehearse.Unverified
			f.Detail += " Of those for which it does not, too many hold calls whose request is inferred."
		}
	}
	return q.hold(f, matters)
}

// certain reports whether nothing in the trace is inferred.
func certain(v *view) bool {
	for _, s := range v.sure {
		if !s {
			return false
		}
	}
	return true
}

// Over reads of how many traces an expression must hold: "all", "any", or a share
// as "p95". It is the percentage: 100 for all, 0 for any.
func Over(s string) (percent float64, ok bool) {
	switch s {
	case "", "all":
		return 100, true
	case "any":
		return 0, true
	}
	digits, ok := strings.CutPrefix(s, "p")
	percent, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(percent > 0 && percent <= 100) {
		return 0, false
	}
	return percent, true
}
