package shape

import (
	"slices"
	"time"
)

// segment is the payload of a full packet: 1500 bytes less IP and TCP headers
// with time stamps.
const (
	segment = 1448
	header  = 52
)

// packets is how many packets carry n bytes.
func packets(n int64) int { return int((n + segment - 1) / segment) }

// fate is what a sender knows of a run.
type fate uint8

const (
	sent   fate = iota // and on its way, for all that is known
	sacked             // arrived, behind a hole
	lost               // to be sent again
)

// run is neighbouring segments with the same story. All but the last are full.
type run struct {
	seq, end int64
	at       time.Duration // when it was last sent
	fate     fate
	again    bool // was sent more than once
}

// board is what a sender has sent and not seen acknowledged, in order.
type board struct {
	runs []run
	// count is how many packets there are of each fate.
	count [3]int
}

func (b *board) out() int { return b.count[sent] + b.count[sacked] + b.count[lost] }

func (b *board) set(r *run, f fate) {
	k := packets(r.end - r.seq)
	b.count[r.fate] -= k
	b.count[f] += k
	r.fate = f
}

// add notes that new bytes were sent.
func (b *board) add(seq, end int64, at time.Duration) {
	b.count[sent] += packets(end - seq)
	if k := len(b.runs) - 1; k >= 0 {
		last := &b.runs[k]
		if last.at == at && last.fate == sent && !last.again && (last.end-last.seq)%segment == 0 {
			last.end = end
			return
		}
	}
	b.runs = append(b.runs, run{seq: seq, end: end, at: at})
}

// split cuts run i at seq, which is a segment's edge inside of it or one of its
// ends, and returns the index of the run that begins there.
func (b *board) split(i int, seq int64) int {
	r := b.runs[i]
	if seq <= r.seq {
		return i
	}
	if seq < r.end {
		b.runs[i].end = seq
		r.seq = seq
		b.runs = slices.Insert(b.runs, i+1, r)
	}
	return i + 1
}

// acknowledge takes everything before seq off the board and tells of each run
// that was not known to have arrived.
func (b *board) acknowledge(seq int64, news func(run)) {
	i := 0
	for i < len(b.runs) && b.runs[i].seq < seq {
		next := b.split(i, seq)
		r := &b.runs[i]
		if r.fate != sacked {
			news(*r)
		}
		b.count[r.fate] -= packets(r.end - r.seq)
		i = next
	}
	// Copying down keeps the array, where slicing would give up its front.
	b.runs = b.runs[:copy(b.runs, b.runs[i:])]
}

// sack notes that bytes behind a hole have arrived and tells of each run of
// which that was not known.
func (b *board) sack(seq, end int64, news func(run)) {
	i, _ := slices.BinarySearchFunc(b.runs, seq, func(r run, seq int64) int {
		if r.end <= seq {
			return -1
		}
		return 1
	})
	for i < len(b.runs) && b.runs[i].seq < end {
		if b.runs[i].fate == sacked {
			i++
			continue
		}
		i = b.split(i, seq)
		next := b.split(i, end)
		news(b.runs[i])
		b.set(&b.runs[i], sacked)
		i = next
	}
}
