package link

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

var soak = flag.Duration("soak", 0, "how long TestSoak breaks a link; 0 is a second, and a few connections")

// TestSoak breaks a link at random under many connections that come and go, for
// as long as the flag -soak says. A conversation either fails or is whole. In the
// end nothing is left: no connection, goroutine, descriptor, held fault, or
// memory.
func TestSoak(t *testing.T) {
	noLeaks(t)
	duration, conns := *soak, 2000
	if duration == 0 {
		duration, conns = time.Second, 50
	}
	l, addr := serveTier(t, rehearse.TierModel, uint64(time.Now().UnixNano()), serveEchoDirect(t))
	t.Logf("seed %d", l.seed)
	warm, memory := time.Now().Add(duration/10), uint64(0)
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()

	var all sync.WaitGroup
	var whole, broken atomic.Int64
	for i := range conns {
		all.Go(func() {
			random := rand.New(rand.NewPCG(l.seed, uint64(i)))
			for ctx.Err() == nil {
				if err := soakOnce(ctx, addr, random); err != nil {
					broken.Add(1)
				} else {
					whole.Add(1)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(l.seed, 1<<32))
	for l.wait(time.Now().Add(time.Duration(random.IntN(20_000))*time.Microsecond), ctx.Done(), nil) {
		var faults []rehearse.Fault
		for range random.IntN(4) {
			f := randomFault(random)
			f.Name = f.ID() + string(rune('a'+len(faults)))
			faults = append(faults, f)
		}
		mustBreak(t, l, faults...)
		l.Set(randomShape(random))
		l.Stats()
		if memory == 0 && time.Now().After(warm) {
			memory = memoryInUse()
		}
	}
	mustBreak(t, l)
	l.Set(rehearse.Shape{})
	all.Wait()
	eventually(t, func() bool { return l.Stats().Active == 0 })
	s := l.Stats()
	for _, d := range s.Doses {
		if d.Holding != 0 || !d.Gone {
			t.Errorf("dose is %+v", d)
		}
	}
	t.Logf("%d conversations went well and %d were broken; %d connections, %d resets", whole.Load(), broken.Load(), s.Connections, s.Resets)
	if whole.Load() == 0 {
		t.Error("no conversation went well")
	}
	if now := memoryInUse(); now > 2*memory+32<<20 {
		t.Errorf("%d bytes of memory after warming up, %d at the end", memory, now)
	}
}

// memoryInUse is how much memory is in use.
func memoryInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// soakOnce sends something to an echo, and reads it back. The link may break it.
func soakOnce(ctx context.Context, addr string, random *rand.Rand) error {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		waitTimer(time.Now().Add(5*time.Millisecond), ctx.Done(), nil)
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	data := make([]byte, 1+random.IntN(1<<(4+random.IntN(16))))
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		c.Write(data)
		c.(*net.TCPConn).CloseWrite()
	})
	n, err := io.Copy(io.Discard, c)
	if err == nil && n != int64(len(data)) {
		err = errors.New("the echo is not whole")
	}
	if err != nil {
		c.Close() // for the writer
	}
	return err
}

// randomFault is any fault of streams, gentle enough that some get through.
func randomFault(random *rand.Rand) rehearse.Fault {
	ms := func(n int) rehearse.Duration {
		return rehearse.Duration(random.IntN(n)) * rehearse.Duration(time.Millisecond)
	}
	faults := []rehearse.Fault{
		{Kind: rehearse.FaultDelay, Delay: ms(20), Jitter: ms(5)},
		{Kind: rehearse.FaultLoss, Share: 0.05, Burst: 2},
		{Kind: rehearse.FaultRate, Rate: 100 * rehearse.Mbit},
		{Kind: rehearse.FaultRate, Rate: rehearse.Gbit, Shared: true},
		{Kind: rehearse.FaultCorrupt, Share: 0.1},
		{Kind: rehearse.FaultSlice, Size: 500, Variation: 100},
		{Kind: rehearse.FaultPartition},
		{Kind: rehearse.FaultBlackhole},
		{Kind: rehearse.FaultStall, Bytes: 5000},
		{Kind: rehearse.FaultRefuse},
		{Kind: rehearse.FaultLimit, Count: 10},
		{Kind: rehearse.FaultReset, Delay: ms(10)},
		{Kind: rehearse.FaultHalfOpen, Delay: ms(10)},
		{Kind: rehearse.FaultTimeout, Delay: ms(10)},
		{Kind: rehearse.FaultSlowClose, Delay: 1 + ms(10)},
		{Kind: rehearse.FaultTruncate, Bytes: 3000},
		{Kind: rehearse.FaultTLS, Code: "stall"},
		{Kind: rehearse.FaultAbort, Status: 503},
	}
	f := faults[random.IntN(len(faults))]
	f.Direction = [...]rehearse.Direction{"", rehearse.Up, rehearse.Down}[random.IntN(3)]
	f.Probability = random.Float64()
	if random.IntN(4) == 0 {
		f.Probability = 0
	}
	if random.IntN(3) == 0 {
		f.Schedule = rehearse.Schedule{For: 1 + ms(10), Every: rehearse.Duration(30 * time.Millisecond)}
	}
	return f
}
