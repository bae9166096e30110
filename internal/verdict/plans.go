package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// unexplained is the kind of finding that a statement has of which no plan is
// known on either side. It shows nothing of the change.
const unexplained = "statement_unexplained"

// shownPlans is how many statements a finding tells of; the report has them all.
const shownPlans = 3

// judgePlans answers a check of plans.
func judgePlans(c rehearse.Check, plan *rehearse.Plan, ev *rehearse.Evidence) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: "check: " + c.Name, Evidence: []string{"evidence.jsonl"}}
	var worse, open []string
	statements, about, migrated := 0, 0, 0
	for _, s := range plan.Services {
		if s.Data == nil || c.Dataset != "" && s.Data.Name != c.Dataset {
			continue
		}
		if s.Data.Profile == "" {
			if c.Dataset != "" && plan.Leg.Has(rehearse.FacetData) {
				open = append(open, fmt.Sprintf("Dataset %s has no profile, and so no statements of production's.", s.Data.Name))
				f.Hint = "Make one with rehearse data profile."
			}
			continue
		}
		about++
		if len(s.Data.Migrations) == 0 {
			continue
		}
		migrated++
		i := slices.IndexFunc(ev.Records, func(rec rehearse.Record) bool { return rec.Plans != nil && rec.Plans.Service == s.Name })
		if i < 0 {
			open = append(open, fmt.Sprintf("The evidence does not say how %s plans its statements.", s.Name))
			continue
		}
		r := ev.Records[i].Plans
		statements += r.Statements
		got, unknown := comparison(r)
		worse, open = append(worse, got...), append(open, unknown...)
		if r.Hint != "" {
			f.Hint = r.Hint
		}
	}
	switch {
	case len(worse) > 0:
		f.Outcome, f.Got = rehearse.Fail, fmt.Sprintf("%d of %s", len(worse), count(statements, "statement"))
		f.Detail = strings.Join(worse[:min(len(worse), shownPlans)], " ")
		if more := len(worse) - shownPlans; more > 0 {
			f.Detail += fmt.Sprintf(" And %d more.", more)
		}
	case len(open) > 0:
		f.Outcome, f.Got = rehearse.Unverified, "not compared"
		f.Detail = strings.Join(open, " ")
	case about == 0 && !plan.Leg.Has(rehearse.FacetData):
		f.Outcome, f.Got = rehearse.Skipped, "not asked"
		f.Detail = "The data of this leg is flat, and production's statements are asked of production's data."
	case about == 0:
		f.Outcome, f.Got = rehearse.Unverified, "no dataset"
		f.Detail = "No service has a dataset that a profile describes."
		f.Hint = "Make a profile with rehearse data profile, and name it under data."
	case migrated == 0:
		f.Got = "no migrations"
	default:
		f.Got = "none of " + count(statements, "statement")
	}
	return f
}

// comparison says which statements of a service have become worse, and why others
// are not known, a sentence or more each.
func comparison(r *rehearse.PlansResult) (worse, open []string) {
	if r.Failed != "" {
		return nil, []string{"The plans of " + string(r.Service) + " were not compared: " + sentence(r.Failed)}
	}
	unknown := 0
	for _, p := range r.Findings {
		if p.Kind == unexplained {
			unknown++
			continue
		}
		worse = append(worse, fmt.Sprintf("%s: %s", cut(strings.Join(strings.Fields(p.SQL), " "), 120), sentence(p.What)))
	}
	if unknown > 0 && unknown == r.Statements {
		open = append(open, fmt.Sprintf("No statement of %s could be planned, not even without the migrations.", r.Service))
	}
	return worse, open
}
