package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	rehearse "github.com/rehearse-dev/rehearse"
)

// How a [Forwarder] tries. A request that nobody took for so long is dropped.
const (
	forwardRoom = 32 << 20
	sendTimeout = 10 * time.Second // of one attempt
	firstPause  = 500 * time.Millisecond
	longestWait = 10 * time.Second // between attempts, Retry-After included
	longestTry  = time.Minute      // from the first attempt to the last
)

// Forwarder sends requests upstream over OTLP/HTTP, in order, as they come.
// It holds up to 32 MiB that are not sent yet, and drops what is more.
type Forwarder struct {
	urls   [Signals]string
	client *http.Client
	chance *rand.Rand // of the sender alone
	room   int64      // bytes
	stop   context.CancelFunc
	failed error         // of the last try; nil when it went well
	done   chan struct{} // closed when the sender has returned

	mu     sync.Mutex
	queue  []batch
	wake   chan struct{} // has room for one: something has changed
	closed bool
	stats  Stats
}

type batch struct {
	signal Signal
	body   []byte
	items  int64
}

// Stats is what a [Forwarder] has done so far. Dropped is for want of room,
// refused upstream, or given up.
type Stats struct {
	Sent         int64 // spans that were accepted
	Dropped      int64 // spans
	DroppedOther int64 // log records and data points
	Queued       int64 // bytes that are not sent yet
	Waiting      int64 // spans that are not sent yet
	Failing      bool  // the last try was in vain
	LastError    error // nil: nothing has gone wrong
}

// add counts the items of a request that were sent and dropped.
func (s *Stats) add(signal Signal, sent, dropped int64) {
	if signal == SignalTraces {
		s.Sent += sent
		s.Dropped += dropped
	} else {
		s.DroppedOther += dropped
	}
}

// NewForwarder sends to target, an http or https URL such as
// "http://collector:4318", to which /v1/traces and its like are appended. Its
// goroutine runs until [Forwarder.Close]. The error is of kind [rehearse.Invalid].
func NewForwarder(target string) (*Forwarder, error) {
	return newForwarder(target, forwardRoom, http.DefaultTransport.(*http.Transport).Clone())
}

func newForwarder(target string, room int64, transport http.RoundTripper) (*Forwarder, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid,
			Msg:  fmt.Sprintf("cannot forward telemetry to %q", redacted(target)),
			Hint: "Write the URL of an OTLP/HTTP receiver with its scheme, as in http://localhost:4318; gRPC's port, 4317, does not do.",
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Forwarder{
		client: &http.Client{
			Transport: transport,
			Timeout:   sendTimeout,
			// A redirected POST would become a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		chance: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)), // only spreads retries
		room:   room,
		stop:   stop,
		done:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
	}
	for s := range Signal(Signals) {
		f.urls[s] = u.JoinPath("v1", s.String()).String()
	}
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
	return f, nil
}

// redacted is a target without a password, also where it is no URL.
func redacted(target string) string {
	if u, err := url.Parse(target); err == nil && u.User != nil {
		return u.Redacted()
	}
	if _, host, ok := strings.Cut(target, "@"); ok {
		return "…@" + host
	}
	return target
}

// Offer takes a copy of a request, which must be well-formed. It never waits: where
// there is no room, and after Close, the request is dropped.
func (f *Forwarder) Offer(signal Signal, b []byte) {
	items := Count(b, signal)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.stats.Queued+int64(len(b)) > f.room {
		f.stats.add(signal, 0, items)
		if !f.closed {
			f.stats.LastError = fmt.Errorf("more than %d bytes wait to be sent", f.room)
		}
		return
	}
	f.stats.Queued += int64(len(b))
	if signal == SignalTraces {
		f.stats.Waiting += items
	}
	f.queue = append(f.queue, batch{signal, bytes.Clone(b), items})
	f.signal()
}

func (f *Forwarder) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Stats may be called at any time.
func (f *Forwarder) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Close sends what is queued, and drops what is not sent when ctx ends. It returns
// when nothing runs any more; the error is that of ctx when something was dropped
// for it.
func (f *Forwarder) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	f.signal()
	f.mu.Unlock()
	var err error
	select {
	case <-f.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	f.stop()
	<-f.done
	f.client.CloseIdleConnections()
	return err
}

// run sends until the forwarder is closed and its queue is empty, or ctx ends.
func (f *Forwarder) run(ctx context.Context) {
	for {
		next, ok := f.next()
		if !ok {
			return
		}
		if next == nil {
			<-f.wake
			continue
		}
		rejected, err := f.deliver(ctx, next)
		f.mu.Lock()
		f.stats.Queued -= int64(len(next.body))
		if next.signal == SignalTraces {
			f.stats.Waiting -= next.items
		}
		f.stats.add(next.signal, next.items-rejected, rejected)
		if err != nil && ctx.Err() != nil && f.failed != nil {
			err = f.failed // that we have stopped is no reason
		}
		if err != nil {
			f.stats.LastError = err
		}
		f.mu.Unlock()
	}
}

// next takes the first of the queue; nil when it is empty, not ok when no more will
// come.
func (f *Forwarder) next() (next *batch, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return nil, !f.closed
	}
	next = new(f.queue[0])
	f.queue[0] = batch{}
	f.queue = f.queue[1:]
	return next, true
}

// tried notes how a try has ended.
func (f *Forwarder) tried(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Failing = err != nil
	if ctx.Err() == nil {
		f.failed = err
	}
}

// deliver tries until the request is taken or refused for good, and says how much
// of it was not taken.
func (f *Forwarder) deliver(ctx context.Context, next *batch) (rejected int64, err error) {
	body := zip(next.body)
	pause, began := firstPause, time.Now()
	for {
		rejected, wait, err := f.attempt(ctx, next, body)
		f.tried(ctx, err)
		if err == nil || wait < 0 || ctx.Err() != nil {
			return rejected, err
		}
		// From half the pause to all of it, so that many do not come back at once.
		wait = max(wait, pause/2+time.Duration(f.chance.Int64N(int64(pause/2))))
		wait = min(wait, longestWait)
		pause = min(2*pause, longestWait)
		if time.Since(began)+wait > longestTry {
			return next.items, err
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return next.items, err
		}
	}
}

// attempt sends the request once. With an error, wait is at least how long to wait
// before it is sent again; negative: not at all.
func (f *Forwarder) attempt(ctx context.Context, next *batch, body []byte) (rejected int64, wait time.Duration, err error) {
	target := f.urls[next.signal]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return next.items, -1, err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "gzip")
	response, err := f.client.Do(r)
	if err != nil {
		return next.items, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	switch response.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		rejected, reason := parseResponse(answer)
		rejected = min(max(rejected, 0), next.items)
		if rejected > 0 {
			return rejected, -1, fmt.Errorf("%s rejected some: %s", r.URL.Redacted(), reason)
		}
		return 0, 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return next.items, retryAfter(response.Header.Get("Retry-After")), fmt.Errorf("%s answered %s", r.URL.Redacted(), response.Status)
	}
	return next.items, -1, errors.Join(fmt.Errorf("%s answered %s", r.URL.Redacted(), response.Status), err)
}

// retryAfter reads Retry-After, which is in seconds or a date; 0 when it is neither.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 3600)) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}

// parseResponse reads an Export…ServiceResponse.
func parseResponse(b []byte) (rejected int64, reason string) {
	for f := (fields{b: inside(b)}); f.next(); {
		switch {
		case f.is(1, wireVarint):
			rejected = int64(f.n)
		case f.is(2, wireBytes):
			reason = text(f.data)
		}
	}
	return rejected, strings.TrimSpace(reason)
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(b)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic("otlp: internal error: " + err.Error()) // a buffer takes everything
	}
	return out.Bytes()
}
