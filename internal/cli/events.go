package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/report"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) eventsCommand() *cobra.Command {
	var source sourceFlags
	var follow, asJSON bool
	var since string
	c := &cobra.Command{
		Use:   "events",
		Short: "Print what has happened",
		Long: `Print what has happened in an environment, a line each, in the order of time:
when, what, to which service or link, and why. Services start, become ready, exit
or run out of memory, are restarted and reset; faults are set on links and
cleared; what a service tried to reach without a link is refused; and what was
found out about how the environment was made is a fact.

Which environment: the one that stands, or else the latest run here, whose
evidence tells the same. With --follow, print events as they come, until the
environment goes down or the run ends. --since takes a length of time or a date:
10m, 2026-11-22T16:12:07Z.`,
		Example: "  rehearse events\n  rehearse events --follow --since 10m\n  rehearse events --run 20261122-161207-4f9k --json | jq -r .event",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := sinceTime(since, time.Now())
			if err != nil {
				return err
			}
			file, err := source.events(a)
			if err != nil {
				return err
			}
			show := a.printEvent
			if asJSON {
				show = a.printEventJSON
			}
			records, err := evidence.Follow(file)
			if err != nil {
				return fmt.Errorf("read what has happened: %w", err)
			}
			defer records.Close()
			return a.printEvents(cmd.Context(), records, from, follow, show)
		},
	}
	source.add(a, c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on as events come")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	c.Flags().StringVar(&since, "since", "", "only what is not older than this, as 10m, or not before this date")
	return c
}

// sinceTime reads --since. The zero time is before everything.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError("--since %s: write a length of time, as 10m, or a date, as 2026-11-22T16:12:07Z", text)
	}
	return t, nil
}

// events is the file of records of an environment or of a run's leg.
func (f *sourceFlags) events(a *app) (string, error) {
	if f.run != "" && f.env.id != "" {
		return "", usageError("--run and --env do not go together")
	}
	if f.run == "" && f.leg == "" {
		e, err := f.env.find(a)
		if err == nil {
			return stand.EventsFile(e.Path), nil
		}
		if !errors.Is(err, errNoneStanding) {
			return "", err
		}
	}
	var args []string
	if f.run != "" {
		args = []string{f.run}
	}
	dir, err := findRun(args)
	if err != nil {
		return "", err
	}
	archive, err := evidence.Open(dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, l := range archive.Legs {
		if len(l.Evidence.Records) > 0 { // it has begun
			names = append(names, l.Name)
		}
	}
	leg := f.leg
	if leg == "" && len(names) > 0 {
		leg = names[len(names)-1]
	}
	if !slices.Contains(names, leg) {
		return "", &rehearse.Error{
			Kind: rehearse.Invalid, File: dir, Msg: fmt.Sprintf("the run has no leg %q", leg), Hint: "It has: " + strings.Join(names, ", ") + ".",
		}
	}
	return evidence.LegFile(dir, leg), nil
}

// printEvents shows a file's events from a time on; with follow, until the file goes
// or says that it is at its end, or nobody reads them any more.
func (a *app) printEvents(ctx context.Context, file *evidence.Follower, from time.Time, follow bool, show func(report.Event) error) error {
	for {
		follow = follow && !file.Removed() // before the last is read
		records, err := file.Next()
		if err != nil {
			return fmt.Errorf("read what has happened: %w", err)
		}
		for _, r := range records {
			if r.Time.Before(from) {
				continue
			}
			for _, e := range report.Events(r) {
				if err := show(e); err != nil {
					return err
				}
			}
			follow = follow && r.End == nil
		}
		if !follow || hungUp(a.stdout) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookTime):
		}
	}
}

func (a *app) printEvent(e report.Event) error {
	cells := []string{e.Time.Local().Format("15:04:05.000"), e.Event, dash(e.Of), e.Text()}
	for i := range cells {
		cells[i] = report.Plain(cells[i])
	}
	line := strings.Join(cells, "\t")
	if _, tty := terminal(a.stdout); tty {
		line = fmt.Sprintf("%s  %-14s  %-16s  %s", cells[0], cells[1], cells[2], cells[3])
	}
	_, err := fmt.Fprintln(a.stdout, strings.TrimRight(line, " \t"))
	return err
}

func (a *app) printEventJSON(e report.Event) error { return json.NewEncoder(a.stdout).Encode(e) }
