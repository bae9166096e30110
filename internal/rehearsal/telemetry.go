package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/diagnosis"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
	"github.com/rehearse-dev/rehearse/internal/trace"
	"github.com/rehearse-dev/rehearse/internal/verdict"
)

// telemetryDir is where a leg's telemetry stands in its directory.
const telemetryDir = "telemetry"

// quietTime is how long calls that are still in flight after the last step are
// waited for.
const quietTime = 10 * time.Second

// keepTelemetry opens the leg's store.
func (l *leg) keepTelemetry() (err error) {
	o := telemetry.Options{
		Dir:    filepath.Join(l.out.Dir(), telemetryDir),
		Memory: l.plan.Telemetry.Memory, Disk: l.plan.Telemetry.Disk,
		Forward: l.o.Forward,
	}
	if l.o.Secrets != nil {
		o.Mask = l.o.Secrets.Mask
	}
	for _, s := range l.plan.Services {
		o.Services = append(o.Services, s.Name)
	}
	l.telemetry, err = telemetry.New(o)
	return err
}

// environmentTelemetry is the store as the environment takes it.
func (l *leg) environmentTelemetry() *environment.Telemetry {
	return &environment.Telemetry{Store: l.telemetry, Resource: l.o.Resource}
}

// hush waits until no call is in flight.
func (l *leg) hush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	l.quiet = l.env.Quiet(ctx)
}

// keptTelemetry closes the store and writes down what it holds.
func (l *leg) keptTelemetry() error {
	r, failed := l.telemetry.Close() // what was written stands there all the same
	r.Quiet = l.quiet
	for i := range r.Files {
		r.Files[i].Name = path.Join(telemetryDir, r.Files[i].Name)
	}
	return errors.Join(failed, l.out.Append(rehearse.Record{Telemetry: &r}))
}

// ReadTelemetry reads the spans and logs that a leg has left in its directory,
// and makes traces of them. It is nil when there is nothing to read. damage says,
// in complete sentences, what cannot be read; of a leg that was cut short it is
// what was written until then.
func ReadTelemetry(dir string, ev *rehearse.Evidence) (t *rehearse.Telemetry, damage []string) {
	var result rehearse.TelemetryResult
	for _, rec := range ev.Records {
		if rec.Telemetry != nil {
			result = *rec.Telemetry
		}
	}
	plan := ev.Plan()
	if plan == nil {
		return nil, nil
	}
	dir = filepath.Join(dir, telemetryDir)
	if _, err := os.Stat(dir); err != nil && len(result.Files) == 0 {
		return nil, nil
	}
	inside := result
	inside.Files = slices.Clone(result.Files)
	for i := range inside.Files {
		inside.Files[i].Name = path.Base(inside.Files[i].Name)
	}
	spans, logs, damage := telemetry.Open(dir, inside)
	return trace.Assemble(spans, logs, plan.Links, result), damage
}

// diagnose names the cause of the first failure that has one: against a leg that
// passed, or else within the leg. What an experiment broke on purpose is named with
// it.
func diagnose(r *rehearse.Report) *rehearse.Diagnosis {
	d, failing := causeOf(r)
	if d != nil {
		d.Facts = append(d.Facts, onPurpose(failing)...)
	}
	return d
}

func causeOf(r *rehearse.Report) (d *rehearse.Diagnosis, failing *rehearse.LegReport) {
	passes := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return l.Verdict.Outcome == rehearse.Pass })
	fails := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return diagnosis.Needed(l.Verdict, l.Evidence.Plan()) })
	if fails < 0 {
		return nil, nil
	}
	failing = &r.Legs[fails]
	l := side(failing)
	if passes >= 0 {
		if d := diagnosis.Of(side(&r.Legs[passes]), l); d != nil {
			return d, failing
		}
	}
	if d := diagnosis.Within(l); d != nil {
		return d, failing
	}
	if wrong := diagnosis.WrongAnswers(failing.Verdict, l.Plan); wrong != nil && passes >= 0 {
		// What made them so may be long before them.
		return diagnosis.Wrong(whole(&r.Legs[passes]), whole(failing), *wrong), failing
	}
	return nil, nil
}

// whole is a leg with everything that its links have seen.
func whole(l *rehearse.LegReport) diagnosis.Side {
	return diagnosis.Side{Name: l.Name, Plan: l.Evidence.Plan(), Telemetry: l.Evidence.Telemetry}
}

// onPurpose are the faults that were in force while the leg failed, and were meant
// to be.
func onPurpose(l *rehearse.LegReport) []rehearse.DiagnosisFact {
	plan := l.Evidence.Plan()
	if plan == nil {
		return nil
	}
	var out []rehearse.DiagnosisFact
	for _, s := range plan.Steps {
		e := s.Experiment
		if e == nil || e.Calm || !slices.ContainsFunc(l.Verdict.Findings, func(f rehearse.Finding) bool { return f.Step == e.Name && f.Outcome == rehearse.Fail }) {
			continue
		}
		for _, a := range e.Method {
			from := e.Before + a.At
			out = append(out, rehearse.DiagnosisFact{Text: fmt.Sprintf(
				"On purpose, %s was in force from %.1f s to %.1f s of %s.", a.Title, from.Seconds(), (from + a.For).Seconds(), e.Name)})
		}
	}
	return out
}

// side is a leg as a diagnosis looks at it: without what began while something was
// broken on purpose, unless a failure is of that very stretch.
func side(l *rehearse.LegReport) diagnosis.Side {
	s := whole(l)
	if !slices.ContainsFunc(l.Verdict.Findings, func(f rehearse.Finding) bool { return meanwhile(f, s.Plan) }) {
		s.Telemetry = verdict.Outside(l.Evidence)
	}
	return s
}

// meanwhile reports whether a finding is a failure of the stretch in which an
// experiment's method is under way, or a check's of the whole leg.
func meanwhile(f rehearse.Finding, plan *rehearse.Plan) bool {
	if f.Outcome == rehearse.Fail && strings.HasPrefix(f.Check, "check: ") {
		return true
	}
	if plan == nil || !slices.ContainsFunc(plan.Steps, func(s rehearse.Step) bool { return s.Experiment != nil && s.Name() == f.Step }) {
		return false
	}
	after, ok := strings.CutPrefix(f.Check, f.Step+": ")
	return ok && f.Outcome == rehearse.Fail && !strings.HasPrefix(after, "steady before: ") && !strings.HasPrefix(after, "recovers within ")
}
