package rehearsal

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/explain"
)

// Explanation is what explaining a run needs beside what a rehearsal does.
type Explanation struct {
	// Probe are the options of the legs that are probes. Their Plans, Root and Run are
	// not heeded.
	Probe Options
	Dir   string              // the run directory
	Leg   *rehearse.LegReport // which failed
	// Begin says what there is to find. Its checks, suspects and shares are of Leg.
	Begin rehearse.ExplainBegin
	// Plan plans a leg of the project.
	Plan func(rehearse.Leg) (*rehearse.Plan, error)
	// Observe is told of each probe before it is made, with what is left of the
	// budget, and of what it showed. They may be nil.
	OnAsk   func(a explain.Ask, left time.Duration)
	OnProbe func(p rehearse.ExplainProbe)
	// OnSpent is told what the environment of each probe has taken of the host, also
	// of one that came to nothing. It may be nil.
	OnSpent func(rehearse.Spent)
}

// probeName is what a probe's leg is called.
const probeName = "probe"

// Explain finds the smallest part of production under which a leg still fails, and
// writes the search into the run directory, where [Judge] finds it again. The
// explanation is nil only when nothing could be written down.
func Explain(ctx context.Context, o Explanation) (*rehearse.Explanation, error) {
	started := time.Now()
	out, err := evidence.Explain(o.Dir, o.Begin, o.Probe.Secrets)
	if err != nil {
		return nil, err
	}
	e := &explaining{
		o: o, out: out, failed: explain.Failures(o.Leg.Verdict), kinds: explain.KindsOf(o.Leg.Evidence),
		deadline: started.Add(time.Duration(o.Begin.Budget)), took: map[float64]time.Duration{},
	}
	x, err := explain.Search(ctx, o.Begin, e.probe)
	end := &rehearse.ExplainEnd{Elapsed: rehearse.Duration(time.Since(started)), Over: e.over}
	x.Elapsed = end.Elapsed
	if err != nil {
		end.Error = firstLine(err)
	}
	return x, errors.Join(err, out.Append(rehearse.ExplainRecord{End: end}), out.Close())
}

// explaining is one search under way.
type explaining struct {
	o        Explanation
	out      *evidence.Explaining
	failed   []rehearse.Finding
	kinds    explain.Kinds
	deadline time.Time
	took     map[float64]time.Duration // the longest probe so far, by its share
	over     bool
	asked    bool // a probe has asked something that had failed
}

// probe rehearses one leg, and keeps of it no more than what it showed. A probe
// that would last beyond the budget is not begun.
func (e *explaining) probe(ctx context.Context, a explain.Ask) (p rehearse.ExplainProbe, err error) {
	started := time.Now()
	left := e.deadline.Sub(started)
	if e.over = left < e.took[a.Share] || left <= 0; e.over {
		return p, explain.ErrOver
	}
	if e.o.OnAsk != nil {
		e.o.OnAsk(a, left)
	}
	leg := rehearse.OnlyParts(a.Parts...)
	leg.Name = probeName
	plan, err := e.o.Plan(leg)
	if err != nil {
		return p, err
	}
	l, err := e.leg(ctx, explain.Shorten(plan, e.failed, a.Share))
	if err != nil {
		return p, err
	}
	p = rehearse.ExplainProbe{Parts: a.Parts, Share: a.Share, Elapsed: rehearse.Duration(time.Since(started))}
	p.Outcome, p.Findings, p.Note = explain.JudgeProbe(e.failed, e.kinds, l.Verdict, l.Evidence)
	if e.asked = e.asked || slices.ContainsFunc(p.Findings, explain.Asked); !e.asked {
		return p, &rehearse.Error{Kind: rehearse.Invalid, Msg: "what failed in the run is not asked any more: " + strings.Join(e.o.Begin.Checks, "; "), Hint: "The project's files have changed since. Rehearse once more, and explain that."}
	}
	e.took[a.Share] = max(e.took[a.Share], time.Duration(p.Elapsed))
	if e.o.OnProbe != nil {
		e.o.OnProbe(p)
	}
	return p, e.out.Append(rehearse.ExplainRecord{Probe: &p})
}

// leg rehearses one leg in a directory of its own, judges it, and removes the
// directory.
func (e *explaining) leg(ctx context.Context, plan *rehearse.Plan) (_ *rehearse.LegReport, err error) {
	o := e.o.Probe
	if o.Root, err = e.out.Probe(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Root)) }()
	o.Run, o.Observe.Verdict = probeName, nil
	run, err := evidence.Create(o.Root, o.Run, evidence.Meta{
		Project: plan.Project, Version: o.Version, Kind: evidence.KindRun, Started: time.Now(), Legs: []string{plan.Leg.Name},
	})
	if err != nil {
		return nil, err
	}
	run.Secrets = o.Secrets
	failed := rehearseLeg(ctx, o, run, plan)
	archive, err := evidence.Open(run.Dir())
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	l := &archive.Legs[0]
	if spent, ok := l.Evidence.Spent(); ok && e.o.OnSpent != nil {
		e.o.OnSpent(spent)
	}
	if failed != nil {
		return nil, failed
	}
	judgeLeg(run.Dir(), l)
	return l, nil
}

// explained reads what explaining a run came to; nil where nobody asked.
func explained(dir string) *rehearse.Explanation {
	records, err := evidence.Explained(dir)
	if err == nil && records == nil {
		return nil
	}
	var x *rehearse.Explanation
	if err == nil {
		x, err = explain.Replay(records)
	}
	if err != nil {
		return &rehearse.Explanation{
			Outcome: rehearse.ExplainedOpen, Sentence: "What explaining it had shown cannot be read any more: " + firstLine(err) + ".",
			Checks: []string{}, Cause: []rehearse.Part{}, Thresholds: []rehearse.PartThreshold{}, Remarks: []string{}, Changed: []string{}, Probes: []rehearse.ProbeTally{},
		}
	}
	return x
}
