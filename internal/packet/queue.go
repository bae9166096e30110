package packet

import "math/bits"

// parcel is a frame under way.
type parcel struct {
	due, came int64
	number    uint64 // those that are due at once leave in the order of their numbers
	data      []byte
	packets   int
	up        bool
	meter     *meter
}

// queue is a heap of parcels, the first to leave on top.
type queue []parcel

func (q queue) before(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].number < q[j].number
}

func (q *queue) push(p parcel) {
	*q = append(*q, p)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) pop() parcel {
	h := *q
	top, n := h[0], len(h)-1
	h[0], h[n] = h[n], parcel{}
	*q = h[:n]
	h = *q
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			return top
		}
		if child+1 < n && h.before(child+1, child) {
			child++
		}
		if !h.before(child, i) {
			return top
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// store lends buffers in sizes that double, from that of a single packet to that
// of the longest train. It keeps what comes back, up to what a busy wire has
// under way.
type store [6][][]byte

const (
	smallFrame = 2048
	keep       = 512
)

func (s *store) get(n int) []byte {
	class := classOf(n)
	if last := len(s[class]) - 1; last >= 0 {
		b := s[class][last]
		s[class] = s[class][:last]
		return b[:0]
	}
	return make([]byte, 0, size(class))
}

func (s *store) put(b []byte) {
	if class := classOf(cap(b)); len(s[class]) < keep {
		s[class] = append(s[class], b)
	}
}

func classOf(n int) int { return min(bits.Len(uint(n-1)/smallFrame), 5) }

// size is what the buffers of a class hold.
func size(class int) int {
	if class == 5 {
		return maxFrame
	}
	return smallFrame << class
}
