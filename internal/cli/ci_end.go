package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/forge"
)

// cancelTime is how long a forge is tried by a job that was cancelled: GitHub asks a
// second time after 7.5 seconds, which ends us.
const cancelTime = 5 * time.Second

// cancellation is what became of saying that a job was cancelled.
type cancellation struct {
	posted forge.Posted
	why    string // nothing was tried
	errs   []error
}

// cancelled marks the comment that there is, and completes the check of the commit. It
// prints nothing, for somebody else does meanwhile.
func cancelled(ctx context.Context, job *forge.Job, args []string, now time.Time) (c cancellation) {
	ctx, cancel := context.WithTimeout(ctx, cancelTime)
	defer cancel()
	to, why, err := job.Forge(forge.Waiting{Patience: cancelTime})
	if to == nil {
		return cancellation{why: why, errs: []error{err}}
	}
	marker := job.Marker(projectOf(job, directoryOf(args)))
	text := "The rehearsal"
	if job.Commit != "" {
		text += " of `" + job.Commit[:min(7, len(job.Commit))] + "`"
	}
	text += " was cancelled at " + now.UTC().Format(minutes)
	if job.RunURL != "" {
		text += ": see [the run](" + job.RunURL + ")"
	}
	if job.Number != 0 {
		c.posted, err = to.Mark(ctx, forge.Comment{Number: job.Number, Marker: marker, Body: "> **" + text + ".** What follows was said before."})
		c.errs = append(c.errs, err)
	}
	if marker.Commit != "" {
		c.errs = append(c.errs, to.Check(ctx, forge.Check{
			Name: checkName(marker.Project), Commit: marker.Commit, Conclusion: forge.Cancelled, Title: "cancelled", Summary: text + ".", URL: job.RunURL, ID: checkID(marker),
		}))
	}
	return c
}

// minutes is a time as comments say it.
const minutes = "2006-01-02 15:04 MST"

// reportCancelled says what became of it.
func (a *app) reportCancelled(c cancellation) {
	for _, err := range c.errs {
		if err != nil {
			a.warn("it is not said everywhere that this was cancelled", err)
		}
	}
	a.reportMarked(c.posted, c.why)
}

func (a *app) reportMarked(posted forge.Posted, why string) {
	switch {
	case posted.URL != "":
		fmt.Fprintln(a.stderr, "marked:", posted.URL)
	case posted.Left != "":
		fmt.Fprintln(a.stderr, posted.Left)
	case why != "":
		fmt.Fprintln(a.stderr, why)
	}
}

// endTime is how long rehearsals that were asked to end are waited for.
const endTime = 15 * time.Second

// endChange ends the rehearsals of a closed pull request that are still under way on
// this host, removes what dead ones have left, and marks the comment.
func (a *app) endChange(ctx context.Context, job *forge.Job, args []string, patience time.Duration) error {
	about := job.About()
	if about == "" {
		return fmt.Errorf("end the rehearsals of a change that is not known")
	}
	entries, err := a.Store().List()
	if err != nil {
		return err
	}
	var errs []error
	var ended []environment.Entry
	for _, e := range entries {
		if !e.Alive || !strings.HasPrefix(e.Change, about) {
			continue
		}
		p, err := os.FindProcess(e.PID)
		if err == nil {
			err = p.Signal(syscall.SIGTERM)
		}
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("end %s: %w", e.ID, err))
			continue
		}
		ended = append(ended, e)
		fmt.Fprintln(a.stdout, "ended", e.ID)
	}
	// They mark the comment themselves: ours is the last word.
	waiting, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	for _, e := range ended {
		_ = e.AwaitEnd(waiting) // what is not over by then is said by whoever looks for it
	}
	removed, err := a.Store().Collect(ctx, a.Drivers()...)
	for _, r := range removed {
		fmt.Fprintln(a.stdout, "removed", r)
	}
	to, why, failed := job.Forge(forge.Waiting{Patience: patience})
	var posted forge.Posted
	if to != nil {
		posted, failed = to.Mark(ctx, forge.Comment{
			Number: job.Number, Marker: job.Marker(projectOf(job, directoryOf(args))),
			Body: "> **Closed at " + time.Now().UTC().Format(minutes) + ":** nothing of it is rehearsed any more, and its environments are gone. What follows was said before.",
		})
	}
	if failed != nil {
		a.warn("the comment does not say that the pull request is closed", failed)
	}
	a.reportMarked(posted, why)
	return errors.Join(append(errs, err)...)
}
