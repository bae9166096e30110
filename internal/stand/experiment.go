package stand

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/load"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
)

// PlanSteps makes the plan of a leg with other steps than the file's.
func (p *Project) PlanSteps(leg rehearse.Leg, steps []config.Step) (*rehearse.Plan, error) {
	return p.plan(plan.Input{Leg: leg, Rehearsal: steps})
}

// Experiment is what is asked of an environment: an experiment, with the load that
// goes on meanwhile.
type Experiment struct {
	Plan    *rehearse.Plan `json:"plan"` // whose only step it is
	Root    string         `json:"root"` // the project's .rehearse directory
	Run     rehearse.RunID `json:"run"`
	Version string         `json:"version"`
}

// Progress is how an experiment goes. One of its fields is set.
type Progress struct {
	Step   *rehearse.Step        `json:"step,omitempty"`
	Load   *load.Progress        `json:"load,omitempty"`
	Action *rehearse.ActionEvent `json:"action,omitempty"`
}

// At has an environment run the experiment, and returns the run directory
// with its evidence. The environment's own process does it: when ctx ends, or the
// caller's process, it mends what is broken. tell is called for what happens, by
// one goroutine. It waits until all is mended.
func (x Experiment) At(ctx context.Context, e environment.Entry, tell func(Progress)) (dir string, err error) {
	body, err := json.Marshal(x)
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var p Progress
			if json.Unmarshal(lines.Bytes(), &p) == nil {
				tell(p)
			}
		}
	}()
	err = control.Call(ctx, e.Socket(), control.Request{Op: "experiment", Body: body}, &dir, w)
	w.Close()
	select {
	case <-told: // the environment has closed its end, too
	case <-time.After(3 * time.Minute):
		err = errors.Join(err, errors.New("the environment does not say that it has ended the experiment"))
	}
	return dir, errors.Join(err, r.Close())
}

// experiment runs an experiment. One at a time: two would break each other's
// steady state.
func (a *answers) experiment(ctx context.Context, q control.Request, files []*os.File) (string, error) {
	if len(files) != 1 {
		return "", fmt.Errorf("experiment comes with %d streams, not 1", len(files))
	}
	var x Experiment
	if err := json.Unmarshal(q.Body, &x); err != nil {
		return "", fmt.Errorf("experiment: %w", err)
	}
	if err := fits(x.Plan, a.env.Plan()); err != nil {
		return "", err
	}
	select {
	case a.busy <- struct{}{}:
		defer func() { <-a.busy }()
	default:
		return "", &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("an experiment is under way in %s", a.env.ID()), Hint: "Wait until it is over, or start another environment."}
	}
	w, err := until(ctx, files[0])
	if err != nil {
		return "", err
	}
	defer w.Close()
	tell := (&news{to: w}).tell
	return rehearsal.Standing(ctx, rehearsal.StandingOptions{
		Environment: a.env, Telemetry: a.kept, Plan: x.Plan, Root: x.Root, Run: x.Run, Version: x.Version, Secrets: a.host.Secrets(a.project, a.env.Plan(), x.Plan),
		Observe: rehearsal.Observer{
			Step:   func(s rehearse.Step) { tell(Progress{Step: &s}) },
			Load:   func(_ string, p load.Progress) { tell(Progress{Load: &p}) },
			Action: func(_ rehearse.ExperimentStep, e rehearse.ActionEvent) { tell(Progress{Action: &e}) },
		},
	})
}

// newsTime is how long somebody may take to hear of an experiment. Those who are
// told of it keep what is broken from being mended meanwhile.
const newsTime = 500 * time.Millisecond

// news are told to a client as long as it listens: one that has gone, or that its
// shell has stopped, is told nothing more. Its methods may be called from any
// goroutine.
type news struct {
	to   *os.File // a pipe with deadlines
	deaf atomic.Bool
}

func (n *news) tell(p Progress) {
	line, err := json.Marshal(p)
	if err != nil || n.deaf.Load() {
		return
	}
	err = n.to.SetWriteDeadline(time.Now().Add(newsTime))
	if err == nil {
		_, err = n.to.Write(append(line, '\n'))
	}
	if err != nil {
		n.deaf.Store(true)
	}
}

// fits looks whether a plan speaks of the links and services of an environment:
// its files may have changed since it was started.
func fits(x, env *rehearse.Plan) error {
	if x == nil || len(x.Steps) != 1 || x.Steps[0].Experiment == nil {
		return errors.New("there is no experiment in the request")
	}
	var missing []string
	look := func(id rehearse.LinkID) {
		if _, ok := env.Link(id); !ok && !slices.Contains(missing, string(id)) {
			missing = append(missing, string(id))
		}
	}
	s := x.Steps[0].Experiment
	for _, o := range s.Load.Traffic.Origins {
		look(o.Link)
	}
	for _, a := range s.Method {
		for _, id := range a.Links {
			look(id)
		}
		for _, name := range a.Services {
			if _, ok := env.Service(name); !ok && !slices.Contains(missing, string(name)) {
				missing = append(missing, string(name))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("the environment has no %v", missing),
		Hint: "The project's files have changed since it was started: start another one.",
	}
}
