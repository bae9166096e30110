package verdict

import (
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

func judgeSuite(step rehearse.SuiteStep, ev *rehearse.Evidence) rehearse.Finding {
	check := step.Name + ": suite"
	var r *rehearse.SuiteResult
	for _, rec := range ev.Records {
		if rec.Suite != nil && rec.Suite.Step == step.Name {
			r = rec.Suite
		}
	}
	if r == nil {
		return missing(check, step.Name, "The evidence holds no result of this suite.")
	}
	var bad []rehearse.Test
	ran := 0
	for _, t := range r.Tests {
		switch t.Outcome {
		case "failed":
			bad = append(bad, t)
			ran++
		case "passed":
			ran++
		}
	}
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: check, Step: step.Name}
	if r.Output != "" {
		f.Evidence = []string{r.Output}
	}
	switch {
	case r.Skipped != "":
		f.Outcome = rehearse.Unverified
		if step.Optional {
			f.Outcome = rehearse.Skipped
		}
		f.Got = "skipped"
		f.Detail = "The suite did not run: " + sentence(r.Skipped)
		return f
	case r.TimedOut:
		f.Outcome = rehearse.Fail
		f.Got = "timed out"
		f.Detail = fmt.Sprintf("The suite was still running after %s and was stopped.%s", short(r.Elapsed), because(bad, r.Tail))
		return f
	case r.ExitCode != 0:
		f.Outcome = rehearse.Fail
		f.Detail = fmt.Sprintf("The suite ended with %s.%s", exit(r.ExitCode), because(bad, r.Tail))
	case len(bad) > 0:
		// One of the two is wrong, and nobody here can know which.
		f.Outcome = rehearse.Unverified
		f.Detail = "The suite ended with exit code 0, but its results hold failed tests." + because(bad, nil)
	case len(r.Tests) > 0 && ran == 0:
		f.Outcome = rehearse.Unverified
		f.Detail = "The suite skipped every one of its tests."
	}
	for _, n := range r.Notes {
		f.Detail = strings.TrimSpace(f.Detail + " " + sentence(n))
	}
	value := float64(r.ExitCode)
	f.Value = &value
	switch {
	case len(bad) > 0:
		f.Got = fmt.Sprintf("%d of %s failed", len(bad), count(len(r.Tests), "test"))
	case r.ExitCode != 0:
		f.Got = exit(r.ExitCode)
	case len(r.Tests) > 0:
		f.Got = fmt.Sprintf("%d of %s passed", ran, count(len(r.Tests), "test"))
	default:
		f.Got = "exit code 0"
	}
	return f
}

// because names the failed tests; without any, the last lines of the output.
func because(bad []rehearse.Test, tail []string) string {
	if len(bad) > 0 {
		names := make([]string, len(bad))
		for i, t := range bad {
			names[i] = t.Name
			if msg := lastLines(strings.Split(t.Message, "\n")[:1], 1); len(msg) > 0 {
				names[i] += " (" + msg[0] + ")"
			}
		}
		return " Failed: " + list(names, 5) + "."
	}
	if lines := lastLines(tail, logLines); len(lines) > 0 {
		return " Its last lines: " + strings.Join(lines, " ⏎ ")
	}
	return ""
}
