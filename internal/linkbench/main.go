// Command linkbench measures a link against no link and against Toxiproxy, in
// turn on one machine, and prints how they compare and whether a link is as good
// as it set out to be. make bench-link builds and runs it.
//
//	linkbench ─ client ──────────────────────────────▶ linkbench peer
//	                   ├─▶ linkbench serve ──────────▶
//	                   ├─▶ linkbench serve -watch ─────▶
//	                   ├─▶ linkbench serve -copy ────▶
//	                   └─▶ toxiproxy ────────────────▶
//
// Every contestant is a process of its own, so that its processor time, memory
// and descriptors are its own, and all of them are told what to do through
// Toxiproxy's HTTP API. A case measures each contestant once per round, the
// first of a round being another one each time; a ratio is made within a round,
// and what is printed is the median over the rounds and how far they lie apart.
// On a noisy machine the ratios hold while the figures do not.
//
// A goal that is missed is said plainly and is no failure: the exit code is 1
// only when something could not be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/figures"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "linkbench:", err)
		os.Exit(1)
	}
}

// run plays the role that the first argument names.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "peer":
			return runPeer(ctx, os.Stdin, os.Stdout)
		case "serve":
			return runServe(ctx, args[1:], os.Stdin, os.Stdout)
		}
	}
	return runBench(ctx, args, os.Stdout, os.Stderr)
}

func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{self: self}
	flags := flag.NewFlagSet("linkbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.toxiproxy, "toxiproxy", filepath.Join(filepath.Dir(self), "toxiproxy"), "Toxiproxy's server")
	flags.StringVar(&b.profile, "profile", "", "write processor profiles of the links to this directory")
	output := flags.String("json", "", "write the results to this file, too")
	only := flags.String("only", "", "measure only the cases whose name matches this expression")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}

	result, err := newReport(b.toxiproxy)
	if err != nil {
		return err
	}
	if err := b.measure(ctx, chosen, result, stderr); err != nil {
		return err
	}
	if err := result.print(stdout); err != nil {
		return err
	}
	if *output != "" {
		if err := figures.Write(*output, result); err != nil {
			return err
		}
	}
	if len(result.Failed) > 0 {
		return errors.New("not everything could be measured")
	}
	return nil
}

// measure fills a report with the cases that were chosen, and says which one it
// has come to.
func (b *bench) measure(ctx context.Context, chosen *regexp.Regexp, r *report, progress io.Writer) error {
	started, before := time.Now(), contest.ReadAccount()
	peer, err := b.startPeer(ctx)
	if err != nil {
		return err
	}
	defer peer.Stop()
	for _, c := range cases {
		if !chosen.MatchString(c.name) {
			continue
		}
		fmt.Fprintf(progress, "%4.0f s  %s\n", time.Since(started).Seconds(), c.name)
		rows, err := c.measure(ctx, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.Rows = append(r.Rows, rows...)
		if err != nil {
			r.Failed = append(r.Failed, figures.Failure{Case: c.name, Why: err.Error()})
		}
	}
	peer.Stop() // its time counts once it has ended
	r.Seconds, r.Others = time.Since(started).Seconds(), contest.ReadAccount().Others(before)
	return nil
}

// bench is what all cases share.
type bench struct {
	self      string // this program
	toxiproxy string
	profile   string // a directory, or empty
	profiles  int    // how many were begun
	upstream  targets
}

// cases are in the order of the table.
var cases = []struct {
	name    string
	measure func(context.Context, *bench) ([]row, error)
}{
	{"bulk", measureBulk},
	{"round trip", measureRoundTrip},
	{"connect", measureConnect},
	{"idle", measureIdle},
	{"busy", measureBusy},
	{"delay", measureDelay},
	{"links", measureLinks},
	{"deaf upstream", measureDeaf},
	{"pgbench", measurePgbench},
}
