package diagnosis

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/trace"
)

// TestAssembled makes only what links see of the pool's worlds, and of the SDK
// what it would send, and has package trace find the rest: the requests of the
// calls, the waits and the pool.
func TestAssembled(t *testing.T) {
	world := poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rate: 36}
	side := func(name string, rtt float64, seed uint64, sdk bool) Side {
		w := world
		w.rtt = rtt
		s := within(w.run(name, seed), "http_req_duration p(99)<800ms")
		s.Plan.Links = append(s.Plan.Links, rehearse.LinkSpec{ID: "ingress:docgen"})
		for i := range s.Plan.Links {
			l := &s.Plan.Links[i]
			l.Client, l.Upstream = clientOf(l.ID), rehearse.ServiceName(upstreamOf(l.ID))
		}
		s.Telemetry = trace.Assemble(spansOf(s.Telemetry.Traces, sdk), nil, s.Plan.Links, rehearse.TelemetryResult{})
		return s
	}
	want := []string{"POST /things waits for a connection on docgen → db", "5 sequential round trips × 84ms", "there are 8"}
	for _, sdk := range []bool{false, true} {
		t.Run(fmt.Sprintf("sdk=%t", sdk), func(t *testing.T) {
			d := Of(side("staging", 0, 1, sdk), side("production", 84, 2, sdk))
			check(t, d, want)
			for _, f := range d.Facts {
				t.Log(f.Text)
			}
			check(t, Within(side("production", 84, 2, sdk)), want)
		})
	}
}

// spansOf are traces as links and SDKs tell of them.
func spansOf(traces []rehearse.Trace, sdk bool) []rehearse.Span {
	var out []rehearse.Span
	next := uint64(1 << 40)
	id := func() (s rehearse.SpanID) {
		next++
		binary.BigEndian.PutUint64(s[:], next)
		return s
	}
	number := map[int64]int64{}
	for _, t := range traces {
		root := t.Nodes[0].ID
		server := id()
		if sdk {
			out = append(out, rehearse.Span{
				Trace: t.ID, ID: server, Parent: root, Name: t.Nodes[0].Name, Kind: rehearse.SpanServer, Service: "docgen", Scope: "otelhttp",
				Start: t.Start, Duration: t.Duration,
			})
		}
		for i, n := range t.Nodes {
			s := n.Span
			w := n.Wire
			s.Scope, s.Parent = rehearse.LinkScope, rehearse.SpanID{}
			transaction := ""
			if i > 0 {
				if sdk {
					call := s
					call.ID, call.Parent, call.Scope, call.Name = id(), server, "otelpgx", "query"
					call.Start, call.Duration = s.Start.Add(-10*time.Microsecond), s.Duration+20_000
					call.Attributes = []rehearse.Attribute{{Key: "db.system.name", Value: "postgresql"}}
					out = append(out, call)
				}
				next++
				binary.BigEndian.PutUint64(s.Trace[:8], next)
				number[w.Connection]++
				transaction = "open"
				if i == len(t.Nodes)-1 {
					transaction = "idle"
				}
			}
			if i == 0 {
				w = &rehearse.Wire{Link: w.Link, Connection: int64(next % 50), Number: 1, Server: t.Duration}
			}
			ms := func(d rehearse.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			s.Attributes = append(s.Attributes,
				rehearse.Attribute{Key: rehearse.AttrLink, Value: string(w.Link)},
				rehearse.Attribute{Key: rehearse.AttrConnection, Value: w.Connection},
				rehearse.Attribute{Key: rehearse.AttrNumber, Value: max(number[w.Connection], 1)},
				rehearse.Attribute{Key: rehearse.AttrQueue, Value: ms(w.Queue)},
				rehearse.Attribute{Key: rehearse.AttrShape, Value: ms(w.Shape)},
				rehearse.Attribute{Key: rehearse.AttrServer, Value: ms(w.Server)},
				rehearse.Attribute{Key: rehearse.AttrTransfer, Value: ms(w.Transfer)})
			if i > 0 {
				s.Attributes = append(s.Attributes,
					rehearse.Attribute{Key: "db.system.name", Value: "postgresql"},
					rehearse.Attribute{Key: rehearse.AttrTransaction, Value: transaction})
			}
			out = append(out, s)
		}
	}
	return out
}
