package trace_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/trace"
)

func (s *sim) assemble() *rehearse.Telemetry {
	s.run()
	return trace.Assemble(s.spans, nil, s.links(), rehearse.TelemetryResult{})
}

// score holds what was found of parents against what is true.
type score struct {
	calls, right, certain, certainWrong, folded int
}

func (s *sim) score(t testing.TB, tel *rehearse.Telemetry) score {
	t.Helper()
	var c score
	c.calls = len(s.parents)
	for i := range tel.Traces {
		tr := &tel.Traces[i]
		for _, n := range tr.Nodes {
			if n.Wire == nil || n.Wire.Link != "web:db" {
				continue
			}
			if n.Scope != rehearse.LinkScope {
				c.folded++
				c.right++
				continue
			}
			want, asked := s.parents[n.ID]
			got := rehearse.SpanID{}
			for up := n.Up; up >= 0; up = tr.Nodes[up].Up {
				got = tr.Nodes[up].ID
			}
			ok := got == want
			switch {
			case asked && ok:
				c.right++
			case !asked && n.Up >= 0 && n.Known.Certain(), asked && !ok && n.Up >= 0 && n.Known.Certain():
				c.certainWrong++
			}
			if n.Up >= 0 && n.Known.Certain() {
				c.certain++
			}
		}
	}
	return c
}

var (
	create = simOp{name: "POST /documents", weight: 8, tx: true, calls: []string{"SELECT templates", "SELECT customers", "INSERT documents"}}
	read   = simOp{name: "GET /documents/{id}", weight: 2, hold: true, calls: []string{"SELECT documents", "SELECT customers"}}
	list   = simOp{name: "GET /documents", weight: 1, hold: true, calls: []string{"SELECT documents count", "SELECT documents list"}}
	loop   = simOp{name: "GET /orders", weight: 3, calls: []string{"SELECT orders", "SELECT items", "SELECT items", "SELECT items", "SELECT items"}}
	fan    = simOp{name: "GET /home", weight: 3, parallel: true, calls: []string{"SELECT news", "SELECT users", "SELECT ads"}}
)

func TestParents(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sim     sim
		least   float64 // the share of calls whose parent is right
		certain float64 // the share whose parent is certain
	}{
		{"quiet", sim{rate: 2, requests: 300, size: 8, ops: []simOp{create, read, list}, rtt: ms / 5, server: ms / 2}, 0.999, 0.95},
		{"busy", sim{rate: 60, requests: 3000, size: 32, ops: []simOp{create, read, list}, rtt: 20 * ms, server: ms}, 0.95, 0},
		{"short of connections", sim{rate: 20, requests: 2000, size: 8, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms}, 0.95, 0},
		{"a pinger", sim{rate: 30, requests: 1000, size: 16, ops: []simOp{create, read}, rtt: 10 * ms, server: ms, ping: 130 * ms}, 0.95, 0.05},
		{"a connection for each call", sim{rate: 30, requests: 2000, size: 32, ops: []simOp{loop}, rtt: 10 * ms, server: ms}, 0.95, 0.05},
		{"in parallel", sim{rate: 30, requests: 2000, size: 32, ops: []simOp{fan, create}, rtt: 10 * ms, server: 3 * ms}, 0.95, 0.05},
		{"timeouts", sim{rate: 18, requests: 1000, size: 6, ops: []simOp{create, read}, rtt: 84 * ms, server: ms, timeout: 1500 * ms}, 0.95, 0},
		{"from far away", sim{rate: 30, requests: 1000, size: 16, ops: []simOp{create, read}, rtt: 10 * ms, server: ms, ingress: rehearse.Symmetric(60*ms, 0, 0)}, 0.95, 0},
		{"an SDK for requests", sim{rate: 60, requests: 2000, size: 32, ops: []simOp{create, read}, rtt: 20 * ms, server: ms, sdk: true}, 0.95, 0},
		{"an SDK for all", sim{rate: 60, requests: 2000, size: 32, ops: []simOp{create, read}, rtt: 20 * ms, server: ms, sdk: true, client: true}, 0.999, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				s := tt.sim
				s.seed = seed
				tel := s.assemble()
				c := s.score(t, tel)
				right, certain := float64(c.right)/float64(c.calls), float64(c.certain)/float64(c.calls)
				t.Logf("seed %d: %d calls, %.2f %% right, %.2f %% certain, coverage %+v", seed, c.calls, 100*right, 100*certain, tel.Coverage)
				if right < tt.least {
					t.Errorf("seed %d: got %.2f %% of parents right, want at least %.2f %%", seed, 100*right, 100*tt.least)
				}
				if certain < tt.certain {
					t.Errorf("seed %d: got %.2f %% of parents for certain, want at least %.2f %%", seed, 100*certain, 100*tt.certain)
				}
				if c.certainWrong > 0 {
					t.Errorf("seed %d: %d parents are wrong and said to be certain", seed, c.certainWrong)
				}
				if s.client && c.folded != c.calls {
					t.Errorf("seed %d: got %d of %d calls folded", seed, c.folded, c.calls)
				}
				tiles(t, tel)
				whole(t, s.spans, tel)
			}
		})
	}
}

// tiles checks that each critical path covers its trace, without a gap.
func tiles(t testing.TB, tel *rehearse.Telemetry) {
	t.Helper()
	for i := range tel.Traces {
		tr := &tel.Traces[i]
		at := rehearse.Duration(0)
		for _, s := range tr.Critical {
			if s.Start != at || s.Length <= 0 || s.Node < 0 || s.Node >= len(tr.Nodes) || s.Path == "" || s.Kind == "" {
				t.Fatalf("trace %s: segment %+v, want one from %v", tr.ID, s, at)
			}
			at += s.Length
		}
		if at != tr.Duration {
			t.Fatalf("trace %s: segments end at %v, want %v", tr.ID, at, tr.Duration)
		}
	}
}

// whole checks that each span is in one place or was counted, and that nodes are
// in order.
func whole(t testing.TB, spans []rehearse.Span, tel *rehearse.Telemetry) {
	t.Helper()
	got := len(tel.Loose) + tel.Flaws[trace.FlawDuplicate]
	seen := map[rehearse.TraceID]bool{}
	for i := range tel.Traces {
		tr := &tel.Traces[i]
		if seen[tr.ID] {
			t.Fatalf("trace %s is there twice", tr.ID)
		}
		seen[tr.ID] = true
		for k, n := range tr.Nodes {
			got++
			if n.Wire != nil && n.Scope != rehearse.LinkScope {
				got++
			}
			if n.Up >= k || n.Up < -1 || n.Trace != tr.ID {
				t.Fatalf("trace %s: node %d has the parent %d and the trace %s", tr.ID, k, n.Up, n.Trace)
			}
		}
	}
	if got != len(spans) {
		t.Fatalf("got %d spans in traces, loose or counted, want %d", got, len(spans))
	}
	if c := tel.Coverage; c.Calls != c.Context+c.Certain+c.Inferred+c.Unknown {
		t.Fatalf("coverage %+v does not add up", c)
	}
}

func TestPools(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sim   sim
		short bool
		off   float64 // of the waiting time, in all, as a share
	}{
		{"short", sim{rate: 20, requests: 800, size: 8, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms}, true, 0.03},
		{"short, with a pinger", sim{rate: 20, requests: 800, size: 8, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms, ping: 200 * ms}, true, 0.03},
		{"short, timeouts", sim{rate: 21, requests: 800, size: 8, ops: []simOp{create}, rtt: 84 * ms, server: ms, timeout: 1500 * ms}, true, 0.05},
		{"short, leaking", sim{rate: 24, requests: 500, size: 8, ops: []simOp{create, read}, rtt: 84 * ms, server: ms, timeout: 1500 * ms, leak: true}, true, 0.05},
		{"short, SDK for requests", sim{rate: 20, requests: 800, size: 8, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms, sdk: true}, true, 0.03},
		{"short, SDK for all", sim{rate: 20, requests: 800, size: 8, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms, sdk: true, client: true}, true, 0.03},
		{"short, leaking, SDK for all", sim{rate: 24, requests: 500, size: 8, ops: []simOp{create, read}, rtt: 84 * ms, server: ms, timeout: 1500 * ms, leak: true, sdk: true, client: true}, true, 0.05},
		{"a pool of one", sim{rate: 10, requests: 300, size: 1, ops: []simOp{read}, rtt: 40 * ms, server: ms}, true, 0.03},
		{"ample", sim{rate: 20, requests: 800, size: 64, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms}, false, 0},
		{"ample and slow to ask", sim{rate: 20, requests: 800, size: 64, ops: []simOp{create, read}, rtt: 20 * ms, server: ms, cpu: 60 * ms}, false, 0},
		{"quick", sim{rate: 20, requests: 800, size: 8, ops: []simOp{create, read, list}, rtt: ms / 5, server: ms / 2}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				s := tt.sim
				s.seed = seed
				tel := s.assemble()
				if len(tel.Pools) != 1 {
					t.Fatalf("got %d pools, want 1", len(tel.Pools))
				}
				p := tel.Pools[0]
				want := 0
				if tt.short {
					want = s.size
				}
				var waited, found time.Duration
				for _, d := range s.waits {
					waited += d
				}
				for i := range tel.Traces {
					for _, g := range tel.Traces[i].Critical {
						if g.Kind == rehearse.SegmentWait {
							found += time.Duration(g.Length)
							if g.Path != "web → db" {
								t.Fatalf("got a wait on %q", g.Path)
							}
						}
					}
				}
				t.Logf("seed %d: %+v; waited %v, found %v", seed, p, waited, found)
				if p.Size != want {
					t.Errorf("seed %d: got a pool of %d, want %d", seed, p.Size, want)
				}
				if p.Lost != s.leaked {
					t.Errorf("seed %d: got %d lost, want %d", seed, p.Lost, s.leaked)
				}
				if !tt.short {
					if found != 0 || p.Waited != 0 {
						t.Errorf("seed %d: found waits of %v by %d requests, want none", seed, found, p.Waited)
					}
					continue
				}
				if off := (found - waited).Abs().Seconds() / waited.Seconds(); off > tt.off {
					t.Errorf("seed %d: found waits of %v, want %v: %.1f %% off", seed, found, waited, 100*off)
				}
				if p.RTT != rehearse.Duration(s.rtt) {
					t.Errorf("seed %d: got an RTT of %v, want %v", seed, p.RTT, s.rtt)
				}
				if p.Peak != s.size || p.Saturated <= 0 || len(p.Examples) == 0 || p.Holds.P50 < rehearse.Duration(p.Trips*float64(s.rtt)) {
					t.Errorf("seed %d: got %+v", seed, p)
				}
			}
		})
	}
}

func TestAnyOrder(t *testing.T) {
	s := sim{seed: 4, rate: 24, requests: 300, size: 8, ops: []simOp{create, read, loop, fan}, rtt: 84 * ms, server: ms, timeout: 1500 * ms, leak: true, ping: 130 * ms}
	want := s.assemble()
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 2))
		r.Shuffle(len(s.spans), func(i, j int) { s.spans[i], s.spans[j] = s.spans[j], s.spans[i] })
		got := trace.Assemble(s.spans, nil, s.links(), rehearse.TelemetryResult{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("another order, another result (-want +got):\n%s", diff)
		}
	}
}

func BenchmarkAssemble(b *testing.B) {
	for _, bb := range []struct {
		name string
		sim  sim
	}{
		{"wire", sim{seed: 1, rate: 100, requests: 17500, size: 48, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms}},
		{"sdk", sim{seed: 1, rate: 100, requests: 9000, size: 48, ops: []simOp{create, read, list}, rtt: 84 * ms, server: ms, sdk: true, client: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			bb.sim.run()
			b.ReportAllocs()
			for b.Loop() {
				trace.Assemble(bb.sim.spans, nil, bb.sim.links(), rehearse.TelemetryResult{})
			}
			b.ReportMetric(float64(len(bb.sim.spans)), "spans")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(bb.sim.spans)), "ns/span")
		})
	}
}
