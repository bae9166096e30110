package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/database"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
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
			plan := func() (*rehearse.Plan, driver.Driver, error) {
				p, err := a.load(cmd.Context(), f, args)
				if err != nil {
					return nil, nil, err
				}
				made, err := p.plan(leg)
				if err != nil {
					return nil, nil, err
				}
				d, err := a.driver(f.driver, p.variables()...)
				return made, d, err
			}
			if supervise {
				return a.superviseDetached(cmd.Context(), plan, ttl, forward)
			}
			defer a.sweepBeside(cmd.Context())()
			if detach {
				// The process in the background reads the files, and says what is
				// wrong with them.
				return a.upDetached(cmd.Context(), asJSON)
			}
			made, d, err := plan()
			if err != nil {
				return err
			}
			return a.upForeground(cmd.Context(), made, d, ttl, forward, asJSON)
		},
	}
	f.add(c)
	l.add(c)
	forward.add(c)
	c.Flags().BoolVarP(&detach, "detach", "d", false, "go on in the background when it is ready")
	c.Flags().BoolVar(&asJSON, "json", false, "print the environment as JSON when it is ready")
	c.Flags().DurationVar(&ttl, "ttl", 8*time.Hour, "how long the environment may stand")
	c.Flags().BoolVar(&supervise, "supervise", false, "")
	_ = c.Flags().MarkHidden("supervise")
	return c
}

// standing is what commands can learn of a standing environment.
type standing struct {
	environment.Meta
	Services []environment.Status `json:"services"`
	Links    []rehearse.LinkStats `json:"links"`
	Facts    []rehearse.Fact      `json:"facts"`
	API      string               `json:"api"` // of the links, as Toxiproxy's clients speak it
}

// standingOptions are those of an environment that stands, whether a terminal or
// a supervisor holds it.
func standingOptions(tell func(rehearse.ServiceEvent), talk io.Writer) environment.Options {
	return environment.Options{OnEvent: tell, Talk: talk, Fill: dataset.Filler(talk), FillKey: dataset.FillKey, Migrate: database.Migrator(talk)}
}

// stand runs an environment until ctx ends, somebody asks it down, or its lease
// is over. ready is called once every service is ready.
func (a *app) stand(ctx context.Context, p *rehearse.Plan, d driver.Driver, ttl time.Duration, forward forwardFlag, o environment.Options, ready func(standing) error) (err error) {
	store := a.store()
	record, err := store.Create(environment.Meta{
		Project: p.Project, Dir: p.Dir, Leg: p.Leg.Name, Driver: d.Name(), Purpose: "up", Expires: time.Now().Add(ttl),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	logs := filepath.Join(filepath.Dir(record.Place()), "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	to, err := forward.make()
	if err != nil {
		return err
	}
	defer a.toldAll(ctx, to)
	kept, err := telemetry.New(telemetry.Options{
		Dir: filepath.Join(filepath.Dir(record.Place()), "telemetry"), Memory: p.Telemetry.Memory, Disk: p.Telemetry.Disk,
		Services: serviceNames(p), Forward: to,
	})
	if err != nil {
		return err
	}
	// It goes with the environment's directory; there is nothing to write down.
	defer func() {
		_, closed := kept.Close()
		err = errors.Join(err, closed)
	}()
	o.Telemetry = &environment.Telemetry{Store: kept, Resource: a.resource(ctx, p.Dir)}
	o.ID, o.Plan, o.Driver, o.Dir, o.Journal = record.ID, p, d, record.Place(), record
	o.OpenLog = func(name rehearse.ServiceName) (io.WriteCloser, error) {
		return os.OpenFile(filepath.Join(logs, string(name)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	env, err := environment.Up(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, env.Down(down))
	}()
	describe := func(ctx context.Context) standing {
		return standing{Meta: record.Meta, Services: env.Status(ctx), Links: env.Links(), Facts: env.Facts(), API: env.API()}
	}
	end, stop := context.WithTimeout(ctx, ttl)
	defer stop()
	listener, err := control.Listen(record.Socket())
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- control.Serve(end, listener, controlHandler(env, kept, describe, stop)) }()
	if err := ready(describe(ctx)); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	return <-served // until the end, or until nobody can reach it any more
}

// serviceNames are the plan's services.
func serviceNames(p *rehearse.Plan) []rehearse.ServiceName {
	names := make([]rehearse.ServiceName, len(p.Services))
	for i, s := range p.Services {
		names[i] = s.Name
	}
	return names
}

func controlHandler(env *environment.Environment, kept *telemetry.Store, describe func(context.Context) standing, down func()) control.Handler {
	return func(ctx context.Context, q control.Request, files []*os.File) (any, error) {
		switch q.Op {
		case "status":
			return describe(ctx), nil
		case "down":
			down()
			return nil, nil
		case "exec":
			if len(files) != 3 {
				return nil, fmt.Errorf("exec comes with %d streams, not 3", len(files))
			}
			return env.Exec(ctx, q.Service, driver.Command{Args: q.Args, Env: q.Env, Stdin: files[0], Stdout: files[1], Stderr: files[2]})
		case "reset":
			return nil, env.Reset(ctx, q.Service)
		case "telemetry":
			return answerTelemetry(ctx, env, kept, files)
		case "tail":
			return nil, answerTail(ctx, kept, files)
		case "link":
			var change linkChange
			if err := json.Unmarshal(q.Body, &change); err != nil {
				return nil, fmt.Errorf("link: %w", err)
			}
			return change.apply(env)
		}
		return nil, fmt.Errorf("this environment does not know how to %q", q.Op)
	}
}

func (a *app) upForeground(ctx context.Context, p *rehearse.Plan, d driver.Driver, ttl time.Duration, forward forwardFlag, asJSON bool) error {
	watch := a.newProgress()
	closed := false
	done := func() {
		if !closed {
			closed = true
			watch.close()
		}
	}
	defer done()
	err := a.stand(ctx, p, d, ttl, forward, standingOptions(watch.service, watch.talk()), func(s standing) error {
		done()
		if err := a.printStanding(s, asJSON); err != nil {
			return err
		}
		if !asJSON {
			fmt.Fprintln(a.stderr, "\nCtrl-C takes it down.")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rehearse.KindOf(context.Cause(ctx)) == rehearse.Interrupted {
		fmt.Fprintln(a.stderr, "rehearse: down, nothing is left")
	}
	return nil
}

func (a *app) printStanding(s standing, asJSON bool) error {
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

// report is what a supervisor in the background tells of its start.
type startReport struct {
	Event  *rehearse.ServiceEvent `json:"event,omitempty"`
	Talk   string                 `json:"talk,omitempty"`
	Ready  *standing              `json:"ready,omitempty"`
	Errors []startFailure         `json:"errors,omitempty"`
}

// startFailure carries an error to another process.
type startFailure struct {
	Kind  rehearse.Kind `json:"kind"`
	Text  string        `json:"text"`
	Hints []string      `json:"hints"`
}

// upDetached starts this same command again in the background and shows how it
// starts.
func (a *app) upDetached(ctx context.Context, asJSON bool) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append(withoutDetach(os.Args[1:]), "--supervise")...)
	cmd.ExtraFiles, cmd.Env = []*os.File{w}, a.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return err
	}
	// Until it is ready it is ours: Ctrl-C here is Ctrl-C there.
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	watch := a.newProgress()
	talk := watch.talk()
	var last startReport
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var rep startReport
		if err := json.Unmarshal(lines.Bytes(), &rep); err != nil {
			continue
		}
		switch {
		case rep.Event != nil:
			watch.service(*rep.Event)
		case rep.Talk != "":
			_, _ = io.WriteString(talk, rep.Talk)
		default:
			last = rep
		}
		if last.Ready != nil {
			break
		}
	}
	watch.close()
	switch {
	case last.Ready != nil:
		return errors.Join(cmd.Process.Release(), a.printStanding(*last.Ready, asJSON))
	case last.Errors != nil:
		_ = cmd.Wait() // it has said why
		return errorOf(last.Errors)
	}
	return fmt.Errorf("the environment's process ended without a word: %w", cmd.Wait())
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

// superviseDetached is the command in the background. It tells its start over
// file 3.
func (a *app) superviseDetached(ctx context.Context, plan func() (*rehearse.Plan, driver.Driver, error), ttl time.Duration, forward forwardFlag) error {
	syscall.CloseOnExec(3)
	start := &startTeller{f: os.NewFile(3, "start")}
	p, d, err := plan()
	if err == nil {
		talk := writerFunc(func(b []byte) { _ = start.tell(startReport{Talk: string(b)}) })
		tell := func(ev rehearse.ServiceEvent) { _ = start.tell(startReport{Event: &ev}) }
		err = a.stand(ctx, p, d, ttl, forward, standingOptions(tell, talk), func(s standing) error {
			return start.tell(startReport{Ready: &s})
		})
	}
	if err != nil {
		_ = start.tell(startReport{Errors: failuresOf(err)})
	}
	return err
}

// startTeller tells of a start until there is no more to tell: it is ready, or
// has failed, or the listener has gone. Whose listener has gone before it was
// ready is told so each time, and must not stand: nobody would know of it.
type startTeller struct {
	mu   sync.Mutex
	f    *os.File
	gone error // the listener has
}

func (t *startTeller) tell(r startReport) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		return t.gone
	}
	if _, err := t.f.Write(append(data, '\n')); err != nil {
		t.gone = fmt.Errorf("tell of the start: %w", err)
	}
	if t.gone != nil || r.Ready != nil || r.Errors != nil {
		_ = t.f.Close() // a pipe: everything is in it
		t.f = nil
	}
	return t.gone
}

// failuresOf takes an error apart for another process.
func failuresOf(err error) []startFailure {
	var problems rehearse.Problems
	if !errors.As(err, &problems) {
		return []startFailure{{Kind: rehearse.KindOf(err), Text: err.Error(), Hints: hints(err)}}
	}
	var out []startFailure
	for _, p := range problems {
		out = append(out, startFailure{Kind: p.Kind, Text: p.Error(), Hints: hints(p)})
	}
	return out
}

// errorOf puts it together again.
func errorOf(failures []startFailure) error {
	var problems rehearse.Problems
	for _, f := range failures {
		problems = append(problems, &rehearse.Error{Kind: f.Kind, Msg: f.Text, Hint: strings.Join(f.Hints, "\n")})
	}
	return problems.Err()
}

type writerFunc func([]byte)

func (w writerFunc) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
