package stand

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// answers are what an environment answers over its control socket.
type answers struct {
	host     *Host
	project  *Project // nil: not known
	env      *environment.Environment
	kept     *telemetry.Store
	describe func(context.Context) Standing
	down     func()
	busy     chan struct{} // has room for one experiment
}

// answer is a [control.Handler].
func (a *answers) answer(ctx context.Context, q control.Request, files []*os.File) (any, error) {
	switch q.Op {
	case "status":
		return a.describe(ctx), nil
	case "down":
		a.down()
		return nil, nil
	case "exec":
		if len(files) != 3 {
			return nil, fmt.Errorf("exec comes with %d streams, not 3", len(files))
		}
		return a.env.Exec(ctx, q.Service, driver.Command{Args: q.Args, Env: q.Env, Stdin: files[0], Stdout: files[1], Stderr: files[2]})
	case "files":
		return answerFiles(ctx, a.env, q.Body, files)
	case "reset":
		return nil, a.env.Reset(ctx, q.Service)
	case "telemetry":
		return answerTelemetry(ctx, a.env, a.kept, files)
	case "tail":
		return nil, answerTail(ctx, a.kept, files)
	case "experiment":
		return a.experiment(ctx, q, files)
	case "link":
		var change LinkChange
		if err := json.Unmarshal(q.Body, &change); err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
		return change.apply(a.env)
	}
	return nil, fmt.Errorf("this environment does not know how to %q", q.Op)
}
