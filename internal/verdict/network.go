package verdict

import (
	"fmt"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// How far the given delay may be from the asked one: the larger of the two.
const (
	delayTolerance      = 2 * time.Millisecond
	delayToleranceShare = 0.10
)

// judgeNetwork asks whether the network was what the plan says it was.
func judgeNetwork(plan *rehearse.Plan, ev *rehearse.Evidence) []rehearse.Finding {
	var shaped []rehearse.LinkSpec
	for _, l := range plan.Links {
		if !l.Shape.IsZero() {
			shaped = append(shaped, l)
		}
	}
	if len(shaped) == 0 {
		return nil
	}
	stats := map[rehearse.LinkID]rehearse.LinkStats{}
	for _, rec := range ev.Records {
		if rec.Links == nil {
			continue
		}
		for _, s := range rec.Links.Links {
			stats[s.ID] = s
		}
	}
	var findings []rehearse.Finding
	carried := 0
	for _, l := range shaped {
		if s := stats[l.ID]; s.BytesUp+s.BytesDown > 0 {
			carried++
			findings = append(findings, judgeDelay(l, s))
		}
	}
	if plan.Leg.Has(rehearse.FacetNetwork) {
		findings = append(findings, judgeInForce(shaped, carried, len(stats) > 0))
	}
	return findings
}

// judgeDelay compares what the link asked of itself with what it gave, and with
// the plan.
func judgeDelay(l rehearse.LinkSpec, s rehearse.LinkStats) rehearse.Finding {
	asked, given := time.Duration(s.DelayAsked.P50), time.Duration(s.DelayGiven.P50)
	value := given.Seconds()
	f := rehearse.Finding{
		Outcome:  rehearse.Pass,
		Check:    fmt.Sprintf("network: %s delay", l.ID),
		Got:      fmt.Sprintf("asked p50 %s, gave %s", short(s.DelayAsked.P50), short(s.DelayGiven.P50)),
		Value:    &value,
		Evidence: []string{"evidence.jsonl"},
	}
	tolerance := max(delayTolerance, time.Duration(delayToleranceShare*float64(asked)))
	// Half of the shorter way is far below anything that jitter can do to a median.
	least := time.Duration(min(l.Shape.Up.Delay, l.Shape.Down.Delay)) / 2
	switch {
	case s.DelayAsked.Count == 0 || s.DelayGiven.Count == 0:
		f.Got, f.Value = "not measured", nil
		f.Detail = "The link carried traffic but measured no delay, so its shape cannot be shown."
	case asked < least:
		f.Detail = fmt.Sprintf("The plan gives this link %s, but the link asked for less: its shape was not the plan's.", l.Shape)
	case given < asked-tolerance:
		f.Detail = "The link delayed less than it should, so the project had it easier than in production."
	case given > asked+tolerance:
		f.Detail = "The link delayed more than it should, so the project had it harder than in production."
		f.Hint = "This machine is too busy to carry the links on time: give it more cores, or ask for a lower rate."
	default:
		return f
	}
	f.Outcome = rehearse.Unverified
	return f
}

// judgeInForce refuses to call a condition survived that changed nothing.
func judgeInForce(shaped []rehearse.LinkSpec, carried int, measured bool) rehearse.Finding {
	value := float64(carried)
	f := rehearse.Finding{
		Outcome: rehearse.Pass,
		Check:   "network: in force",
		Got:     fmt.Sprintf("%d of %s used", carried, count(len(shaped), "shaped link")),
		Value:   &value,
	}
	if carried > 0 {
		return f
	}
	f.Outcome = rehearse.Unverified
	if !measured {
		f.Got, f.Value = "not measured", nil
		f.Detail = "The evidence holds no figures of the links."
		return f
	}
	ids := make([]string, len(shaped))
	for i, l := range shaped {
		ids[i] = string(l.ID)
	}
	f.Detail = "No shaped link carried a byte, and a condition that changed nothing is not survived: " + strings.TrimSpace(list(ids, 6)) + "."
	f.Hint = "Check that the services reach each other by their Compose names, or send traffic that needs these links."
	return f
}
