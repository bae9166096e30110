package environment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// tailLines are how many of a service's last lines errors show.
const tailLines = 12

// maxLine is where a line without an end is cut.
const maxLine = 64 << 10

// serviceLog is a service's output: every line goes to a file with its time and
// stream, and the last ones are kept at hand.
//
//	2026-11-22T16:12:07.123456Z out listening on :8080
type serviceLog struct {
	name rehearse.ServiceName
	open func(rehearse.ServiceName) (io.WriteCloser, error)
	told func(stream, line string, at time.Time) // of each line

	mu      sync.Mutex
	file    io.WriteCloser
	lost    error // why lines are missing from the file
	last    []string
	waiters []*logWaiter
}

type logWaiter struct {
	pattern *regexp.Regexp
	seen    bool
}

func newServiceLog(e *Environment, name rehearse.ServiceName) *serviceLog {
	return &serviceLog{open: e.o.OpenLog, name: name, told: func(stream, line string, at time.Time) { e.logged(name, stream, line, at) }}
}

func (l *serviceLog) stream(name string) *logStream { return &logStream{log: l, name: name} }

// logStream cuts one of a service's streams into lines.
type logStream struct {
	log  *serviceLog
	name string
	rest []byte
}

func (s *logStream) Write(b []byte) (int, error) {
	s.rest = append(s.rest, b...)
	for {
		i := bytes.IndexByte(s.rest, '\n')
		if i < 0 && len(s.rest) < maxLine {
			return len(b), nil
		}
		if i < 0 {
			s.log.line(s.name, string(s.rest[:maxLine]))
			s.rest = s.rest[maxLine:]
			continue
		}
		s.log.line(s.name, strings.TrimRight(string(s.rest[:i]), "\r"))
		s.rest = s.rest[i+1:]
	}
}

// flush ends the last line, of a service that has ended in the middle of it.
func (s *logStream) flush() {
	if len(s.rest) > 0 {
		s.log.line(s.name, string(s.rest))
		s.rest = nil
	}
}

func (l *serviceLog) line(stream, text string) {
	now := time.Now()
	l.told(stream, text, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, text)
	if len(l.last) > tailLines {
		l.last = l.last[1:]
	}
	for _, w := range l.waiters {
		w.seen = w.seen || w.pattern.MatchString(text)
	}
	if l.open == nil || l.lost != nil {
		return
	}
	if l.file == nil {
		if l.file, l.lost = l.open(l.name); l.lost != nil {
			return
		}
	}
	_, l.lost = io.WriteString(l.file, now.UTC().Format("2006-01-02T15:04:05.000000Z")+" "+stream+" "+text+"\n")
}

// tail is the last lines.
func (l *serviceLog) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.last...)
}

// question asks whether a line has matched since the question was first put, or
// among the last lines before.
func (l *serviceLog) question(pattern *regexp.Regexp) func(context.Context) error {
	w := &logWaiter{pattern: pattern}
	l.mu.Lock()
	for _, line := range l.last {
		w.seen = w.seen || pattern.MatchString(line)
	}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	return func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if w.seen {
			return nil
		}
		return errors.New("no line of its log matches " + pattern.String())
	}
}

// close closes the file and returns why lines are missing from it, if any are.
func (l *serviceLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return l.lost
	}
	err := l.file.Close()
	l.file, l.open = nil, nil
	return errors.Join(l.lost, err)
}

// lastWords keeps the end of what a command says.
type lastWords struct {
	mu sync.Mutex
	b  []byte
}

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, b...)
	if len(w.b) > 400 {
		w.b = append([]byte(nil), w.b[len(w.b)-400:]...)
	}
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.b))
}
