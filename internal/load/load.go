package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// maxInFlight is a safety stop: beyond it the generator would measure its own
// memory and file descriptors.
const maxInFlight = 20_000

// Target is where an origin's requests go.
type Target struct {
	Base string // as in "http://127.0.0.1:8080"; a request's path is appended to it
	// Dial opens connections; nil means TCP as usual.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Options say what to send, where, and who watches.
type Options struct {
	Traffic rehearse.Traffic
	Seed    uint64
	Targets map[rehearse.LinkID]Target // by Origin.Link
	// OnStart is told the moment from which all times count, before the first
	// request is sent. Nil means that nobody waits for it.
	OnStart func(time.Time)
	// OnSample is called for each sample, in order of completion, from one
	// goroutine. Nil means that nobody watches.
	OnSample func(rehearse.Sample)
	// OnProgress is called about four times a second and once at the end, from
	// the goroutine that calls OnSample. Nil means that nobody watches.
	OnProgress func(Progress)

	pacer func(context.Context) pacer // nil means newPacer; tests use virtual time
	limit int64                       // of requests in flight; 0 means maxInFlight
}

// Result is what a load gave.
type Result struct {
	Samples []rehearse.Sample // in order of completion
	Elapsed time.Duration     // until the last request ended
	Asked   int               // arrivals in the schedule, also when the load was interrupted
	Sent    int               // requests that were sent
	Late    rehearse.Quantiles
}

// Run sends the traffic. It returns when every request that it started has
// ended, and closes its connections. When ctx ends, no further request is sent,
// those in flight are canceled, and the result so far comes with ctx.Err(). A
// nil result means that the options are unusable and nothing was sent.
func Run(ctx context.Context, o Options) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := newSender(ctx, o)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("load: %w", err)
	}
	defer s.close()
	defer cancel() // before close: it ends the dialling of connections that nobody waits for
	schedule := Schedule(o.Traffic, o.Seed)
	if o.pacer == nil {
		o.pacer = newPacer
	}
	if o.limit == 0 {
		o.limit = maxInFlight
	}
	pace := o.pacer(ctx)
	defer pace.stop()

	s.began = time.Now()
	if o.OnStart != nil {
		o.OnStart(s.began)
	}
	watch := newWatcher(o, schedule, s)
	samples := make(chan rehearse.Sample, 1024)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch.run(samples)
	}()

	var requests sync.WaitGroup
	for i, arrival := range schedule {
		if err = pace.until(ctx, s.began.Add(arrival.At)); err != nil {
			break
		}
		if s.inFlight.Load() >= o.limit {
			samples <- s.crowded(arrival)
			continue
		}
		s.inFlight.Add(1)
		requests.Go(func() {
			sample := s.send(ctx, i, arrival)
			s.inFlight.Add(-1)
			samples <- sample
		})
	}
	requests.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	elapsed := time.Since(s.began)
	close(samples)
	<-watched

	return &Result{
		Samples: watch.samples,
		Elapsed: elapsed,
		Asked:   len(schedule),
		Sent:    int(s.sent.Load()),
		Late:    lateness(watch.samples),
	}, err
}

// sender sends requests and counts them.
type sender struct {
	traffic  rehearse.Traffic
	began    time.Time
	clients  []*client // by origin
	writers  *writers
	captured *captured
	inFlight atomic.Int64
	sent     atomic.Int64
}

// newSender checks the options. Connections are dialled until ctx ends.
func newSender(ctx context.Context, o Options) (*sender, error) {
	t := o.Traffic
	switch {
	case t.Timeout <= 0:
		return nil, errors.New("the traffic has no timeout")
	case len(t.Requests) == 0:
		return nil, errors.New("the traffic has no requests")
	case len(t.Origins) == 0:
		return nil, errors.New("the traffic has no origins")
	}
	s := &sender{traffic: t, captured: newCaptured()}
	for _, origin := range t.Origins {
		target, ok := o.Targets[origin.Link]
		if !ok {
			return nil, fmt.Errorf("no target for link %q", origin.Link)
		}
		if u, err := url.Parse(target.Base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("target of link %q: %q is not the address of an HTTP service", origin.Link, target.Base)
		}
		s.clients = append(s.clients, newClient(ctx, target))
	}
	var err error
	s.writers, err = newWriters(t, o.Seed, s.captured)
	return s, err
}

func (s *sender) since() rehearse.Duration { return rehearse.Duration(time.Since(s.began)) }

// close closes all connections.
func (s *sender) close() {
	for _, c := range s.clients {
		c.transport.CloseIdleConnections()
	}
}

// crowded is the sample of an arrival for which there was no room.
func (s *sender) crowded(a Arrival) rehearse.Sample {
	now := s.since()
	return rehearse.Sample{
		Intended: rehearse.Duration(a.At),
		Sent:     now,
		End:      now,
		Request:  s.traffic.Requests[a.Request].Name,
		Origin:   s.traffic.Origins[a.Origin].Region,
		Error:    "crowded",
		Dropped:  true,
	}
}

// send makes one request and waits for the end of its answer; n is the number
// of its arrival in the schedule.
func (s *sender) send(ctx context.Context, n int, a Arrival) rehearse.Sample {
	sample := rehearse.Sample{
		Intended: rehearse.Duration(a.At),
		Request:  s.traffic.Requests[a.Request].Name,
		Origin:   s.traffic.Origins[a.Origin].Region,
	}
	deadline := s.began.Add(a.At + time.Duration(s.traffic.Timeout))
	requestCtx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	client := s.clients[a.Origin]
	which, req, err := s.writers.write(requestCtx, n, a.Request, client.base)
	sample.Sent = s.since()
	if err != nil {
		sample.End, sample.Error, sample.Dropped = sample.Sent, "template", true
		return sample
	}
	spec := &s.traffic.Requests[which]
	sample.Request = spec.Name

	s.sent.Add(1) // now and not when it ended, for those who watch
	answer, err := client.do(req)
	sample.End = s.since()
	sample.Status, sample.Bytes = answer.status, answer.bytes
	if err != nil {
		sample.Error, sample.Dropped = word(ctx, err)
		if sample.Dropped {
			s.sent.Add(-1)
		} else {
			sample.Missed = 1 + len(spec.Contains)
		}
		return sample
	}
	s.check(spec, answer, &sample)
	return sample
}
