package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// explain turns an engine's error into one that a person can act on, where it is
// known what to do about it. Others stay as they are, without the client's
// preamble.
func explain(err error) error {
	var known *rehearse.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	said := &engineError{err}
	text := err.Error()
	switch {
	case isDiskFull(text):
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "the engine's disk is full", Err: said,
			Hint: "`docker system df` says what takes the space, and `docker system prune` frees what nothing uses.",
		}
	case unstartable.MatchString(text):
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "its program cannot be started: " + unstartable.FindStringSubmatch(text)[1],
			Hint: "Correct the service's command or entrypoint in the Compose file, or its image.",
		}
	case unknownUser.MatchString(text):
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: unknownUser.FindString(text) + ", which its image does not have",
			Hint: "Correct the service's user or group_add in the Compose file, or use the number.",
		}
	case strings.Contains(text, "error gathering device information"):
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "the engine's host does not have a device that it asks for", Err: said,
			Hint: "Leave the device out of the rehearsal, with an override file.",
		}
	case strings.Contains(strings.ToLower(text), "no command"):
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "its image has no command", Err: said,
			Hint: "Give the service a command in the Compose file, or the image one, with CMD.",
		}
	case client.IsErrConnectionFailed(err):
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "the engine does not answer any more", Err: said,
			Hint: "It was stopped or restarted. Try again when `docker version` answers.",
		}
	}
	return said
}

// refused is why an engine does not make a container.
func refused(err error) error {
	said := explain(err)
	var known *rehearse.Error
	if errors.As(said, &known) || !errdefs.IsInvalidArgument(err) {
		return said
	}
	e := &rehearse.Error{
		Kind: rehearse.Invalid, Msg: "the engine refuses what it asks for", Err: said,
		Hint: "Correct the service in the Compose file.",
	}
	if lacking.MatchString(err.Error()) {
		e.Kind, e.Hint = rehearse.Unavailable, "Ask for no more than this engine has, with an override file, or use another engine."
	}
	return e
}

// lacking is how an engine says that it has not what a container asks for.
var lacking = regexp.MustCompile(`(?i)only \d+ CPUs available|unknown (or invalid )?runtime`)

// unknownUser is how engines say that an image does not know a user or group.
var unknownUser = regexp.MustCompile(`(?i)unable to find (?:user|group) [^:]+`)

// answerTime is how long an engine may take to say what it has, or to remove a thing.
const answerTime = 30 * time.Second

var errSilent = &rehearse.Error{
	Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the engine has said nothing for %v", answerTime),
	Hint: "Try again when `docker version` answers.",
}

// inTime puts the cause of a context's end, where it has one, in the place of an error
// that comes of it.
func inTime(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// isSilence says that an engine has given no answer: it has gone, or was waited for
// long enough.
func isSilence(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || client.IsErrConnectionFailed(err)
}

// unstartable is how runc and crun say that a container's program cannot be started.
var unstartable = regexp.MustCompile("(?:start container process: exec: |crun: executable file )(.+?)(?:: unknown|: OCI runtime.*)?$")

func isDiskFull(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "no space left on device") || strings.Contains(text, "disk quota exceeded") || strings.Contains(text, "not enough space")
}

// engineError is an engine's error in its own words.
type engineError struct{ err error }

func (e *engineError) Error() string {
	return strings.TrimPrefix(e.err.Error(), "Error response from daemon: ")
}

func (e *engineError) Unwrap() error { return e.err }
