package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/report"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// envFlag says which environment a command is about.
type envFlag struct {
	id string
	// argument: the command is told the environment by an argument and has no flag.
	argument bool
}

func (f *envFlag) add(a *app, c *cobra.Command) {
	c.Flags().StringVarP(&f.id, "env", "e", "", "the environment (default: the only one of this project)")
	_ = c.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.environmentIDs(), cobra.ShellCompDirectiveNoFileComp
	})
}

func (a *app) environmentIDs() []string {
	entries, err := a.Store().List()
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.Alive {
			out = append(out, string(e.ID))
		}
	}
	return out
}

var errNoneStanding = errors.New("no environment is standing")

// find finds the living environment that a command is about.
func (f *envFlag) find(a *app) (environment.Entry, error) {
	entries, err := a.Store().List()
	if err != nil {
		return environment.Entry{}, err
	}
	var standing, here []environment.Entry
	cwd, err := os.Getwd()
	if err != nil {
		return environment.Entry{}, err
	}
	for _, e := range entries {
		if !e.Alive || !e.Stands() {
			continue
		}
		if string(e.ID) == f.id {
			return e, nil
		}
		standing = append(standing, e)
		if cwd == e.Dir || e.Dir != "" && strings.HasPrefix(cwd, e.Dir+string(filepath.Separator)) {
			here = append(here, e)
		}
	}
	if f.id == "" && len(here) == 0 {
		here = standing
	}
	names := make([]string, len(standing))
	for i, e := range standing {
		names[i] = string(e.ID)
	}
	switch {
	case f.id != "":
		hint := "Start one with rehearse up."
		if near, ok := rehearse.Nearest(f.id, names); ok {
			hint = "Did you mean " + near + "?"
		}
		return environment.Entry{}, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("no environment %q is standing", f.id), Hint: hint}
	case len(here) == 1:
		return here[0], nil
	case len(here) == 0:
		return environment.Entry{}, &rehearse.Error{Kind: rehearse.Invalid, Err: errNoneStanding, Hint: "Start one with rehearse up."}
	}
	hint := "Say which with --env."
	if f.argument {
		hint = "Name those that are meant, or say --all."
	}
	return environment.Entry{}, &rehearse.Error{Kind: rehearse.Invalid, Msg: "several environments are standing: " + strings.Join(names, ", "), Hint: hint}
}

// ask finds the environment that a command is about, and asks it what it is.
func (f *envFlag) ask(ctx context.Context, a *app) (environment.Entry, stand.Standing, error) {
	e, err := f.find(a)
	if err != nil {
		return e, stand.Standing{}, err
	}
	s, err := stand.Describe(ctx, e)
	return e, s, err
}

func (a *app) lsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List environments",
		Long: `List every environment of this user on this host: standing ones, those of
rehearsals under way, and dead ones, whose process has ended without tidying up
(rehearse gc takes them away).`,
		Example: "  rehearse ls",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, err := a.Store().List()
			if err != nil {
				return err
			}
			if asJSON {
				if entries == nil {
					entries = []environment.Entry{}
				}
				return printJSON(a, entries)
			}
			t := table{head: []string{"ENVIRONMENT", "PROJECT", "LEG", "FOR", "STATE", "AGE", "UNTIL", "CHANGE", "DIRECTORY"}}
			for _, e := range entries {
				state := "alive"
				if !e.Alive {
					state = "dead"
				}
				t.add(string(e.ID), e.Project, e.Leg, e.Purpose, state, time.Since(e.Created).Round(time.Second).String(), untilText(e.Expires), cmp.Or(e.Change, "–"), shortPath(e.Dir))
			}
			return t.print(a)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// untilText is the time of day at which a lease ends.
func untilText(expires time.Time) string {
	if expires.IsZero() {
		return "–"
	}
	return expires.Local().Format("15:04")
}

func (a *app) psCommand() *cobra.Command {
	var f envFlag
	var asJSON bool
	c := &cobra.Command{
		Use:        "ps",
		SuggestFor: []string{"stats", "top"}, // as others call what it shows of use
		Short:      "List the services of an environment",
		Long:       "List an environment's services: their states, where they are reached, and what they use.",
		Example:    "  rehearse ps\n  rehearse ps --env docgen-4f9k2",
		Args:       cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a, s)
			}
			return a.printServices(s)
		},
	}
	f.add(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printServices(s stand.Standing) error {
	t := table{head: []string{"SERVICE", "STATE", "SINCE", "URL", "MEMORY", "CPU", "PROCESSES"}}
	for _, v := range s.Services {
		t.add(string(v.Service), string(v.State), time.Since(v.Since).Round(time.Second).String(), dash(v.URL),
			fmt.Sprintf("%.1f MiB", float64(v.Usage.Memory)/(1<<20)), time.Duration(v.Usage.CPU).Round(10*time.Millisecond).String(), fmt.Sprint(v.Usage.Processes))
	}
	return t.print(a)
}

func (a *app) logsCommand() *cobra.Command {
	var f envFlag
	var follow bool
	var tail int
	var ofTrace string
	var source sourceFlags
	c := &cobra.Command{
		Use:   "logs [SERVICE...]",
		Short: "Print what services have written",
		Long: `Print the services' stdout and stderr, in the order of time, each line with its
service. With --trace, print what was written and told on behalf of one request,
of the environment or of the latest run: the lines that carry its identifier.`,
		Example: "  rehearse logs\n  rehearse logs -f docgen\n  rehearse logs --trace 4bf92f35",
		RunE: func(cmd *cobra.Command, services []string) error {
			if ofTrace != "" {
				source.env = f
				return a.printTraceLogs(cmd.Context(), &source, ofTrace, services)
			}
			if source.run != "" || source.leg != "" {
				return usageError("--run and --leg go with --trace; the logs of a run are files in its directory")
			}
			e, err := f.find(a)
			if err != nil {
				return err
			}
			s, err := stand.Describe(cmd.Context(), e)
			if err != nil && rehearse.KindOf(err) != rehearse.Unavailable {
				return err
			}
			if err != nil {
				services = nil // its names are not known yet: show what there is
			}
			for _, name := range services {
				if !slices.ContainsFunc(s.Services, func(v environment.Status) bool { return string(v.Service) == name }) {
					return unknownService(name, s)
				}
			}
			return a.printLogs(cmd.Context(), filepath.Join(e.Path, "logs"), services, follow, tail)
		},
	}
	f.add(a, c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on as lines come")
	c.Flags().IntVarP(&tail, "tail", "n", 0, "only the last lines (default: all)")
	c.Flags().StringVar(&ofTrace, "trace", "", "only what carries this trace's identifier; its beginning is enough")
	source.addRun(c)
	return c
}

func unknownService(name string, s stand.Standing) error {
	var known []string
	for _, v := range s.Services {
		known = append(known, string(v.Service))
	}
	hint := "It has: " + strings.Join(known, ", ") + "."
	if near, ok := rehearse.Nearest(name, known); ok {
		hint = "Did you mean " + near + "?"
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("environment %s has no service %q", s.ID, name), Hint: hint}
}

// printLogs merges the services' files by the time on each line; with follow, until
// they go, or nobody reads them any more.
func (a *app) printLogs(ctx context.Context, dir string, services []string, follow bool, tail int) error {
	offsets := map[string]int64{}
	first := true
	_, tty := terminal(a.stdout)
	for {
		lines, err := newLines(dir, services, offsets, tty)
		if err != nil {
			return err
		}
		if first && tail > 0 && len(lines) > tail {
			lines = lines[len(lines)-tail:]
		}
		first = false
		for _, l := range lines {
			if _, err := fmt.Fprintln(a.stdout, l.text); err != nil {
				return err
			}
		}
		if !follow || !isDir(dir) || hungUp(a.stdout) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookTime):
		}
	}
}

type logLine struct{ when, text string }

// newLines reads the whole lines that have been written since the offsets. On a
// terminal they are made safe: a service may write anything.
func newLines(dir string, services []string, offsets map[string]int64, safe bool) ([]logLine, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	var out []logLine
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".log")
		if len(services) > 0 && !slices.Contains(services, name) {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(offsets[file], io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		r := bufio.NewReader(f)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				break // the end, or a line that is still being written
			}
			offsets[file] += int64(len(line))
			when, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			_, text, _ := strings.Cut(rest, " ")
			if safe {
				text = report.Plain(text)
			}
			out = append(out, logLine{when, fmt.Sprintf("%s  %-12s  %s", clock(when), name, text)})
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(x, y logLine) int { return strings.Compare(x.when, y.when) })
	return out, nil
}

// clock is the time of day of a log line's time, as here.
func clock(when string) string {
	t, err := time.Parse(time.RFC3339Nano, when)
	if err != nil {
		return when
	}
	return t.Local().Format("15:04:05.000")
}

func (a *app) execCommand() *cobra.Command {
	var f envFlag
	var env []string
	c := &cobra.Command{
		Use:   "exec SERVICE COMMAND [ARG...]",
		Short: "Run a command inside a service",
		Long: `Run a command where a service runs: with its files, its names, its network and
its user. The exit status is the command's.`,
		Example: "  rehearse exec db psql -c 'select count(*) from documents'\n  rehearse exec docgen sh",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(s.Services, func(v environment.Status) bool { return string(v.Service) == args[0] }) {
				return unknownService(args[0], s)
			}
			if args[1] == "--" && len(args) > 2 {
				args = slices.Delete(args, 1, 2)
			}
			more := map[string]string{}
			for _, kv := range env {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return usageError("--set %s: write NAME=VALUE", kv)
				}
				more[k] = v
			}
			var code int
			err = control.Call(cmd.Context(), e.Socket(), control.Request{
				Op: "exec", Service: rehearse.ServiceName(args[0]), Args: args[1:], Env: more,
			}, &code, os.Stdin, os.Stdout, os.Stderr)
			a.exit = code
			return err
		},
	}
	f.add(a, c)
	c.Flags().StringArrayVar(&env, "set", nil, "a variable for the command, as NAME=VALUE")
	c.Flags().SetInterspersed(false)
	return c
}

func (a *app) openCommand() *cobra.Command {
	var f envFlag
	var quiet bool
	c := &cobra.Command{
		Use:   "open [SERVICE]",
		Short: "Open a service in the browser",
		Long: `Print where a service is reached from this host, and open it in the browser
where there is one. Without SERVICE, the first that lets traffic in.`,
		Example: "  rehearse open\n  curl $(rehearse open --print docgen)/healthz",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			url := ""
			known := len(args) == 0
			for _, v := range s.Services {
				if len(args) == 0 && url == "" || len(args) > 0 && string(v.Service) == args[0] {
					url, known = v.URL, true
				}
			}
			if !known {
				return unknownService(args[0], s)
			}
			if url == "" {
				return &rehearse.Error{Kind: rehearse.Invalid, Msg: "the plan lets no traffic in there", Hint: "Publish a port in the Compose file (ports:)."}
			}
			if _, err := fmt.Fprintln(a.stdout, url); err != nil || quiet {
				return err
			}
			return openBrowser(url)
		},
	}
	f.add(a, c)
	c.Flags().BoolVar(&quiet, "print", false, "only print the address")
	return c
}

// openBrowser opens a page where the desktop knows how; elsewhere the printed
// address has to do.
func openBrowser(url string) error {
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	path, err := exec.LookPath(opener)
	if err != nil {
		return nil
	}
	return exec.Command(path, url).Start()
}

func (a *app) downCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     "down [ENVIRONMENT...]",
		Short:   "Take environments down",
		Long:    "Stop an environment's services in reverse order and remove everything that it made.",
		Example: "  rehearse down\n  rehearse down docgen-4f9k2\n  rehearse down --all",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return a.environmentIDs(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return usageError("--all and names do not go together")
			}
			if all {
				args = a.environmentIDs()
			}
			if len(args) == 0 && !all {
				args = []string{""}
			}
			var errs []error
			for _, id := range args {
				f := envFlag{id: id, argument: true}
				e, err := f.find(a)
				if err == nil {
					err = a.takeDown(cmd.Context(), e)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all of this user's")
	return c
}

// downTime is how long an environment is waited for: longer than its own process waits
// for an engine that does not answer.
const downTime = 6 * time.Minute

// takeDown asks an environment to go and waits until it has gone.
func (a *app) takeDown(ctx context.Context, e environment.Entry) error {
	begun := time.Now()
	err := control.Call(ctx, e.Socket(), control.Request{Op: "down"}, nil)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		// It is still starting, or already going. Its lock is held, so the
		// process is the one that it says.
		err = syscall.Kill(e.PID, syscall.SIGTERM)
	}
	if err != nil && isDir(e.Path) {
		return err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, downTime, &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s has not gone after %v", e.ID, downTime),
		Hint: fmt.Sprintf("Its process %d goes on, and may wait for services that do not end or an engine that does not answer. Once it has ended, rehearse gc removes what it has left.", e.PID),
	})
	defer cancel()
	for isDir(e.Path) {
		if err := e.AwaitEnd(waiting); err != nil {
			return err
		}
		if !isDir(e.Path) {
			break
		}
		// It was killed on its way, or could not remove something. Where somebody else
		// is removing that, he has its lock, and is waited for.
		if _, err := a.Store().CollectOne(waiting, e.ID, a.Drivers()...); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.stderr, "%s is down after %v\n", e.ID, rehearse.Round(time.Since(begun)))
	return err
}

func (a *app) gcCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "gc",
		Short: "Remove what dead environments have left",
		Long: `Remove what was left by a rehearse that was killed: its processes, containers,
networks, volumes, control groups and directories. What is there is asked of the
host and the engine and compared with the journals, in both directions. Only what
carries our label is touched, and nothing of a living environment, unless its
lease is over: then it is asked to go. Images of link containers go too, if
another version of rehearse made them over an hour ago and no container has them.`,
		Example: "  rehearse gc",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store := a.Store()
			entries, err := store.List()
			if err != nil {
				return err
			}
			var errs []error
			for _, e := range entries {
				if e.Alive && !e.Expires.IsZero() && time.Now().After(e.Expires) && e.Stands() {
					errs = append(errs, a.takeDown(cmd.Context(), e))
				}
			}
			removed, err := store.Collect(cmd.Context(), a.Drivers()...)
			errs = append(errs, err)
			for _, d := range a.Drivers() {
				if s, ok := d.(driver.Sweeper); ok {
					kept, err := s.Sweep(cmd.Context())
					removed, errs = append(removed, kept...), append(errs, err)
				}
			}
			for _, r := range removed {
				fmt.Fprintln(a.stdout, "removed", r)
			}
			if err = errors.Join(errs...); err == nil && len(removed) == 0 {
				fmt.Fprintln(a.stderr, "nothing was left")
			}
			return err
		},
	}
}
