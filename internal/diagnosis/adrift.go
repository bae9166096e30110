package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// adrift are the calls of one edge of which some belong to no request that is
// known: what these take looks like their service's own time.
type adrift struct {
	edge           string
	requests       int // that the service was asked for
	all, loose     int // calls, and those of unknown requests
	length, looser time.Duration
}

// adriftOf is the edge from a service whose calls of unknown requests take the
// most time in all.
func adriftOf(t *rehearse.Telemetry, service string) adrift {
	most := adrift{}
	edges := map[string]bool{}
	for i := range t.Loose {
		if n := &t.Loose[i]; n.Wire != nil && string(clientOf(n.Wire.Link)) == service {
			edges[edgeOfLink(n.Wire.Link)] = true
		}
	}
	for _, e := range slices.Sorted(maps.Keys(edges)) {
		if a := adriftOn(t, e); a.looser > most.looser {
			most = a
		}
	}
	return most
}

// adriftOn looks at the calls of an edge.
func adriftOn(t *rehearse.Telemetry, edge string) adrift {
	a := adrift{edge: edge}
	client, _, _ := strings.Cut(edge, arrow)
	match := on(edge)
	add := func(n *rehearse.Node, loose bool) {
		if n.Wire == nil || n.Wire.Undecoded != "" {
			return
		}
		if upstreamOf(n.Wire.Link) == client {
			a.requests++
		}
		if !match(n) {
			return
		}
		a.all++
		a.length += time.Duration(n.Duration)
		if loose {
			a.loose++
			a.looser += time.Duration(n.Duration)
		}
	}
	for i := range t.Traces {
		for j := range t.Traces[i].Nodes {
			add(&t.Traces[i].Nodes[j], false)
		}
	}
	for i := range t.Loose {
		add(&t.Loose[i], true)
	}
	return a
}

// many reports whether the calls of unknown requests may be most of what a
// service's own time seems to be.
func (a adrift) many(own rehearse.Duration) bool {
	return a.requests > 0 && share(a.loose, a.all) >= 0.2 && 2*a.looser/time.Duration(a.requests) >= time.Duration(own)
}

// perRequest is the number of calls a request, and each how long one takes.
func (a adrift) perRequest() float64 { return share(a.all, a.requests) }
func (a adrift) each() time.Duration { return a.length / time.Duration(max(a.all, 1)) }

// adrift explains time that is a service's own or in calls of it whose requests
// are unknown.
func (l *lead) adrift(a adrift) *cause {
	service := l.group.where
	passing, failing := l.of()
	upstream := strings.TrimPrefix(a.edge, service+arrow)
	sentence := fmt.Sprintf("%s spends %s in %s or in its calls to %s, %s in %s: which request made %s of these is unknown.",
		short(l.o.name), text(failing), service, upstream, text(passing), l.passing.Name, percent(share(a.loose, a.all)))
	second := l.fact("%s makes %s a request to %s, which take %s each", service, count(a.perRequest(), "call"), upstream, text(a.each()))
	if !l.within {
		b := adriftOn(l.passing.Telemetry, a.edge)
		second.Text += fmt.Sprintf("; in %s %s of %s", l.passing.Name, few(b.perRequest()), text(b.each()))
	}
	second.Text += "."
	return l.cause(sentence, second, l.crowd())
}
