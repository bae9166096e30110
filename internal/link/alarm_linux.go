package link

import (
	"sync"
	"time"
)

// alarm is one goroutine's wish to be woken.
type alarm struct {
	at    time.Time
	index int           // in the heap; negative when not in it
	ring  chan struct{} // holds one, so that ringing never blocks
}

var alarmPool = sync.Pool{New: func() any { return &alarm{index: -1, ring: make(chan struct{}, 1)} }}

// alarms is a binary heap, the earliest first. It is written out because the
// standard library's calls an interface method for every step, under the lock
// that all links share.
type alarms []*alarm

func (h *alarms) push(a *alarm) {
	*h = append(*h, a)
	h.up(a, len(*h)-1)
}

// remove takes the alarm at an index out.
func (h *alarms) remove(i int) {
	old := *h
	old[i].index = -1
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	if i == len(*h) {
		return
	}
	h.down(last, i)
	h.up(last, last.index)
}

// up places a at i or nearer to the top.
func (h alarms) up(a *alarm, i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !a.at.Before(h[parent].at) {
			break
		}
		h[i] = h[parent]
		h[i].index = i
		i = parent
	}
	h[i], a.index = a, i
}

// down places a at i or farther from the top.
func (h alarms) down(a *alarm, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].at.Before(h[child].at) {
			child++
		}
		if !h[child].at.Before(a.at) {
			break
		}
		h[i] = h[child]
		h[i].index = i
		i = child
	}
	h[i], a.index = a, i
}
