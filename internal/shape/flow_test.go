package shape_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

var tiers = []rehearse.Tier{rehearse.TierStream, rehearse.TierModel}

func newFlow(tier rehearse.Tier, seed uint64, p rehearse.Path) shape.Flow {
	return shape.New(tier, new(shape.Line), new(shape.Line), rand.New(rand.NewPCG(seed, 0)), p, p)
}

// delivery is bytes that came out of a flow, counted from start.
type delivery struct {
	N   int
	Due time.Duration
}

// drain takes everything out of a flow, in the time that it asks for.
func drain(t testing.TB, f shape.Flow, at time.Time) (out []delivery) {
	t.Helper()
	for range 1_000_000 {
		next := f.Next()
		if next.IsZero() {
			return out
		}
		at = later(at, next)
		for n, due := f.Deliver(at); n > 0; n, due = f.Deliver(at) {
			out = append(out, delivery{n, due.Sub(start)})
		}
	}
	t.Fatalf("the flow still asks for %v, a million events on", f.Next().Sub(start))
	return nil
}

func total(ds []delivery) (n int) {
	for _, d := range ds {
		n += d.N
	}
	return n
}

func TestFlowIsWire(t *testing.T) {
	for _, tier := range tiers {
		t.Run(string(tier), func(t *testing.T) {
			f := newFlow(tier, 1, rehearse.Path{})
			for i, n := range []int{1, 60_000, 1} {
				at := start.Add(time.Duration(i) * time.Second)
				f.Send(at, n)
				if got, due := f.Deliver(at); got != n || !due.Equal(at) {
					t.Errorf("%d bytes sent at %v came out as %d at %v", n, at.Sub(start), got, due.Sub(start))
				}
				if next := f.Next(); !next.IsZero() {
					t.Errorf("the flow asks for %v with nothing under way", next.Sub(start))
				}
			}
		})
	}
}

func TestFlowIsLate(t *testing.T) {
	for _, tier := range tiers {
		t.Run(string(tier), func(t *testing.T) {
			f := newFlow(tier, 1, rehearse.Path{Delay: ms(25)})
			f.Send(start, 1000)
			if n, _ := f.Deliver(start.Add(25*time.Millisecond - 1)); n != 0 {
				t.Errorf("%d bytes came out early", n)
			}
			// A caller that comes late still learns when the bytes were due.
			n, due := f.Deliver(start.Add(time.Second))
			// The model's host sends at 10 Gbit/s.
			if late := due.Sub(start) - 25*time.Millisecond; n != 1000 || late < 0 || late > time.Microsecond {
				t.Errorf("%d bytes came out, due at %v; want 1000 at 25ms", n, due.Sub(start))
			}
		})
	}
}

func TestFlowKeepsRate(t *testing.T) {
	for _, tier := range tiers {
		for name, p := range map[string]rehearse.Path{
			"link":       {Delay: ms(10), Rate: 10 * rehearse.Mbit},
			"connection": {Delay: ms(10), ConnectionRate: 10 * rehearse.Mbit},
			"lower":      {Delay: ms(10), Rate: 20 * rehearse.Mbit, ConnectionRate: 10 * rehearse.Mbit},
		} {
			t.Run(string(tier)+"/"+name, func(t *testing.T) {
				f := newFlow(tier, 1, p)
				const size = 10_000_000 // 8 s at the rate
				at, got := start, 0
				for sent := 0; got < size; {
					n := min(size-sent, f.Room())
					f.Send(at, n)
					sent += n
					at = later(at, f.Next())
					for n, _ := f.Deliver(at); n > 0; n, _ = f.Deliver(at) {
						got += n
					}
				}
				if rate := float64(size) * 8 / at.Sub(start).Seconds() / 1e6; rate > 10.01 || rate < 9 {
					t.Errorf("a rate of 10 Mbit/s carried %.2f", rate)
				}
			})
		}
	}
}

func TestConnectionRateIsPrivate(t *testing.T) {
	p := rehearse.Path{ConnectionRate: 8 * rehearse.Mbit}
	line := new(shape.Line)
	for i := range 2 {
		f := shape.NewStream(line, rand.New(rand.NewPCG(1, uint64(i))), p)
		f.Send(start, 10_000)
		out := drain(t, f, start)
		if got, want := out[len(out)-1].Due, 10*time.Millisecond; got != want {
			t.Errorf("connection %d: 10 kB took %v, want %v", i, got, want)
		}
	}
}

func TestLineFit(t *testing.T) {
	line := new(shape.Line)
	const rate = 8 * rehearse.Mbit // a byte in a microsecond
	if got := line.Fit(0, start, 1); got < math.MaxInt32 {
		t.Errorf("an unlimited line takes %d bytes", got)
	}
	if got := line.Fit(rate, start, 5000); got != 5000 {
		t.Errorf("an idle line takes %d bytes, want 5000", got)
	}
	line.Send(rate, start, 3000)
	if got := line.Fit(rate, start, 5000); got != 2000 {
		t.Errorf("the line takes %d bytes, want 2000", got)
	}
	if got := line.Fit(rate, start.Add(time.Millisecond), 5000); got != 3000 {
		t.Errorf("a millisecond on, the line takes %d bytes, want 3000", got)
	}
	if got := line.Fit(rate, start, 1000); got != 0 {
		t.Errorf("an overfull line takes %d bytes", got)
	}
}

// TestFullQueueIsLoss holds a sender that meets a short queue to the rate, and
// the bytes to their number.
func TestFullQueueIsLoss(t *testing.T) {
	p := rehearse.Path{Delay: ms(20), Rate: 20 * rehearse.Mbit, Limit: 15_000}
	f := newFlow(rehearse.TierModel, 1, p)
	const size = 3_000_000
	f.Send(start, size)
	out := drain(t, f, start)
	if got := total(out); got != size {
		t.Fatalf("%d bytes came out of %d", got, size)
	}
	ideal := time.Duration(size * 8 / 20e6 * float64(time.Second))
	took := out[len(out)-1].Due
	if took < ideal || took > 3*ideal {
		t.Errorf("3 MB at 20 Mbit/s through a queue of 10 packets took %v", took)
	}
}

// TestSharedLine lets two senders over one line share its rate.
func TestSharedLine(t *testing.T) {
	p := rehearse.Path{Delay: ms(10), Rate: 20 * rehearse.Mbit}
	up, down := new(shape.Line), new(shape.Line)
	var flows [2]shape.Flow
	for i := range flows {
		flows[i] = shape.NewTCP(up, down, rand.New(rand.NewPCG(9, uint64(i))), p, rehearse.Path{Delay: ms(10)})
		flows[i].Send(start, 4<<20)
	}
	end := start.Add(2 * time.Second)
	var got [2]int
	for at := start; ; {
		next := end
		for _, f := range flows {
			if n := f.Next(); !n.IsZero() && n.Before(next) {
				next = n
			}
		}
		if next.Equal(end) {
			break
		}
		at = later(at, next)
		for i, f := range flows {
			for n, _ := f.Deliver(at); n > 0; n, _ = f.Deliver(at) {
				got[i] += n
			}
		}
	}
	sum := float64(got[0]+got[1]) * 8 / 2 / 1e6
	if sum > 20 || sum < 16 {
		t.Errorf("two connections got %.1f Mbit/s together of 20", sum)
	}
	if share := float64(got[0]) / float64(got[0]+got[1]); share < 0.2 || share > 0.8 {
		t.Errorf("one connection got %.0f %% of the line", share*100)
	}
}

func TestRoom(t *testing.T) {
	for _, tier := range tiers {
		f := newFlow(tier, 1, rehearse.Path{Delay: ms(25)})
		room := f.Room()
		if room < 1<<20 || room > shape.MaxWindow {
			t.Errorf("%s: room is %d at first", tier, room)
		}
		f.Send(start, room)
		if got := f.Room(); got != 0 {
			t.Errorf("%s: room is %d when all of it is taken", tier, got)
		}
		f.Send(start, 1) // the end of a stream does not wait for room
		if got := total(drain(t, f, start)); got != room+1 {
			t.Errorf("%s: %d bytes came out of %d", tier, got, room+1)
		}
		if got := f.Room(); got != room {
			t.Errorf("%s: room is %d when all is delivered, want %d", tier, got, room)
		}
	}
}

func TestFlowIsReproducible(t *testing.T) {
	p := rehearse.Path{Delay: ms(10), Jitter: ms(2), Loss: 0.02, Rate: 50 * rehearse.Mbit}
	for _, tier := range tiers {
		run := func(seed uint64) []delivery {
			f := newFlow(tier, seed, p)
			f.Send(start, 500_000)
			return drain(t, f, start)
		}
		if diff := cmp.Diff(run(3), run(3)); diff != "" {
			t.Errorf("%s: the same seed gave two series:\n%s", tier, diff)
		}
		if cmp.Equal(run(3), run(4)) {
			t.Errorf("%s: two seeds gave the same series", tier)
		}
	}
}

// FuzzFlow holds what every flow promises, whatever becomes of its path: no byte
// is made or lost or early or overtaken, the flow says when it has more, and the
// same seed gives the same again.
func FuzzFlow(f *testing.F) {
	f.Add(uint64(1), int64(25*time.Millisecond), int64(3*time.Millisecond), int64(rehearse.Gbit), 0.01, 0., int64(0), 1448)
	f.Add(uint64(2), int64(0), int64(time.Second), int64(100_000), 0.3, 4., int64(1), 100_000)
	f.Add(uint64(3), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), 1., 0.5, int64(math.MaxInt64), 1)
	f.Add(uint64(4), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), math.NaN(), math.NaN(), int64(math.MinInt64), math.MinInt)
	f.Add(uint64(5), int64(time.Millisecond), int64(time.Millisecond), int64(rehearse.Mbit), 0.001, 100., int64(3000), 64<<10)
	f.Fuzz(func(t *testing.T, seed uint64, delay, jitter, rate int64, loss, burst float64, limit int64, n int) {
		n = min(n, 1<<20)
		asked := rehearse.Path{
			Delay: rehearse.Duration(delay), Jitter: rehearse.Duration(jitter), Loss: loss, Burst: burst,
			Rate: rehearse.Rate(rate), Limit: limit,
		}
		if asked.Rate > 0 {
			asked.Rate = max(asked.Rate, 10*rehearse.Kbit) // else the test is the transfer of its bytes, one at a time
		}
		paths := []rehearse.Path{
			asked, {}, {Delay: asked.Delay}, {Loss: loss}, {Rate: asked.Rate, Limit: limit},
			{Delay: asked.Delay, Jitter: asked.Jitter, Distribution: rehearse.Pareto, Correlation: loss},
			{ConnectionRate: asked.Rate, Loss: loss, Correlation: burst, Jitter: asked.Jitter, Distribution: rehearse.Uniform},
		}
		for _, tier := range tiers {
			if a, b := ride(t, tier, seed, paths, n), ride(t, tier, seed, paths, n); !cmp.Equal(a, b) {
				t.Fatalf("%s: the same seed gave two series:\n%s", tier, cmp.Diff(a, b))
			}
		}
	})
}

// ride sends bytes over a path that keeps changing.
func ride(t *testing.T, tier rehearse.Tier, seed uint64, paths []rehearse.Path, n int) (out []delivery) {
	random := rand.New(rand.NewPCG(seed, 1))
	flow := newFlow(tier, seed, paths[0])
	at := start
	type sending struct {
		upTo int
		at   time.Time
	}
	var sends []sending
	sent, got := 0, 0
	last := start
	take := func() {
		for n, due := flow.Deliver(at); n > 0; n, due = flow.Deliver(at) {
			if due.After(at) {
				t.Fatalf("%s: bytes came %v before they were due", tier, due.Sub(at))
			}
			if due.Before(last) {
				t.Fatalf("%s: bytes were due %v before those ahead", tier, last.Sub(due))
			}
			last = due
			got += n
			for len(sends) > 0 && sends[0].upTo <= got {
				if due.Before(sends[0].at) {
					t.Fatalf("%s: bytes were due %v before they were sent", tier, sends[0].at.Sub(due))
				}
				sends = sends[1:]
			}
			out = append(out, delivery{n, due.Sub(start)})
		}
		if got > sent {
			t.Fatalf("%s: %d bytes came out of %d", tier, got, sent)
		}
		if next := flow.Next(); next.IsZero() != (got == sent) {
			t.Fatalf("%s: %d of %d bytes came out and the flow asks for %v", tier, got, sent, next)
		}
	}
	for range 48 {
		at = at.Add(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
		switch random.IntN(4) {
		case 0:
			flow.Set(at, paths[random.IntN(len(paths))], paths[random.IntN(len(paths))])
		case 1:
			if next := flow.Next(); !next.IsZero() && next.Sub(at) < time.Hour {
				at = later(at, next)
			}
		default:
			k := min(flow.Room(), n)
			flow.Send(at, k)
			if k > 0 {
				sent += k
				sends = append(sends, sending{sent, at})
			}
		}
		take()
	}
	flow.Set(at, rehearse.Path{Delay: ms(1)}, rehearse.Path{})
	for i := 0; got < sent; i++ {
		if i > 1_000_000 {
			t.Fatalf("%s: %d of %d bytes came out and no more", tier, got, sent)
		}
		at = later(at, flow.Next())
		take()
	}
	return out
}
