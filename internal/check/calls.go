package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// nPlusOne asks how often a request makes the same call again, one after the
// other. Calls that overlap are fan-out: they cost one round trip together.
func (q *inquiry) nPlusOne() rehearse.Finding {
	limit := q.check.Limit
	return q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			calls := q.calls(v)
			groups := map[sameCall][]int{}
			for _, i := range calls {
				if up := v.request(i); up >= 0 && !transactional(&v.Nodes[i]) {
					key := v.same(i, up)
					groups[key] = append(groups[key], i)
				}
			}
			for _, i := range calls { // in this order, so that of equals the first is named
				up := v.request(i)
				group := groups[v.same(i, up)]
				if len(group) == 0 || group[0] != i {
					continue
				}
				what := fmt.Sprintf("%s on %s for %s", v.Nodes[i].Name, v.Nodes[i].Wire.Link, v.Nodes[up].Name)
				s.raise(count(v.sequential(group)), count(v.sequential(v.certain(group))), what)
			}
			return s, len(calls) > 0
		},
		beyond: func(v float64) bool { return v >= limit },
		format: func(v float64) string { return counted(int(v), "time") },
		bad:    fmt.Sprintf("make the same call %s times or more, one after the other", number(limit)),
		hint:   "Ask for all of them in one call, or send the calls in one batch.", matters: lostPass | unread | unattributed,
	})
}

// transactional reports whether a call only begins or ends a transaction, or its
// connection: such come as often as what is inside.
func transactional(n *rehearse.Node) bool {
	switch cmp.Or(n.Text("db.operation.name"), n.Name) {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "STARTUP":
		return true
	}
	return false
}

// maxCalls asks how many calls a trace makes on a link.
func (q *inquiry) maxCalls() rehearse.Finding {
	limit := q.check.Limit
	return q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			links := v.byLink(q.calls(v))
			for _, id := range slices.Sorted(maps.Keys(links)) {
				s.raise(count(links[id]), count(v.certain(links[id])), fmt.Sprintf("%s on %s", v.Operation, id))
			}
			return s, len(links) > 0
		},
		beyond: func(v float64) bool { return v > limit },
		format: func(v float64) string { return counted(int(v), "call") },
		bad:    fmt.Sprintf("make more than %s on one link", counted(int(limit), "call")), matters: lostPass | unread | unattributed,
	})
}

// chattyLink asks how much time a trace spends on a link's distance alone: its
// calls that follow one another, times the round trip.
func (q *inquiry) chattyLink() rehearse.Finding {
	limit := q.check.Limit
	trip := q.roundTrips()
	return q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			links := v.byLink(q.calls(v))
			for _, id := range slices.Sorted(maps.Keys(links)) {
				calls := v.sequential(links[id])
				s.raise(count(calls)*trip[id], count(v.sequential(v.certain(links[id])))*trip[id],
					fmt.Sprintf("%s, %s on %s of %s each", v.Operation, counted(len(calls), "round trip"), id, short(trip[id])))
			}
			return s, len(links) > 0
		},
		beyond: func(v float64) bool { return v > limit },
		format: short,
		bad:    fmt.Sprintf("spend more than %s on the round trips of one link, one after the other", short(limit)),
		hint:   "Send calls that do not need each other's answers together, or move what they need closer.", matters: lostPass | unread | unattributed,
	})
}

// roundTrips are, for each link, the median time in seconds that its shape held a
// call.
func (q *inquiry) roundTrips() map[rehearse.LinkID]float64 {
	all := map[rehearse.LinkID][]float64{}
	for i := range q.t.Traces {
		nodes := q.t.Traces[i].Nodes
		for j := range nodes {
			if id, ok := onLink(&nodes[j]); ok && q.about(id) {
				all[id] = append(all[id], nodes[j].Wire.Shape.Seconds())
			}
		}
	}
	out := map[rehearse.LinkID]float64{}
	for id, times := range all {
		slices.Sort(times)
		out[id] = percentile(times, 50)
	}
	return out
}

// retryStorm asks how often a call is made again after it has failed. In a chain
// of calls of a trace that are the same, each but the last failed, and each began
// when the one before it had; how long the chain is says by how much a failure
// multiplies the load.
func (q *inquiry) retryStorm() rehearse.Finding {
	limit := q.check.Limit
	return q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			calls := q.calls(v)
			chains := map[sameCall][]int{}
			for _, i := range calls {
				key := v.same(i, 0) // whoever in the trace makes it: retries of retries multiply
				chain := chains[key]
				if n := len(chain); n > 0 {
					last := &v.Nodes[chain[n-1]]
					switch {
					case failure(last) == "":
						chain = nil
					case v.Nodes[i].Start.Before(last.End()):
						continue // beside it, and not because of it
					}
				}
				chain = append(chain, i)
				chains[key] = chain
				if len(chain) > 1 {
					s.raise(count(chain), count(v.certain(chain)), fmt.Sprintf("%s on %s after %s", v.Nodes[i].Name, v.Nodes[i].Wire.Link, failure(&v.Nodes[chain[0]])))
				}
			}
			return s, len(calls) > 0
		},
		beyond: func(v float64) bool { return v > limit },
		format: func(v float64) string { return number(v) + "×" },
		bad:    fmt.Sprintf("make a failing call more than %s times over", number(limit)),
		hint:   "Retry at one place only, a few times, with growing pauses and a budget.", matters: lostPass | unread | unattributed,
	})
}

func count(calls []int) float64 { return float64(len(calls)) }
