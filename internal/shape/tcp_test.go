package shape_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

const packet = 1448

func symmetric(rtt time.Duration) rehearse.Path {
	return rehearse.Path{Delay: rehearse.Duration(rtt / 2)}
}

func both(p rehearse.Path) rehearse.Shape { return rehearse.Shape{Up: p, Down: p} }

// TestSlowStart is the flights of a new connection: the initial window of ten
// packets, twice that, and again, until the receive window holds the fourth.
func TestSlowStart(t *testing.T) {
	f := newFlow(rehearse.TierModel, 2, symmetric(50*time.Millisecond))
	f.Send(start, 200_000)
	var got []delivery
	for _, d := range drain(t, f, start) {
		d.Due = d.Due.Truncate(time.Millisecond)
		if k := len(got) - 1; k >= 0 && got[k].Due == d.Due {
			got[k].N += d.N
			continue
		}
		got = append(got, d)
	}
	want := []delivery{
		{10 * packet, 25 * time.Millisecond}, {20 * packet, 75 * time.Millisecond}, {40 * packet, 125 * time.Millisecond},
		{55 * packet, 175 * time.Millisecond}, {200_000 - 125*packet, 225 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flights (-want +got):\n%s", diff)
	}
}

func TestTailLossCostsATimeout(t *testing.T) {
	const rtt = 50 * time.Millisecond
	gone := symmetric(rtt)
	gone.Loss = 1
	f := newFlow(rehearse.TierModel, 1, gone)
	f.Send(start, 64)
	f.Set(start.Add(rtt), symmetric(rtt), symmetric(rtt))
	out := drain(t, f, start)
	// The first time-out knows only the handshake's round trip, whose variation
	// is half of it. The kernel's timers are coarse.
	least := rtt + 200*time.Millisecond + rtt/2
	if got := out[0].Due; got < least || got > least+32*time.Millisecond {
		t.Errorf("a lost packet arrived after %v, want %v and a little", got, least)
	}
}

func TestTimeoutsDouble(t *testing.T) {
	gone := symmetric(50 * time.Millisecond)
	gone.Loss = 1
	f := newFlow(rehearse.TierModel, 1, gone)
	f.Send(start, 64)
	var waits []time.Duration
	at := start
	for range 8 {
		next := f.Next()
		if n, _ := f.Deliver(next); n > 0 {
			t.Fatal("a packet came through a path that loses all")
		}
		waits = append(waits, next.Sub(at))
		at = next
	}
	// The first is a probe and does not count.
	for i := 3; i < len(waits); i++ {
		if ratio := waits[i].Seconds() / waits[i-1].Seconds(); ratio < 1.7 || ratio > 2.3 {
			t.Errorf("wait %d is %v after one of %v", i, waits[i], waits[i-1])
		}
	}
}

func TestLossInTheMiddleCostsARoundTrip(t *testing.T) {
	const rtt = 50 * time.Millisecond
	fast, total := 0, 0
	for seed := range uint64(300) {
		e, _ := shape.Connect(rehearse.TierModel, rand.New(rand.NewPCG(seed, 9)), rehearse.Shape{
			Up: symmetric(rtt), Down: rehearse.Path{Delay: rehearse.Duration(rtt / 2), Loss: 0.1},
		})
		took := e.Do(64, 10*packet)
		if took.Round(rtt) == rtt {
			continue // nothing was lost
		}
		total++
		if took < 3*rtt {
			fast++
		}
	}
	if share := float64(fast) / float64(total); share < 0.6 {
		t.Errorf("%.0f %% of the losses in a flight cost a round trip, want most", share*100)
	}
}

func TestIdleWindowShrinks(t *testing.T) {
	const rtt = 50 * time.Millisecond
	e, _ := shape.Connect(rehearse.TierModel, rand.New(rand.NewPCG(1, 1)), both(symmetric(rtt)))
	for range 3 {
		e.Do(64, 1_000_000)
	}
	e.Wait(100 * time.Millisecond)
	if got := e.Do(64, 200_000).Round(rtt); got != rtt {
		t.Errorf("an answer after a short rest took %v, want %v", got, rtt)
	}
	e.Wait(time.Minute)
	if got := e.Do(64, 200_000).Round(rtt); got < 3*rtt {
		t.Errorf("an answer after a minute's rest took %v, as if the window had kept", got)
	}
}

func TestEarlyTimeoutIsUndone(t *testing.T) {
	p, slow := symmetric(50*time.Millisecond), symmetric(600*time.Millisecond)
	f := newFlow(rehearse.TierModel, 1, p)
	f.Send(start, 2_000_000)
	out := drain(t, f, start)
	at := start.Add(out[len(out)-1].Due).Add(25 * time.Millisecond)
	f.Set(at, slow, slow)
	for range 3 {
		f.Send(at, 200_000)
		out = drain(t, f, at)
		end := start.Add(out[len(out)-1].Due)
		if took := end.Sub(at); took < 300*time.Millisecond || took > 310*time.Millisecond {
			t.Errorf("a flight took %v on a path that became slow, want 300ms", took)
		}
		at = end
	}
}

func TestLostAcknowledgementsCostLittle(t *testing.T) {
	p := symmetric(50 * time.Millisecond)
	back := p
	back.Loss = 0.3
	took := func(back rehearse.Path) time.Duration {
		f := shape.NewTCP(new(shape.Line), new(shape.Line), rand.New(rand.NewPCG(2, 2)), p, back)
		f.Send(start, 1_000_000)
		out := drain(t, f, start)
		return out[len(out)-1].Due
	}
	if clean, lossy := took(p), took(back); lossy > 2*clean {
		t.Errorf("1 MB took %v with every third acknowledgement lost and %v with none", lossy, clean)
	}
}

func TestHandshake(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	p := symmetric(50 * time.Millisecond)
	if got := shape.Handshake(rng, both(p)); got != 50*time.Millisecond {
		t.Errorf("a handshake took %v, want 50ms", got)
	}
	p.Loss = 0.1
	const n = 20_000
	retried := 0
	for range n {
		got := shape.Handshake(rng, both(p))
		if (got-50*time.Millisecond)%time.Second != 0 {
			t.Fatalf("a handshake took %v, want 50ms and whole seconds", got)
		}
		if got > time.Second {
			retried++
		}
	}
	if share := float64(retried) / n; share < 0.18 || share > 0.2 {
		t.Errorf("a share of %.3f of handshakes was retried, want 0.19", share)
	}
	p.Loss = 1
	if got := shape.Handshake(rng, both(p)); got < 6*time.Second {
		t.Errorf("a handshake that cannot be ended after %v", got)
	}
}

func TestFlowsDoNotAllocate(t *testing.T) {
	p := rehearse.Path{Delay: ms(1), Jitter: ms(0.1), Loss: 0.001, Rate: rehearse.Gbit}
	for _, tier := range tiers {
		f := newFlow(tier, 1, p)
		at := start
		carry := func() {
			for range 100 {
				f.Send(at, min(f.Room(), 64<<10))
				at = later(at, f.Next())
				for n, _ := f.Deliver(at); n > 0; n, _ = f.Deliver(at) {
				}
			}
		}
		for range 100 {
			carry()
		}
		if got := testing.AllocsPerRun(10, carry); got > 1 {
			t.Errorf("%s: %.0f allocations in 100 rounds", tier, got)
		}
	}
}
