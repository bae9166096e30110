package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) upCommand() *cobra.Command {
	var f projectFlags
	var l legFlags
	var detach, asJSON bool
	var ttl time.Duration
	var forward forwardFlag
	var supervise bool
	c := &cobra.Command{
		Use:   "up [DIR]",
		Short: "Start a standing environment",
		Long: `Start an environment and keep it until Ctrl-C, rehearse down, or the end of its
lease. With -d it goes on in the background.

Each call makes an environment of its own: several of one project stand side by
side, with the same names and ports inside, and different addresses outside.`,
		Example: "  rehearse up\n  rehearse up -d --ttl 2h\n  rehearse open\n  rehearse down",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			leg, err := l.make()
			if err != nil {
				return err
			}
			if ttl <= 0 {
				return usageError("--ttl must be above 0, not %v", ttl)
			}
			options := func(talk io.Writer) (stand.Options, error) {
				f.Pull = talk
				p, made, d, err := a.planOf(cmd.Context(), f, leg, args)
				return stand.Options{Plan: made, Project: p, Driver: d, Lease: ttl}, err
			}
			if supervise {
				return a.superviseDetached(cmd.Context(), options, forward)
			}
			defer a.sweepBeside(cmd.Context())()
			if detach {
				// The process in the background reads the files, and says what is
				// wrong with them.
				return a.upDetached(cmd.Context(), asJSON)
			}
			o, err := options(a.stderr)
			if err != nil {
				return err
			}
			return a.upForeground(cmd.Context(), o, forward, asJSON)
		},
	}
	f.add(c)
	l.add(c)
	forward.add(c)
	c.Flags().BoolVarP(&detach, "detach", "d", false, "go on in the background when it is ready")
	c.Flags().BoolVar(&asJSON, "json", false, "print the environment as JSON when it is ready")
	c.Flags().DurationVar(&ttl, "ttl", 8*time.Hour, "how long the environment stands on after it was last used")
	c.Flags().BoolVar(&supervise, "supervise", false, "")
	_ = c.Flags().MarkHidden("supervise")
	return c
}

// stand brings an environment up and keeps it until its end.
func (a *app) stand(ctx context.Context, o stand.Options, forward forwardFlag) error {
	to, err := forward.make()
	if err != nil {
		return err
	}
	defer a.toldAll(ctx, to)
	o.Forward = to
	return a.Stand(ctx, o)
}

func (a *app) upForeground(ctx context.Context, o stand.Options, forward forwardFlag, asJSON bool) error {
	watch := a.newProgress()
	closed := false
	done := func() {
		if !closed {
			closed = true
			watch.close()
		}
	}
	defer done()
	o.OnEvent, o.Talk = watch.service, watch.talk()
	o.Ready = func(s stand.Standing) error {
		done()
		if err := a.printStanding(s, asJSON); err != nil {
			return err
		}
		if !asJSON {
			fmt.Fprintln(a.stderr, "\nCtrl-C takes it down.")
		}
		return nil
	}
	if err := a.stand(ctx, o, forward); err != nil {
		return err
	}
	if rehearse.KindOf(context.Cause(ctx)) == rehearse.Interrupted {
		fmt.Fprintln(a.stderr, "rehearse: down, nothing is left")
	}
	return nil
}

func (a *app) printStanding(s stand.Standing, asJSON bool) error {
	if asJSON {
		return printJSON(a, s)
	}
	fmt.Fprintf(a.stdout, "environment %s · project %s · leg %s · until %s\n", s.ID, s.Project, s.Leg, s.Expires.Local().Format("15:04"))
	if err := a.printServices(s); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "links: rehearse link ls · Toxiproxy's API at %s\n", s.API)
	return nil
}

// upDetached starts this same command again in the background and shows how it
// starts.
func (a *app) upDetached(ctx context.Context, asJSON bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append(withoutDetach(os.Args[1:]), "--supervise")...)
	cmd.Env = a.Env
	watch := a.newProgress()
	now, err := stand.Start(ctx, cmd, watch.service, watch.talk())
	watch.close()
	if err != nil {
		return err
	}
	return a.printStanding(*now, asJSON)
}

// withoutDetach takes -d out of a command line.
func withoutDetach(args []string) []string {
	var out []string
	for i, arg := range args {
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case arg == "-d", arg == "--detach", strings.HasPrefix(arg, "--detach="):
		default:
			out = append(out, arg)
		}
	}
	return out
}

// superviseDetached is the command in the background.
func (a *app) superviseDetached(ctx context.Context, options func(io.Writer) (stand.Options, error), forward forwardFlag) error {
	to, err := forward.make()
	defer a.toldAll(ctx, to)
	return a.Background(ctx, func(talk io.Writer) (stand.Options, error) {
		if err != nil {
			return stand.Options{}, err
		}
		o, err := options(talk)
		o.Forward = to
		return o, err
	})
}
