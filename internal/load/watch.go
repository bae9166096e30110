package load

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Progress is the state of a running load.
type Progress struct {
	Elapsed, Total time.Duration // Elapsed passes Total while late answers come in
	Asked          int           // arrivals that were due by now
	Sent           int           // requests sent
	Done           int           // requests ended, failed ones included
	Failed         int           // requests that ended in an error
	Dropped        int           // arrivals that the generator could not send
	InFlight       int
	Rate           float64       // arrivals per second that the profile asks for now; 0 after its end
	P50, P99       time.Duration // latency of the requests that ended in the last second
}

const (
	progressEvery = 250 * time.Millisecond
	recentFor     = time.Second
)

// watcher collects samples. It is the one goroutine that calls the caller back.
type watcher struct {
	o        Options
	schedule []Arrival
	sender   *sender
	samples  []rehearse.Sample
	failed   int
	dropped  int
	old      int // samples before this one ended more than recentFor ago
}

func newWatcher(o Options, schedule []Arrival, s *sender) *watcher {
	return &watcher{o: o, schedule: schedule, sender: s, samples: make([]rehearse.Sample, 0, len(schedule))}
}

// run returns when the channel is closed.
func (w *watcher) run(samples <-chan rehearse.Sample) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case s, ok := <-samples:
			if !ok {
				w.tell()
				return
			}
			w.samples = append(w.samples, s)
			switch {
			case s.Dropped:
				w.dropped++
			case s.Error != "":
				w.failed++
			}
			if w.o.OnSample != nil {
				w.o.OnSample(s)
			}
		case <-ticker.C:
			w.tell()
		}
	}
}

// tell calls OnProgress.
func (w *watcher) tell() {
	if w.o.OnProgress == nil {
		return
	}
	now := time.Since(w.sender.began)
	p := Progress{
		Elapsed:  now,
		Total:    time.Duration(w.o.Traffic.Duration),
		Asked:    sort.Search(len(w.schedule), func(i int) bool { return w.schedule[i].At > now }),
		Sent:     int(w.sender.sent.Load()),
		Done:     len(w.samples) - w.dropped,
		Failed:   w.failed,
		Dropped:  w.dropped,
		InFlight: int(w.sender.inFlight.Load()),
	}
	if now < p.Total {
		p.Rate = w.o.Traffic.At(now)
	}
	p.P50, p.P99 = w.recent(now)
	w.o.OnProgress(p)
}

// recent is the median and the 99th percentile of the latest latencies.
func (w *watcher) recent(now time.Duration) (p50, p99 time.Duration) {
	// Goroutines hand in their samples in nearly the order of their ends.
	for w.old < len(w.samples) && time.Duration(w.samples[w.old].End) < now-recentFor {
		w.old++
	}
	var latencies []time.Duration
	for _, s := range w.samples[w.old:] {
		if !s.Dropped {
			latencies = append(latencies, s.Duration())
		}
	}
	slices.Sort(latencies)
	return quantile(latencies, 0.5), quantile(latencies, 0.99)
}

// lateness summarises how far sending lagged behind the schedule.
func lateness(samples []rehearse.Sample) rehearse.Quantiles {
	var late []time.Duration
	var sum float64
	for _, s := range samples {
		if !s.Dropped {
			late = append(late, time.Duration(s.Sent-s.Intended))
			sum += float64(s.Sent - s.Intended)
		}
	}
	if len(late) == 0 {
		return rehearse.Quantiles{}
	}
	slices.Sort(late)
	return rehearse.Quantiles{
		Count: int64(len(late)),
		Min:   rehearse.Duration(late[0]),
		P50:   rehearse.Duration(quantile(late, 0.5)),
		P90:   rehearse.Duration(quantile(late, 0.9)),
		P99:   rehearse.Duration(quantile(late, 0.99)),
		Max:   rehearse.Duration(late[len(late)-1]),
		Mean:  rehearse.Duration(sum / float64(len(late))),
	}
}

// quantile is the smallest value that is not below the given share of them.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}
