package check

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// undeclaredCall asks whether a service called another that nothing in the
// project's files says it calls, or one that there is not.
func (q *inquiry) undeclaredCall() rehearse.Finding {
	declared := map[rehearse.LinkID]bool{}
	for _, l := range q.plan.Links {
		declared[l.ID] = l.Declared
	}
	calls, seen := q.carried()
	found := map[string]int{}
	for id, n := range calls {
		if !declared[id] {
			client, upstream := ends(id)
			found[fmt.Sprintf("%s to %s", client, upstream)] += n
		}
	}
	var worst []rehearse.TraceID
	for i := range q.t.Traces {
		t := &q.t.Traces[i]
		v := look(t)
		parent := map[int]bool{} // the calls that a link has carried
		for j := range t.Nodes {
			if id, ok := onLink(&t.Nodes[j]); ok {
				parent[v.up(j)] = true
				if q.about(id) && !declared[id] {
					worst = append(worst, t.ID)
				}
			}
		}
		if q.check.Link != "" {
			continue
		}
		for j := range t.Nodes {
			if to := q.nowhere(&t.Nodes[j]); to != "" && !parent[j] {
				found[fmt.Sprintf("%s to %s", t.Nodes[j].Service, to)]++
				worst = append(worst, t.ID)
			}
		}
	}
	if f, enough := q.enough(seen, max(q.check.MinSamples, 1), "call"); !enough && len(found) == 0 {
		return q.hold(f, 0)
	}
	total := 0
	for _, n := range found {
		total += n
	}
	f := rehearse.Finding{
		Outcome: rehearse.Pass, Got: counted(total, "call"), Value: pointer(float64(total)),
		Detail: fmt.Sprintf("All of %s are declared.", counted(seen, "call")),
	}
	if total > 0 {
		f.Outcome = rehearse.Fail
		f.Traces = examples(worst)
		f.Hint = "Name the service in depends_on or in the client's environment if the call is meant, or put the two on different networks if it is not."
		edges := slices.SortedFunc(maps.Keys(found), func(a, b string) int { return cmp.Or(found[b]-found[a], cmp.Compare(a, b)) })
		var parts []string
		for _, e := range edges[:min(len(edges), 5)] {
			parts = append(parts, fmt.Sprintf("%s (%d)", e, found[e]))
		}
		f.Detail = fmt.Sprintf("%s that nothing in the files speaks of: %s.", counted(total, "call"), strings.Join(parts, ", "))
		if more := len(edges) - 5; more > 0 {
			f.Detail = strings.TrimSuffix(f.Detail, ".") + fmt.Sprintf(" and %d more.", more)
		}
	}
	matters := lostPass // without exact figures
	if len(q.t.Result.Operations) > 0 {
		matters = 0
	}
	return q.hold(f, matters)
}

// carried counts what each link has carried, and all of it: its calls, and its
// connections whose bytes are no calls.
func (q *inquiry) carried() (calls map[rehearse.LinkID]int, all int) {
	calls = map[rehearse.LinkID]int{}
	add := func(id rehearse.LinkID, n int) {
		if id != "" && q.about(id) && n > 0 {
			calls[id] += n
			all += n
		}
	}
	if len(q.t.Result.Operations) > 0 {
		for _, op := range q.t.Result.Operations {
			add(op.Link, int(op.Count))
		}
	} else {
		node := func(n *rehearse.Node) {
			if id, ok := onLink(n); ok {
				add(id, 1)
			}
		}
		for i := range q.t.Traces {
			for j := range q.t.Traces[i].Nodes {
				node(&q.t.Traces[i].Nodes[j])
			}
		}
		for i := range q.t.Loose {
			node(&q.t.Loose[i])
		}
	}
	for id, reasons := range q.t.Result.Undecoded {
		for _, n := range reasons {
			add(id, int(n))
		}
	}
	return calls, all
}

// nowhere is the server that an SDK says its service called, when the plan has no
// such name; empty otherwise.
func (q *inquiry) nowhere(n *rehearse.Node) string {
	to := strings.ToLower(strings.TrimSuffix(n.Text("server.address"), "."))
	if n.Kind != rehearse.SpanClient || n.Wire != nil || to == "" || to == "localhost" || strings.HasPrefix(to, "/") {
		return ""
	}
	if _, err := netip.ParseAddr(to); err == nil {
		return "" // some service's, or its own
	}
	for _, s := range q.plan.Services {
		if to == string(s.Name) || to == s.Hostname || slices.Contains(s.Aliases, to) {
			return ""
		}
	}
	for _, l := range q.plan.Links {
		if slices.Contains(l.Names, to) {
			return ""
		}
	}
	return cut(to, 60)
}
