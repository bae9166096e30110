package cli

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/stand"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
	"github.com/rehearse-dev/rehearse/internal/trace"
)

// forwardFlag sends telemetry on to somebody else, too.
type forwardFlag struct{ url string }

func (f *forwardFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "otlp-forward", "", "also send all telemetry to this OTLP/HTTP endpoint as it comes, as http://localhost:4318")
}

// make is nil where nothing is to be sent on.
func (f *forwardFlag) make() (*otlp.Forwarder, error) {
	if f.url == "" {
		return nil, nil
	}
	return otlp.NewForwarder(f.url)
}

// toldAll flushes a forwarder and says what it could not send.
func (a *app) toldAll(ctx context.Context, f *otlp.Forwarder) {
	if f == nil {
		return
	}
	patience := forwardTime
	if f.Stats().Failing {
		patience = 0 // it was waited for before
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = f.Close(ctx) // what it could not send is said below
	if s := f.Stats(); s.Dropped+s.DroppedOther > 0 {
		fmt.Fprintf(a.stderr, "rehearse: %d of %d spans, and %d log records and data points, could not be sent on: %v\n", s.Dropped, s.Sent+s.Dropped, s.DroppedOther, s.LastError)
	}
}

// told is the telemetry of a leg or an environment.
type told struct {
	name string // of where it is from
	*rehearse.Telemetry
}

// sourceFlags say whose telemetry a command is about.
type sourceFlags struct {
	env envFlag
	run string
	leg string
}

func (f *sourceFlags) add(a *app, c *cobra.Command) {
	f.env.add(a, c)
	f.addRun(c)
}

func (f *sourceFlags) addRun(c *cobra.Command) {
	c.Flags().StringVar(&f.run, "run", "", "a run's directory, or its name below .rehearse/runs (default: a standing environment of this project, else the latest run here)")
	c.Flags().StringVar(&f.leg, "leg", "", "the leg of the run (default: the last)")
}

// read reads the telemetry of a run, or asks an environment for its own.
func (f *sourceFlags) read(ctx context.Context, a *app) (*told, error) {
	if f.run != "" && f.env.id != "" {
		return nil, usageError("--run and --env do not go together")
	}
	if f.run == "" && f.leg == "" {
		e, err := f.env.find(a)
		if err == nil {
			return askTelemetry(ctx, e)
		}
		if !errors.Is(err, errNoneStanding) {
			return nil, err
		}
	}
	var args []string
	if f.run != "" {
		args = []string{f.run}
	}
	dir, err := findRun(args)
	if err != nil {
		return nil, err
	}
	return a.readTelemetry(dir, f.leg)
}

// readTelemetry reads what a leg of a run has left, and says what of it cannot be
// read.
func (a *app) readTelemetry(dir, leg string) (*told, error) {
	archive, err := evidence.Open(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := len(archive.Legs) - 1; i >= 0; i-- {
		l := &archive.Legs[i]
		names = append(names, l.Name)
		if leg != "" && l.Name != leg {
			continue
		}
		t, damage := rehearsal.ReadTelemetry(filepath.Join(dir, l.Dir), l.Evidence)
		if t == nil || len(t.Traces) == 0 && len(damage) > 0 {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, File: filepath.Join(dir, l.Dir), Msg: cmp.Or(strings.Join(damage, " "), "the leg has no telemetry"),
				Hint: "Run the rehearsal again.",
			}
		}
		for _, d := range damage {
			fmt.Fprintf(a.stderr, "rehearse: %s\n", d)
		}
		return &told{fmt.Sprintf("run %s, leg %s", archive.Meta.Run, l.Name), t}, nil
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Invalid, File: dir, Msg: fmt.Sprintf("the run has no leg %q", leg), Hint: "It has: " + strings.Join(names, ", ") + ".",
	}
}

// askTelemetry asks an environment for its telemetry.
func askTelemetry(ctx context.Context, e environment.Entry) (*told, error) {
	var ends [2]*os.File
	var read [2]chan []byte
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer w.Close()
		ends[i], read[i] = w, make(chan []byte, 1)
		go func() {
			defer r.Close()
			b, _ := io.ReadAll(r) // what is cut short is not decoded
			read[i] <- b
		}()
	}
	var answer stand.Kept
	if err := control.Call(ctx, e.Socket(), control.Request{Op: "telemetry"}, &answer, ends[:]...); err != nil {
		return nil, err
	}
	for i := range ends {
		if err := ends[i].Close(); err != nil {
			return nil, err
		}
	}
	spans, err := telemetry.DecodeSpans(<-read[0])
	if err != nil {
		return nil, err
	}
	logs, err := telemetry.DecodeLogs(<-read[1])
	if err != nil {
		return nil, err
	}
	t := &told{"environment " + string(e.ID), trace.Assemble(spans, logs, answer.Links, answer.Kept)}
	if kept := answer.Kept.Spans - answer.Kept.Lost; kept > stand.MaxAsked {
		t.name += fmt.Sprintf(", the latest %d of %d spans", stand.MaxAsked, kept)
	}
	return t, nil
}

// tail gives each span of an environment to show, as they come, until ctx ends or
// the environment goes down.
func tail(ctx context.Context, e environment.Entry, show func(*rehearse.Span) error) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	called := make(chan error, 1)
	go func() {
		defer w.Close()
		called <- control.Call(ctx, e.Socket(), control.Request{Op: "tail"}, nil, w)
	}()
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			break
		}
		spans, err := telemetry.DecodeSpans(b)
		for i := range spans {
			err = errors.Join(err, show(&spans[i]))
		}
		if err != nil {
			cancel()
			<-called
			return err
		}
	}
	cancel()
	if err := <-called; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
