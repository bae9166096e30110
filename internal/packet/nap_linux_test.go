package packet

import "testing"

// TestNap goes through time as the wire does, where every sleep lasts as long as
// it was asked for.
func TestNap(t *testing.T) {
	w := New(nil, nil, 1)
	if got := w.nap(0); got != -1 {
		t.Errorf("with nothing under way it sleeps for %d ns", got)
	}
	// One parcel every 10 µs, for a while, and one long after them.
	const parcels, apart = 10_000, 10_000
	for i := range parcels {
		w.queue.push(parcel{due: int64(i+100) * apart, number: uint64(i)})
	}
	w.queue.push(parcel{due: 1e9})
	var now, awake int64
	for len(w.queue) > 0 {
		if _, ok := w.give(now); ok {
			continue
		}
		d := w.nap(now)
		if d == 0 {
			d = 1000 // a look at the devices
			awake += d
		}
		if len(w.queue) > 1 && now+d > w.queue[0].due+1000 {
			t.Fatalf("at %d it sleeps for %d, and the next is due at %d", now, d, w.queue[0].due)
		}
		now += d
	}
	if most := int64(parcels*apart)/4 + 2*early; awake == 0 || awake > most {
		t.Errorf("awake for %d ns, want at most %d", awake, most)
	}
}
