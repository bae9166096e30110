package packet

import (
	"hash/fnv"
	"maps"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/rehearse-dev/rehearse"
)

// maxHeld is how many bytes a wire keeps under way. What comes beyond is
// dropped: a sender that ignores congestion must not take all memory.
const maxHeld = 256 << 20

// Wire joins two TUN devices and shapes what passes between them, each link in
// its own way.
type Wire struct {
	near, far *os.File
	seed      uint64

	setting sync.Mutex                              // among those who add a link
	links   atomic.Pointer[map[netip.Addr]*[2]lane] // never changed, only replaced
	strays  atomic.Int64

	// Of the goroutine that runs the wire.
	queue  queue
	store  store
	fates  []fate
	held   int
	number uint64
	// awakeFor is when the parcel is due that the wire last stayed awake for.
	awakeFor int64
}

// The lanes of a link.
const (
	down = iota
	up
)

// New makes a wire between the client's device and that of its links. The files
// stay the caller's, who must not read or write them while the wire runs. The
// seed, a link's address and the number of a packet on its way decide what
// becomes of it.
func New(near, far *os.File, seed uint64) *Wire {
	w := &Wire{near: near, far: far, seed: seed}
	w.links.Store(&map[netip.Addr]*[2]lane{})
	return w
}

// Set gives the link at an address behind the far device its shape and faults,
// for packets from now on; those under way keep their time. It never waits for
// the wire, may be called before, during and after its run from any goroutine,
// and fails only for a fault that [Check] refuses, in which case it changes
// nothing. The schedule of a fault is the caller's affair.
//
// Rate and Limit are those of all packets, so what finds the queue full is lost.
// The jitter of a train's packets is the same, as they leave in one burst.
func (w *Wire) Set(link netip.Addr, s rehearse.Shape, faults ...rehearse.Fault) error {
	for _, f := range faults {
		if err := Check(f); err != nil {
			return err
		}
	}
	lanes := w.link(link.Unmap())
	lanes[up].path.Store(with(s.Up, true, faults))
	lanes[down].path.Store(with(s.Down, false, faults))
	return nil
}

// link finds or adds a link.
func (w *Wire) link(addr netip.Addr) *[2]lane {
	w.setting.Lock()
	defer w.setting.Unlock()
	known := *w.links.Load()
	if lanes, ok := known[addr]; ok {
		return lanes
	}
	more := maps.Clone(known)
	lanes := &[2]lane{}
	key := fnv.New64a()
	key.Write(addr.AsSlice())
	for i := range lanes {
		lanes[i].dice = newDice(w.seed, key.Sum64()<<1|uint64(i))
		lanes[i].path.Store(&path{})
	}
	more[addr] = lanes
	w.links.Store(&more)
	return lanes
}

// Stats are what the link at an address saw, in both directions; zero when it
// was never set.
func (w *Wire) Stats(link netip.Addr) (upward, downward Stats) {
	lanes := (*w.links.Load())[link.Unmap()]
	if lanes == nil {
		return Stats{}, Stats{}
	}
	return lanes[up].meter.stats(), lanes[down].meter.stats()
}

// Delay sums up both directions of the link at an address: what was asked of
// packets, what they got, and how much later that was.
func (w *Wire) Delay(link netip.Addr) (asked, given, late rehearse.Quantiles) {
	lanes := (*w.links.Load())[link.Unmap()]
	if lanes == nil {
		return asked, given, late
	}
	a, b := &lanes[up].meter, &lanes[down].meter
	return together(&a.asked, &b.asked), together(&a.given, &b.given), together(&a.late, &b.late)
}

// Strays is how many frames were not carried because no link has their address.
// The kernel sends some of its own accord, to find routers.
func (w *Wire) Strays() int64 { return w.strays.Load() }

// take decides what becomes of a frame that came at a time from the near device,
// going up, or from the far one. It copies what it keeps.
func (w *Wire) take(data []byte, isUp bool, now int64) {
	f, ok := parse(data)
	if !ok {
		w.strays.Add(1)
		return
	}
	address, direction := f.src, down
	if isUp {
		address, direction = f.dst, up
	}
	lanes := (*w.links.Load())[address]
	if lanes == nil {
		w.strays.Add(1)
		return
	}
	l := &lanes[direction]
	w.fates = l.judge(w.fates[:0], f, now)
	for _, fate := range w.fates {
		for range fate.copies {
			n := vnetLen + f.bytes(fate.from, fate.to)
			if w.held > maxHeld {
				l.meter.dropped.Add(int64(fate.to - fate.from))
				continue
			}
			b := f.cut(w.store.get(n), fate.from, fate.to)
			if fate.spoil {
				complete(b)
				at := vnetLen + f.ip
				if room := len(b) - at; room > 0 {
					bit := int(fate.luck % uint64(room*8))
					b[at+bit/8] ^= 1 << (bit % 8)
				}
			}
			w.number++
			w.held += cap(b)
			w.queue.push(parcel{due: fate.due, came: now, number: w.number, data: b, packets: fate.to - fate.from, up: isUp, meter: &l.meter})
		}
	}
}

// give takes the next parcel that is due from the queue.
func (w *Wire) give(now int64) (parcel, bool) {
	if len(w.queue) == 0 || w.queue[0].due > now {
		return parcel{}, false
	}
	return w.queue.pop(), true
}

// delivered notes a parcel's end, and takes its buffer back.
func (w *Wire) delivered(p parcel, now int64, taken bool) {
	if taken {
		p.meter.asked.observe(p.due - p.came)
		p.meter.given.observe(now - p.came)
		p.meter.late.observe(now - p.due)
	} else {
		p.meter.refused.Add(int64(p.packets))
	}
	w.held -= cap(p.data)
	w.store.put(p.data)
}
