package dockerbench_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

var (
	runs   = flag.Int("runs", 5, "how often each contestant is measured")
	tools  = flag.String("tools", "../../bin/dockerbench", "the `directory` of rehearse, rehearse-link, docker-compose and testcontainers")
	output = flag.String("json", "", "write the results to this `file`, too")
	only   = flag.String("only", "", "measure only the cases whose name matches this `expression`")
)

func TestMain(m *testing.M) { os.Exit(testdocker.Main(m)) }

// bench is what all cases share.
type bench struct {
	engine *testdocker.Engine
	tools  string
	rounds int
	project
	state, cache string // of rehearse
	id           string // of this run, in the names and labels of all that peers make
	projects     int    // how many names of projects compose was given
}

// cases are in the order of the table.
var cases = []struct {
	name    string
	measure func(context.Context, *bench) ([]row, error)
}{
	{"healthchecks as in the file", func(ctx context.Context, b *bench) ([]row, error) {
		return measureDocgen(ctx, b, "docgen, intervals of 5 s and 2 s", asInFile, 5)
	}},
	{"healthchecks every second", func(ctx context.Context, b *bench) ([]row, error) {
		return measureDocgen(ctx, b, "docgen, intervals of 1 s", everySecond, 1)
	}},
	{"one container", measureSingle},
	{"database", measureDatabase},
	{"memory", measureMemory},
	{"ten", measureTen},
	{"fifty", measureMany},
}

// BenchmarkDocker measures all cases once, whatever the number of iterations.
func BenchmarkDocker(b *testing.B) {
	chosen, err := regexp.Compile(*only)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := newBench(b)
	r, err := newReport(ctx, m)
	if err != nil {
		b.Fatal(err)
	}
	started := time.Now()
	for _, c := range cases {
		if !chosen.MatchString(c.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(started).Seconds(), c.name)
		rows, err := c.measure(ctx, m)
		if ctx.Err() != nil {
			b.Fatal("interrupted")
		}
		r.Rows = append(r.Rows, rows...)
		if err != nil {
			b.Errorf("not measured: %s: %v", c.name, err)
			r.Failed = append(r.Failed, figures.Failure{Case: c.name, Why: err.Error()})
		}
	}
	r.Seconds = time.Since(started).Seconds()
	if err := r.print(os.Stdout); err != nil {
		b.Error(err)
	}
	if *output != "" {
		if err := figures.Write(*output, r); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(0, "ns/op") // the table has the figures
}

// newBench makes a project and the images for it, and sees to it that nothing is
// left of them at the end.
func newBench(b *testing.B) *bench {
	b.Helper()
	engine := testdocker.Start(b)
	dir, err := filepath.Abs(*tools)
	if err != nil {
		b.Fatal(err)
	}
	top, err := os.MkdirTemp("", "rehearse-dockerbench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(top); err != nil {
			b.Error(err)
		}
	})
	m := &bench{
		engine: engine, tools: dir, rounds: *runs, id: filepath.Base(top),
		state: filepath.Join(top, "state"), cache: filepath.Join(top, "cache"),
	}
	if m.project, err = newProject(b, engine, filepath.Join(top, "docgen")); err != nil {
		b.Fatal(err)
	}
	before := engine.Leftovers(b, testcontainersLabel)
	b.Cleanup(func() { m.leaveNothing(b, before) })
	return m
}

// interleave measures each contestant once per round, the first being another one
// each time. Round 0 is a warm-up and does not count.
func interleave[T any](ctx context.Context, b *bench, all []contestant[T]) (samples[T], error) {
	s := samples[T]{}
	for n := range b.rounds + 1 {
		for i := range all {
			c := all[(n+i)%len(all)]
			got, err := c.measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if n > 0 {
				s[c.name] = append(s[c.name], got)
			}
		}
	}
	return s, nil
}

// contestant is one way to an environment.
type contestant[T any] struct {
	name    string
	measure func(context.Context) (T, error)
}

// The contestants' names.
const (
	ours           = "rehearse"
	compose        = "compose"
	testcontainers = "testcontainers"
	byHand         = "by hand"
)

// taken is how long an environment took.
type taken struct{ ready, gone time.Duration }

func (t taken) readySeconds() float64 { return t.ready.Seconds() }
func (t taken) goneSeconds() float64  { return t.gone.Seconds() }

// samples are what the rounds of one case gave: samples[name][round].
type samples[T any] map[string][]T

// of is one number of each of a contestant's rounds.
func (s samples[T]) of(name string, number func(T) float64) []float64 {
	var out []float64
	for _, v := range s[name] {
		out = append(out, number(v))
	}
	return out
}
