// Command zoo rehearses every service of examples/zoo: once as it is, which must
// pass in staging and fail in production, and for a number of rounds corrected,
// which must pass in both. It prints what each verdict was, which checks found the
// fault, what the diagnosis says, and how often all was as it should be. make zoo
// builds and runs it.
//
// Rehearsals are of rehearse's own command, one at a time, as a person types it. A
// comparison is void when a leg is unverified, or rehearse says that the machine was
// too busy for its load or its links; then it is made again, up to three times in
// all. What is void then is neither found nor a false alarm, and shown as unverified. The exit code is 0 when every service
// failed and every corrected one passed.
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

	"github.com/rehearse-dev/rehearse/internal/figures"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "zoo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	k := &keeper{talk: stderr}
	flags := flag.NewFlagSet("zoo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&k.rehearse, "rehearse", filepath.Join(filepath.Dir(self), "rehearse"), "the command rehearse")
	flags.StringVar(&k.dir, "dir", filepath.Join("examples", "zoo"), "where the services are")
	rounds := flags.Int("rounds", 1, "how often the corrected services are rehearsed")
	only := flags.String("only", "", "only the services whose name matches this expression")
	output := flags.String("json", "", "write the results to this file, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}

	started := time.Now()
	var results []result
	for _, s := range services {
		if !chosen.MatchString(s.name) {
			continue
		}
		r, err := k.visit(ctx, s, *rounds)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	fmt.Fprint(stdout, table(results), "\n", totals(results))
	fmt.Fprintf(stdout, "It took %s.\n", time.Since(started).Round(time.Second))
	if *output != "" {
		if err := figures.Write(*output, results); err != nil {
			return err
		}
	}
	for _, r := range results {
		if !r.right() {
			return errors.New("not every verdict is as it should be")
		}
	}
	return nil
}
