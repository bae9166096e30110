package rehearsal

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/diagnosis"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
	"github.com/rehearse-dev/rehearse/internal/trace"
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
// passed, or else within the leg.
func diagnose(r *rehearse.Report) *rehearse.Diagnosis {
	passing := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return l.Verdict.Outcome == rehearse.Pass })
	failing := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return diagnosis.Needed(l.Verdict, l.Evidence.Plan()) })
	if failing < 0 {
		return nil
	}
	l := side(&r.Legs[failing])
	if passing >= 0 {
		if d := diagnosis.Of(side(&r.Legs[passing]), l); d != nil {
			return d
		}
	}
	return diagnosis.Within(l)
}

func side(l *rehearse.LegReport) diagnosis.Side {
	return diagnosis.Side{Name: l.Name, Plan: l.Evidence.Plan(), Telemetry: l.Evidence.Telemetry}
}
