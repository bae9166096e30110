// Package telemetry keeps the spans, log records and metrics of one leg: what
// services' SDKs send over OTLP, what links write, and what services print.
//
// Everything that arrives becomes rows of a [table] in memory, one for each
// signal. A table of a few MiB, or one that is some seconds old, is sealed into a
// segment: its messages are grouped by resource and scope, compressed and written
// to a file, and only the columns stay in memory, as long as there is room.
//
//	Service, AddSpans, AddLog → batch → open table → sealed segment → file
//	                              │                        │
//	                              └ Operations, exact      └ Spans, Logs, Traces, Watch
//
// Files are named traces-000001.otlp.zst, logs-… and metrics-…. Each is a zstd
// frame with a checksum of one OTLP TracesData, LogsData or MetricsData, so that
// zstd -d gives what every tool of OpenTelemetry's reads; so does zstd -dc of many
// files, for such messages may be laid end to end. They are written under another
// name and renamed: a file is whole, or is not there. Where telemetry is another
// service's than its resource says, the resource has one attribute more,
// rehearse.service.
//
// Both budgets are of bytes, with a fair share for each service and one for links;
// see [budget]. Nothing is evicted: a service that has used up its share is asked
// to come again later, and spans of links are dropped and counted. Whatever is
// dropped, the figures of operations are exact.
//
// The two calls that matter are [New] and [Open], which reads back what a store has
// left.
package telemetry

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// Options say where a store keeps telemetry, and how much.
type Options struct {
	Dir      string                 // files go here; it is made when it is missing. Empty: all stays in memory
	Memory   int64                  // the budget in memory, in bytes, everything included; 0: 64 MiB
	Disk     int64                  // the budget of files, in bytes; 0: 1 GiB
	Services []rehearse.ServiceName // each has a fair share, and links together have one
	Forward  *otlp.Forwarder        // is offered everything that is accepted, and what links write; nil: nobody is
	Mask     func([]byte)           // takes secrets out of messages, without a change of their length; nil: none are known
	Now      func() time.Time       // nil: time.Now
}

const (
	// maxRows is how many rows a table has at most.
	maxRows = 1 << 16
	// maxAge is how long rows wait for a file, at most: what a killed run loses.
	maxAge = 5 * time.Second
	// maxPending is how many tables may wait to be sealed before services wait too.
	maxPending = 2
	// retryAfter is when a service may try again: by then what is in memory will
	// have been compressed.
	retryAfter = maxAge
	// forwardBytes is how much of links' spans, or of services' lines, is sent on
	// at once.
	forwardBytes = 256 << 10
	// forwardGrace is how long Close waits for what is still to be sent on.
	// While nobody takes it, it is failingGrace.
	forwardGrace = 5 * time.Second
	failingGrace = 500 * time.Millisecond
)

// Store keeps one leg's telemetry. Its methods may be called from any goroutine.
type Store struct {
	options Options
	limit   int // bytes of messages in a table
	codec   *codec
	before  otlp.Stats // of the forwarder when the store was made
	batches sync.Pool  // of *builder, for requests
	links   sync.Pool  // of *builder, for single spans and lines: their maps stay small

	copy    atomic.Pointer[Store]                    // is given everything, too; nil: nobody
	wake    chan struct{}                            // holds one: there is something to seal
	stopped chan struct{}                            // closed when the sealer has ended
	close   func() (rehearse.TelemetryResult, error) // shut, once

	mu       sync.Mutex
	sealed   sync.Cond // a table was sealed, on mu
	closed   bool
	shares   map[rehearse.ServiceName]int // index in data.used; links have 0
	data     budget                       // bytes in files or, without them, in memory
	resident int64                        // bytes of open and sealed tables in memory
	pending  []*open                      // to be sealed, the oldest first
	lanes    [otlp.Signals]lane
	ops      operations
	watchers int
	changed  chan struct{} // closed and made anew when rows come, while somebody watches
	result   rehearse.TelemetryResult
	failure  error                // of the first file that could not be written
	outgoing [otlp.Signals][]byte // links' spans and services' lines that are still to be offered to the forwarder
}

// lane is what a store has of one signal.
type lane struct {
	open   *open
	sealed []*segment // the oldest first
	number int        // of the last file
}

// open is a table that grows, or waits to be sealed.
type open struct {
	builder
	signal otlp.Signal
	since  time.Time // of the first row
	cost   []int64   // bytes taken of the budget, by share
	next   *open     // the one that came after it; nil while it grows
}

// New starts a store. It must be closed.
func New(o Options) (*Store, error) {
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	if o.Disk == 0 {
		o.Disk = 1 << 30
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the directory of telemetry: %w", err)
		}
		if old := files(o.Dir, fileSuffix); len(old) > 0 {
			return nil, &rehearse.Error{Kind: rehearse.Internal,
				Msg: fmt.Sprintf("%s has telemetry already", o.Dir), Hint: "Give each leg a directory of its own."}
		}
	}
	c, err := newCodec()
	if err != nil {
		return nil, fmt.Errorf("compress telemetry: %w", err)
	}
	n := int64(len(o.Services) + 1)
	s := &Store{
		options: o, codec: c,
		limit:   int(min(max(o.Memory/16, 64<<10), 4<<20)),
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		shares:  map[rehearse.ServiceName]int{},
		data:    budget{total: o.Disk, used: make([]int64, n)},
		ops:     operations{all: map[operationKey]*operation{}, names: budget{total: maxOperations, used: make([]int64, n)}},
		changed: make(chan struct{}),
		result: rehearse.TelemetryResult{
			Refused: map[rehearse.ServiceName]int64{}, Malformed: map[rehearse.ServiceName]int64{},
			Undecoded: map[rehearse.LinkID]map[string]int64{},
		},
	}
	for i, name := range o.Services {
		s.shares[name] = i + 1
	}
	if o.Forward != nil {
		s.before = o.Forward.Stats()
	}
	s.sealed.L = &s.mu
	s.batches.New = func() any { return newBuilder() }
	s.links.New = func() any { return newBuilder() }
	for signal := range s.lanes {
		s.lanes[signal].open = s.newOpen(otlp.Signal(signal))
	}
	s.close = sync.OnceValues(s.shut)
	go s.sealAll()
	return s, nil
}

func (s *Store) newOpen(signal otlp.Signal) *open {
	return &open{builder: *newBuilder(), signal: signal, cost: make([]int64, len(s.data.used))}
}

// share is a service's share; whoever is not among the services has that of links.
func (s *Store) share(name rehearse.ServiceName) int { return s.shares[name] }

// add takes a batch into the open table of a signal, all or nothing. The caller
// holds s.mu. False means that the share has no room.
func (s *Store) add(signal otlp.Signal, batch *table, share int) bool {
	if s.options.Dir == "" {
		s.data.total = s.options.Memory - s.ops.bytes()
	}
	if s.closed || s.failure != nil || !s.data.take(share, batch.cost(0, int32(batch.rows()))) {
		return false
	}
	if batch.rows() == 0 {
		return true
	}
	l := &s.lanes[signal]
	for row := int32(0); int(row) < batch.rows(); {
		if l.open.rows() > 0 && (l.open.rows() >= maxRows || len(l.open.raw)+len(batch.message(row)) > s.limit) {
			s.rotate(signal)
		}
		if l.open.rows() == 0 {
			l.open.since = time.Now()
		}
		next := l.open.merge(batch, row, s.limit)
		cost := batch.cost(row, next)
		l.open.cost[share] += cost
		s.resident += cost
		row = next
	}
	s.tell()
	return true
}

// tell wakes those that watch. The caller holds s.mu.
func (s *Store) tell() {
	if s.watchers > 0 {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// rotate hands the open table of a signal, if it has rows, to the sealer. The
// caller holds s.mu.
func (s *Store) rotate(signal otlp.Signal) {
	l := &s.lanes[signal]
	if l.open.rows() == 0 {
		return
	}
	next := s.newOpen(signal)
	if len(l.open.raw) > s.limit/2 {
		next.reserve(&l.open.table, s.limit) // it will be as large
	}
	l.open.next = next
	s.pending = append(s.pending, l.open)
	l.open = next
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sealAll is the goroutine that turns tables into segments, until the store is
// closed and none is left.
func (s *Store) sealAll() {
	defer close(s.stopped)
	sealer := sealer{codec: s.codec}
	tick := time.NewTicker(maxAge / 5)
	defer tick.Stop()
	for {
		select {
		case <-s.wake:
		case <-tick.C:
			s.mu.Lock()
			for signal := range s.lanes {
				if time.Since(s.lanes[signal].open.since) >= maxAge {
					s.rotate(otlp.Signal(signal))
				}
			}
			s.forward(0)
			s.mu.Unlock()
		}
		for s.sealOne(&sealer) {
		}
		s.mu.Lock()
		done := s.closed && len(s.pending) == 0
		s.mu.Unlock()
		if done {
			return
		}
	}
}

// sealOne seals the oldest table that waits, and reports whether there was one.
func (s *Store) sealOne(sealer *sealer) bool {
	s.mu.Lock()
	if len(s.pending) == 0 {
		s.mu.Unlock()
		return false
	}
	o := s.pending[0]
	l := &s.lanes[o.signal]
	l.number++
	name := fmt.Sprintf("%s-%06d%s", o.signal, l.number, fileSuffix)
	s.mu.Unlock()

	g := sealer.seal(&o.table, o.signal)
	size := int64(len(g.data))
	var failure error
	if s.options.Dir != "" {
		failure = g.write(s.options.Dir, name)
	} else {
		size += g.kept.Load().bytes()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if failure != nil {
		s.failure = cmp.Or(s.failure, failure)
		if o.signal == otlp.SignalTraces {
			s.result.Lost += g.file.Count
		}
	}
	// Each share pays for its part of the segment instead of for its rows.
	var total int64
	for _, cost := range o.cost {
		total += cost
	}
	var seen, paid int64
	for share, cost := range o.cost {
		seen += cost
		part := size*seen/total - paid
		paid += part
		s.data.give(share, cost-part)
	}
	s.resident += g.kept.Load().bytes() + int64(len(g.data)) - total
	s.pending = slices.Delete(s.pending, 0, 1)
	l.sealed = append(l.sealed, g)
	s.evict()
	s.sealed.Broadcast()
	return true
}

// evict takes out of memory what is also in files until the rest is within the
// budget: the tables of the oldest segments, and then their indexes. The caller
// holds s.mu.
func (s *Store) evict() {
	for _, drop := range []func(*kept) *kept{
		func(k *kept) *kept { return &kept{index: k.index} },
		func(*kept) *kept { return &kept{} },
	} {
		for _, l := range s.lanes {
			for _, g := range l.sealed {
				if s.resident+s.ops.bytes() <= s.options.Memory {
					return
				}
				if g.path == "" {
					continue
				}
				before := g.kept.Load()
				after := drop(before)
				g.kept.Store(after)
				s.resident -= before.bytes() - after.bytes()
			}
		}
	}
}

// Stats is what the store has so far. Files are those that are written.
func (s *Store) Stats() rehearse.TelemetryResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Refused, r.Malformed, r.Undecoded = clone(r.Refused), clone(r.Malformed), nil
	if len(s.result.Undecoded) > 0 {
		r.Undecoded = map[rehearse.LinkID]map[string]int64{}
		for link, reasons := range s.result.Undecoded {
			r.Undecoded[link] = maps.Clone(reasons)
		}
	}
	for _, l := range s.lanes {
		for _, g := range l.sealed {
			if g.path != "" {
				r.Files = append(r.Files, g.file)
			}
		}
	}
	r.Operations = s.ops.stats()
	if f := s.options.Forward; f != nil {
		sent := f.Stats()
		r.Forwarded, r.Unforwarded = sent.Sent-s.before.Sent, sent.Dropped+sent.Waiting-s.before.Dropped
	}
	return r
}

// Close seals what is open, writes it, and gives the forwarder, which stays the
// caller's to close, a few seconds to send what it still has. What comes after that
// is refused. The result is complete; the error says why a file could not be
// written. Queries go on to work.
func (s *Store) Close() (rehearse.TelemetryResult, error) { return s.close() }

func (s *Store) shut() (rehearse.TelemetryResult, error) {
	s.mu.Lock()
	s.closed = true
	for signal := range s.lanes {
		s.rotate(otlp.Signal(signal))
	}
	s.forward(0)
	s.sealed.Broadcast()
	s.tell()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	<-s.stopped
	s.forwarded()
	return s.Stats(), s.failure
}

// forwarded waits until the forwarder has sent what it has, or given it up.
func (s *Store) forwarded() {
	if s.options.Forward == nil {
		return
	}
	begun := time.Now()
	for now := s.options.Forward.Stats(); now.Queued > 0 && time.Since(begun) < forwardGrace; now = s.options.Forward.Stats() {
		if now.Failing && time.Since(begun) > failingGrace {
			return // nobody takes it: it is counted as not sent on
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const fileSuffix = ".otlp.zst"

// files are the paths of the files of telemetry in a directory, with a suffix, in
// the order of their names.
func files(dir, suffix string) (paths []string) {
	entries, _ := os.ReadDir(dir) // without a directory there are none
	for _, e := range entries {
		for signal := range otlp.Signals {
			if strings.HasPrefix(e.Name(), otlp.Signal(signal).String()+"-") && strings.HasSuffix(e.Name(), suffix) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return paths
}
