package bench_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// BenchmarkUp is the command as a person types it, from the start of its process
// until it prints that every service is ready, with a warm cache; then from
// Ctrl-C until its process has ended and nothing is left.
//
//	up-warm           the goal is 400 ms
//	postgres-alone    the peer: PostgreSQL's own start, by hand
//	ours              up-warm less postgres-alone; the goal is 50 ms, docgen's own start included
//	app-alone         the peer: docgen's own start, by hand, on no network at all
//	down              the goal is 300 ms
//	beyond-by-hand    up-warm less both: what isolation, links and the command cost
//	up/by-hand        up-warm as a multiple of both
//
// Under production docgen's first connections cross the link of 84 ms, several
// round trips one after the other: that is the application's start in production,
// and BenchmarkUpInside tells it apart.
func BenchmarkUp(b *testing.B) {
	for _, leg := range legs() {
		b.Run(leg.Name, func(b *testing.B) {
			d := newDocgen(b)
			c := command{docgen: d, program: build(b, "../..", "./cmd/rehearse")}
			c.upAndDown(b, leg) // fills the cache
			hand := newByHand(b, d)
			var up, down, postgres, app times
			for b.Loop() {
				u, w := c.upAndDown(b, leg)
				p, a := hand.start(b)
				up, down, postgres, app = append(up, u), append(down, w), append(postgres, p), append(app, a)
			}
			report(b, "up-warm", up)
			report(b, "down", down)
			report(b, "postgres-alone", postgres)
			report(b, "app-alone", app)
			reportTime(b, "ours", up.median()-postgres.median())
			hands := postgres.median() + app.median()
			reportTime(b, "beyond-by-hand", up.median()-hands)
			b.ReportMetric(float64(up.median())/float64(hands), "up/by-hand")
			only(b)
		})
	}
}

// BenchmarkCold is the same command with nothing in rehearse's cache, so that
// docgen is compiled and PostgreSQL's data directory is made; and once more with
// nothing in Go's build cache either, as on a fresh machine.
func BenchmarkCold(b *testing.B) {
	program := build(b, "../..", "./cmd/rehearse")
	for _, kind := range []string{"go-cache-warm", "go-cache-cold"} {
		b.Run(kind, func(b *testing.B) {
			var up times
			for b.Loop() {
				d := newDocgen(b)
				if kind == "go-cache-cold" {
					d.env = append(d.env, "GOCACHE="+filepath.Join(openDir(b), "go-build"))
				}
				u, _ := command{docgen: d, program: program}.upAndDown(b, rehearse.Staging())
				up = append(up, u)
			}
			report(b, "up-cold", up)
			only(b)
		})
	}
}

// BenchmarkUpInside is one environment without the command around it, taken
// apart by its services' own events.
//
//	open    until the database's start: namespaces, links, what is prepared
//	db      from its start until it answers a query
//	app     from docgen's start until it is healthy
func BenchmarkUpInside(b *testing.B) {
	for _, leg := range legs() {
		b.Run(leg.Name, func(b *testing.B) {
			d := newDocgen(b)
			p := d.plan(b, leg)
			d.one(b, p).leave(b) // fills the cache
			var up, open, db, app, down times
			for b.Loop() {
				s := d.one(b, p)
				up, open = append(up, s.ready.Sub(s.began)), append(open, s.at["db starting"].Sub(s.began))
				db = append(db, s.at["db ready"].Sub(s.at["db starting"]))
				app = append(app, s.at["docgen ready"].Sub(s.at["docgen starting"]))
				down = append(down, s.leave(b))
			}
			report(b, "up-warm", up)
			report(b, "open", open)
			report(b, "db", db)
			report(b, "app", app)
			report(b, "down", down)
			only(b)
		})
	}
}

// BenchmarkTen starts ten environments of the project at once.
//
//	all-ready    until the last of them is
//	each         the median from its own start
//	per-env      all-ready shared out
func BenchmarkTen(b *testing.B) {
	const n = 10
	for _, leg := range legs() {
		b.Run(leg.Name, func(b *testing.B) {
			d := newDocgen(b)
			p := d.plan(b, leg)
			d.one(b, p).leave(b) // fills the cache
			var all, each, down times
			for b.Loop() {
				var standing [n]*stand
				var wait sync.WaitGroup
				began := time.Now()
				for i := range n {
					wait.Go(func() {
						var err error
						if standing[i], err = d.up(b.Context(), p); err != nil {
							b.Error(err)
						}
					})
				}
				wait.Wait()
				all = append(all, time.Since(began))
				began = time.Now()
				for _, s := range standing {
					if s != nil {
						each = append(each, s.ready.Sub(s.began))
						wait.Go(func() { s.leave(b) })
					}
				}
				wait.Wait()
				down = append(down, time.Since(began))
				if b.Failed() {
					b.FailNow()
				}
			}
			report(b, "all-ready", all)
			report(b, "each", each)
			reportTime(b, "per-env", all.median()/n)
			report(b, "all-down", down)
			only(b)
		})
	}
}

// command is the built program.
type command struct {
	docgen
	program string
}

func (c command) upAndDown(b *testing.B, leg rehearse.Leg) (up, down time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, "up", "--json", "--leg", leg.Name, c.dir)
	cmd.Env = c.env
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadByte(); err != nil {
		b.Fatalf("it never was ready: %v\n%s", errors.Join(err, cmd.Wait()), &talk)
	}
	up = time.Since(began)
	began = time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatalf("after Ctrl-C: %v\n%s", err, &talk)
	}
	return up, time.Since(began)
}

// stand is one environment that is up.
type stand struct {
	environment  *environment.Environment
	record       *environment.Record
	began, ready time.Time
	at           map[string]time.Time // "db ready" → when
}

// one makes an environment, or ends the benchmark.
func (d docgen) one(b *testing.B, p *rehearse.Plan) *stand {
	b.Helper()
	s, err := d.up(b.Context(), p)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// up may be called from any goroutine.
func (d docgen) up(ctx context.Context, p *rehearse.Plan) (*stand, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	drv := process.New(process.Options{Cache: filepath.Join(d.cache, "rehearse"), Label: filepath.Base(filepath.Dir(d.dir)), Env: d.env, Home: home})
	s := &stand{began: time.Now(), at: map[string]time.Time{}}
	store := &environment.Store{Root: d.state}
	s.record, err = store.Create(environment.Meta{Project: p.Project, Dir: p.Dir, Leg: p.Leg.Name, Driver: drv.Name(), Purpose: "up", Expires: s.began.Add(time.Hour)})
	if err != nil {
		return nil, err
	}
	s.environment, err = environment.Up(ctx, environment.Options{
		ID: s.record.ID, Plan: p, Driver: drv, Dir: s.record.Place(), Journal: s.record,
		OnEvent: func(ev rehearse.ServiceEvent) { s.at[string(ev.Service)+" "+string(ev.State)] = time.Now() },
	})
	if err != nil {
		return nil, errors.Join(err, s.record.Close())
	}
	s.ready = time.Now()
	return s, nil
}

// leave takes the environment down until nothing is left of it.
func (s *stand) leave(b *testing.B) time.Duration {
	began := time.Now()
	if err := errors.Join(s.environment.Down(context.WithoutCancel(b.Context())), s.record.Close()); err != nil {
		b.Error(err)
	}
	return time.Since(began)
}
