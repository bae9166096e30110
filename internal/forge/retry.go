package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v93/github"

	"github.com/rehearse-dev/rehearse"
)

const (
	// patience is how long a forge that is down or busy is tried again, in all.
	patience = 2 * time.Minute
	// firstPause is between the first two attempts; it doubles.
	firstPause = time.Second
	// secondaryPause is what GitHub asks for after a secondary limit that does not say
	// how long to wait.
	secondaryPause = time.Minute
)

// Waiting is how a client waits: for how long in all, and by which clock.
type Waiting struct {
	Patience time.Duration                              // 0: two minutes
	Sleep    func(context.Context, time.Duration) error // nil: it really waits
	Now      func() time.Time                           // nil: time.Now
}

func (w Waiting) orDefault() Waiting {
	if w.Patience == 0 {
		w.Patience = patience
	}
	if w.Now == nil {
		w.Now = time.Now
	}
	if w.Sleep == nil {
		w.Sleep = func(ctx context.Context, d time.Duration) error {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return w
}

// again calls f until it succeeds, fails for good, or the patience is at its end. f
// is told how often it was called before, and must be fit to be called again after any
// error: an answer that got lost may have been a success.
func (w Waiting) again(ctx context.Context, f func(ctx context.Context, before int) error) error {
	end := w.Now().Add(w.Patience)
	ctx, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	pause := firstPause
	for before := 0; ; before++ {
		err := f(ctx, before)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait, worth := w.pause(err, pause)
		if !worth {
			return err
		}
		if w.Now().Add(wait).After(end) {
			attempts := "one attempt"
			if before > 0 {
				attempts = fmt.Sprintf("%d attempts", before+1)
			}
			return fmt.Errorf("given up after %s and %s: %w", w.Patience, attempts, err)
		}
		if w.Sleep(ctx, wait) != nil {
			return err
		}
		pause *= 2
	}
}

// pause is how long to wait after an error, and whether that is worth it.
func (w Waiting) pause(err error, usual time.Duration) (wait time.Duration, worth bool) {
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	var refused *github.ErrorResponse
	var answered *statusError
	var network *url.Error
	switch {
	case errors.As(err, &primary):
		return max(primary.Rate.Reset.Sub(w.Now()), 0) + time.Second, true
	case errors.As(err, &secondary):
		if secondary.RetryAfter != nil {
			return max(*secondary.RetryAfter, firstPause), true
		}
		return max(secondaryPause, usual), true
	case errors.As(err, &refused):
		return w.pauseOf(refused.Response.StatusCode, refused.Response.Header, usual)
	case errors.As(err, &answered):
		return w.pauseOf(answered.code, answered.header, usual)
	case errors.As(err, &network):
		return usual, true
	}
	return 0, false
}

func (w Waiting) pauseOf(status int, header http.Header, usual time.Duration) (time.Duration, bool) {
	if seconds, err := time.ParseDuration(header.Get("Retry-After") + "s"); err == nil {
		return max(seconds, firstPause), true
	}
	return usual, status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// statusError is an answer of a forge that is not what was asked for.
type statusError struct {
	code    int
	header  http.Header
	message string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.message)
}

// status is that of the answer behind an error; 0 when there was none.
func status(err error) int {
	var refused *github.ErrorResponse
	var answered *statusError
	switch {
	case errors.As(err, &refused):
		return refused.Response.StatusCode
	case errors.As(err, &answered):
		return answered.code
	}
	return 0
}

// refusal is an error of a forge, with what a person can do about it. Without the
// permission, forges say 403, or 404 of what the token may not even see.
func refusal(doing, permission string, err error) error {
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: doing, Err: err, Hint: "The verdict does not depend on it. Run the job again when the forge answers."}
	switch status(err) {
	case http.StatusUnauthorized:
		e.Hint = "The forge does not know the token: it has expired, or is for another forge."
	case http.StatusForbidden, http.StatusNotFound:
		e.Hint = "The token lacks a permission: give the job " + permission + ". Runs of forks never have it; see docs/ci.md."
	case http.StatusUnprocessableEntity:
		e.Hint = "The forge does not take what was said; please report this."
	}
	return e
}
