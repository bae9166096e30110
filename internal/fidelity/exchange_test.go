package fidelity

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// serve answers requests, which say how much they want, until the listener is
// closed.
func serve(ln net.Listener, largest int) {
	answer := make([]byte, largest)
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			var request [requestSize]byte
			for {
				if _, err := io.ReadFull(conn, request[:]); err != nil {
					return
				}
				if _, err := conn.Write(answer[:binary.BigEndian.Uint32(request[:])]); err != nil {
					return
				}
			}
		}()
	}
}

// dial connects over the path with a round trip and a loss, and says when it
// began to.
type dial func(ctx context.Context, rtt time.Duration, loss float64) (net.Conn, time.Time, error)

// sample is what one connection gave for a cell.
type sample struct {
	took    []time.Duration
	connect time.Duration
}

func take(ctx context.Context, c Cell, dial dial) (sample, error) {
	conn, start, err := dial(ctx, c.RTT, c.Loss)
	if err != nil {
		return sample{}, err
	}
	defer conn.Close()
	s := sample{connect: time.Since(start)}
	var request [requestSize]byte
	binary.BigEndian.PutUint32(request[:], uint32(c.Size))
	scratch := make([]byte, min(c.Size, 256<<10))
	exchanges := 1
	if c.Warm {
		exchanges = before + measured
	}
	for i := range exchanges {
		if i > 0 {
			start = time.Now()
		}
		if err := exchange(conn, request[:], c.Size, scratch); err != nil {
			return s, err
		}
		if !c.Warm || i >= before {
			s.took = append(s.took, time.Since(start))
		}
	}
	return s, nil
}

func exchange(conn net.Conn, request []byte, size int, scratch []byte) error {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	for left := size; left > 0; {
		n, err := conn.Read(scratch[:min(left, len(scratch))])
		if err != nil {
			return fmt.Errorf("%d bytes before the end: %w", left, err)
		}
		left -= n
	}
	return nil
}

// work is how a grid is gone through: so many samples of each cell, as many at
// once as have room.
type work struct {
	cells   []Cell
	samples int // of each cell; of the largest exchanges and those without loss a quarter
	// bytesPerSecond is what all exchanges under way may move together, so that
	// the processor does not become what is measured.
	bytesPerSecond float64
	most           int // connections at once
	// progress is told of all results so far now and then; it may be nil.
	progress func([]Result)
}

// overhead is how many bytes cost as much of the processor as an exchange does.
const overhead = 100_000

// measure takes the samples of every cell, the longest exchanges first.
func measure(ctx context.Context, w work, dial dial) ([]Result, error) {
	type job struct {
		cell   int
		length time.Duration
		load   float64
	}
	var jobs []job
	for i, c := range w.cells {
		once := expected(c)
		j := job{cell: i, length: once, load: min(float64(c.Size+overhead)/once.Seconds(), w.bytesPerSecond)}
		n := w.samples
		if c.Size > 1_000_000 || c.Loss == 0 {
			// Most of all bytes are the former, and the latter have no chance in them.
			n = (n + 3) / 4
		}
		if c.Warm {
			j.length *= before + measured
			n = (n + measured - 1) / measured
		}
		for range n {
			jobs = append(jobs, j)
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(b.length, a.length) })

	var (
		mu       sync.Mutex
		room     = sync.NewCond(&mu)
		running  int
		load     float64
		took     = make([][]time.Duration, len(w.cells))
		connects = make([][]time.Duration, len(w.cells))
		failed   error
		done     int
		workers  sync.WaitGroup
		summary  = func() (out []Result) {
			for i, c := range w.cells {
				if len(took[i]) > 0 {
					out = append(out, summarise(c, took[i], connects[i]))
				}
			}
			return out
		}
	)
	for len(jobs) > 0 {
		mu.Lock()
		// The first that has room: long ones that move little run beside short
		// ones that move much.
		next := -1
		for next < 0 {
			if running < w.most {
				next = slices.IndexFunc(jobs, func(j job) bool { return running == 0 || load+j.load <= w.bytesPerSecond })
			}
			if next < 0 {
				room.Wait()
			}
		}
		j := jobs[next]
		jobs = slices.Delete(jobs, next, next+1)
		running, load = running+1, load+j.load
		mu.Unlock()
		workers.Go(func() {
			s, err := take(ctx, w.cells[j.cell], dial)
			mu.Lock()
			defer mu.Unlock()
			running, load, done = running-1, load-j.load, done+1
			took[j.cell] = append(took[j.cell], s.took...)
			if err == nil {
				connects[j.cell] = append(connects[j.cell], s.connect)
			} else {
				failed = errors.Join(failed, fmt.Errorf("%+v: %w", w.cells[j.cell], err))
			}
			if w.progress != nil && done%100 == 0 {
				w.progress(summary())
			}
			room.Signal()
		})
	}
	workers.Wait()
	return summary(), failed
}
