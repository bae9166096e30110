package rows

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// progressEvery is how often progress is reported at most.
const progressEvery = 100 * time.Millisecond

// Meter counts what the workers of a load have done and reports it now and then.
type Meter struct {
	report func(Progress)

	mu   sync.Mutex
	now  Progress
	last time.Time
}

// NewMeter makes a meter; report, which may be nil, is called at most ten times a
// second and at the start and the end of each phase, from one goroutine at a time.
func NewMeter(report func(Progress)) *Meter { return &Meter{report: report} }

// Phase runs a phase of so many rows or steps, and writes down how long it took where
// it does not fail.
func (m *Meter) Phase(r *Report, name Phase, total int64, run func() error) error {
	start := time.Now()
	m.begin(name, total)
	if err := run(); err != nil {
		return err
	}
	m.end()
	r.Phases = append(r.Phases, PhaseReport{Phase: name, Took: time.Since(start)})
	return nil
}

func (m *Meter) begin(p Phase, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Progress{Phase: p, Total: total, Bytes: m.now.Bytes}
	m.tell()
}

func (m *Meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = ""
	m.tell()
}

// Add adds what was done of a table.
func (m *Meter) Add(table string, done, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = table
	m.now.Done += done
	m.now.Bytes += bytes
	if time.Since(m.last) >= progressEvery {
		m.tell()
	}
}

func (m *Meter) tell() {
	if m.report == nil {
		return
	}
	m.last = time.Now()
	m.report(m.now)
}

// Share lets workers do jobs 0 to jobs-1, each worker the next that nobody has
// taken yet. The first error ends all of them, and is returned when they have
// ended.
func Share(ctx context.Context, workers, jobs int, do func(ctx context.Context, worker, job int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(workers, jobs) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= jobs {
					return
				}
				if err := do(ctx, w, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
