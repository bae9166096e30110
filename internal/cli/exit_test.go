package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestExitCode(t *testing.T) {
	of := func(k rehearse.Kind) error { return &rehearse.Error{Kind: k, Msg: "it went wrong"} }
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, 0},
		{"the user's files", of(rehearse.Invalid), 2},
		{"several problems in them", rehearse.Problems{{Kind: rehearse.Invalid}, {Kind: rehearse.Invalid}}, 2},
		{"the user's files, wrapped", fmt.Errorf("prepare: %w", of(rehearse.Invalid)), 2},
		{"what cobra says", errors.New(`unknown command "rnu" for "rehearse"`), 2},
		{"what the host lacks", of(rehearse.Unavailable), 3},
		{"a service outside of a rehearsal", of(rehearse.NotReady), 3},
		{"our own mistake", of(rehearse.Internal), 3},
		{"an error that nobody foresaw", errors.New("unexpected"), 3},
		{"Ctrl-C", of(rehearse.Interrupted), 130},
		{"a context that ended", fmt.Errorf("wait: %w", context.Canceled), 130},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOutcomeCode(t *testing.T) {
	for outcome, want := range map[rehearse.Outcome]int{
		rehearse.Pass: 0, rehearse.Fail: 1, rehearse.Unverified: 3, "unheard of": 3,
	} {
		if got := outcomeCode(outcome); got != want {
			t.Errorf("%s: exit code %d, want %d", outcome, got, want)
		}
	}
}
