package diagnosis

import (
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// place is what time is split over.
type place struct {
	path string
	kind rehearse.SegmentKind
}

// group is the places of one kind on one edge, or in one service: what a rule
// speaks of. Names of calls are left out, because an SDK may name them otherwise.
type group struct {
	where string // "docgen → db", or "docgen" for self
	kind  rehearse.SegmentKind
}

const arrow = " → "

func (p place) group() group {
	if p.kind == rehearse.SegmentSelf {
		return group{p.path, p.kind}
	}
	return group{edgeOf(p.path), p.kind}
}

// placeOf folds the own time of every span of a service into the service's, so
// that a service with an SDK and one without compare.
func placeOf(s rehearse.Segment) place {
	switch s.Kind {
	case rehearse.SegmentSelf:
		service, _, _ := strings.Cut(s.Path, " ")
		return place{service, s.Kind}
	case rehearse.SegmentWait:
		return place{edgeOf(s.Path), s.Kind}
	}
	return place{s.Path, s.Kind}
}

// edgeOf is "docgen → db" of "docgen → db SELECT templates".
func edgeOf(path string) string {
	client, rest, ok := strings.Cut(path, arrow)
	if !ok {
		return path
	}
	upstream, _, _ := strings.Cut(rest, " ")
	return client + arrow + upstream
}

// linkOf is the link that an edge is carried by.
func linkOf(edge string) rehearse.LinkID {
	client, upstream, _ := strings.Cut(edge, arrow)
	return rehearse.MakeLinkID(rehearse.ServiceName(client), rehearse.ServiceName(upstream))
}

// edgeOfLink is a link as paths have it: without the region that traffic from
// outside comes from.
func edgeOfLink(l rehearse.LinkID) string {
	client := clientOf(l)
	if rehearse.IsIngress(client) {
		client = rehearse.Ingress
	}
	return string(client) + arrow + upstreamOf(l)
}

func clientOf(l rehearse.LinkID) rehearse.ServiceName {
	client, _, _ := strings.Cut(string(l), ":")
	return rehearse.ServiceName(client)
}

func upstreamOf(l rehearse.LinkID) string {
	_, upstream, _ := strings.Cut(string(l), ":")
	return upstream
}

// spent is the time of the traces by place. It adds up to their durations: what
// no segment covers is the root service's own.
func spent(traces []*rehearse.Trace) map[place]time.Duration {
	out := map[place]time.Duration{}
	for _, t := range traces {
		for p, d := range spentBy(t) {
			out[p] += d
		}
	}
	return out
}

func spentBy(t *rehearse.Trace) map[place]time.Duration {
	out := make(map[place]time.Duration, len(t.Critical)+1)
	rest := t.Duration
	for _, s := range t.Critical {
		out[placeOf(s)] += time.Duration(s.Length)
		rest -= s.Length
	}
	if rest != 0 {
		service, _, _ := strings.Cut(t.Operation, " ")
		out[place{service, rehearse.SegmentSelf}] += time.Duration(rest)
	}
	return out
}

// signature is what a call looks like in a node.
type signature struct {
	link    rehearse.LinkID
	service rehearse.ServiceName
	name    string
}

func signatureOf(n *rehearse.Node) signature { return signature{n.Wire.Link, n.Service, n.Name} }

// names are the paths of calls, as critical paths have them.
type names map[signature]string

func namesOf(operations []operation) names {
	out := names{}
	for _, o := range operations {
		for _, traces := range [][]*rehearse.Trace{o.passing, o.failing} {
			for _, t := range traces {
				for _, s := range t.Critical {
					if n := &t.Nodes[s.Node]; n.Wire != nil && s.Kind != rehearse.SegmentSelf && s.Kind != rehearse.SegmentWait {
						out[signatureOf(n)] = s.Path
					}
				}
			}
		}
	}
	return out
}

// path is a call's path, also of one that was never on a critical path.
func (n names) path(node *rehearse.Node) string {
	if p, ok := n[signatureOf(node)]; ok {
		return p
	}
	return edgeOfLink(node.Wire.Link) + " " + node.Name
}

// tally counts calls.
type tally struct {
	paths, edges, services map[string]int
}

func (n names) tally(traces []*rehearse.Trace) tally {
	c := tally{map[string]int{}, map[string]int{}, map[string]int{}}
	for _, t := range traces {
		for i := range t.Nodes {
			if node := &t.Nodes[i]; node.Wire != nil {
				c.paths[n.path(node)]++
				c.edges[edgeOfLink(node.Wire.Link)]++
				c.services[upstreamOf(node.Wire.Link)]++
			}
		}
	}
	return c
}

// of counts what a place is about: calls of its path, calls on its edge for a
// wait, and calls of its service for self.
func (c tally) of(p place) int {
	switch p.kind {
	case rehearse.SegmentSelf:
		return c.services[p.path]
	case rehearse.SegmentWait:
		return c.edges[p.path]
	}
	return c.paths[p.path]
}
