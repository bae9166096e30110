package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// trial is what the evidence holds of one experiment.
type trial struct {
	step    rehearse.ExperimentStep
	ev      *rehearse.Evidence
	result  *rehearse.LoadResult
	samples []rehearse.Sample
	offered bool
	actions []deed // one for each of the method
}

// deed is what became of an action.
type deed struct {
	rehearse.Action
	begun, over *rehearse.ActionEvent // nil: it is not told
}

func newTrial(step rehearse.ExperimentStep, ev *rehearse.Evidence) *trial {
	t := &trial{step: step, ev: ev, samples: ev.Samples[step.Name], actions: make([]deed, len(step.Method))}
	for i, a := range step.Method {
		t.actions[i].Action = a
	}
	for _, rec := range ev.Records {
		if rec.Load != nil && rec.Load.Step == step.Name {
			t.result = rec.Load
		}
		if e := rec.Action; e != nil && e.Step == step.Name && e.Action >= 0 && e.Action < len(t.actions) {
			if e.Over {
				t.actions[e.Action].over = e
			} else {
				t.actions[e.Action].begun = e
			}
		}
	}
	return t
}

// judgeExperiment asks whether the steady state held before the method, what users
// saw meanwhile, whether it held again in time, and whether anything was broken in
// the first place, and mended.
func judgeExperiment(step rehearse.ExperimentStep, ev *rehearse.Evidence) []rehearse.Finding {
	load := judgeLoad(step.Load, ev)
	t := newTrial(step, ev)
	t.offered = load[0].Outcome == rehearse.Pass
	hold := t.tookHold()
	var before, rest []rehearse.Finding
	for _, th := range step.Steady {
		before = append(before, t.over("steady before: "+th.String(), th, 0, step.Before))
	}
	for _, th := range step.During {
		f := t.over("during: "+th.String(), th, step.Before, step.MethodEnd())
		if why := t.late(); why != "" && f.Outcome == rehearse.Pass {
			doubt(&f, why)
		}
		rest = append(rest, f)
	}
	for _, th := range step.Steady {
		rest = append(rest, t.recovery(th))
	}
	for _, c := range step.Checks {
		first, then := t.check(c)
		before = append(before, first)
		rest = append(rest, then)
	}
	steady := rehearse.Conclude(before)
	for i := range rest {
		switch {
		case steady != rehearse.Pass:
			doubt(&rest[i], "The steady state was not seen to hold before the method, so this shows nothing of it.")
		case !step.Calm && hold.Outcome != rehearse.Pass && rest[i].Outcome == rehearse.Pass:
			doubt(&rest[i], "The method was not seen to take hold, and what was not broken shows nothing by going on.")
		}
	}
	out := append(append(load, before...), rest...)
	if !step.Calm {
		out = append(out, hold, t.rolledBack())
	}
	return out
}

// doubt makes a finding one that shows nothing, and says why.
func doubt(f *rehearse.Finding, why string) {
	if f.Outcome == rehearse.Unverified {
		return // it has a reason of its own
	}
	f.Outcome = rehearse.Unverified
	f.Detail = strings.TrimSpace(why + " " + f.Detail)
}

// within are the samples that were to start in a stretch.
func within(samples []rehearse.Sample, from, to rehearse.Duration) []rehearse.Sample {
	return filter(samples, func(s rehearse.Sample) bool { return s.Intended >= from && s.Intended < to })
}

func (t *trial) finding(check string) rehearse.Finding {
	f := rehearse.Finding{Check: t.step.Name + ": " + check, Step: t.step.Name}
	if t.result != nil {
		f.Evidence = []string{t.result.Samples}
	}
	return f
}

// cutShort says why a stretch of the load cannot be judged; it is empty when it can.
func (t *trial) cutShort(to rehearse.Duration) string {
	if t.result == nil {
		return "The evidence holds no result of this load."
	}
	for _, s := range t.samples {
		if s.Error == "canceled" && s.End < to {
			return "The experiment was interrupted before this could be seen."
		}
	}
	return ""
}

// over judges a threshold over a stretch.
func (t *trial) over(check string, th rehearse.Threshold, from, to rehearse.Duration) rehearse.Finding {
	f := t.finding(check)
	if why := t.cutShort(to); why != "" {
		f.Outcome, f.Got, f.Detail = rehearse.Unverified, "did not run", why
		return f
	}
	samples := within(t.samples, from, to)
	if from < t.step.Before {
		// What was still under way when the method began, the method may have broken.
		samples = filter(samples, func(s rehearse.Sample) bool { return s.End <= t.step.Before })
	}
	judged := judgeThreshold(th, rehearse.LoadResult{Elapsed: to - from}, samples, t.offered)
	f.Outcome, f.Got, f.Value, f.Detail = judged.Outcome, judged.Got, judged.Value, judged.Detail
	return f
}

// busyHint is for who sees that a method was not done in time.
const busyHint = "The host or its container engine was too busy. Give the method and after more time, or the host less to do."

// methodEnd is when the last action was over. Where it took long to undo, nobody could
// recover sooner. To start a service again that was ended is recovering, and counts.
func (t *trial) methodEnd() rehearse.Duration {
	end := t.step.MethodEnd()
	for _, d := range t.actions {
		again := d.Disruption != nil && (d.Disruption.Kind == rehearse.DisruptKill || d.Disruption.Kind == rehearse.DisruptRestart)
		if d.over != nil && !again {
			end = max(end, d.over.At)
		}
	}
	return end
}

// late says which action was in force for less than half of the time that it was
// planned for, because it took long to begin; empty when there is none.
func (t *trial) late() string {
	for _, d := range t.actions {
		if d.begun == nil || d.begun.Error != "" || d.For == 0 {
			continue
		}
		if by := d.begun.At - t.step.Before - d.At; by > d.For/2 {
			return fmt.Sprintf("%s began %v later than planned, so what users saw meanwhile is not what they see of it.", d.Title, by)
		}
	}
	return ""
}

// recoveryGrain is how exactly the moment of recovery is sought.
const recoveryGrain = rehearse.Duration(100 * time.Millisecond)

// recovery seeks the earliest moment after the method from which a threshold holds
// of all that starts until the load's end.
func (t *trial) recovery(th rehearse.Threshold) rehearse.Finding {
	f := t.finding(fmt.Sprintf("recovers within %v: %v", t.step.Recover, th))
	total := t.step.Total()
	if why := t.cutShort(total); why != "" {
		f.Outcome, f.Got, f.Detail = rehearse.Unverified, "did not run", why
		return f
	}
	end := t.methodEnd()
	if end > t.step.MethodEnd() && end+t.step.Recover >= total {
		f.Outcome, f.Got = rehearse.Unverified, "no samples"
		f.Detail = fmt.Sprintf("The method was over %v later than planned, and no request was to start after the recovery.", end-t.step.MethodEnd())
		f.Hint = busyHint
		return f
	}
	at, ok := recovered(th, t.samples, end, total)
	last := judgeThreshold(th, rehearse.LoadResult{Elapsed: t.step.After}, within(t.samples, end+t.step.Recover, total), t.offered)
	switch {
	case ok && at <= t.step.Recover:
		seconds := at.Seconds()
		f.Outcome, f.Got, f.Value = rehearse.Pass, "after "+at.String(), &seconds
		if at == 0 {
			f.Got = "at once"
		}
		if last.Got == "no samples" {
			f.Outcome, f.Got, f.Value, f.Detail = rehearse.Unverified, last.Got, nil, "No request was to start after the recovery."
		}
	case last.Outcome != rehearse.Fail:
		// Nothing to compute it from, or the generator's own doing.
		f.Outcome, f.Got, f.Value, f.Detail = rehearse.Unverified, last.Got, last.Value, last.Detail
	case ok:
		seconds := at.Seconds()
		f.Outcome, f.Got, f.Value = rehearse.Fail, "after "+at.String(), &seconds
		f.Detail = fmt.Sprintf("From %v after the method on: %s", t.step.Recover, last.Detail)
	default:
		f.Outcome, f.Got = rehearse.Fail, "not by the end"
		f.Detail = fmt.Sprintf("From %v after the method to the end it is %s. %s", t.step.Recover, last.Got, last.Detail)
	}
	return f
}

// recovered is how long after a moment a threshold begins to hold of all samples
// from there to the end.
func recovered(th rehearse.Threshold, samples []rehearse.Sample, from, to rehearse.Duration) (after rehearse.Duration, ok bool) {
	for at := from; at < to; at += recoveryGrain {
		v, known := metric(th, within(samples, at, to), time.Duration(to-at))
		if !known {
			return 0, false
		}
		if th.Holds(v) {
			return at - from, true
		}
	}
	return 0, false
}

// tookHold asks whether each action has done something.
func (t *trial) tookHold() rehearse.Finding {
	f := t.finding("took hold")
	f.Evidence = []string{"evidence.jsonl"}
	var idle, touched []string
	quiet := false // something was broken, and nobody came
	for _, d := range t.actions {
		effect, why := t.effect(d)
		if why != "" {
			idle = append(idle, d.Title+" "+why)
			quiet = quiet || d.begun != nil && d.begun.Error == "" && d.over != nil
		} else {
			touched = append(touched, d.Title+" "+effect)
		}
	}
	f.Got = fmt.Sprintf("%d of %s", len(touched), count(len(t.actions), "action"))
	f.Outcome = rehearse.Pass
	f.Detail = sentence(list(touched, 10))
	if len(idle) > 0 || len(t.actions) == 0 {
		f.Outcome = rehearse.Unverified
		f.Detail = sentence(list(idle, 10))
		if quiet {
			f.Hint = "Is there traffic on what is broken? rehearse plan shows the links of each action, and the report how busy they are."
		}
	}
	return f
}

// effect says what an action has done, or why it cannot be said to have done
// anything.
func (t *trial) effect(d deed) (effect, why string) {
	switch {
	case d.begun == nil:
		return "", "did not begin"
	case d.begun.Error != "":
		return "", "could not be begun: " + strings.TrimSuffix(d.begun.Error, ".")
	case d.Disruption != nil:
		return "happened to " + list(d.Services, 5), ""
	case d.over == nil:
		return "", "is not told to be over, so nobody counted what it touched"
	}
	var connections, requests, packets int64
	for _, l := range d.over.Doses {
		connections += l.Dose.Connections
		requests += l.Dose.Requests
		packets += l.Dose.Packets + l.Dose.Bytes
	}
	switch {
	case requests > 0:
		return "touched " + count(int(requests), "request"), ""
	case connections > 0:
		return "touched " + count(int(connections), "connection"), ""
	case packets > 0:
		return "touched packets", ""
	case t.silenced(d):
		return "let nothing pass", ""
	}
	return "", "touched nothing on " + list(d.Links, 5)
}

// silenced reports whether links that had been busy before the method were still
// while an action kept connects out: the kernel refuses those in our name, and
// tells nobody.
func (t *trial) silenced(d deed) bool {
	switch d.Fault.Kind {
	case rehearse.FaultRefuse, rehearse.FaultLimit, rehearse.FaultPartition, rehearse.FaultBlackhole:
	default:
		return false
	}
	if d.Fault.Schedule.Every > 0 {
		return false
	}
	const settle = rehearse.Duration(500 * time.Millisecond) // what was under way
	trips := func(from, to rehearse.Duration) (n int64, known bool) {
		first, last := int64(-1), int64(-1)
		for _, rec := range t.ev.Records {
			if rec.Tick == nil || rec.Tick.Step != t.step.Name || rec.Tick.Since < from || rec.Tick.Since > to {
				continue
			}
			last = 0
			for _, l := range rec.Tick.Links {
				if slices.Contains(d.Links, l.ID) {
					last += l.RoundTrips
				}
			}
			if first < 0 {
				first = last
			}
		}
		return last - first, first >= 0
	}
	before, known := trips(0, t.step.Before)
	meanwhile, also := trips(d.begun.At+settle, d.over.At)
	return known && also && before > 0 && meanwhile == 0
}

// rolledBack asks whether everything that was broken was mended.
func (t *trial) rolledBack() rehearse.Finding {
	f := t.finding("rolled back")
	f.Evidence = []string{"evidence.jsonl"}
	var open, failed []string
	begun := 0
	for _, d := range t.actions {
		if d.begun == nil {
			continue
		}
		begun++
		switch {
		case d.over == nil:
			open = append(open, d.Title+" is not told to be over")
		case d.over.Error != "" && d.Disruption != nil:
			failed = append(failed, d.Title+": "+strings.TrimSuffix(d.over.Error, "."))
		case d.over.Error != "":
			open = append(open, d.Title+": "+strings.TrimSuffix(d.over.Error, "."))
		default:
			for _, l := range d.over.Doses {
				if !l.Dose.Gone || l.Dose.Holding != 0 {
					open = append(open, fmt.Sprintf("%s is still on %s", d.Title, l.Link))
				}
			}
		}
	}
	f.Got = fmt.Sprintf("%d of %s", begun-len(open)-len(failed), count(begun, "action"))
	switch {
	case len(failed) > 0:
		f.Outcome = rehearse.Fail
		f.Detail = "What was done to a service was undone, and it did not come back: " + sentence(list(failed, 5))
	case len(open) > 0 || begun == 0:
		f.Outcome = rehearse.Unverified
		f.Detail = sentence(list(open, 5))
	default:
		f.Outcome = rehearse.Pass
	}
	return f
}
