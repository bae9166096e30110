package explain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func parts(t testing.TB, list string) []rehearse.Part {
	t.Helper()
	out := []rehearse.Part{}
	for _, text := range strings.Fields(list) {
		p, err := rehearse.ParsePart(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// world is a project as a search sees it: what can make it fail, and how reliably
// probes show it.
type world struct {
	// causes are sets of parts, each of which makes it fail. A value is the threshold
	// from which its part counts.
	causes [][]rehearse.Part
	wrong  float64 // the share of probes that say the opposite
	chance *rand.Rand
	asked  int
	end    int // the probe for which there is no time; 0: none
	begin  rehearse.ExplainBegin
	told   []rehearse.ExplainRecord
}

// suspects are those of a plan with two links, two traffic profiles, a dataset of
// generated rows and an experiment.
func suspects(t testing.TB) []rehearse.Suspect {
	var out []rehearse.Suspect
	for _, p := range parts(t, `
		network:app:db.rtt network:app:db.jitter network:app:db.loss network:app:db.rate network:app:cache.rtt network:app:cache.jitter
		traffic:peak.rate traffic:peak.arrivals traffic:night.rate traffic:night.arrivals
		data:customers.rows data:customers.volume data:customers.nulls data:customers.encoding
		faults:outage/1 faults:outage/2`) {
		s := rehearse.Suspect{Part: p}
		switch p.Aspect {
		case rehearse.AspectRTT:
			s.Full = 0.084
		case rehearse.AspectJitter:
			s.Full = 0.006
		case rehearse.AspectLoss:
			s.Full = 0.01
		case rehearse.AspectRate:
			s.Full = 1e9
			if p.Facet == rehearse.FacetTraffic {
				s.Full, s.Flat = 36, 12
			}
		}
		if p.Action > 0 {
			s.Title = fmt.Sprintf("db: kill %d", p.Action)
		}
		if p.Action == 1 {
			s.Title, s.Axis, s.Full = "db: sql-error", rehearse.AspectProbability, 0.4
		}
		out = append(out, s)
	}
	return out
}

func newWorld(t testing.TB, causes ...string) *world {
	w := &world{chance: rand.New(rand.NewPCG(1, 2)), begin: rehearse.ExplainBegin{
		Leg: rehearse.Production(), Seed: 1, Checks: []string{"peak: http_req_failed rate<0.001"}, Suspects: suspects(t),
		Shares: []float64{0.5, 1}, Long: 1, Confidence: 0.95, Resolution: 0.1, Budget: rehearse.Duration(time.Minute), Command: "rehearse run",
	}}
	for _, c := range causes {
		w.causes = append(w.causes, parts(t, c))
	}
	return w
}

// fails is the truth.
func (w *world) fails(in []rehearse.Part) bool {
	leg := rehearse.OnlyParts(in...)
	if len(in) == 0 {
		leg = rehearse.Staging()
	}
	return slices.ContainsFunc(w.causes, func(cause []rehearse.Part) bool {
		return !slices.ContainsFunc(cause, func(need rehearse.Part) bool {
			value, _ := leg.InForce(need.Whole())
			if need.Action > 0 { // less of an action by one aspect is all of it by another
				need.Aspect = ""
			}
			return !leg.Touches(need.Whole()) || value > 0 && value < need.Value
		})
	})
}

func (w *world) probe(_ context.Context, a Ask) (rehearse.ExplainProbe, error) {
	if w.asked++; w.asked == w.end {
		return rehearse.ExplainProbe{}, ErrOver
	}
	failed := w.fails(a.Parts)
	if w.chance.Float64() < w.wrong {
		failed = !failed
	}
	p := rehearse.ExplainProbe{Parts: a.Parts, Share: a.Share, Outcome: rehearse.Pass, Elapsed: rehearse.Duration(time.Second)}
	if failed {
		p.Outcome = rehearse.Fail
	}
	p.Findings = []rehearse.ProbeFinding{{Check: w.begin.Checks[0], Outcome: p.Outcome, Got: "3%"}}
	w.told = append(w.told, rehearse.ExplainRecord{Probe: &p})
	return p, nil
}

func (w *world) search(t testing.TB) *rehearse.Explanation {
	t.Helper()
	x, err := Search(t.Context(), w.begin, w.probe)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// causeOf is what was found, without values.
func causeOf(x *rehearse.Explanation) string {
	var out []string
	for _, p := range x.Cause {
		out = append(out, p.Whole().String())
	}
	return strings.Join(out, " ")
}

func TestSearch(t *testing.T) {
	for _, c := range []struct{ truth, cause, sentence, short, command string }{
		{
			"traffic:peak.rate network:app:db.rtt=41ms", "network:app:db.rtt traffic:peak.rate",
			"It fails when traffic peak is at its highest rate (36 requests/s) and the round trip from app to db is about 42ms or more. With the rest as in production, it fails when the highest rate of traffic peak is about 13.8 requests/s or more.",
			"traffic at peak + RTT on app → db, from about 42ms",
			"rehearse run --only 'network:app:db.rtt=42ms,traffic:peak.rate'",
		},
		{
			"data:customers.encoding", "data:customers.encoding",
			"It fails when dataset customers has production's encoding.", "data of customers: encoding",
			"rehearse run --only 'data:customers.encoding'",
		},
		{
			"faults:outage/2 traffic:night.arrivals", "traffic:night.arrivals faults:outage/2",
			"It fails when requests of traffic night arrive at random and experiment outage does db: kill 2 (its action 2).",
			"traffic night arrivals + outage: db: kill 2", "rehearse run --only 'traffic:night.arrivals,faults:outage/2'",
		},
		{
			"faults:outage/1.probability=12%", "faults:outage/1",
			"It fails when experiment outage does db: sql-error (its action 1) to about 12% or more of what passes.",
			"outage: db: sql-error, from about 12%", "rehearse run --only 'faults:outage/1.probability=12%'",
		},
		{
			"network:app:cache.rtt network:app:cache.jitter", "network:app:cache",
			"It fails when the round trip from app to cache strays by 6ms and the round trip from app to cache is about 6.3ms or more. " +
				"With the rest as in production, it fails when the round trip from app to cache strays by about 450µs or more.",
			"jitter on app → cache + RTT on app → cache, from about 6.3ms", "rehearse run --only 'network:app:cache.rtt=6.3ms,network:app:cache.jitter'",
		},
	} {
		w := newWorld(t, c.truth)
		x := w.search(t)
		if x.Outcome != rehearse.ExplainedCause || !x.Minimal || x.Others || x.Confidence < 0.95 {
			t.Errorf("%s: %s, minimal %v, others %v, confidence %.3f", c.truth, x.Outcome, x.Minimal, x.Others, x.Confidence)
		}
		if d := cmp.Diff([]string{c.sentence, c.short, c.command}, []string{x.Sentence, x.Short, x.Command}); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.truth, d)
		}
		t.Logf("%s: %d probes", c.truth, w.asked)
		again, err := Replay(append(append([]rehearse.ExplainRecord{{Begin: &w.begin}}, w.told...), rehearse.ExplainRecord{End: &rehearse.ExplainEnd{Elapsed: x.Elapsed}}))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(x, again); d != "" {
			t.Errorf("%s, replayed (-first +again)\n%s", c.truth, d)
		}
	}
}

// A search whose process was killed has no end written down: what is said of it again
// blames no budget, and knows how long it took.
func TestReplayOfWhatWasCutShort(t *testing.T) {
	w := newWorld(t, "network:app:db.rtt traffic:peak.rate")
	w.search(t)
	const kept = 3
	told := append([]rehearse.ExplainRecord{{Begin: &w.begin}}, w.told[:kept]...)
	for i := range told[1:] {
		p := *told[i+1].Probe
		p.Elapsed = rehearse.Duration(time.Second)
		told[i+1].Probe = &p
	}
	for end, want := range map[string]string{"": "The search ended before its end (it was cut short): ", "interrupted": "The search ended before its end (interrupted): "} {
		records := told
		if end != "" {
			records = append(slices.Clone(told), rehearse.ExplainRecord{End: &rehearse.ExplainEnd{Elapsed: rehearse.Duration(kept * time.Second), Error: end}})
		}
		x, err := Replay(records)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(x.Remarks, " "); !strings.HasPrefix(got, want) || strings.Contains(got, "budget") {
			t.Errorf("%q: it remarks %q, want %q and what was not found", end, got, want)
		}
		if got := time.Duration(x.Elapsed); got != kept*time.Second {
			t.Errorf("%q: it took %v", end, got)
		}
	}
}

// Any smallest set is found, whatever it is made of.
func TestSearchFindsAnyCause(t *testing.T) {
	all := suspects(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	most := 0
	for range 200 {
		var cause []rehearse.Part
		for _, i := range rnd.Perm(len(all))[:1+rnd.IntN(4)] {
			cause = append(cause, all[i].Part)
		}
		cause = rehearse.NormalParts(cause)
		w := newWorld(t)
		w.causes = [][]rehearse.Part{cause}
		w.begin.Resolution = 1 // thresholds have tests of their own
		x := w.search(t)
		got := rehearse.OnlyParts(x.Cause...)
		for _, s := range all {
			want := slices.Contains(cause, s.Part)
			if got.Touches(s.Part) != want {
				t.Errorf("%v: found %v", cause, x.Cause)
				break
			}
		}
		most = max(most, w.asked)
	}
	t.Logf("at most %d probes", most)
}

// Where one probe in ten says the opposite of what is so, the answer is wrong no
// more often than the explanation says, and the threshold lies between what it
// names.
func TestConfidenceIsKept(t *testing.T) {
	const rounds = 400
	minimal, right, thresholds, inside, probes := 0, 0, 0, 0, 0
	for i := range rounds {
		w := newWorld(t, "traffic:peak.rate network:app:db.rtt=41ms")
		w.wrong, w.chance = 0.1, rand.New(rand.NewPCG(uint64(i), 5))
		x := w.search(t)
		probes += w.asked
		if x.Outcome != rehearse.ExplainedCause || !x.Minimal {
			continue
		}
		minimal++
		if causeOf(x) != "network:app:db.rtt traffic:peak.rate" {
			continue
		}
		right++
		for _, th := range x.Thresholds {
			if th.Part.Aspect != rehearse.AspectRTT {
				continue
			}
			thresholds++
			if th.Passes < 0.041 && 0.041 <= th.Fails {
				inside++
			}
		}
	}
	t.Logf("%d of %d rounds gave a proven cause, %d of them the right one; %d of %d thresholds hold; %.1f probes a round", minimal, rounds, right, inside, thresholds, float64(probes)/rounds)
	if minimal < rounds*9/10 {
		t.Errorf("only %d of %d rounds gave a proven cause", minimal, rounds)
	}
	// Three standard deviations below 95 of 100 is what chance may do.
	for what, share := range map[string]float64{"causes": float64(right) / float64(minimal), "thresholds": float64(inside) / float64(thresholds)} {
		if share < 0.95-3*0.011 {
			t.Errorf("%.3f of the %s are right, where 0.95 are promised", share, what)
		}
	}
}

// However early the time is over, what is named makes the leg fail, and what was
// not done is said.
func TestBudget(t *testing.T) {
	w := newWorld(t, "traffic:peak.rate network:app:db.rtt=41ms")
	w.search(t)
	whole := w.asked
	for end := 1; end <= whole; end++ {
		w := newWorld(t, "traffic:peak.rate network:app:db.rtt=41ms")
		w.end = end
		x := w.search(t)
		if x.Outcome == rehearse.ExplainedCause && !w.fails(x.Cause) {
			t.Errorf("after %d probes: %v does not make it fail", end, x.Cause)
		}
		if len(x.Remarks) == 0 || !strings.Contains(x.Remarks[len(x.Remarks)-1]+x.Remarks[0], "budget") {
			t.Errorf("after %d probes: nothing is said of the budget: %q", end, x.Remarks)
		}
		if x.Outcome == rehearse.ExplainedCause && !x.Minimal && !strings.Contains(x.Sentence, "at most these") && !strings.Contains(x.Sentence, "fewer may be enough") {
			t.Errorf("after %d probes: %s", end, x.Sentence)
		}
	}
}

// What was measured while the machine got worse and worse is no threshold.
func TestControl(t *testing.T) {
	w := newWorld(t, "traffic:peak.rate network:app:db.rtt=41ms")
	x, err := Search(t.Context(), w.begin, func(ctx context.Context, a Ask) (rehearse.ExplainProbe, error) {
		p, err := w.probe(ctx, a)
		if w.asked > 18 {
			p.Outcome = rehearse.Fail
		}
		return p, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Thresholds) > 0 || !x.Minimal || !strings.Contains(strings.Join(x.Remarks, " "), "could not be measured") {
		t.Errorf("thresholds %v, minimal %v, remarks %q", x.Thresholds, x.Minimal, x.Remarks)
	}
	if got, want := x.Command, "rehearse run --only 'network:app:db.rtt,traffic:peak.rate'"; got != want {
		t.Errorf("the command is %s, want %s", got, want)
	}
}

func TestOtherEnds(t *testing.T) {
	w := newWorld(t)
	w.begin.Checks = nil
	if x := w.search(t); x.Outcome != rehearse.ExplainedNothing || w.asked > 0 {
		t.Errorf("of a leg that passed: %s after %d probes", x.Outcome, w.asked)
	}
	w = newWorld(t)
	w.causes = [][]rehearse.Part{{}}
	if x := w.search(t); x.Outcome != rehearse.ExplainedAlways || x.Command != "rehearse run --leg staging" {
		t.Errorf("of one that always fails: %s, %s", x.Outcome, x.Command)
	}
	w = newWorld(t)
	if x := w.search(t); x.Outcome != rehearse.ExplainedUnsteady {
		t.Errorf("of one that does not fail again: %s, %s", x.Outcome, x.Sentence)
	}
	w = newWorld(t, "data:customers.nulls", "traffic:peak.arrivals")
	if x := w.search(t); !x.Others || len(x.Cause) != 1 {
		t.Errorf("of one with two causes: %v, others %v", x.Cause, x.Others)
	}
	broken := errors.New("no driver")
	x, err := Search(t.Context(), w.begin, func(context.Context, Ask) (rehearse.ExplainProbe, error) { return rehearse.ExplainProbe{}, broken })
	if !errors.Is(err, broken) || x == nil || x.Outcome != rehearse.ExplainedOpen {
		t.Errorf("where no probe can be made: %v, %+v", err, x)
	}
}

// A leg that fails in less than half of its runs is explained, with more of them.
func TestSeldom(t *testing.T) {
	right, done := 0, 0
	for i := range 100 {
		w := newWorld(t, "data:customers.nulls")
		w.chance = rand.New(rand.NewPCG(uint64(i), 6))
		x, err := Search(t.Context(), w.begin, func(ctx context.Context, a Ask) (rehearse.ExplainProbe, error) {
			p, err := w.probe(ctx, a)
			if p.Outcome == rehearse.Fail && w.chance.Float64() < 0.5 {
				p.Outcome = rehearse.Pass
			}
			return p, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if x.Outcome == rehearse.ExplainedCause && x.Minimal {
			done++
			if causeOf(x) == "data:customers.nulls" {
				right++
			}
		}
	}
	t.Logf("%d of 100 explained, %d rightly", done, right)
	if done < 60 || right < done*9/10 {
		t.Errorf("%d of 100 explained, %d rightly", done, right)
	}
}

// A leg that has only parts in force is explained in these.
func TestSearchWithinParts(t *testing.T) {
	w := newWorld(t, "network:app:db.rtt=20ms")
	w.begin.Leg = rehearse.OnlyParts(parts(t, "network:app:db.rtt=41ms traffic")...)
	w.begin.Suspects = slices.DeleteFunc(w.begin.Suspects, func(s rehearse.Suspect) bool { return !w.begin.Leg.Touches(s.Part) })
	for i := range w.begin.Suspects {
		if w.begin.Suspects[i].Part.Aspect == rehearse.AspectRTT {
			w.begin.Suspects[i].Full = 0.041
		}
	}
	x := w.search(t)
	if !x.Minimal || len(x.Cause) != 1 || x.Cause[0].Value < 0.02 || x.Cause[0].Value > 0.0241 {
		t.Errorf("found %v", x.Cause)
	}

	w = newWorld(t, "faults:outage/1.probability=20%")
	w.begin.Leg = rehearse.OnlyParts(parts(t, "faults:outage/1.for=3s")...)
	w.begin.Suspects = slices.DeleteFunc(w.begin.Suspects, func(s rehearse.Suspect) bool { return !w.begin.Leg.Touches(s.Part) })
	x = w.search(t)
	if got := fmt.Sprint(x.Cause); got != "[faults:outage/1.for=3s faults:outage/1.probability=20%]" {
		t.Errorf("found %v", got)
	}
}
