// Package rehearsal is the one package that knows the order of a rehearsal.
//
// For each leg: begin the evidence; bring the environment up; run every step at
// it while the links are watched; tear it down; judge the evidence. Then write
// the reports.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/api"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/load"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/report"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
	"github.com/rehearse-dev/rehearse/internal/verdict"
)

// Options are what a rehearsal needs besides its plans.
type Options struct {
	Kind    string           // "run" or "compare"
	Plans   []*rehearse.Plan // one a leg, in the order in which they run
	Driver  driver.Driver
	Store   *environment.Store
	Lease   time.Duration // after which gc may take the environment for forgotten
	Root    string        // the project's .rehearse directory
	Run     rehearse.RunID
	Version string
	Source  evidence.Source // of the project, for who explains the run later
	Env     []string        // the environment of suites
	Change  string          // the change that is rehearsed, as a CI names it; see environment.Meta
	Base    string          // what environments' names begin with; empty: the project's name
	Label   string          // marks the processes of suites as ours, so that gc finds them
	// Resource are attributes of all telemetry: the commit, the pull request.
	Resource map[string]string
	Forward  *otlp.Forwarder // is given all telemetry as it comes; may be nil
	Observe  Observer
	// Secrets are taken out of everything that the rehearsal writes, by value.
	Secrets *redact.Secrets
	// Fill and FillKey generate datasets; see driver.Spec. They may be nil when no
	// service has one.
	Fill    func(ctx context.Context, service rehearse.Service, into driver.Filling) error
	FillKey func(service rehearse.Service) ([]string, error)
	// Migrate runs the migrations of a service's dataset; see environment.Options.
	Migrate func(ctx context.Context, service rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error)
	// Churn writes to the database of a service whose dataset asks for it, until ctx
	// ends. May be nil when none does.
	Churn func(ctx context.Context, service rehearse.Service, at driver.Filling, seed uint64) rehearse.ChurnResult
	// ComparePlans compares how two databases plan the statements of a service's profile:
	// base has not had the migrations, head has. May be nil when no check asks.
	ComparePlans func(ctx context.Context, service rehearse.Service, base, head driver.Filling) rehearse.PlansResult
}

// Observer is told how a rehearsal goes, for people to watch. Nil callbacks are
// left out. Calls may come from different goroutines, never two at once for the
// same callback.
type Observer struct {
	Leg     func(plan *rehearse.Plan, id rehearse.EnvironmentID)
	Service func(rehearse.ServiceEvent)
	Step    func(rehearse.Step)
	Load    func(step string, p load.Progress)
	Action  func(rehearse.ExperimentStep, rehearse.ActionEvent)
	Suite   io.Writer // a suite's own output; nil: kept only in the run directory
	Talk    io.Writer // of builds and data preparation
	Verdict func(rehearse.Verdict)
}

// Result is what a rehearsal leaves.
type Result struct {
	Report rehearse.Report
	Dir    string // the run directory
}

// Run rehearses every leg, one after the other. The error says why a rehearsal
// could not be run to its end; what was found until then is in the result, which
// is nil only when not even a run directory could be made. A change that fails
// is no error.
func Run(ctx context.Context, o Options) (*Result, error) {
	meta := evidence.Meta{Run: o.Run, Project: o.Plans[0].Project, Version: o.Version, Kind: o.Kind, Started: time.Now(), Source: o.Source}
	for _, p := range o.Plans {
		meta.Legs = append(meta.Legs, p.Leg.Name)
	}
	run, err := evidence.Create(o.Root, o.Run, meta)
	if err != nil {
		return nil, err
	}
	run.Secrets = o.Secrets
	var failed error
	for _, p := range o.Plans {
		if failed = rehearseLeg(ctx, o, run, p); failed != nil {
			break
		}
	}
	result, err := Judge(run.Dir())
	if err != nil {
		return &Result{Dir: run.Dir()}, errors.Join(failed, err)
	}
	return result, errors.Join(failed, WriteReports(result))
}

// Judge reads a run directory and gives its verdicts, from the evidence alone.
func Judge(dir string) (*Result, error) {
	archive, err := evidence.Open(dir)
	if err != nil {
		return nil, err
	}
	r := archive.Report()
	for i := range r.Legs {
		judgeLeg(dir, &r.Legs[i])
	}
	r.Diagnosis = diagnose(&r)
	r.Explanation = explained(dir)
	return &Result{Report: r, Dir: dir}, nil
}

// judgeLeg gives a leg its traces and its verdict.
func judgeLeg(dir string, l *rehearse.LegReport) {
	var damage []string
	l.Evidence.Telemetry, damage = ReadTelemetry(filepath.Join(dir, l.Dir), l.Evidence)
	l.Evidence.Damage = append(l.Evidence.Damage, damage...)
	l.Verdict = verdict.Judge(l.Name, l.Evidence)
}

// WriteReports writes every report into the run directory, up to the first that
// cannot be written.
func WriteReports(r *Result) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer, rehearse.Report) error
	}{
		{"report.html", report.HTML}, {"report.json", report.JSON}, {"report.md", report.Markdown}, {"junit.xml", report.JUnit},
	} {
		err := writeReport(filepath.Join(r.Dir, f.name), r.Report, f.write)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: "write the report", Err: err,
				Hint: "The disk that holds the run directory is full: make room there. The verdict can be had again with rehearse judge.",
			}
		}
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

func writeReport(path string, r rehearse.Report, write func(io.Writer, rehearse.Report) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f, r), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // half a report is worse than none
	}
	return nil
}

// leg is one leg under way.
type leg struct {
	o    Options
	plan *rehearse.Plan
	out  *evidence.Leg
	env  *environment.Environment
	// token is what the environment's API asks for.
	token string

	telemetry *telemetry.Store
	quiet     bool // when the last step had ended
	// apartIDs are the environments beside the leg's own; see apart.
	apartIDs []rehearse.EnvironmentID
}

// rehearseLeg runs one leg to its end. It returns an error when the leg could
// not be rehearsed; that a service did not become ready is not one, for that is
// the change's doing and stands in the evidence.
func rehearseLeg(ctx context.Context, o Options, run *evidence.Run, plan *rehearse.Plan) (err error) {
	started := time.Now()
	out, err := run.Leg(plan.Leg.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()

	record, err := o.Store.Create(environment.Meta{
		Project: plan.Project, Dir: plan.Dir, Leg: plan.Leg.Name, Driver: o.Driver.Name(), Purpose: o.Kind,
		Expires: time.Now().Add(o.Lease), Change: o.Change, Base: o.Base,
	})
	if err != nil {
		return err
	}
	if o.Observe.Leg != nil {
		o.Observe.Leg(plan, record.ID)
	}
	l := &leg{o: o, plan: plan, out: out}
	failed := out.Append(rehearse.Record{Begin: &rehearse.Begin{Version: o.Version, Environment: record.ID, Plan: *plan}})
	if failed == nil {
		failed = l.run(ctx, record)
	}
	end := &rehearse.End{Elapsed: rehearse.Duration(time.Since(started))}
	if failed != nil {
		end.Error = firstLine(failed)
	}
	end.Left = l.left(ctx, record)
	if err := out.Append(rehearse.Record{End: end}); err != nil {
		return errors.Join(failed, err)
	}
	if o.Observe.Verdict != nil {
		if archive, err := evidence.Open(run.Dir()); err == nil { // the caller judges again, and sees the error
			for _, leg := range archive.Legs {
				if leg.Name == plan.Leg.Name {
					judgeLeg(run.Dir(), &leg)
					o.Observe.Verdict(leg.Verdict)
				}
			}
		}
	}
	if ctx.Err() != nil {
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "interrupted", Err: context.Cause(ctx)}
	}
	if rehearse.KindOf(failed) == rehearse.NotReady {
		return nil
	}
	return failed
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// run brings the environment up, runs the steps, and tears it down.
func (l *leg) run(ctx context.Context, record *environment.Record) (err error) {
	if err := l.keepTelemetry(); err != nil {
		return err
	}
	// Services tell their last when they are stopped.
	defer func() { err = errors.Join(err, l.keptTelemetry()) }()
	if l.token, err = record.NewToken(); err != nil {
		return err
	}
	own := processorTime()
	var lost error // what could not be written down
	l.env, err = environment.Up(ctx, environment.Options{
		ID: record.ID, Plan: l.plan, Driver: l.o.Driver, Dir: record.Place(), Journal: record, Talk: l.o.Observe.Talk,
		Telemetry: l.environmentTelemetry(), Fill: l.o.Fill, FillKey: l.o.FillKey,
		OnEvent: func(ev rehearse.ServiceEvent) {
			lost = errors.Join(lost, l.out.Append(rehearse.Record{Service: &ev}))
			if l.o.Observe.Service != nil {
				l.o.Observe.Service(ev)
			}
		},
		OnHappening: func(h rehearse.Happening) {
			lost = errors.Join(lost, l.out.Append(rehearse.Record{Happening: &h}))
		},
		Migrate: l.o.Migrate,
		OnMigration: func(r rehearse.MigrationResult) {
			lost = errors.Join(lost, l.out.Append(rehearse.Record{Migration: &r}))
		},
		OnFact:  func(f rehearse.Fact) { lost = errors.Join(lost, l.out.Append(rehearse.Record{Fact: &f})) },
		OnLink:  func(ev rehearse.LinkEvent) { lost = errors.Join(lost, l.out.Append(rehearse.Record{Link: &ev})) },
		OpenLog: l.out.OpenLog,
		API: api.Options{
			Token: l.token, Meta: record.Now, Log: l.out.LogFile,
			Clean: func(answer []byte) []byte { return evidence.WithoutSecrets(answer, l.o.Secrets) },
		}.Handler,
	})
	if err != nil {
		return errors.Join(err, lost)
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTime)
		defer cancel()
		err = errors.Join(err, l.spent(down, own))
		gone := l.env.Down(down) // its events may be lost too
		err = errors.Join(err, gone, lost)
	}()
	for _, step := range l.plan.Steps {
		if l.o.Observe.Step != nil {
			l.o.Observe.Step(step)
		}
		if err := l.step(ctx, step); err != nil {
			return errors.Join(err, l.links())
		}
	}
	l.hush(ctx)
	if err := l.links(); err != nil {
		return err
	}
	return l.plans(ctx)
}

// downTime is how long services get to end politely, in all.
const downTime = 15 * time.Second

// links writes down what every link has seen.
func (l *leg) links() error {
	return l.out.Append(rehearse.Record{Links: &rehearse.LinksResult{Links: l.env.Links()}})
}

// left asks the host, and not our records, what of the environment is still
// there, and then lets go of the records.
func (l *leg) left(ctx context.Context, record *environment.Record) []string {
	var left []string
	found, err := l.o.Driver.List(context.WithoutCancel(ctx))
	if err != nil {
		left = append(left, "it could not be asked: "+err.Error())
	}
	for _, r := range found {
		if r.Environment == record.ID || slices.Contains(l.apartIDs, r.Environment) {
			left = append(left, r.Kind+" "+r.Name)
		}
	}
	if err := record.Close(); err != nil {
		left = append(left, "its directory: "+err.Error())
	}
	return left
}
