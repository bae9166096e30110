package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// doubt is what the telemetry lacks for an answer. Each kind says which of it
// matters.
type doubt int

const (
	// lostPass: a lost span could have failed the check.
	lostPass doubt = 1 << iota
	// lostFail: a lost span could look like a failure.
	lostFail
	// unread: calls that could not be read could have failed the check.
	unread
	// unattributed: so could calls whose request is unknown.
	unattributed
	// missed: both could also be missing where the check looks for them, and so
	// look like a failure.
	missed
)

// hold takes back what the telemetry cannot show, and says what the answer rests
// on.
func (q *inquiry) hold(f rehearse.Finding, matters doubt) rehearse.Finding {
	if f.Outcome == rehearse.Unverified {
		return q.note(f, matters)
	}
	var reasons []string
	lost := q.t.Result.Lost
	if lost > 0 && (f.Outcome == rehearse.Pass && matters&lostPass != 0 || f.Outcome == rehearse.Fail && matters&lostFail != 0) {
		reasons = append(reasons, fmt.Sprintf("%d of %d spans were lost, so the answer could be another.", lost, q.t.Result.Spans))
	}
	open := f.Outcome == rehearse.Pass || matters&missed != 0
	if open && matters&unread != 0 {
		reasons = append(reasons, q.unread()...)
	}
	if open && matters&unattributed != 0 {
		if n, all := q.unattributed(); n*20 > all {
			reasons = append(reasons, fmt.Sprintf("The requests of %d of %s are unknown, so any request could have made them.", n, counted(all, "call")))
		}
	}
	if len(reasons) > 0 {
		f.Outcome = rehearse.Unverified
		f.Detail = strings.TrimSpace(f.Detail + " " + strings.Join(reasons, " "))
	}
	return q.note(f, matters)
}

// unread says which connections the check is about carried bytes that are no
// calls. Asked of all links, a protocol that no decoder knows is nothing that was
// missed; asked of that link, it is.
func (q *inquiry) unread() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(q.t.Result.Undecoded)) {
		if _, upstream := ends(id); !q.about(id) || q.check.Service != "" && q.check.Service != upstream {
			continue
		}
		for _, why := range slices.Sorted(maps.Keys(q.t.Result.Undecoded[id])) {
			n := q.t.Result.Undecoded[id][why]
			if n > 0 && (q.check.Link != "" || why == "tls" || why == "lost") {
				out = append(out, fmt.Sprintf("The calls of %s on %s could not be read (%s).", counted(int(n), "connection"), id, why))
			}
		}
	}
	return out
}

// unattributed counts calls whose request is unknown, and all that a request has
// made, on the links that the check is about.
func (q *inquiry) unattributed() (unknown, all int) {
	for i := range q.t.Loose {
		n := &q.t.Loose[i]
		if id, ok := onLink(n); ok && q.about(id) && n.Known == rehearse.KnownNothing {
			unknown++
		}
	}
	all = unknown
	for i := range q.t.Traces {
		nodes := q.t.Traces[i].Nodes
		for j := range nodes {
			if id, ok := onLink(&nodes[j]); ok && q.about(id) && nodes[j].Up >= 0 {
				all++
			}
		}
	}
	return unknown, all
}

// note adds how well parents are known, where the check rests on them, and that
// something was still going on.
func (q *inquiry) note(f rehearse.Finding, matters doubt) rehearse.Finding {
	var notes []string
	if c := q.t.Coverage; matters&unattributed != 0 && c.Inferred+c.Unknown > 0 {
		notes = append(notes, fmt.Sprintf("Of %s, %s are attributed to their request with certainty and %s by inference.",
			counted(c.Calls, "call"), share(c.Context+c.Certain, c.Calls), share(c.Inferred, c.Calls)))
	}
	if !q.t.Result.Quiet {
		notes = append(notes, "Calls that were still in flight at the end are not counted.")
	}
	f.Detail = strings.TrimSpace(strings.Join(append([]string{f.Detail}, notes...), " "))
	return f
}
