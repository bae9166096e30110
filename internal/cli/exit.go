package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// The exit codes. "Your change is bad" never looks like "our tool broke".
const (
	exitPass        = 0   // the verdict is a pass, or the command did what it should
	exitFail        = 1   // the verdict is a fail
	exitUsage       = 2   // your command or your files are wrong
	exitCannot      = 3   // the rehearsal could not be run, or could not show what it should
	exitInterrupted = 130 // Ctrl-C
)

// exitCode decides the exit code of an error.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitPass
	case errors.Is(err, context.Canceled), rehearse.KindOf(err) == rehearse.Interrupted:
		return exitInterrupted
	case rehearse.KindOf(err) == rehearse.Invalid, isCobraUsage(err):
		return exitUsage
	}
	return exitCannot
}

// isCobraUsage recognises what cobra itself says about a command line, for which
// it has no type.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires ", "unknown flag", "unknown shorthand", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

// outcomeCode decides the exit code of a verdict.
func outcomeCode(o rehearse.Outcome) int {
	switch o {
	case rehearse.Pass:
		return exitPass
	case rehearse.Fail:
		return exitFail
	}
	return exitCannot
}
