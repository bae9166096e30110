package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// kindCalls is a group that stands for all kinds of an edge but wait, where it is
// the number of calls that changed.
const kindCalls rehearse.SegmentKind = "calls"

// lead is where one operation loses its time.
type lead struct {
	*comparison
	o     *operation
	group group
	// members are the groups that the lead stands for: itself, or all whose
	// change the number of calls explains.
	members map[group]bool
	names   names
}

// byTime explains what takes longer: by the group that the bad requests of all
// operations spend most of their excess in.
func (c *comparison) byTime(names names) *cause {
	totals := map[group]time.Duration{}
	by := make([]map[group]time.Duration, len(c.operations))
	members := make([]map[group]map[group]bool, len(c.operations))
	for i := range c.operations {
		o := &c.operations[i]
		if len(o.bad) == 0 || o.excess()/time.Duration(len(o.bad)) < time.Duration(floor(o.change)) {
			continue
		}
		by[i], members[i] = map[group]time.Duration{}, map[group]map[group]bool{}
		for g, d := range o.extra {
			to := g
			if edge := o.moreCalls(g, names); edge != "" {
				to = group{edge, kindCalls}
			}
			if members[i][to] == nil {
				members[i][to] = map[group]bool{}
			}
			members[i][to][g] = true
			by[i][to] += d
			totals[to] += d
		}
	}
	order := slices.SortedFunc(maps.Keys(totals), func(a, b group) int {
		return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a.where, b.where), cmp.Compare(a.kind, b.kind))
	})
	if len(order) == 0 || totals[order[0]] <= 0 {
		return nil
	}
	first, most := order[0], -1
	for i := range by {
		if by[i] != nil && (most < 0 || by[i][first] > by[most][first]) {
			most = i
		}
	}
	l := lead{comparison: c, o: &c.operations[most], group: first, members: members[most][first], names: names}
	switch first.kind {
	case rehearse.SegmentWait:
		return l.wait()
	case kindCalls:
		return l.calls()
	case rehearse.SegmentShape:
		return l.shape()
	case rehearse.SegmentServer:
		return l.server()
	case rehearse.SegmentTransfer:
		return l.transfer()
	case rehearse.SegmentQueue:
		return l.queue()
	case rehearse.SegmentNetwork:
		return l.network()
	}
	return l.self()
}

// moreCalls is the edge whose number of calls explains most of a group's change;
// empty when it is not the number. When the calls became more because those into
// their client did, it is that client's edge, and so on up.
func (o *operation) moreCalls(g group, names names) string {
	if g.kind == rehearse.SegmentWait {
		return ""
	}
	edge := g.where
	if g.kind == rehearse.SegmentSelf {
		// A service is busy between calls that it tries again.
		if again := o.retried(g.where, names); again != "" {
			return again
		}
		edge = o.into(g.where)
	}
	p, f, ok := o.grown(edge)
	was, is := o.before.in(g.where), o.after.in(g.where)
	if !ok || is <= was || (f-p)*is/f < 0.5*(is-was) {
		return ""
	}
	for range len(o.after.calls.edges) {
		client, _, _ := strings.Cut(edge, arrow)
		up := o.into(client)
		upP, upF, ok := o.grown(up)
		if !ok || p > 0 && math.Abs(f/upF-p/upP) > 0.2*p/upP {
			break
		}
		edge, p, f = up, upP, upF
	}
	return edge
}

// grown are the calls a request on an edge, and whether they became many more.
func (o *operation) grown(edge string) (passing, failing float64, ok bool) {
	passing, failing = o.before.each(edge), o.after.each(edge)
	return passing, failing, failing >= passing+1 && failing >= 1.5*passing
}

// into is the edge by which a service is called the most.
func (o *operation) into(service string) (edge string) {
	edges := o.after.calls.edges
	for _, e := range slices.Sorted(maps.Keys(edges)) {
		if strings.HasSuffix(e, arrow+service) && edges[e] > edges[edge] {
			edge = e
		}
	}
	return edge
}

// retried is an edge from a service on which calls became many more and fail.
func (o *operation) retried(service string, names names) string {
	for _, e := range slices.Sorted(maps.Keys(o.after.calls.edges)) {
		if _, _, ok := o.grown(e); ok && strings.HasPrefix(e, service+arrow) &&
			again(callsOf(o.passing, on(e)), callsOf(o.failing, on(e))) {
			return e
		}
	}
	return ""
}

// again reports whether calls fail and did not before.
func again(before, after calls) bool {
	return share(after.failed, after.count) >= 0.3 && share(before.failed, before.count) < 0.3
}

// of is the time of the lead in the operation's means.
func (l *lead) of() (passing, failing rehearse.Duration) {
	for _, p := range l.o.change.Parts {
		if l.members[place{p.Path, p.Kind}.group()] {
			passing += p.Passing
			failing += p.Failing
		}
	}
	return passing, failing
}

// examples are the traces that spend the most in the lead's places.
func (l *lead) examples() []rehearse.TraceID {
	var out []rehearse.TraceID
	traces := slices.Clone(l.o.bad)
	in := map[rehearse.TraceID]time.Duration{}
	for _, t := range traces {
		for p, d := range spentBy(t) {
			if l.members[p.group()] {
				in[t.ID] += d
			}
		}
	}
	slices.SortFunc(traces, func(a, b *rehearse.Trace) int { return cmp.Or(cmp.Compare(in[b.ID], in[a.ID]), slowest(a, b)) })
	for _, t := range traces[:min(len(traces), examplesEach)] {
		out = append(out, t.ID)
	}
	return out
}

// cause puts a sentence and two facts behind the one that says where the time
// went.
func (l *lead) cause(sentence string, second, third rehearse.DiagnosisFact) *cause {
	return &cause{sentence, []rehearse.DiagnosisFact{l.where(), second, third}}
}

func (l *lead) fact(format string, args ...any) rehearse.DiagnosisFact {
	return rehearse.DiagnosisFact{Text: fmt.Sprintf(format, args...), Traces: l.examples()}
}

// where says where the time went, of all requests and of the bad ones.
func (l *lead) where() rehearse.DiagnosisFact {
	o, c := l.o, l.o.change
	says := fmt.Sprintf("%s takes %s in %s and %s in %s, the means of %d and %d requests.",
		short(o.name), text(c.Failing.Mean), l.failing.Name, text(c.Passing.Mean), l.passing.Name, c.Failing.Count, c.Passing.Count)
	groups := map[group]rehearse.Duration{}
	for _, p := range c.Parts {
		groups[place{p.Path, p.Kind}.group()] += p.Change
	}
	if c.Change > 0 {
		passing, failing := l.of()
		parts := []string{fmt.Sprintf("%s (%s) is %s", text(failing-passing), percent(float64(failing-passing)/float64(c.Change)), l.group.says())}
		told := failing - passing
		order := slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
			return cmp.Or(cmp.Compare(groups[b], groups[a]), cmp.Compare(a.where, b.where), cmp.Compare(a.kind, b.kind))
		})
		for _, g := range order {
			if d := groups[g]; !l.members[g] && float64(d) >= 0.05*float64(c.Change) && len(parts) < 3 {
				parts = append(parts, fmt.Sprintf("%s (%s) %s", text(d), percent(float64(d)/float64(c.Change)), g.says()))
				told += d
			}
		}
		if g := order[len(order)-1]; told > c.Change && float64(-groups[g]) >= 0.02*float64(c.Change) && !l.members[g] {
			parts = append(parts, fmt.Sprintf("%s (%s) less %s", text(-groups[g]), percent(-float64(groups[g])/float64(c.Change)), g.says()))
		}
		says += fmt.Sprintf(" Of the %s, %s.", plus(c.Change), list(parts))
	}
	if !l.within {
		var own time.Duration
		for g := range l.members {
			own += o.extra[g]
		}
		n := time.Duration(len(o.bad))
		says += fmt.Sprintf(" In the %d that failed or are slowest, it is %s of %s.", len(o.bad), text(own/n), plus(rehearse.Duration(o.excess()/n)))
	}
	return l.fact("%s", says)
}

// forced is a clause and a sentence about the fault in force on the edge's calls, on
// all of them or on those of the bad requests, as when it is there for a while; empty
// when there is none, or as often on the passing side.
func (l *lead) forced(before, after calls) (clause, sentence string) {
	_, was := before.fault()
	in := l.failing.Name
	fault, of := after.fault()
	if of < 0.5 && !l.within {
		fault, of = callsOf(l.o.bad, on(l.group.where)).fault()
		in = "those that failed or are slowest"
	}
	if of < 0.5 || was > of/2 {
		return "", ""
	}
	return fmt.Sprintf(", with the fault %s in force", fault),
		fmt.Sprintf(" The fault %s was in force on %s of the calls in %s.", fault, percent(of), in)
}

func (l *lead) both(match func(*rehearse.Node) bool) (before, after calls) {
	return callsOf(l.o.passing, match), callsOf(l.o.failing, match)
}

// ends are the client and the upstream of the lead's edge.
func (l *lead) ends() (client, upstream string) {
	client, upstream, _ = strings.Cut(l.group.where, arrow)
	return client, upstream
}

// path is the path of the lead's group whose change is the largest.
func (l *lead) path() rehearse.Contribution {
	for _, p := range l.o.change.Parts { // the largest first
		if (place{p.Path, p.Kind}).group() == l.group {
			return p
		}
	}
	return rehearse.Contribution{Path: l.group.where, Kind: l.group.kind}
}

// shapeText is what the plan says of the link's shape, in brackets.
func (l *lead) shapeText() string {
	if l.failing.Plan == nil {
		return ""
	}
	k, ok := l.failing.Plan.Link(linkOf(l.group.where))
	if !ok {
		return ""
	}
	return fmt.Sprintf(" (%s)", k.Shape)
}
