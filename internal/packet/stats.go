package packet

import (
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/rehearse-dev/rehearse"
)

// Stats is what a wire did for one direction of a link. Counters only grow, and
// count single packets, those of trains included.
type Stats struct {
	Packets int64 `json:"packets"` // that came in, in all
	Bytes   int64 `json:"bytes"`   // in them, from the IP header on
	Lost    int64 `json:"lost"`    // by the path's loss
	Dropped int64 `json:"dropped"` // found the queue full
	Blocked int64 `json:"blocked"` // by a partition or a black hole
	Refused int64 `json:"refused"` // the other device did not take them, as when it is down

	Duplicated int64 `json:"duplicated"`
	Reordered  int64 `json:"reordered"`
	Corrupted  int64 `json:"corrupted"`

	// DelayAsked is what the path asked of each packet or train that was
	// passed on, rate included, DelayGiven what it got, and DelayError how
	// much later that was.
	DelayAsked rehearse.Quantiles `json:"delayAsked,omitzero"`
	DelayGiven rehearse.Quantiles `json:"delayGiven,omitzero"`
	DelayError rehearse.Quantiles `json:"delayError,omitzero"`
}

// meter is a lane's statistics. One goroutine writes, any may read.
type meter struct {
	packets, bytes, lost, dropped, blocked, refused, duplicated, reordered, corrupted atomic.Int64

	asked, given, late histogram
}

func (m *meter) stats() Stats {
	return Stats{
		Packets: m.packets.Load(), Bytes: m.bytes.Load(),
		Lost: m.lost.Load(), Dropped: m.dropped.Load(), Blocked: m.blocked.Load(), Refused: m.refused.Load(),
		Duplicated: m.duplicated.Load(), Reordered: m.reordered.Load(), Corrupted: m.corrupted.Load(),
		DelayAsked: m.asked.quantiles(), DelayGiven: m.given.quantiles(), DelayError: m.late.quantiles(),
	}
}

// histogram is a distribution of nanoseconds, 64 buckets for each doubling, as
// that of package link. The zero value is empty.
type histogram struct {
	counts         [64 * 32]atomic.Int64
	total, highest atomic.Int64
	lowest         atomic.Int64 // how far the minimum lies below the largest integer
}

func (h *histogram) observe(ns int64) {
	ns = max(0, ns)
	h.total.Add(ns)
	h.highest.Store(max(h.highest.Load(), ns))
	h.lowest.Store(max(h.lowest.Load(), math.MaxInt64-ns))
	shift := max(0, bits.Len64(uint64(ns))-7)
	h.counts[min(shift*64+int(ns>>shift), len(h.counts)-1)].Add(1)
}

func (h *histogram) quantiles() rehearse.Quantiles { return together(h) }

// together are the quantiles of what several histograms have observed.
func together(all ...*histogram) rehearse.Quantiles {
	var counts [64 * 32]int64
	var n, total, lowest, high int64
	for _, h := range all {
		for i := range h.counts {
			counts[i] += h.counts[i].Load()
			n += h.counts[i].Load()
		}
		total += h.total.Load()
		lowest, high = max(lowest, h.lowest.Load()), max(high, h.highest.Load())
	}
	if n == 0 {
		return rehearse.Quantiles{}
	}
	low := math.MaxInt64 - lowest
	at := func(q float64) rehearse.Duration {
		rank := int64(math.Ceil(q * float64(n)))
		for i, c := range counts {
			if rank -= c; rank <= 0 {
				shift := max(0, i/64-1)
				middle := int64(i-shift*64)<<shift + int64(1)<<shift/2
				return rehearse.Duration(min(max(middle, low), high))
			}
		}
		return rehearse.Duration(high)
	}
	return rehearse.Quantiles{
		Count: n, Min: rehearse.Duration(low), Max: rehearse.Duration(high), Mean: rehearse.Duration(total / n),
		P50: at(0.5), P90: at(0.9), P99: at(0.99),
	}
}
