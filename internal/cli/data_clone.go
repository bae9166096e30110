package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) dataCloneCommand() *cobra.Command {
	var f projectFlags
	var detach, supervise, asJSON bool
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "clone SERVICE [DIR]",
		Short: "Start a database of its own on a clone of its dataset",
		Long: `Start one database service of the project and nothing else, on a clone of its
dataset, and print its URL. What is written there is in nobody's way: it goes with
the clone, at Ctrl-C, rehearse down, or the end of its lease. With -d it goes on in
the background. The network between you and it is plain.`,
		Example: "  rehearse data clone db\n  psql $(rehearse data clone db -d)\n  rehearse data reset",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ttl <= 0 {
				return usageError("--ttl must be above 0, not %v", ttl)
			}
			options := func(io.Writer) (stand.Options, error) { // a recipe knows its ports
				p, made, d, err := a.planOf(cmd.Context(), f, rehearse.Only(rehearse.FacetData), args[1:])
				if err != nil {
					return stand.Options{}, err
				}
				made, err = alone(made, args[0])
				return stand.Options{Plan: made, Project: p, Driver: d, Lease: ttl}, err
			}
			if supervise {
				return a.superviseDetached(cmd.Context(), options, forwardFlag{})
			}
			defer a.sweepBeside(cmd.Context())()
			o, err := options(a.stderr)
			if err != nil {
				return err
			}
			if detach {
				return a.cloneDetached(cmd.Context(), o.Plan.Services[0], asJSON)
			}
			return a.cloneForeground(cmd.Context(), o, asJSON)
		},
	}
	f.add(c)
	c.Flags().BoolVarP(&detach, "detach", "d", false, "go on in the background when it is ready")
	c.Flags().DurationVar(&ttl, "ttl", 8*time.Hour, "how long the clone may stand")
	c.Flags().BoolVar(&asJSON, "json", false, "print the environment as JSON when it is ready, with the database's url")
	c.Flags().BoolVar(&supervise, "supervise", false, "")
	_ = c.Flags().MarkHidden("supervise")
	return c
}

// alone is a plan of one database service, whose only link is from outside.
func alone(p *rehearse.Plan, name string) (*rehearse.Plan, error) {
	s, err := serviceOf(p, name)
	if err != nil {
		return nil, err
	}
	account, err := recipe.AccountOf(s)
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Err: err}
	}
	s.Needs = nil
	only := *p
	only.Services, only.Steps, only.Checks = []rehearse.Service{s}, nil, nil
	only.Links = []rehearse.LinkSpec{{
		ID: rehearse.MakeLinkID(rehearse.Ingress, s.Name), Client: rehearse.Ingress, Upstream: s.Name,
		Names: []string{name}, Ports: []int{account.Port}, Declared: true,
	}}
	return &only, nil
}

// accountURL is the URL of an account's database, at a host.
func accountURL(account recipe.Account, host string) string {
	u := url.URL{Scheme: "postgres", Host: host, User: url.User(account.User), Path: "/" + account.Database, RawQuery: "sslmode=disable"}
	if account.Engine != "postgres" {
		u.Scheme, u.RawQuery = "mysql", ""
	}
	if account.Password != "" {
		u.User = url.UserPassword(account.User, account.Password)
	}
	return u.String()
}

// reached is the database's URL in a standing environment.
func reached(s stand.Standing, service rehearse.Service) (string, error) {
	for _, v := range s.Services {
		if at, err := url.Parse(v.URL); err == nil && v.Service == service.Name && at.Host != "" {
			account, err := recipe.AccountOf(service)
			return accountURL(account, at.Host), err
		}
	}
	return "", fmt.Errorf("environment %s does not say where service %q is reached", s.ID, service.Name)
}

// printClone prints where a clone is.
func (a *app) printClone(s stand.Standing, service rehearse.Service, asJSON bool) error {
	at, err := reached(s, service)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a, struct {
			stand.Standing
			Database string `json:"database"`
		}{s, at})
	}
	fmt.Fprintf(a.stderr, "environment %s · until %s\n", s.ID, s.Expires.Local().Format("15:04"))
	_, err = fmt.Fprintln(a.stdout, at)
	return err
}

func (a *app) cloneForeground(ctx context.Context, o stand.Options, asJSON bool) error {
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
		if err := a.printClone(s, o.Plan.Services[0], asJSON); err != nil {
			return err
		}
		fmt.Fprintln(a.stderr, "Ctrl-C takes it down.")
		return nil
	}
	if err := a.stand(ctx, o, forwardFlag{}); err != nil {
		return err
	}
	if rehearse.KindOf(context.Cause(ctx)) == rehearse.Interrupted {
		fmt.Fprintln(a.stderr, "rehearse: down, nothing is left")
	}
	return nil
}

// cloneDetached starts the clone in the background and prints where it is.
func (a *app) cloneDetached(ctx context.Context, service rehearse.Service, asJSON bool) error {
	var said bytes.Buffer
	quiet := *a
	quiet.stdout = &said
	if err := quiet.upDetached(ctx, true); err != nil {
		return err
	}
	var s stand.Standing
	if err := json.Unmarshal(said.Bytes(), &s); err != nil {
		return fmt.Errorf("read what the environment says of itself: %w", err)
	}
	return a.printClone(s, service, asJSON)
}

func (a *app) dataResetCommand() *cobra.Command {
	var f envFlag
	c := &cobra.Command{
		Use:   "reset [SERVICE...]",
		Short: "Give databases of an environment their first data again",
		Long: `Stop a database of a standing environment, throw away what was written to it, and
start it again on a fresh clone of its dataset. Its address stays; whoever was
connected sees the connection end. Without SERVICE, every service with a dataset.`,
		Example: "  rehearse data reset\n  rehearse data reset -e docgen-4f9k2 db",
		RunE: func(cmd *cobra.Command, args []string) error {
			e, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = cloned(s)
			}
			if len(args) == 0 {
				return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("no service of %s has a dataset", e.ID), Hint: "Name the service whose data is to go."}
			}
			var errs []error
			for _, name := range args {
				began := time.Now()
				err := control.Call(cmd.Context(), e.Socket(), control.Request{Op: "reset", Service: rehearse.ServiceName(name)}, nil)
				if err == nil {
					_, err = fmt.Fprintf(a.stderr, "%s has its first data again after %v\n", name, rehearse.Round(time.Since(began)))
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	f.add(a, c)
	return c
}

// cloned are the services of an environment whose data is a clone.
func cloned(s stand.Standing) []string {
	var out []string
	for _, f := range s.Facts {
		if name, ok := strings.CutPrefix(f.Name, "data.clone."); ok {
			out = append(out, name)
		}
	}
	return out
}
