// Package cli is the command line: one file per subcommand, flags, exit codes
// and streams. Only here are the process's arguments, streams, signals and
// environment variables touched, and only here are concrete drivers named.
//
// What a command finds goes to stdout; the talk goes to stderr. A table is for a
// terminal, plain lines are for a pipe, --json is for machines.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/forge"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// app is what every command works with.
type app struct {
	stand.Host
	stdin          io.Reader
	stdout, stderr io.Writer
	exit           int // the verdict's exit code, when there is no error
	// secrets are taken out of what is said; nil until a project's are known.
	secrets *redact.Secrets
	// job is the job of a CI that a rehearsal is part of; nil for none.
	job *forge.Job
}

// Main runs the command line and returns the exit code.
func Main() int {
	stand.Main() // never returns in a process that supervises services
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	host, err := stand.FindHost(os.Environ())
	if err != nil {
		return a.fail(err)
	}
	a.Host = *host
	ctx, stop := interruptible(a.stderr)
	defer stop()
	root := a.root()
	root.SetArgs(toxiproxyFlags(os.Args[1:]))
	if err := root.ExecuteContext(ctx); err != nil {
		return a.fail(err)
	}
	return a.exit
}

// interruptible gives a context that the first Ctrl-C ends; we then tidy up. The
// second makes us stop waiting: the kernel ends what we have started.
func interruptible(talk io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		sig := <-signals
		cancel(&rehearse.Error{Kind: rehearse.Interrupted, Msg: sig.String()})
		fmt.Fprintln(talk, "\nrehearse: tidying up; once more to stop at once")
		<-signals
		os.Exit(130)
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// usageHint is what helps with every command line that makes no sense.
const usageHint = "Run with --help for how it is used."

// usageError is a command line that makes no sense.
func usageError(format string, args ...any) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf(format, args...), Hint: usageHint}
}

// terminal reports whether a stream is one, and how wide it is.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 80
	}
	return width, true
}

// color reports whether to colour a stream: a terminal, and https://no-color.org.
func (a *app) color(w io.Writer) bool {
	_, tty := terminal(w)
	return tty && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

// root is the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rehearse",
		Short: "A dress rehearsal for production, for every pull request",
		Long: `rehearse gives a change its own isolated, production-like environment and tells
the truth about it. From a Compose file and a small rehearse.yaml it starts the
services, puts a link with production's network on every edge between them,
drives production's traffic at them, runs your own tests, and gives a verdict
with evidence. Then it tears everything down.`,
		Example:       "  rehearse init\n  rehearse run\n  rehearse compare",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: err.Error(), Hint: usageHint}
	})
	root.AddGroup(
		&cobra.Group{ID: "rehearse", Title: "Rehearse:"},
		&cobra.Group{ID: "environment", Title: "Standing environments:"},
		&cobra.Group{ID: "data", Title: "Data:"},
		&cobra.Group{ID: "setup", Title: "Set up:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"rehearse":    {a.runCommand(), a.compareCommand(), a.planCommand(), a.judgeCommand(), a.explainCommand(), a.ciCommand(), a.costCommand(), a.demoCommand()},
		"environment": {a.upCommand(), a.lsCommand(), a.psCommand(), a.logsCommand(), a.eventsCommand(), a.execCommand(), a.cpCommand(), a.openCommand(), a.linkCommand(), a.experimentCommand(), a.traceCommand(), a.downCommand(), a.gcCommand()},
		"data":        {a.dataCommand()},
		"setup":       {a.initCommand(), a.doctorCommand(), a.versionCommand()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}

// fail prints an error with its hints and returns its exit code.
func (a *app) fail(err error) int {
	w := a.secrets.Writer(a.stderr)
	printError(w, err)
	_ = w.Close() // there is nobody left to tell
	return exitCode(err)
}

// printError prints every problem with its hint.
func printError(w io.Writer, err error) {
	var problems rehearse.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			printOne(w, p)
		}
		return
	}
	printOne(w, err)
}

func printOne(w io.Writer, err error) {
	fmt.Fprintf(w, "rehearse: %v\n", err)
	hints := rehearse.Hints(err)
	if len(hints) == 0 && isCobraUsage(err) {
		hints = append(hints, usageHint)
	}
	for _, hint := range hints {
		fmt.Fprintf(w, "  hint: %s\n", hint)
	}
}
