package packet

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// everything is a path that does everything a little.
var everything = rehearse.Path{
	Delay: ms(10), Jitter: ms(3), Loss: 0.1, Burst: 2, Duplicate: 0.1, Reorder: 0.1, Rate: 100 * rehearse.Mbit, ConnectionRate: 50 * rehearse.Mbit,
}

func corruption(share float64) rehearse.Fault {
	return rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: share}
}

// numbered is a datagram that says which one it is.
func numbered(i, size int) []byte {
	return datagram(client4, link4, binary.BigEndian.AppendUint32(make([]byte, size-4), uint32(i)))
}

func numberOf(data []byte) int { return int(binary.BigEndian.Uint32(data[len(data)-4:])) }

func TestPlainWire(t *testing.T) {
	w := newWire(t, 1, rehearse.Shape{})
	up, down := datagram(client4, link4, []byte("up")), datagram(link6, client6, []byte("down"))
	w.take(up, true, 5)
	w.take(down, false, 6)
	got := drain(w)
	if want := []arrival{{5, up}, {6, down}}; !cmp.Equal(got, want, cmp.AllowUnexported(arrival{})) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestStrays: what is no link's is not carried, neither up nor down.
func TestStrays(t *testing.T) {
	w := newWire(t, 1, rehearse.Shape{})
	other := netip.MustParseAddr("10.1.1.2")
	w.take(datagram(client4, other, nil), true, 0)
	w.take(datagram(other, client4, nil), false, 0)
	w.take(datagram(client4, link4, nil), false, 0) // down, from the client's address
	w.take([]byte("rubbish"), true, 0)
	if len(w.queue) != 0 || w.Strays() != 4 {
		t.Errorf("%d are under way and %d strays, want 0 and 4", len(w.queue), w.Strays())
	}
	if up, down := w.Stats(other); up != (Stats{}) || down != (Stats{}) {
		t.Error("there are statistics of no link")
	}
}

// TestOrder: no jitter reorders, and nothing is early.
func TestOrder(t *testing.T) {
	const n = 5000
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(10), Jitter: ms(8), Rate: rehearse.Gbit, Limit: 1 << 30}))
	for i := range n {
		w.take(numbered(i, 100), true, int64(i)*1000)
	}
	got := drain(w)
	if len(got) != n {
		t.Fatalf("%d of %d came", len(got), n)
	}
	for i, a := range got {
		if numberOf(a.data) != i {
			t.Fatalf("packet %d came as number %d", numberOf(a.data), i)
		}
		if a.at < int64(i)*1000 {
			t.Fatalf("packet %d came before it was sent", i)
		}
	}
}

// TestReorder: that share overtakes what is under way, and nothing is lost.
func TestReorder(t *testing.T) {
	const n = 5000
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(10), Reorder: 0.2}))
	for i := range n {
		w.take(numbered(i, 100), true, int64(i)*1000)
	}
	overtook, highest, seen := 0, -1, map[int]bool{}
	for _, a := range drain(w) {
		i := numberOf(a.data)
		seen[i] = true
		switch a.at - int64(i)*1000 {
		case 0:
			overtook++
		case 10e6:
			if i < highest {
				t.Fatalf("packet %d is late although its turn was kept", i)
			}
			highest = i
		default:
			t.Fatalf("packet %d took %d ns", i, a.at-int64(i)*1000)
		}
	}
	if up, _ := w.Stats(link4); len(seen) != n || up.Reordered != int64(overtook) || math.Abs(float64(overtook)/n-0.2) > 0.03 {
		t.Errorf("%d came, %d of them before their turn, %d by the statistics", len(seen), overtook, up.Reordered)
	}
}

func TestShares(t *testing.T) {
	const n = 20_000
	w := newWire(t, 1, upward(rehearse.Path{Loss: 0.1, Duplicate: 0.2}), corruption(0.3))
	for i := range n {
		w.take(numbered(i, 100), true, int64(i))
	}
	copies, spoilt := map[int]int{}, 0
	arrivals := drain(w)
	for _, a := range arrivals {
		i := numberOf(a.data)
		if bytes.Equal(a.data, numbered(i, 100)) {
			copies[i]++
			continue
		}
		spoilt++
	}
	up, _ := w.Stats(link4)
	if up.Packets != n || up.Bytes != n*128 || int64(len(arrivals)) != n-up.Lost+up.Duplicated {
		t.Errorf("%d arrivals of %+v", len(arrivals), up)
	}
	for _, c := range []struct {
		name  string
		got   int64
		share float64
	}{{"lost", up.Lost, 0.1}, {"duplicated", up.Duplicated, 0.2 * 0.9}, {"corrupted", up.Corrupted, 0.3 * 0.9}} {
		if got := float64(c.got) / n; math.Abs(got-c.share) > 0.02 {
			t.Errorf("%v are %s, want %v", got, c.name, c.share)
		}
	}
	if int64(spoilt) < up.Corrupted {
		t.Errorf("%d are not as they were sent, %d were corrupted", spoilt, up.Corrupted)
	}
}

// TestTrains: what strikes single packets strikes those of trains in the same
// way, and the pieces that come are the packets that were not struck.
func TestTrains(t *testing.T) {
	const packets, trains = 40, 50
	p := rehearse.Path{Loss: 0.05, Burst: 2, Duplicate: 0.02}
	whole, single := newWire(t, 3, upward(p), corruption(0.02)), newWire(t, 3, upward(p), corruption(0.02))
	payload := make([]byte, 100*packets)
	for i := range payload {
		payload[i] = byte(i / 100)
	}
	for i := range trains {
		b := train(client4, link4, 100, payload)
		whole.take(b, true, int64(i))
		f, _ := parse(b)
		for j := range packets {
			single.take(f.cut(nil, j, j+1), true, int64(i))
		}
	}
	flat := func(arrivals []arrival) (out []byte) {
		for _, a := range arrivals {
			f, ok := parse(a.data)
			if !ok {
				t.Fatal("what came does not parse")
			}
			for i := range f.packets {
				out = append(out, f.cut(nil, i, i+1)[vnetLen:]...)
			}
		}
		return out
	}
	a, b := drain(whole), drain(single)
	if len(a) >= len(b)/2 {
		t.Errorf("%d frames for %d packets: trains were taken apart", len(a), len(b))
	}
	if !bytes.Equal(flat(a), flat(b)) {
		t.Error("trains and single packets have different fates")
	}
	up, _ := whole.Stats(link4)
	other, _ := single.Stats(link4)
	up.DelayAsked, up.DelayGiven, up.DelayError = other.DelayAsked, other.DelayGiven, other.DelayError
	if diff := cmp.Diff(other, up); diff != "" {
		t.Errorf("statistics of trains, -single +train:\n%s", diff)
	}
}

// TestSpoiltIsNoticed: a checksum that was left to the card is made before a bit
// is flipped.
func TestSpoiltIsNoticed(t *testing.T) {
	w := newWire(t, 1, rehearse.Shape{}, corruption(1))
	for range 2000 {
		w.take(train(client4, link4, 100, make([]byte, 500)), true, 0)
	}
	arrivals := drain(w)
	if len(arrivals) != 10_000 {
		t.Fatalf("%d packets came", len(arrivals))
	}
	for _, a := range arrivals {
		if a.data[0] != 0 || a.data[1] != gsoNone || intact(a.data) {
			t.Fatal("a spoilt packet passes for a good one")
		}
	}
}

func TestRate(t *testing.T) {
	// 1000 bytes on the cable at 8 Mbit/s take a millisecond.
	w := newWire(t, 1, upward(rehearse.Path{Delay: ms(10), Rate: 8 * rehearse.Mbit, Limit: 10_000}))
	for i := range 20 {
		w.take(numbered(i, 972), true, 0)
	}
	got := drain(w)
	if len(got) != 10 {
		t.Errorf("%d came", len(got))
	}
	for i, a := range got {
		if want := int64(i+11) * 1e6; a.at != want || numberOf(a.data) != i {
			t.Errorf("packet %d came at %d, want packet %d at %d", numberOf(a.data), a.at, i, want)
		}
	}
	if up, _ := w.Stats(link4); up.Dropped != 10 {
		t.Errorf("%d dropped", up.Dropped)
	}
	// Half a packet of room lets one pass when nobody waits.
	set(t, w, link4, upward(rehearse.Path{Rate: 8 * rehearse.Mbit, Limit: 500}))
	w.take(numbered(0, 972), true, 1e9)
	w.take(numbered(1, 972), true, 1e9)
	if got := drain(w); len(got) != 1 || got[0].at != 1e9+1e6 {
		t.Errorf("of two packets, these came through a short queue: %v", got)
	}
}

func TestConnectionRate(t *testing.T) {
	w := newWire(t, 1, upward(rehearse.Path{ConnectionRate: 8 * rehearse.Mbit, Limit: 1 << 20}))
	const connections = 3 * manyFlows
	for i := range connections {
		b := numbered(i, 972)
		binary.BigEndian.PutUint16(b[vnetLen+20:], uint16(i))
		w.take(b, true, int64(i))
		w.take(b, true, int64(i))
	}
	for i, a := range drain(w) {
		if i < connections && a.at > 1e6+connections {
			t.Fatalf("the first packet of connection %d came at %d", numberOf(a.data), a.at)
		}
		if i >= connections && a.at < 2e6 {
			t.Fatalf("the second packet of connection %d came at %d", numberOf(a.data), a.at)
		}
	}
	for i := range connections {
		b := numbered(i, 972)
		binary.BigEndian.PutUint16(b[vnetLen+22:], uint16(i))
		w.take(b, true, int64(i+1)*1e9)
	}
	if n := len((*w.links.Load())[link4][up].flows); n > 2*manyFlows {
		t.Errorf("%d connections are remembered", n)
	}
}

// TestTrainAtARate: the pieces of a train come no earlier than their last packet
// has left, and not much later.
func TestTrainAtARate(t *testing.T) {
	const size = 1448
	rate := rehearse.Gbit
	w := newWire(t, 1, upward(rehearse.Path{Rate: rate, Limit: 1 << 20}))
	payload := make([]byte, size*40)
	w.take(train(client4, link4, size, payload), true, 0)
	arrivals := drain(w)
	sent := 0
	for _, a := range arrivals {
		f, _ := parse(a.data)
		first := transfer((sent+1)*(size+52), rate)
		sent += f.packets
		last := transfer(sent*(size+52), rate)
		if a.at < last-int64(sent) || a.at-first > grain {
			t.Errorf("%d packets came at %d: the first has left at %d, the last at %d", f.packets, a.at, first, last)
		}
	}
	if sent != 40 || len(arrivals) > 14 {
		t.Errorf("%d packets in %d frames", sent, len(arrivals))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := newWire(t, 1, upward(rehearse.Path{Delay: rehearse.Duration(time.Hour)}))
	b := train(client4, link4, 1448, make([]byte, 60_000))
	const n = 2 * maxHeld / maxFrame
	for range n {
		w.take(b, true, 0)
	}
	up, _ := w.Stats(link4)
	if w.held > maxHeld+maxFrame || up.Dropped == 0 {
		t.Errorf("%d bytes are held, %d packets dropped", w.held, up.Dropped)
	}
	drain(w)
	if w.held != 0 {
		t.Errorf("%d bytes are held by nobody", w.held)
	}
}
