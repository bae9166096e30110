package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse/internal/contest"
)

// kind is what is measured.
type kind string

const (
	ours   kind = "rehearse"
	forget kind = "rehearse, nop"
	nop    kind = "Collector, nop"
	debug  kind = "Collector, debug"
	jaeger kind = "Jaeger, memory" // only where it was asked for
)

// bench is what all measurements share.
type bench struct {
	self, otelcol, jaeger, profile string
	work                           string // a directory
	rounds, requests               int
	prepared                       [connections][]*request
	started                        int // contestants
}

// sample is what one contestant gave in one round.
type sample struct {
	start  time.Duration // until it took its first request
	idle   float64       // bytes resident before any span
	rate   float64       // spans a second, as fast as it took them
	cpu    time.Duration // for each span of these
	p99    time.Duration // of an export, at half of that rate
	loaded float64       // bytes resident after all spans
	sent   int64         // spans, in all
	held   held          // ours, and of Jaeger Spans alone
}

// samples are by kind, one for each round.
type samples map[kind][]sample

const (
	// settle is how long a process is left alone before its idle memory is read.
	settle = 300 * time.Millisecond
	// halfLoad is for how long requests come at half of the rate.
	halfLoad = 1500 * time.Millisecond
)

// measure measures everything, and says what it has come to.
func (b *bench) measure(ctx context.Context, progress io.Writer) (*report, error) {
	r, err := newReport(b.otelcol, b.jaeger)
	if err != nil {
		return nil, err
	}
	for i := range b.prepared {
		chance := rand.New(rand.NewPCG(uint64(i), 0))
		// None comes twice in what is compressed at once, which would make that
		// quicker and smaller than services do.
		for range 16 {
			b.prepared[i] = append(b.prepared[i], newRequest(chance))
		}
	}
	r.SpanBytes = len(b.prepared[0][0].bytes) / spansOfRequest
	kinds := r.kinds()
	started, before := time.Now(), contest.ReadAccount()
	for _, protocol := range []string{"OTLP/gRPC", "OTLP/HTTP"} {
		got := samples{}
		for round := range b.rounds {
			for i := range kinds {
				k := kinds[(round+i)%len(kinds)]
				fmt.Fprintf(progress, "%4.0f s  %s, round %d, %s\n", time.Since(started).Seconds(), protocol, round+1, k)
				s, err := b.one(ctx, k, protocol == "OTLP/gRPC")
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", protocol, k, err)
				}
				got[k] = append(got[k], s)
			}
		}
		r.Rows = append(r.Rows, rows(protocol, got)...)
	}
	r.Seconds, r.Others = time.Since(started).Seconds(), contest.ReadAccount().Others(before)
	return r, nil
}

// one measures a contestant from its start to its end.
func (b *bench) one(ctx context.Context, k kind, grpc bool) (s sample, err error) {
	begun := time.Now()
	p, address, query, err := b.start(ctx, k, grpc)
	if err != nil {
		return s, err
	}
	defer p.Stop()
	var clients []*client
	for i := range connections {
		clients = append(clients, newClient(address, grpc, b.prepared[i]))
		defer clients[i].close()
	}
	if err := ready(ctx, clients[0]); err != nil {
		return s, err
	}
	s.start = time.Since(begun)
	if err := clients[1].ping(ctx); err != nil {
		return s, err
	}
	if !pause(ctx, settle) {
		return s, ctx.Err()
	}
	if s.idle, err = p.Resident(); err != nil {
		return s, err
	}

	// The first requests warm up.
	warm := b.requests / 10
	if _, err := saturate(ctx, clients, 0, warm); err != nil {
		return s, err
	}
	before, err := p.CPU()
	if err != nil {
		return s, err
	}
	took, err := saturate(ctx, clients, warm, b.requests)
	if err != nil {
		return s, err
	}
	after, err := p.CPU()
	if err != nil {
		return s, err
	}
	spans := float64(b.requests * spansOfRequest)
	s.rate = spans / took.Seconds()
	s.cpu = time.Duration(float64(after-before) / spans)

	every := 2 * took / time.Duration(b.requests)
	paced := int(halfLoad / every)
	waits, err := pace(ctx, clients, warm+b.requests, paced, every)
	if err != nil {
		return s, err
	}
	slices.Sort(waits)
	s.p99 = waits[len(waits)*99/100]
	if s.loaded, err = p.Resident(); err != nil {
		return s, err
	}
	requests := warm + b.requests + paced
	s.sent = int64(requests) * spansOfRequest
	switch k {
	case forget:
		return s, p.End()
	case nop, debug:
		return s, nil
	case jaeger:
		s.held.Spans = s.sent
		return s, b.jaegerHolds(ctx, query, requests)
	}
	if _, err := fmt.Fprintln(p.Stdin); err != nil {
		return s, err
	}
	line, err := p.Stdout.ReadBytes('\n')
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(line, &s.held); err != nil {
		return s, err
	}
	if s.held.Spans != s.sent || s.held.Lost != 0 || int64(s.held.Queryable) != s.sent {
		return s, fmt.Errorf("%d spans were sent: %d came, %d are lost, and %d can be found", s.sent, s.held.Spans, s.held.Lost, s.held.Queryable)
	}
	return s, p.End()
}

// start starts a contestant, on an address to send to and, of Jaeger, one to ask at.
func (b *bench) start(ctx context.Context, k kind, grpc bool) (p *contest.Process, address, query string, err error) {
	b.started++
	if address, query, err = free(); err != nil {
		return nil, "", "", err
	}
	name := filepath.Join(b.work, fmt.Sprintf("%03d", b.started))
	if k == ours || k == forget {
		args := []string{"serve", "-listen", address, "-dir", name, fmt.Sprintf("-forget=%t", k == forget)}
		if b.profile != "" {
			args = append(args, "-profile", filepath.Join(b.profile, fmt.Sprintf("%03d-%s.pprof", b.started, k)))
		}
		p, err = contest.Start(ctx, nil, b.self, args...)
		return p, address, "", err
	}
	protocol := "http"
	if grpc {
		protocol = "grpc"
	}
	program, config := b.otelcol, ""
	switch k {
	case nop:
		config = fmt.Sprintf(collectorYAML, protocol, address, "nop")
	case debug:
		config = fmt.Sprintf(collectorYAML, protocol, address, "debug")
	case jaeger:
		program, config = b.jaeger, b.jaegerConfig(protocol, address, query)
	}
	if err := os.WriteFile(name+".yaml", []byte(config), 0o600); err != nil {
		return nil, "", "", err
	}
	p, err = contest.Start(ctx, nil, program, "--config", "file:"+name+".yaml")
	return p, address, query, err
}

const collectorYAML = `
receivers: {otlp: {protocols: {%s: {endpoint: %q}}}}
exporters: {nop: {}, debug: {verbosity: basic}}
service:
  pipelines: {traces: {receivers: [otlp], exporters: [%s]}}
`

// free is two addresses that were free a moment ago.
func free() (a, b string, err error) {
	for _, address := range []*string{&a, &b} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer ln.Close()
		*address = ln.Addr().String()
	}
	return a, b, nil
}

// ready waits until a contestant answers.
func ready(ctx context.Context, c *client) error {
	var err error
	for range 5000 {
		if err = c.ping(ctx); err == nil {
			return nil
		}
		if !pause(ctx, 2*time.Millisecond) {
			break
		}
	}
	return errors.Join(err, ctx.Err())
}

// pause waits a while and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
