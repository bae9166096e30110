package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// What a generator must reach for its load to count as offered.
const (
	offeredShare = 0.99
	offeredLate  = 50 * time.Millisecond
)

func judgeLoad(step rehearse.LoadStep, ev *rehearse.Evidence) []rehearse.Finding {
	var result *rehearse.LoadResult
	for _, rec := range ev.Records {
		if rec.Load != nil && rec.Load.Step == step.Name {
			result = rec.Load
		}
	}
	findings := []rehearse.Finding{judgeOffered(step, result, ev.Samples[step.Name])}
	for _, t := range step.Thresholds {
		if result == nil {
			findings = append(findings, missing(step.Name+": "+t.String(), step.Name, "The evidence holds no result of this load."))
			continue
		}
		f := judgeThreshold(t, *result, ev.Samples[step.Name], findings[0].Outcome == rehearse.Pass)
		f.Check, f.Step, f.Evidence = step.Name+": "+t.String(), step.Name, []string{result.Samples}
		findings = append(findings, f)
	}
	return findings
}

// judgeOffered asks whether the generator did what the profile asks. If not,
// nothing can be said of the project, for better or worse.
func judgeOffered(step rehearse.LoadStep, r *rehearse.LoadResult, samples []rehearse.Sample) rehearse.Finding {
	check := step.Name + ": load offered"
	if r == nil {
		return missing(check, step.Name, "The evidence holds no result of this load.")
	}
	late := time.Duration(r.Late.P99)
	if r.Late.Count == 0 {
		late = lateness(samples)
	}
	f := rehearse.Finding{
		Outcome:  rehearse.Pass,
		Check:    check,
		Step:     step.Name,
		Got:      fmt.Sprintf("%d of %d", r.Sent, r.Asked),
		Evidence: []string{r.Samples},
	}
	switch {
	case r.Asked <= 0:
		f.Outcome = rehearse.Unverified
		f.Got = "nothing asked"
		f.Detail = "The traffic profile asked for no request, so the load shows nothing."
	case slices.ContainsFunc(samples, func(s rehearse.Sample) bool { return s.Error == "canceled" }):
		f.Outcome = rehearse.Unverified
		f.Detail = "The load was interrupted before its end."
		return f
	case float64(r.Sent) < offeredShare*float64(r.Asked):
		f.Outcome = rehearse.Unverified
		f.Detail = fmt.Sprintf("The load generator could send only %d of the %d requests that the profile asks for.", r.Sent, r.Asked)
	case late >= offeredLate:
		f.Outcome = rehearse.Unverified
		f.Got += ", p99 late by " + rehearse.Round(late).String()
		f.Detail = fmt.Sprintf("The load generator sent the slowest hundredth of its requests %v or more after the profile's time.", rehearse.Round(late))
	default:
		return f
	}
	if r.Asked > 0 {
		f.Hint = "This machine is too busy for the profile: give it more cores, or ask for a lower rate."
	}
	return f
}

// lateness is the 99th percentile of how far sending lagged behind the profile.
func lateness(samples []rehearse.Sample) time.Duration {
	made := sent(samples)
	if len(made) == 0 {
		return 0
	}
	late := seconds(made, func(s rehearse.Sample) time.Duration { return time.Duration(s.Sent - s.Intended) })
	slices.Sort(late)
	return time.Duration(percentile(late, 99) * float64(time.Second))
}

func judgeThreshold(t rehearse.Threshold, r rehearse.LoadResult, samples []rehearse.Sample, offered bool) rehearse.Finding {
	// Evidence that somebody edited can hold a threshold that nobody parsed.
	if _, ok := rehearse.Metrics[t.Metric]; !ok {
		return rehearse.Finding{Outcome: rehearse.Unverified, Got: "not a threshold", Detail: "The plan in the evidence holds a threshold that cannot be read."}
	}
	v, ok := metric(t, samples, time.Duration(r.Elapsed))
	if !ok {
		return rehearse.Finding{Outcome: rehearse.Unverified, Got: "no samples", Detail: noSamples(t)}
	}
	f := rehearse.Finding{Outcome: rehearse.Pass, Got: t.Format(v), Value: &v, Detail: explainValue(t, v, tagged(samples, t.Tag))}
	if t.Holds(v) {
		return f
	}
	f.Outcome = rehearse.Fail
	if blame := generatorsFault(t, samples, offered); blame != "" {
		f.Outcome = rehearse.Unverified
		f.Detail = strings.TrimSpace(f.Detail + " " + blame)
	}
	return f
}

func noSamples(t rehearse.Threshold) string {
	switch {
	case t.Metric == "checks":
		return "No request of this load has a check, so there is no rate of them."
	case t.Tag != "":
		return fmt.Sprintf("No request with the name %q was sent, so the threshold has nothing to hold for.", t.Tag)
	}
	return "No request was sent, so the threshold has nothing to hold for."
}

// generatorsFault says why a threshold that does not hold says nothing of the
// project; it is empty when it does.
func generatorsFault(t rehearse.Threshold, samples []rehearse.Sample, offered bool) string {
	switch {
	case t.Metric == "dropped_iterations":
		return "These are requests that the load generator could not send; they say nothing of the project."
	case offered:
		return ""
	case t.Metric == "http_reqs":
		return "The load generator did not offer what the profile asks, which alone explains it."
	case t.Metric == "http_req_duration":
		v, ok := trend(t, seconds(sent(tagged(samples, t.Tag)), fromSent))
		if ok && t.Holds(v) {
			return fmt.Sprintf("The load generator was late; from the moment of sending it is %s, which is within the bound.", t.Format(v))
		}
	}
	return ""
}

// explainValue puts the samples behind a figure into a sentence.
func explainValue(t rehearse.Threshold, v float64, samples []rehearse.Sample) string {
	made := sent(samples)
	switch t.Metric {
	case "http_req_failed":
		return explainFailures(made)
	case "http_req_duration":
		return explainLatency(t, v, made)
	case "checks":
		return explainChecks(made)
	case "dropped_iterations":
		return fmt.Sprintf("%d of %s could not be sent in time.", len(samples)-len(made), count(len(samples), "request"))
	}
	return count(len(made), "request") + " were sent."
}

// explainChecks names the requests that were answered as if all were well, and
// whose answers lack a text: no other figure tells of them.
func explainChecks(made []rehearse.Sample) string {
	passed, missed := checks(made)
	text := fmt.Sprintf("%d of %s did not hold", missed, count(passed+missed, "check"))
	lacking := map[string]int{}
	var first rehearse.Duration
	for _, s := range made {
		if s.Error == "" && s.Missed > 0 {
			if len(lacking) == 0 || s.Intended < first {
				first = s.Intended
			}
			lacking[or(s.Request, "unnamed")]++
		}
	}
	if len(lacking) == 0 {
		return text + "."
	}
	names := slices.SortedFunc(maps.Keys(lacking), func(a, b string) int {
		return cmp.Or(lacking[b]-lacking[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d to %s", lacking[name], name)
	}
	return fmt.Sprintf("%s. Successful answers without a text that they should hold: %s; the first at %s.", text, list(names, 4), at(first))
}

// explainFailures names the kinds of error, the most common first: "128 of 412
// requests failed: 101 status 503, 27 timeout; the first at 8.2 s."
func explainFailures(made []rehearse.Sample) string {
	bad := failures(made)
	if len(bad) == 0 {
		return fmt.Sprintf("None of %s failed.", count(len(made), "request"))
	}
	first := bad[0].Intended
	kinds := map[string]int{}
	for _, s := range bad {
		first = min(first, s.Intended)
		kinds[errorKind(s)]++
	}
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(kinds[b]-kinds[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", kinds[name], name)
	}
	return fmt.Sprintf("%d of %s failed: %s; the first at %s.", len(bad), count(len(made), "request"), list(names, 4), at(first))
}

func errorKind(s rehearse.Sample) string {
	switch {
	case s.Error == "status" && s.Status != 0:
		return fmt.Sprintf("status %d", s.Status)
	case s.Error == "":
		return "no answer"
	}
	return s.Error
}

// explainLatency says how many requests were beyond the bound, since when, and
// which was the slowest.
func explainLatency(t rehearse.Threshold, v float64, made []rehearse.Sample) string {
	if t.Holds(v) || (t.Op != "<" && t.Op != "<=") {
		return "Over " + count(len(made), "request") + "."
	}
	slow, slowest := 0, made[0]
	var first rehearse.Duration
	for _, s := range made {
		if s.Duration() > slowest.Duration() {
			slowest = s
		}
		if !t.Holds(s.Duration().Seconds()) {
			if slow == 0 || s.Intended < first {
				first = s.Intended
			}
			slow++
		}
	}
	text := fmt.Sprintf("%d of %s took longer than %s, the first at %s; the slowest (%s) took %v.",
		slow, count(len(made), "request"), t.Format(t.Bound), at(first), or(slowest.Request, "unnamed"), rehearse.Round(slowest.Duration()))
	if bad := failures(made); len(bad) > 0 {
		text += " " + explainFailures(made)
	}
	return text
}
