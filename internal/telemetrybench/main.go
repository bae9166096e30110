// Command telemetrybench measures what takes telemetry in an environment against
// OpenTelemetry's Collector and Jaeger, in turn on one machine, and prints how they
// compare and whether ours is as good as it set out to be. make bench-telemetry
// builds and runs it, and make bench-telemetry-jaeger with Jaeger, which takes some
// minutes to build.
//
//	telemetrybench ─ 2 connections ─▶ telemetrybench serve: decodes, stores, indexes, writes files
//	                               ├▶ telemetrybench serve -forget: decodes, keeps nothing
//	                               ├▶ otelcol, exporter nop: decodes, keeps nothing
//	                               ├▶ otelcol, exporter debug: decodes, logs a line a request
//	                               └▶ jaeger, where -jaeger names it: decodes, stores in memory
//
// All are sent the same requests of 512 spans, over OTLP/gRPC and OTLP/HTTP, which
// were encoded beforehand: only their ids are new in each. A contestant is a new
// process in each round, and the first of a round is another one each time. A
// ratio is made within a round, and what is printed is the median over the rounds
// and how far they lie apart: on a noisy machine the ratios hold while the figures
// do not. The generator runs on the same processors.
//
// A goal that is missed is said plainly and is no failure: the exit code is 1
// only when something could not be measured, or when a span was lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "telemetrybench:", err)
		os.Exit(1)
	}
}

// run plays the role that the first argument names.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		return runServe(args[1:], os.Stdin, os.Stdout)
	}
	return runBench(ctx, args, os.Stdout, os.Stderr)
}

func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{self: self}
	flags := flag.NewFlagSet("telemetrybench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.otelcol, "otelcol", filepath.Join(filepath.Dir(self), "otelcol"), "OpenTelemetry's Collector")
	flags.StringVar(&b.jaeger, "jaeger", "", "Jaeger, to be measured as well")
	flags.StringVar(&b.profile, "profile", "", "write processor profiles of ours to this directory")
	flags.IntVar(&b.rounds, "rounds", 3, "how often each contestant is measured")
	flags.IntVar(&b.requests, "requests", 400, "how many requests of 512 spans are sent as fast as they are taken")
	output := flags.String("json", "", "write the results to this file, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "telemetrybench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	result, err := b.measure(ctx, stderr)
	if err != nil {
		return err
	}
	if err := result.print(stdout); err != nil {
		return err
	}
	if *output != "" {
		return figures.Write(*output, result)
	}
	return nil
}
