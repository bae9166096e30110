package stand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/api"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/database"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/ledger"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// Options are what an environment stands with.
type Options struct {
	Plan    *rehearse.Plan
	Project *Project // of the plan: its secrets are kept out of what is written and told
	Driver  driver.Driver
	Purpose string          // environment.PurposeUp when empty
	Key     string          // by which others find it; empty: they do not
	Lease   time.Duration   // how long it may stand from when it is ready, unless it is extended; 0: until ctx ends
	Forward *otlp.Forwarder // nil: its telemetry goes nowhere else
	OnEvent func(rehearse.ServiceEvent)
	Talk    io.Writer // of builds and data preparation; nil: discarded
	// Ready is called once every service is ready. Its error takes the environment
	// down.
	Ready func(Standing) error
}

// Standing is what can be learnt of a standing environment.
type Standing struct {
	environment.Meta
	Services []environment.Status `json:"services"`
	Links    []rehearse.LinkStats `json:"links"`
	Facts    []rehearse.Fact      `json:"facts"`
	Source   evidence.Source      `json:"source"` // how its project was read
	API      string               `json:"api"`    // its own below /v1, and that of the links as Toxiproxy's clients speak it
	// Token is asked for by the API. Only Ready is told it; else it lies in the
	// environment's directory.
	Token string `json:"apiToken,omitempty"`
}

// EventsFile is where an environment that stands, whose directory is given, writes
// down what happens: records as evidence has them.
func EventsFile(dir string) string { return filepath.Join(dir, "events.jsonl") }

// Describe asks an environment what it is now.
func Describe(ctx context.Context, e environment.Entry) (Standing, error) {
	var s Standing
	err := control.Call(ctx, e.Socket(), control.Request{Op: "status"}, &s)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		err = &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s cannot answer yet", e.ID), Hint: "It is starting or going down. rehearse logs shows how far it is."}
	}
	return s, err
}

// Stand brings an environment up and keeps it until ctx ends, somebody asks it
// down, or its lease is over. Then it leaves nothing behind. What it writes down
// and tells holds no secret of the project: logs, telemetry, events, errors, and what
// is answered to those who ask what it is.
func (h *Host) Stand(ctx context.Context, o Options) (err error) {
	secrets := h.Secrets(o.Project, o.Plan)
	defer func() { err = withoutSecrets(err, secrets) }()
	if o.Talk == nil {
		o.Talk = io.Discard
	}
	talk := secrets.Writer(o.Talk)
	meta := environment.Meta{
		Project: o.Plan.Project, Dir: o.Plan.Dir, Leg: o.Plan.Leg.Name, Driver: o.Driver.Name(), Purpose: cmp.Or(o.Purpose, environment.PurposeUp), Key: o.Key,
	}
	if o.Lease > 0 {
		meta.Expires = time.Now().Add(o.Lease)
	}
	record, err := h.Store().Create(meta)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	token, err := record.NewToken()
	if err != nil {
		return err
	}
	logs := filepath.Join(filepath.Dir(record.Place()), "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	logFile := func(name rehearse.ServiceName) string { return filepath.Join(logs, string(name)+".log") }
	kept, err := telemetry.New(telemetry.Options{
		Dir: filepath.Join(filepath.Dir(record.Place()), "telemetry"), Memory: o.Plan.Telemetry.Memory, Disk: o.Plan.Telemetry.Disk,
		Services: serviceNames(o.Plan), Forward: o.Forward, Mask: secrets.Mask,
	})
	if err != nil {
		return err
	}
	// It goes with the environment's directory; there is nothing to write down.
	defer func() {
		_, closed := kept.Close()
		err = errors.Join(err, closed)
	}()
	end, stop := context.WithCancel(ctx)
	defer stop()
	lease := &lease{record: record, length: o.Lease}
	served := api.Options{
		Token: token, Meta: record.Now, Log: logFile, Down: stop,
		Clean: func(answer []byte) []byte { return evidence.WithoutSecrets(answer, secrets) },
	}
	if o.Lease > 0 {
		served.Extend = lease.extend
	}
	events, err := evidence.CreateRecords(EventsFile(filepath.Dir(record.Place())), secrets)
	if err != nil {
		return err
	}
	// It goes with the environment's directory; what is not in it is not missed.
	defer func() { _ = events.Close() }()
	env, err := environment.Up(end, environment.Options{
		ID: record.ID, Plan: o.Plan, Driver: o.Driver, Dir: record.Place(), Journal: record, Talk: talk,
		OnEvent: func(ev rehearse.ServiceEvent) {
			_ = events.Append(rehearse.Record{Service: &ev})
			if o.OnEvent != nil {
				o.OnEvent(eventWithout(ev, secrets))
			}
		},
		OnFact:      func(f rehearse.Fact) { _ = events.Append(rehearse.Record{Fact: &f}) },
		OnHappening: func(h rehearse.Happening) { _ = events.Append(rehearse.Record{Happening: &h}) },
		OnLink:      func(ev rehearse.LinkEvent) { _ = events.Append(rehearse.Record{Link: &ev}) },
		OnMigration: func(r rehearse.MigrationResult) { _ = events.Append(rehearse.Record{Migration: &r}) },
		Telemetry:   &environment.Telemetry{Store: kept, Resource: h.Resource(ctx, o.Plan.Dir)},
		Fill:        dataset.Filler(talk), FillKey: dataset.FillKey, Migrate: database.Migrator(talk),
		OpenLog: func(name rehearse.ServiceName) (io.WriteCloser, error) {
			return evidence.OpenLog(logFile(name), secrets)
		},
		API: served.Handler,
	})
	_ = talk.Close() // it has held back the beginnings of what could have been secrets
	if err != nil {
		return err
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		spent := env.Spent(down)
		err = errors.Join(err, env.Down(down), h.Ledger().Add(ledger.Entry{
			Ended: time.Now(), Project: meta.Project, Purpose: meta.Purpose, Change: Change(h.Resource(down, o.Plan.Dir)),
			Spent: spent, Prices: o.Plan.Prices,
		}))
	}()
	if err := lease.begin(stop); err != nil {
		return err
	}
	defer lease.end()
	var asked atomic.Int64 // how often the environment was asked to do something
	go lease.follow(end, func() int64 { return asked.Load() + arrivals(env) })
	standing := func(services []environment.Status) Standing {
		return standingWithout(Standing{Meta: record.Now(), Services: services, Links: env.Links(), Facts: env.Facts(), Source: o.Project.Source().Recorded(), API: env.API()}, secrets)
	}
	describe := func(ctx context.Context) Standing { return standing(env.Status(ctx)) }
	listener, err := control.Listen(record.Socket())
	if err != nil {
		return err
	}
	answered := make(chan error, 1)
	answers := &answers{host: h, project: o.Project, env: env, kept: kept, describe: describe, down: stop, busy: make(chan struct{}, 1)}
	counted := func(ctx context.Context, q control.Request, files []*os.File) (any, error) {
		if q.Op != "status" {
			asked.Add(1)
		}
		answer, err := answers.answer(ctx, q, files)
		return answer, withoutSecrets(err, secrets)
	}
	go func() { answered <- control.Serve(end, listener, counted) }()
	now := standing(env.States()) // what they use has hardly begun
	now.Token = token
	if err := o.Ready(now); err != nil {
		stop()
		return errors.Join(err, <-answered)
	}
	debug.FreeOSMemory() // what planning took is not needed again
	return <-answered    // until the end, or until nobody can reach it any more
}

// arrivals counts what has come in from outside: connections, and what was asked over
// them.
func arrivals(env *environment.Environment) int64 {
	var n int64
	for _, l := range env.Links() {
		if client, _, _ := strings.Cut(string(l.ID), ":"); rehearse.IsIngress(rehearse.ServiceName(client)) {
			n += l.Connections + l.RoundTrips
		}
	}
	return n
}

// serviceNames are the plan's services.
func serviceNames(p *rehearse.Plan) []rehearse.ServiceName {
	names := make([]rehearse.ServiceName, len(p.Services))
	for i, s := range p.Services {
		names[i] = s.Name
	}
	return names
}
