package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// held is what is in our store.
type held struct {
	Spans     int64         `json:"spans"`
	Lost      int64         `json:"lost"`
	Queryable int           `json:"queryable"` // spans of the traces that a query for all finds
	Slow      time.Duration `json:"slow"`      // how long it takes to find no span that is slow
}

// runServe takes telemetry as an environment does, with its budgets, until its
// standard input ends. It answers each line of that with what it holds.
func runServe(args []string, stdin io.Reader, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	address := flags.String("listen", "127.0.0.1:0", "where to listen")
	dir := flags.String("dir", "", "where files go")
	forget := flags.Bool("forget", false, "decode, and keep nothing")
	profile := flags.String("profile", "", "write a processor profile to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stop, err := contest.Profile(*profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	store, err := telemetry.New(telemetry.Options{Dir: *dir, Services: []rehearse.ServiceName{"shop"}})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	sink := store.Service("shop")
	if *forget {
		sink = forgetful{}
	}
	server := otlp.Server(otlp.Handler(sink))
	go server.Serve(ln)
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		stats := store.Stats()
		h := held{Spans: stats.Spans, Lost: stats.Lost}
		for _, t := range store.Traces(telemetry.Query{}) {
			h.Queryable += t.Spans
		}
		start := time.Now()
		store.Spans(telemetry.Query{MinDuration: time.Hour})
		h.Slow = time.Since(start)
		if err := json.NewEncoder(stdout).Encode(h); err != nil {
			return err
		}
	}
	server.Close()
	_, err = store.Close()
	return err
}

// forgetful looks at all spans, as the Collector does before its exporters.
type forgetful struct{}

// Export decodes a request.
func (forgetful) Export(_ otlp.Signal, b []byte) (rejected int64, reason string, err error) {
	return 0, "", otlp.Traces(b, func(*otlp.Resource, *otlp.Scope, *otlp.Span) error { return nil })
}

// Refused does nothing: the generator sees it.
func (forgetful) Refused(otlp.Signal, int) {}
