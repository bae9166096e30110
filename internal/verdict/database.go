package verdict

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// judgeMigrations finds for each service with migrations whether they run, and
// whether they would block the application in production.
func judgeMigrations(plan *rehearse.Plan, ev *rehearse.Evidence) []rehearse.Finding {
	var findings []rehearse.Finding
	for _, s := range plan.Services {
		if s.Data == nil || len(s.Data.Migrations) == 0 {
			continue
		}
		r := lastMigration(ev, s.Name)
		if r == nil {
			findings = append(findings, missing(string(s.Name)+": migrations run", "", "The evidence does not say how the migrations went."))
			continue
		}
		findings = append(findings, migrationsRun(s, r))
		if r.Unwatched == "" {
			findings = append(findings, migrationsBlock(s, r))
		}
	}
	return findings
}

// lastMigration is the last time that a service was migrated; nil: it never was.
func lastMigration(ev *rehearse.Evidence, name rehearse.ServiceName) *rehearse.MigrationResult {
	var last *rehearse.MigrationResult
	for _, rec := range ev.Records {
		if rec.Migration != nil && rec.Migration.Service == name {
			last = rec.Migration
		}
	}
	return last
}

func migrationsRun(s rehearse.Service, r *rehearse.MigrationResult) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: string(s.Name) + ": migrations run", Evidence: []string{"evidence.jsonl"}}
	f.Got = fmt.Sprintf("%s in %s", count(len(r.Files), "file"), short(r.Elapsed))
	if r.Failed == "" {
		return f
	}
	f.Outcome = rehearse.Fail
	f.Got = "failed"
	if len(r.Files) > 0 {
		f.Got = filepath.Base(r.Files[len(r.Files)-1]) + " failed"
	}
	f.Detail = sentence(r.Failed)
	f.Hint = "It ran on a fresh copy of dataset " + r.Dataset + "; in production it would have failed at the same place."
	return f
}

// migrationsBlock fails for errors. Warnings are shown with them, and alone they
// fail nothing.
func migrationsBlock(s rehearse.Service, r *rehearse.MigrationResult) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: string(s.Name) + ": migrations block nothing", Evidence: []string{"evidence.jsonl"}}
	var wrong, doubtful []string
	for _, m := range r.Findings {
		switch {
		case m.Kind == failedMigration && r.Failed != "": // it has a finding of its own
		case m.Severity == rehearse.MigrationWarning:
			doubtful = append(doubtful, sentence(m.What))
		default:
			wrong = append(wrong, sentence(m.What))
		}
	}
	var parts []string
	if len(wrong) > 0 {
		parts = append(parts, count(len(wrong), "error"))
	}
	if len(doubtful) > 0 {
		parts = append(parts, count(len(doubtful), "warning"))
	}
	f.Got = or(strings.Join(parts, ", "), "nothing blocked")
	f.Detail = strings.Join(slices.Concat(wrong, doubtful, r.Notes), " ")
	switch {
	case len(wrong) > 0:
		f.Outcome = rehearse.Fail
	case r.Failed != "":
		f.Outcome = rehearse.Unverified
		f.Got = "did not run to the end"
		f.Detail = strings.TrimSpace(f.Detail + " What the rest of the migrations would block is not known.")
	}
	return f
}

// failedMigration is the kind of finding that says that a migration failed.
const failedMigration = "migration_failed"

// judgeChurn finds whether there were other writers during a load where the plan
// wants some: without them the load ran under other conditions than were asked for.
func judgeChurn(plan *rehearse.Plan, step string, ev *rehearse.Evidence) []rehearse.Finding {
	var findings []rehearse.Finding
	for _, s := range plan.Services {
		if s.Data == nil || s.Data.Churn <= 0 {
			continue
		}
		check := fmt.Sprintf("%s: other writers of %s", step, s.Name)
		i := slices.IndexFunc(ev.Records, func(rec rehearse.Record) bool {
			return rec.Churn != nil && rec.Churn.Step == step && rec.Churn.Service == s.Name
		})
		if i < 0 {
			findings = append(findings, missing(check, step, "The evidence does not say what was written beside the load."))
			continue
		}
		findings = append(findings, churned(check, step, *ev.Records[i].Churn))
	}
	return findings
}

// A load had other writers if at least half of what was asked for came about,
// where that is enough not to be chance.
const (
	enoughWrites = 20
	shareWritten = 0.5
)

func churned(check, step string, c rehearse.ChurnResult) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: check, Step: step, Evidence: []string{"evidence.jsonl"}}
	expected := c.Wanted * c.Elapsed.Seconds() / 3600
	var conflicts int64
	for _, n := range c.Conflicts {
		conflicts += n
	}
	f.Got = count(int(c.Writes()), "write")
	if c.Wanted > 0 {
		f.Got += fmt.Sprintf(" of about %.0f", expected)
	}
	if conflicts > 0 {
		f.Got += ", " + count(int(conflicts), "conflict")
	}
	switch {
	case c.Failed != "":
		f.Outcome, f.Got = rehearse.Unverified, "did not run"
		f.Detail = "Nothing was written beside the load: " + sentence(c.Failed)
	case c.Wanted == 0:
		f.Outcome = rehearse.Unverified
		f.Detail = strings.Join(append([]string{"The data profile speaks of no writes to tables that are here."}, c.Notes...), " ")
		f.Hint = "Take data." + c.Dataset + ".churn out of rehearse.yaml, or give the profile's tables their churn."
	case expected >= enoughWrites && float64(c.Writes()+conflicts) < shareWritten*expected:
		f.Outcome = rehearse.Unverified
		f.Detail = strings.Join(append([]string{"The load ran beside fewer other writers than were asked for."}, c.Errors...), " ")
		f.Hint = "Lower data." + c.Dataset + ".churn, or give the database more room."
	}
	return f
}
