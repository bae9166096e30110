package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// coverageText says how well it is known which request each call belongs to.
func coverageText(c rehearse.Coverage) string {
	text := fmt.Sprintf("%s of %s attributed with certainty", share(c.Context+c.Certain, c.Calls), many(int64(c.Calls), "call"))
	if c.Inferred > 0 {
		text += ", " + share(c.Inferred, c.Calls) + " inferred"
	}
	if c.Unknown > 0 {
		text += ", " + share(c.Unknown, c.Calls) + " unknown"
	}
	return text
}

// known says what is known of a leg's calls, as a sentence; empty when there were
// none.
func (l leg) known() string {
	var parts []string
	if l.telemetry != nil && l.telemetry.Coverage.Calls > 0 {
		parts = append(parts, coverageText(l.telemetry.Coverage))
	}
	if l.left != nil && l.left.Forwarded > 0 {
		parts = append(parts, many(l.left.Forwarded, "span")+" forwarded")
	}
	if parts == nil {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}

// many is "1 span", "41,310 spans".
func many(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// lacks says what is missing of a leg's telemetry, and what was wrong with it, as
// complete sentences.
func (l leg) lacks() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, plain(fmt.Sprintf(format, args...))) }
	if r := l.left; r != nil {
		if r.Lost > 0 {
			say("%s of %s were not kept; the figures of operations count them all the same.", number(r.Lost), many(r.Spans, "span"))
		}
		for _, s := range slices.Sorted(maps.Keys(r.Refused)) {
			say("%s from %s came faster than it could be kept, and got the answer to wait (429).", many(r.Refused[s], "request")+" with telemetry", s)
		}
		for _, s := range slices.Sorted(maps.Keys(r.Malformed)) {
			say("%s from %s could not be read (400).", many(r.Malformed[s], "request")+" with telemetry", s)
		}
		for _, id := range slices.Sorted(maps.Keys(r.Undecoded)) {
			for _, why := range slices.Sorted(maps.Keys(r.Undecoded[id])) {
				say("%s on %s could not be decoded (%s).", many(r.Undecoded[id][why], "connection"), edge(id), why)
			}
		}
		if r.Unforwarded > 0 {
			say("%s could not be forwarded.", many(r.Unforwarded, "span"))
		}
		if !r.Quiet && r.Spans > 0 {
			say("Calls were still in flight when the leg ended.")
		}
	}
	if t := l.telemetry; t != nil && len(t.Flaws) > 0 {
		var flaws []string
		for _, flaw := range slices.Sorted(maps.Keys(t.Flaws)) {
			flaws = append(flaws, fmt.Sprintf("%s (%s)", flaw, number(int64(t.Flaws[flaw]))))
		}
		say("What SDKs sent had flaws: %s.", strings.Join(flaws, ", "))
	}
	return out
}

// poolColumns are the heads of a table of pools; poolRow gives the cells.
var poolColumns = []string{"pool", "size", "busy at most", "lost", "none free for", "waited", "wait p50", "wait p99", "held p50", "round trips"}

func poolRow(p rehearse.Pool) []string {
	size := "never short"
	if p.Size > 0 {
		size = number(int64(p.Size))
	}
	return []string{
		plain(edge(p.Link)),
		size,
		number(int64(p.Peak)),
		number(int64(p.Lost)),
		short(p.Saturated, p.Saturated > 0),
		number(int64(p.Waited)),
		short(p.Waits.P50, p.Waits.Count > 0),
		short(p.Waits.P99, p.Waits.Count > 0),
		short(p.Holds.P50, p.Holds.Count > 0),
		tripsText(p),
	}
}

// tripsText is "5 × 84ms": what a request does while it holds a connection.
func tripsText(p rehearse.Pool) string {
	if p.Trips == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g × %s", p.Trips, short(p.RTT, true))
}

// poolText tells of a pool that was short, as a sentence.
func poolText(p rehearse.Pool) string {
	text := fmt.Sprintf("%s: a pool of %s; for %s none was free, and %s waited", plain(edge(p.Link)), many(int64(p.Size), "connection"), short(p.Saturated, true), many(int64(p.Waited), "request"))
	if p.Waits.Count > 0 {
		text += fmt.Sprintf(" (p50 %s, p99 %s)", short(p.Waits.P50, true), short(p.Waits.P99, true))
	}
	if p.Holds.Count > 0 {
		text += fmt.Sprintf("; each is held for %s (p50)", short(p.Holds.P50, true))
		if p.Trips > 0 {
			text += ", round trips " + tripsText(p)
		}
	}
	if p.Lost > 0 {
		text += fmt.Sprintf("; %s lost and not replaced", number(int64(p.Lost)))
	}
	return text + "."
}

// shortPools are those that made requests wait.
func (l leg) shortPools() []rehearse.Pool {
	var out []rehearse.Pool
	if l.telemetry != nil {
		for _, p := range l.telemetry.Pools {
			if p.Size > 0 {
				out = append(out, p)
			}
		}
	}
	return out
}

// telemetryLines tell what is known of a leg's calls, and what is not, a sentence
// each.
func (l leg) telemetryLines() []string {
	var lines []string
	if text := l.known(); text != "" {
		lines = append(lines, text)
	}
	for _, p := range l.shortPools() {
		lines = append(lines, poolText(p))
	}
	return append(lines, l.lacks()...)
}
