package load

import (
	"sync"
	"time"
)

// progressEvery is how often progress is reported at most.
const progressEvery = 100 * time.Millisecond

// meter counts what workers have done and reports it now and then.
type meter struct {
	report func(Progress)

	mu   sync.Mutex
	now  Progress
	last time.Time
}

func newMeter(report func(Progress)) *meter { return &meter{report: report} }

func (m *meter) begin(p Phase, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Progress{Phase: p, Total: total, Bytes: m.now.Bytes}
	m.tell()
}

func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = ""
	m.tell()
}

func (m *meter) add(table string, done, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = table
	m.now.Done += done
	m.now.Bytes += bytes
	if time.Since(m.last) >= progressEvery {
		m.tell()
	}
}

func (m *meter) tell() {
	if m.report == nil {
		return
	}
	m.last = time.Now()
	m.report(m.now)
}
