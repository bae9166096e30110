package check

import (
	"fmt"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// failure says why a call failed, in a few words; it is empty when it did not.
// An answer that tells the client of its own mistake (4xx but 429) is none.
func failure(n *rehearse.Node) string {
	if by := n.Text(rehearse.AttrAbandoned); by != "" && by != "client" {
		return "a broken connection"
	}
	if status, ok := n.Number("http.response.status_code"); ok {
		if status >= 500 || status == 429 {
			return fmt.Sprintf("status %.0f", status)
		}
		return ""
	}
	if code, ok := n.Number("rpc.grpc.status_code"); ok {
		switch code {
		case 2, 4, 8, 12, 13, 14, 15: // what semantic conventions call a server's error, and exhaustion
			return fmt.Sprintf("gRPC status %.0f", code)
		}
		return ""
	}
	if state := n.Text("db.response.status_code"); state != "" {
		if harmless(state) {
			return ""
		}
		return cut(state, 20)
	}
	if n.Status == rehearse.StatusError {
		if kind := n.Text("error.type"); kind != "" {
			return cut(kind, 40)
		}
		return "an error"
	}
	return ""
}

// harmless reports whether a database's status is success, a warning or no data
// (SQLSTATE classes 00, 01 and 02), or one of those by which Redis tells a client
// how to go on.
func harmless(state string) bool {
	switch state {
	case "NOSCRIPT", "MOVED", "ASK":
		return true
	}
	if len(state) != 5 {
		return false
	}
	class := state[:2]
	return class == "00" || class == "01" || class == "02"
}

// toldFailure reports whether the request that began the trace was told of a
// failure.
func toldFailure(v *view) bool {
	status, ok := v.Nodes[0].Number("http.response.status_code")
	return v.Failed || v.Nodes[0].Status == rehearse.StatusError || ok && status >= 400 || v.Nodes[0].Text(rehearse.AttrAbandoned) != ""
}

// errorSwallowed asks whether a request was answered as if nothing had happened
// though a call below it failed and no same call after it succeeded.
func (q *inquiry) errorSwallowed() rehearse.Finding {
	return q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			calls := q.calls(v)
			if q.check.Link != "" && len(calls) == 0 {
				return s, false
			}
			if toldFailure(v) {
				return s, true
			}
			recovered := map[sameCall]bool{} // from the last call to the first
			var all, sure int
			what := ""
			for at := len(calls) - 1; at >= 0; at-- {
				i := calls[at]
				key := v.same(i, v.request(i))
				why := failure(&v.Nodes[i])
				switch {
				case v.up(i) < 0:
				case why == "":
					recovered[key] = true
				case !recovered[key]:
					all++
					if v.sure[i] {
						sure++
					}
					what = fmt.Sprintf("%s on %s failed with %s", v.Nodes[i].Name, v.Nodes[i].Wire.Link, why)
				}
			}
			if all > 0 {
				s.raise(float64(all), float64(sure), what)
			}
			return s, true
		},
		beyond: func(v float64) bool { return v > 0 },
		format: func(v float64) string { return counted(int(v), "error") },
		bad:    "are answered with success though a call below them failed", matters: lostPass | unread | unattributed,
	})
}

// noTimeout asks for how long services went on with a request that its client had
// given up.
func (q *inquiry) noTimeout() rehearse.Finding {
	limit := q.check.Limit
	given := 0
	f := q.ask(question{
		measure: func(v *view) (s sample, ok bool) {
			// The last end below each node, of all and of what is certain.
			last, sure := make([]time.Time, len(v.Nodes)), make([]time.Time, len(v.Nodes))
			for i := len(v.Nodes) - 1; i >= 0; i-- {
				up := v.up(i)
				if up < 0 {
					continue
				}
				last[up] = latest(last[up], last[i], v.Nodes[i].End())
				if v.sure[i] {
					sure[up] = latest(sure[up], sure[i], v.Nodes[i].End())
				}
			}
			for i := range v.Nodes {
				n := &v.Nodes[i]
				id, carried := onLink(n)
				if !carried || !q.about(id) {
					continue
				}
				ok = true
				if n.Text(rehearse.AttrAbandoned) == "client" {
					given++
					s.raise(after(last[i], n.End()), after(sure[i], n.End()), fmt.Sprintf("%s on %s", n.Name, id))
				}
			}
			return s, ok
		},
		beyond: func(v float64) bool { return v >= limit },
		format: short,
		bad:    fmt.Sprintf("go on for %s or more after their client has hung up", short(limit)),
		hint:   "Give calls the deadline of the request, and cancel them when it is gone.", matters: lostPass | unread | unattributed,
	})
	if f.Outcome == rehearse.Pass {
		f.Detail = fmt.Sprintf("Clients gave up %s. ", counted(given, "request")) + f.Detail
		if given < q.check.MinSamples {
			f.Outcome = rehearse.Unverified
			f.Detail += fmt.Sprintf(" An answer takes %d of those.", q.check.MinSamples)
		}
	}
	return f
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// after is by how many seconds the one time is later; 0 when it is not.
func after(later, than time.Time) float64 {
	return max(0, later.Sub(than).Seconds())
}
