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
