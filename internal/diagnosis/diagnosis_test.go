package diagnosis

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, d *rehearse.Diagnosis) {
	t.Helper()
	got := printed(d)
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -update writes it anew (-want +got)\n%s", file, diff)
	}
}

func printed(d *rehearse.Diagnosis) string {
	if d == nil {
		return "nothing\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", d.Sentence)
	for i, f := range d.Facts {
		fmt.Fprintf(&b, "%d. %s [%d traces]\n", i+1, f.Text, len(f.Traces))
	}
	for _, o := range d.Operations {
		fmt.Fprintf(&b, "\n%s: %s, noise %s\n", o.Operation, plus(o.Change), text(o.Noise))
		for _, p := range o.Parts {
			fmt.Fprintf(&b, "  %-34s %-9s %8s %8s %5s  calls %s, %s\n", p.Path, p.Kind, text(p.Passing), text(p.Failing), strings.Replace(percent(p.Share), "-0%", "0%", 1), few(p.PassingCalls), few(p.FailingCalls))
		}
	}
	return b.String()
}

const op = "api GET /cart"

// scenarios are a passing and a failing leg each, with what the sentence must hold.
var scenarios = []struct {
	name             string
	passing, failing func(seed uint64) Side
	want             []string
}{
	{
		"pool",
		func(seed uint64) Side {
			return poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rtt: 0, rate: 36}.run("staging", seed)
		},
		func(seed uint64) Side {
			return poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rtt: 84, rate: 36}.run("production", seed)
		},
		[]string{"waits for a connection on docgen → db", "5 sequential round trips × 84ms", "there are 8"},
	},
	{
		"pool-small",
		func(seed uint64) Side {
			return poolWorld{service: "shop", upstream: "ledger", size: 3, trips: 9, rtt: 0.3, rate: 20}.run("staging", seed)
		},
		func(seed uint64) Side {
			return poolWorld{service: "shop", upstream: "ledger", size: 3, trips: 9, rtt: 20, rate: 20}.run("production", seed)
		},
		[]string{"waits for a connection on shop → ledger", "9 sequential round trips × ", "there are 3"},
	},
	{
		"pool-unknown",
		func(seed uint64) Side {
			return poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rtt: 0, rate: 36, noPool: true}.run("staging", seed)
		},
		func(seed uint64) Side {
			return poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rtt: 84, rate: 36, noPool: true}.run("production", seed)
		},
		[]string{"waits for a connection on docgen → db", "5 sequential round trips × 84ms"},
	},
	{
		"n-plus-one",
		func(seed uint64) Side { return steady("staging", seed, 100, op, items(1)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, items(48)) },
		[]string{"calls api → db SELECT items 48 times a request, against 1 in staging", "N+1"},
	},
	{
		"n-plus-one-above",
		func(seed uint64) Side { return steady("staging", seed, 100, "web GET /cart", nested(1)) },
		func(seed uint64) Side { return steady("production", seed, 100, "web GET /cart", nested(20)) },
		[]string{"calls web → api GET /item/{id} 20 times a request, against 1 in staging"},
	},
	{
		"server",
		func(seed uint64) Side { return steady("staging", seed, 100, op, query(0.1, 12, 10)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, query(20, 480, 5000)) },
		[]string{"waits for db: api → db SELECT items takes 4", "in staging"},
	},
	{
		"chatty",
		func(seed uint64) Side { return steady("staging", seed, 100, op, trips(12, 0.1, "")) },
		func(seed uint64) Side { return steady("production", seed, 100, op, trips(12, 30, "")) },
		[]string{"makes 12 sequential round trips × ", "on api → db"},
	},
	{
		"fault",
		func(seed uint64) Side { return steady("staging", seed, 100, op, trips(1, 0.1, "")) },
		func(seed uint64) Side { return steady("production", seed, 100, op, trips(1, 900, "slow-db")) },
		[]string{"on the way of api → db", "with the fault slow-db in force"},
	},
	{
		"transfer",
		func(seed uint64) Side { return steady("staging", seed, 100, op, download(40)) },
		func(seed uint64) Side {
			s := steady("production", seed, 100, op, download(2100))
			s.Plan.Links = []rehearse.LinkSpec{{ID: "api:files", Shape: rehearse.Symmetric(0, 0, 20*rehearse.Mbit)}}
			return s
		},
		[]string{"waits for bytes on api → files: 5.2 MB a request", "20Mbit/s"},
	},
	{
		"connect",
		func(seed uint64) Side { return steady("staging", seed, 100, op, connect(1, 99)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, connect(250, 1)) },
		[]string{"queues on api → db", "for its connection to be made"},
	},
	{
		"queue",
		func(seed uint64) Side { return steady("staging", seed, 100, op, connect(1, 99)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, connect(250, 99)) },
		[]string{"queues on api → db", "behind other calls on its connection"},
	},
	{
		"network",
		func(seed uint64) Side { return steady("staging", seed, 100, op, network(0.1)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, network(300)) },
		[]string{"between api and the link to db"},
	},
	{
		"self",
		func(seed uint64) Side { return steady("staging", seed, 100, op, own(5)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, own(800)) },
		[]string{"in api itself"},
	},
	{
		"error",
		func(seed uint64) Side { return steady("staging", seed, 100, op, refuse(0)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, refuse(0.3)) },
		[]string{"fails because db answers SQLSTATE 53300 to api (SELECT items)"},
	},
	{
		"error-own",
		func(seed uint64) Side { return steady("staging", seed, 100, op, crash(0)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, crash(0.3)) },
		[]string{"fails in api itself: it answers HTTP 500"},
	},
	{
		"error-late",
		func(seed uint64) Side { return steady("staging", seed, 100, "web GET /cart", late(10)) },
		func(seed uint64) Side { return steady("production", seed, 100, "web GET /cart", late(3000)) },
		[]string{"waits for db: api → db SELECT items takes "},
	},
	{
		"retries",
		func(seed uint64) Side { return steady("staging", seed, 100, op, retry(0)) },
		func(seed uint64) Side { return steady("production", seed, 100, op, retry(3)) },
		[]string{"calls api → pay POST /charge 4 times a request, against 1 in staging", "75% of them fail and are tried again"},
	},
}

func items(n int) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(2))
		b.call(call{edge: "api → db", name: "SELECT carts", shape: w.about(12), server: w.about(0.5)})
		for range n {
			b.call(call{edge: "api → db", name: "SELECT items", shape: w.about(12), server: w.about(0.5)})
			b.self(0.05)
		}
		return 200
	}
}

func nested(n int) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(2))
		for range n {
			b.call(call{edge: "web → api", name: "GET /item/{id}", shape: w.about(1), in: func(b *builder) {
				b.self(w.about(0.5))
				b.call(call{edge: "api → db", name: "SELECT items", shape: w.about(8), server: w.about(0.5)})
			}})
		}
		return 200
	}
}

func query(rtt, took float64, rows int64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(2))
		b.call(call{edge: "api → db", name: "SELECT items", shape: w.about(rtt), server: w.about(took), rows: rows})
		return 200
	}
}

func trips(n int, rtt float64, fault string) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		for i := range n {
			b.call(call{edge: "api → db", name: fmt.Sprintf("SELECT t%d", i), shape: w.about(rtt), server: w.about(0.5), fault: fault})
		}
		return 200
	}
}

func download(took float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.call(call{edge: "api → files", name: "GET /report", server: w.about(3), transfer: w.about(took), down: 5_200_000, status: int64(200)})
		return 200
	}
}

func connect(took float64, number int64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.call(call{edge: "api → db", name: "SELECT items", queue: w.about(took), server: w.about(3), number: number})
		return 200
	}
}

func network(took float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.call(call{edge: "api → db", name: "SELECT items", network: w.about(took), server: w.about(3)})
		return 200
	}
}

func own(took float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(took))
		b.call(call{edge: "api → db", name: "SELECT items", server: w.about(3)})
		return 200
	}
}

// refuse has some of the statements refused, and the rollback behind them fail.
func refuse(some float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(2))
		if w.random.Float64() < some {
			b.call(call{edge: "api → db", name: "SELECT items", server: w.about(1), status: "53300", message: "sorry, too many clients already"})
			b.call(call{edge: "api → db", name: "ROLLBACK", server: w.about(1), status: "25P02"})
			return 500
		}
		b.call(call{edge: "api → db", name: "SELECT items", server: w.about(3)})
		return 200
	}
}

func crash(some float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		b.self(w.about(2))
		b.call(call{edge: "api → db", name: "SELECT items", server: w.about(3)})
		if w.random.Float64() < some {
			return 500
		}
		return 200
	}
}

// late is a service that answers 504 when its database takes longer than 2 s.
func late(took float64) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		c := call{edge: "web → api", name: "GET /items", in: func(b *builder) {
			b.self(1)
			c := call{edge: "api → db", name: "SELECT items", server: w.about(min(took, 2000))}
			if took > 2000 {
				c.abandoned = "client"
			}
			b.call(c)
		}}
		if took > 2000 {
			c.status = int64(504)
			b.call(c)
			return 502
		}
		b.call(c)
		return 200
	}
}

func retry(n int) func(*world, int, *builder) int64 {
	return func(w *world, _ int, b *builder) int64 {
		for range n {
			b.call(call{edge: "api → pay", name: "POST /charge", server: w.about(20), status: int64(503)})
			b.self(50)
		}
		b.call(call{edge: "api → pay", name: "POST /charge", server: w.about(20), status: int64(200)})
		return 200
	}
}

func TestOf(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			d := Of(s.passing(1), s.failing(2))
			golden(t, s.name, d)
			check(t, d, s.want)
			// Other draws of the same worlds have the same cause.
			for seed := uint64(10); seed < 16; seed += 2 {
				check(t, Of(s.passing(seed), s.failing(seed+1)), s.want)
			}
		})
	}
}

func check(t *testing.T, d *rehearse.Diagnosis, want []string) {
	t.Helper()
	if d == nil {
		t.Fatal("no diagnosis")
	}
	for _, w := range want {
		if !strings.Contains(d.Sentence, w) {
			t.Errorf("the sentence lacks %q: %s", w, d.Sentence)
		}
	}
	if len(d.Facts) != 3 {
		t.Errorf("got %d facts, want 3", len(d.Facts))
	}
	for _, f := range d.Facts {
		if f.Text == "" || strings.Contains(f.Text, "NaN") || strings.Contains(f.Text, "%!") {
			t.Errorf("a fact says %q", f.Text)
		}
	}
	if !strings.HasPrefix(d.Command, "rehearse trace show ") {
		t.Errorf("the command is %q", d.Command)
	}
	addUp(t, d)
}

// addUp checks that the parts add up to the change, and the sides to their means.
func addUp(t *testing.T, d *rehearse.Diagnosis) {
	t.Helper()
	for _, o := range d.Operations {
		var passing, failing, change rehearse.Duration
		for _, p := range o.Parts {
			passing, failing, change = passing+p.Passing, failing+p.Failing, change+p.Change
		}
		if passing != o.Passing.Mean || failing != o.Failing.Mean || change != o.Change || change != failing-passing {
			t.Errorf("%s: parts add up to %d, %d and %d ns, want %d, %d and %d", o.Operation, passing, failing, change, o.Passing.Mean, o.Failing.Mean, o.Change)
		}
	}
}

// TestSDK has services tell of their own spans, deeper and with other names: the
// cause is the same.
func TestSDK(t *testing.T) {
	world := poolWorld{service: "docgen", upstream: "db", size: 8, trips: 5, rate: 36}
	staging := world.run("staging", 1)
	world.rtt = 84
	production := world.run("production", 2)
	world.sdk, world.rtt = true, 0
	stagingSDK := world.run("staging", 1)
	world.rtt = 84
	productionSDK := world.run("production", 2)
	want := Of(staging, production).Sentence
	for _, pair := range [][2]Side{{stagingSDK, productionSDK}, {staging, productionSDK}, {stagingSDK, production}} {
		if got := Of(pair[0], pair[1]).Sentence; got != want {
			t.Errorf("with an SDK: %s\nwithout:     %s", got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	d := Within(scenarios[0].failing(2))
	golden(t, "within", d)
	check(t, d, scenarios[0].want)
	if d.Failing != "slow requests" || d.Passing != "quick requests" {
		t.Errorf("it compares %q with %q", d.Failing, d.Passing)
	}
	// Two failures are too few to tell a leg from another, and explain themselves.
	few := func(name string, n int) Side {
		return steady(name, 3, 100, op, func(w *world, i int, b *builder) int64 {
			if i >= n {
				return refuse(0)(w, i, b)
			}
			return refuse(1)(w, i, b)
		})
	}
	if d := Of(few("staging", 0), few("production", 2)); d != nil {
		t.Errorf("two failures: %s", d.Sentence)
	}
	check(t, Within(few("production", 2)), []string{"fails because db answers SQLSTATE 53300"})
	for seed := range uint64(20) {
		if d := Within(steady("staging", seed, 200, op, query(1, 50, 1))); d != nil {
			t.Errorf("seed %d, nothing is slow: %s", seed, d.Sentence)
		}
	}
}

func TestLost(t *testing.T) {
	failing := scenarios[0].failing(2)
	failing.Telemetry.Pools[0].Lost = 7
	d := Of(scenarios[0].passing(1), failing)
	check(t, d, []string{"and there are 8, of which 7 were lost."})
	if got := d.Facts[2].Text; !strings.Contains(got, "7 of 8 ended in the middle of a call or a transaction and were never replaced.") {
		t.Errorf("the pool's fact is %q", got)
	}
}

// TestAdrift has a leg in which the requests of half of the calls are unknown: their
// time must not pass for the service's own.
func TestAdrift(t *testing.T) {
	failing := steady("production", 2, 100, op, trips(12, 30, ""))
	for i := range failing.Telemetry.Traces {
		trace := &failing.Telemetry.Traces[i]
		kept := trace.Nodes[:0]
		for j, n := range trace.Nodes {
			if j > 0 && j%2 == 0 {
				n.Up, n.Known = -1, rehearse.KnownNothing
				failing.Telemetry.Loose = append(failing.Telemetry.Loose, n)
				continue
			}
			kept = append(kept, n)
		}
		trace.Nodes = kept
		trace.Critical = []rehearse.Segment{{Path: "api", Kind: rehearse.SegmentSelf, Length: trace.Duration}}
	}
	d := Of(steady("staging", 1, 100, op, trips(12, 0.1, "")), failing)
	check(t, d, []string{"GET /cart spends", "in api or in its calls to db", "which request made 50% of these is unknown"})
	if got := d.Facts[1].Text; !strings.Contains(got, "api makes 12 calls a request to db, which take 3") || !strings.Contains(got, "in staging 12 of ") {
		t.Errorf("the fact of the calls is %q", got)
	}
}

// TestForAWhile has a fault that is there for a fifth of the time, as in an
// experiment: it is named all the same.
func TestForAWhile(t *testing.T) {
	failing := steady("production", 2, 100, op, func(w *world, i int, b *builder) int64 {
		if i >= 40 && i < 60 {
			return trips(1, 900, "slow-db")(w, i, b)
		}
		return trips(1, 0.1, "")(w, i, b)
	})
	d := Of(steady("staging", 1, 100, op, trips(1, 0.1, "")), within(failing, "http_req_duration p(95)<400ms"))
	check(t, d, []string{"on the way of api → db", "with the fault slow-db in force"})
	if want := "was in force on 100% of the calls in those that failed or are slowest"; !strings.Contains(d.Facts[1].Text, want) {
		t.Errorf("the fact of the round trips is %q, want %q in it", d.Facts[1].Text, want)
	}
}

// TestHolder has quick readers wait for a connection that slow writers hold.
func TestHolder(t *testing.T) {
	leg := func(name string, rtt, wait float64) Side {
		w := newWorld(name, 1)
		for i := range 200 {
			w.request(float64(i)/10, "api GET /cart", 200, func(b *builder) {
				b.wait("api → db", ms(wait))
				b.call(call{edge: "api → db", name: "SELECT carts", shape: rtt, server: 1, connection: 1})
			})
			if i%4 == 0 {
				w.request(float64(i)/10, "api POST /order", 200, func(b *builder) {
					for range 20 {
						b.call(call{edge: "api → db", name: "INSERT lines", shape: rtt, server: 1, connection: 2})
					}
				})
			}
		}
		return w.side
	}
	check(t, Of(leg("staging", 0, 0), leg("production", 10, 900)),
		[]string{"GET /cart waits for a connection on api → db: POST /order holds one for 220ms, 20 sequential round trips × 10ms."})
}

// TestNothing has legs that differ by nothing that hurts.
func TestNothing(t *testing.T) {
	fixed := func(name string, rtt float64) Side { return steady(name, 5, 300, op, trips(1, rtt, "")) }
	tests := []struct {
		name             string
		passing, failing Side
	}{
		{"fixed service, a round trip further away", fixed("staging", 0.1), within(fixed("production", 84), "http_req_duration p(99)<800ms")},
		{"faster", fixed("staging", 84), fixed("production", 1)},
		{"three milliseconds", fixed("staging", 1), fixed("production", 4)},
		{"no telemetry", Side{Name: "staging"}, Side{Name: "production"}},
		{"too few", steady("staging", 1, 5, op, own(5)), steady("production", 1, 5, op, own(500))},
		{"another operation", steady("staging", 1, 50, op, own(5)), steady("production", 1, 50, "api GET /other", own(500))},
	}
	for _, test := range tests {
		if d := Of(test.passing, test.failing); d != nil {
			t.Errorf("%s: %s", test.name, d.Sentence)
		}
	}
	over := within(fixed("production", 84), "http_req_duration p(99)<90ms")
	check(t, Of(fixed("staging", 0.1), over), []string{"on the way of api → db"})
	if d := Within(Side{Name: "production"}); d != nil {
		t.Errorf("no telemetry: %s", d.Sentence)
	}
}

// TestSame draws both legs from one distribution, with a tail, some failures and
// three operations: at most one pair in a hundred may have a cause.
func TestSame(t *testing.T) {
	leg := func(name string, seed uint64) Side {
		w := newWorld(name, seed)
		for i := range 300 {
			var status int64 = 200
			r := w.request(float64(i)/20, fmt.Sprintf("api GET /%d", i%3), 200, func(b *builder) {
				b.self(5 * w.random.ExpFloat64())
				b.call(call{edge: "api → db", name: "SELECT items", shape: w.about(20), server: 40 * w.random.ExpFloat64()})
				if w.random.IntN(30) == 0 {
					b.call(call{edge: "api → db", name: "INSERT items", status: "40001", server: 1})
					status = 500
				}
			})
			r.Failed = status == 500
		}
		return w.side
	}
	const pairs = 400
	wrong := 0
	for seed := range uint64(pairs) {
		if d := Of(leg("staging", 2*seed), leg("production", 2*seed+1)); d != nil {
			wrong++
		}
	}
	t.Logf("%d of %d", wrong, pairs)
	if wrong > pairs/100 {
		t.Errorf("%d of %d pairs of equal legs have a diagnosis", wrong, pairs)
	}
}

func TestOrder(t *testing.T) {
	for _, s := range scenarios {
		passing, failing := s.passing(1), s.failing(2)
		want := Of(passing, failing)
		random := rand.New(rand.NewPCG(1, 1))
		for range 3 {
			for _, side := range []Side{passing, failing} {
				traces := side.Telemetry.Traces
				random.Shuffle(len(traces), func(i, j int) { traces[i], traces[j] = traces[j], traces[i] })
			}
			if diff := cmp.Diff(want, Of(passing, failing)); diff != "" {
				t.Fatalf("%s depends on the order of traces:\n%s", s.name, diff)
			}
		}
	}
}

func TestNeeded(t *testing.T) {
	slow, err := rehearse.ParseThreshold("http_req_duration p(99)<800ms")
	if err != nil {
		t.Fatal(err)
	}
	plan := &rehearse.Plan{
		Steps: []rehearse.Step{
			{Load: &rehearse.LoadStep{Name: "peak", Thresholds: []rehearse.Threshold{slow}}},
			{Experiment: &rehearse.ExperimentStep{Name: "outage", Steady: []rehearse.Threshold{slow}}},
		},
		Checks: []rehearse.Check{{Name: "pool", Kind: rehearse.CheckPoolExhausted}, {Name: "logs", Kind: rehearse.CheckLogErrors}},
	}
	for _, tt := range []struct {
		check   string
		outcome rehearse.Outcome
		want    bool
	}{
		{"peak: http_req_duration p(99)<800ms", rehearse.Fail, true},
		{"peak: http_req_duration p(99)<800ms", rehearse.Unverified, false},
		{"peak: http_req_duration p(99)<800ms", rehearse.Pass, false},
		{"outage: recovers within 5s: http_req_duration p(99)<800ms", rehearse.Fail, true},
		{"outage: took hold", rehearse.Fail, false},
		{"check: pool", rehearse.Fail, true},
		{"check: logs", rehearse.Fail, false}, // it has nothing to do with time
		{"e2e: suite", rehearse.Fail, false},
		{"ready", rehearse.Fail, false},
	} {
		v := rehearse.Verdict{Findings: []rehearse.Finding{{Check: "stayed up", Outcome: rehearse.Pass}, {Check: tt.check, Outcome: tt.outcome}}}
		if got := Needed(v, plan); got != tt.want {
			t.Errorf("%s %s: got %v, want %v", tt.check, tt.outcome, got, tt.want)
		}
	}
	if Needed(rehearse.Verdict{Findings: []rehearse.Finding{{Check: "check: pool", Outcome: rehearse.Fail}}}, nil) {
		t.Error("a failure of no plan can be explained")
	}
}

// FuzzOf draws traces of any make-up, some of which do not tile: the parts add up
// all the same, and nothing panics.
func FuzzOf(f *testing.F) {
	f.Add(uint64(1), uint8(20), uint8(30))
	f.Add(uint64(2), uint8(8), uint8(255))
	f.Add(uint64(3), uint8(100), uint8(9))
	f.Fuzz(func(t *testing.T, seed uint64, n, m uint8) {
		passing, failing := chaos("a", seed, int(n)), chaos("b", seed+1, int(m))
		for _, d := range []*rehearse.Diagnosis{Of(passing, failing), Within(failing)} {
			if d == nil {
				continue
			}
			addUp(t, d)
			if len(d.Facts) != 3 || d.Sentence == "" {
				t.Errorf("%d facts for %q", len(d.Facts), d.Sentence)
			}
		}
	})
}

func chaos(name string, seed uint64, n int) Side {
	w := newWorld(name, seed)
	random := w.random
	edges := []string{"api → db", "api → files", "web → api"}
	for i := range n {
		t := w.request(float64(i)*random.Float64(), []string{op, "web GET /"}[random.IntN(2)], 200, func(b *builder) {
			for range random.IntN(8) {
				c := call{
					edge: edges[random.IntN(3)], name: []string{"", "SELECT a", "PING"}[random.IntN(3)],
					network: random.ExpFloat64(), queue: random.ExpFloat64(), shape: float64(random.IntN(200)),
					server: 100 * random.ExpFloat64(), transfer: random.ExpFloat64(), connection: int64(random.IntN(3)),
				}
				if random.IntN(4) == 0 {
					c.status = []any{"40001", "57014", int64(503)}[random.IntN(3)]
				}
				if random.IntN(4) == 0 {
					c.in = func(b *builder) { b.self(random.Float64()) }
				}
				b.wait(edges[random.IntN(3)], ms(float64(random.IntN(300))))
				b.call(c)
				b.self(random.ExpFloat64())
			}
		})
		t.Failed = random.IntN(5) == 0
		t.Duration += rehearse.Duration(random.IntN(3))
		if random.IntN(10) == 0 {
			t.Critical = nil
		}
	}
	w.side.Telemetry.Pools = []rehearse.Pool{{Link: "api:db", Size: random.IntN(4), Peak: 4, Lost: random.IntN(2)}}
	return w.side
}

func BenchmarkOf(b *testing.B) {
	passing, failing := steady("staging", 1, 10_000, op, trips(10, 0.1, "")), steady("production", 2, 10_000, op, trips(10, 80, ""))
	start := time.Now()
	for b.Loop() {
		Of(passing, failing)
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(b.N)/20_000, "ns/trace")
}
