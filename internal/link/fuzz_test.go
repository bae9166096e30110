package link

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// harmless are faults that lose, reorder and change nothing.
func harmless(n byte) rehearse.Fault {
	direction := [...]rehearse.Direction{"", rehearse.Up, rehearse.Down}[n>>6%3]
	ms := rehearse.Duration(time.Millisecond)
	faults := []rehearse.Fault{
		{Kind: rehearse.FaultPartition},
		{Kind: rehearse.FaultStall, Bytes: 3000},
		{Kind: rehearse.FaultSlice, Size: 700, Variation: 699, Delay: ms},
		{Kind: rehearse.FaultSlice, Size: 10_000},
		{Kind: rehearse.FaultDelay, Delay: 5 * ms, Jitter: 3 * ms},
		{Kind: rehearse.FaultRate, Rate: 100 * rehearse.Mbit},
		{Kind: rehearse.FaultSlowClose, Delay: 20 * ms},
		{Kind: rehearse.FaultPartition, Schedule: rehearse.Schedule{For: 10 * ms, Every: 30 * ms}},
	}
	f := faults[int(n)%len(faults)]
	f.Direction = direction
	return f
}

// FuzzNothingIsLost does what the input says on one connection: write, end a
// half, change the shape, set and take away faults, let time pass. Then it heals
// the link, and each side must have read what the other wrote, and its end.
func FuzzNothingIsLost(f *testing.F) {
	f.Add([]byte("\x00abcdefghijklmnop"))
	f.Add([]byte("\x01\x00\x10\x04\x00\x00\x20\x05\x00\x01\x40\x02\x00\x06\x00\x07\x09"))
	f.Add([]byte{0, 4, 2, 0, 200, 6, 50, 0, 100, 3, 1, 4, 0, 1, 255, 5, 0, 2, 0})
	f.Add([]byte{1, 4, 0, 0, 255, 0, 255, 6, 9, 4, 1, 1, 200, 6, 30, 5, 0, 3, 7, 1, 9, 2, 0})
	f.Add([]byte{0, 4, 66, 0, 250, 1, 250, 4, 3, 6, 3, 4, 131, 2, 1, 6, 200, 4, 7, 1, 99, 6, 99})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runProgram(t, program) })
	})
}

func runProgram(t *testing.T, program []byte) {
	tier := rehearse.TierStream
	if program[0]%2 == 1 {
		tier = rehearse.TierModel
	}
	l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: tier}, uint64(program[0]))
	l.wait = waitTimer
	far := make(chan net.Conn, 1)
	near := serveMemory(t, l, func(context.Context) (net.Conn, error) {
		inside, upstream := newDuplex()
		t.Cleanup(func() { upstream.Close() })
		far <- upstream
		return inside, nil
	})()
	conns := [2]*duplex{near.(*duplex), (<-far).(*duplex)}
	var sent, got [2][]byte
	var queues [2]chan []byte
	var ended [2]bool
	var all sync.WaitGroup
	for i := range conns {
		queue := make(chan []byte, len(program))
		queues[i] = queue
		all.Go(func() {
			for p := range queue {
				if _, err := conns[i].Write(p); err != nil {
					t.Errorf("write on side %d: %v", i, err)
					return
				}
			}
			conns[i].CloseWrite()
		})
		all.Go(func() {
			var err error
			if got[i], err = io.ReadAll(conns[i]); err != nil {
				t.Errorf("read on side %d: %v", i, err)
			}
		})
	}
	var faults []rehearse.Fault
	for rest := program[1:]; len(rest) >= 2; rest = rest[2:] {
		switch op, n := rest[0]%7, rest[1]; op {
		case 0, 1:
			if !ended[op] {
				p := randomBytes(uint64(len(rest)), 1+int(n)*int(n))
				sent[op] = append(sent[op], p...)
				queues[op] <- p
			}
		case 2:
			if side := n % 2; !ended[side] {
				ended[side] = true
				close(queues[side])
			}
		case 3:
			l.Set(rehearse.Symmetric(time.Duration(n%16)*time.Millisecond, time.Duration(n>>4)*time.Millisecond/4, 0))
		case 4:
			f := harmless(n)
			f.Name = string(rune('a' + len(faults)))
			faults = append(faults, f)
			mustBreak(t, l, faults...)
		case 5:
			if len(faults) > 0 {
				faults = faults[1:]
				for i := range faults {
					faults[i].Name = string(rune('a' + i))
				}
			}
			mustBreak(t, l, faults...)
		case 6:
			time.Sleep(time.Duration(n) * time.Millisecond)
		}
		l.Stats()
	}
	mustBreak(t, l)
	l.Set(rehearse.Shape{})
	for i := range queues {
		if !ended[i] {
			close(queues[i])
		}
	}
	all.Wait()
	for i := range sent {
		if !bytes.Equal(sent[i], got[1-i]) {
			t.Errorf("side %d wrote %d bytes, and the other read %d, or others", i, len(sent[i]), len(got[1-i]))
		}
	}
	synctest.Wait()
	s := l.Stats()
	if s.Active != 0 || s.Resets != 0 || s.BytesUp != int64(len(sent[0])) || s.BytesDown != int64(len(sent[1])) {
		t.Errorf("stats are %+v", s)
	}
	for _, d := range s.Doses {
		if !d.Gone || d.Holding != 0 || d.Connections > 1 || d.Connections == 0 && d.Bytes > 0 {
			t.Errorf("dose is %+v", d)
		}
	}
}
