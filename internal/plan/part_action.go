package plan

import (
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// takes reports whether an action can be less than in production by an aspect.
func takes(a rehearse.Action, by rehearse.Aspect) bool {
	if by == rehearse.AspectFor {
		return a.For > 0
	}
	return a.Fault != nil && a.Fault.Kind.Takes(string(by))
}

// asFarAs is an action with an aspect of this value, in its part's unit.
func asFarAs(a rehearse.Action, by rehearse.Aspect, value float64) rehearse.Action {
	if by == rehearse.AspectFor {
		a.For = rehearse.Duration(seconds(value))
		return a
	}
	f := *a.Fault
	switch by {
	case rehearse.AspectDelay:
		f.Delay = rehearse.Duration(seconds(value))
	case rehearse.AspectProbability:
		f.Probability = value
	case rehearse.AspectShare:
		f.Share = value
	}
	a.Fault = &f
	return a
}

// axisOf is the aspect that says most about how far an action goes, and how far it
// does; empty where it has no degrees. Of a late answer it is how late, of lost
// packets how many, and of errors how many requests have them. What befalls all that
// passes, and services, is more or less by how long it lasts.
func axisOf(a rehearse.Action) (axis rehearse.Aspect, full float64) {
	if f := a.Fault; f != nil {
		switch f.Kind {
		case rehearse.FaultDelay, rehearse.FaultSlowClose:
			return rehearse.AspectDelay, f.Delay.Seconds()
		case rehearse.FaultLoss, rehearse.FaultDuplicate, rehearse.FaultReorder, rehearse.FaultCorrupt:
			return rehearse.AspectShare, f.Share
		case rehearse.FaultRate, rehearse.FaultSlice, rehearse.FaultPartition, rehearse.FaultBlackhole, rehearse.FaultStall, rehearse.FaultLimit:
		default:
			if f.Probability == 0 {
				return rehearse.AspectProbability, 1
			}
			return rehearse.AspectProbability, f.Probability
		}
	}
	if a.For > 0 {
		return rehearse.AspectFor, a.For.Seconds()
	}
	return "", 0
}

// aspectsHint says by which aspects an action can be less.
func aspectsHint(a rehearse.Action) string {
	var names []string
	for _, by := range rehearse.Aspects(rehearse.FacetFaults) {
		if takes(a, by) {
			names = append(names, "."+string(by))
		}
	}
	if len(names) == 0 {
		return "It is in force altogether or not at all; leave the aspect out."
	}
	return fmt.Sprintf("It can be less than in production by %s.", strings.Join(names, ", "))
}
