package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// Service is where a service is now, and where this host reaches it.
type Service struct {
	environment.Status
	Addresses []Address `json:"addresses"`
}

// Address is where a client reaches one port of its upstream.
type Address struct {
	Port    int    `json:"port"`    // the upstream's
	Address string `json:"address"` // host:port, in the client's view
}

func (s *server) getServices(r *http.Request) (any, error) {
	out := []Service{}
	for _, st := range s.env.Status(r.Context()) {
		out = append(out, s.service(st))
	}
	return out, nil
}

func (s *server) service(st environment.Status) Service {
	v := Service{Status: st, Addresses: []Address{}}
	if l, ok := s.env.Link(rehearse.MakeLinkID(rehearse.Ingress, st.Service)); ok {
		v.Addresses = addresses(l)
	}
	return v
}

func addresses(l *environment.Link) []Address {
	out := []Address{}
	for _, e := range l.Endpoints() {
		out = append(out, Address{e.Port, e.Address.String()})
	}
	return out
}

// name is the service that a request is about.
func (s *server) name(r *http.Request) (rehearse.ServiceName, error) {
	name := rehearse.ServiceName(r.PathValue("name"))
	var known []string
	for _, v := range s.env.Plan().Services {
		if v.Name == name {
			return name, nil
		}
		known = append(known, string(v.Name))
	}
	return "", missing("service", string(name), known)
}

func (s *server) getService(r *http.Request) (any, error) {
	name, err := s.name(r)
	if err != nil {
		return nil, err
	}
	for _, st := range s.env.Status(r.Context()) {
		if st.Service == name {
			return s.service(st), nil
		}
	}
	return nil, fmt.Errorf("service %q has no state", name)
}

// Logs are what a service has written, the latest lines.
type Logs struct {
	Lines []Line `json:"lines"`
	Cut   bool   `json:"cut"` // whether there were lines before the first
}

// Line is one line of a service's output.
type Line struct {
	Time   string `json:"time"`   // RFC 3339, in UTC
	Stream string `json:"stream"` // "out" or "err"
	Text   string `json:"text"`
}

// maxLogs is how much of a log's end is read, in bytes.
const maxLogs = 8 << 20

func (s *server) getLogs(r *http.Request) (any, error) {
	name, err := s.name(r)
	if err != nil {
		return nil, err
	}
	tail := 0
	if text := r.URL.Query().Get("tail"); text != "" {
		if tail, err = strconv.Atoi(text); err != nil || tail < 1 {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("tail is %q, and should be a number of lines", text), Hint: "Leave it out for all lines."}
		}
	}
	logs, err := readLogs(s.o.Log(name))
	if err != nil {
		return nil, fmt.Errorf("read the log of service %q: %w", name, err)
	}
	if n := len(logs.Lines); tail > 0 && n > tail {
		logs.Lines, logs.Cut = logs.Lines[n-tail:], true
	}
	return logs, nil
}

// readLogs reads the end of a log. A line that is still being written is left out.
func readLogs(file string) (Logs, error) {
	logs := Logs{Lines: []Line{}}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return logs, nil
	}
	if err != nil {
		return logs, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return logs, err
	}
	lines := bufio.NewReader(f)
	if st.Size() > maxLogs {
		logs.Cut = true
		if _, err := f.Seek(-maxLogs, io.SeekEnd); err != nil {
			return logs, err
		}
		if _, err := lines.ReadString('\n'); err != nil { // cut in two
			return logs, ignoreEnd(err)
		}
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return logs, ignoreEnd(err)
		}
		when, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		stream, text, _ := strings.Cut(rest, " ")
		logs.Lines = append(logs.Lines, Line{when, stream, text})
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Exec is a command that is to be run where a service runs.
type Exec struct {
	Args  []string          `json:"args"`
	Env   map[string]string `json:"env,omitempty"` // added to the service's own
	Stdin string            `json:"stdin,omitempty"`
}

// Executed is how a command ended, and what it said: each stream up to 8 MiB, with
// the Unicode replacement character for bytes that are no UTF-8.
type Executed struct {
	Code   int    `json:"code"` // 128+N after signal N
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Cut    bool   `json:"cut"` // whether one of them is cut
}

// maxOutput is how much of a command's stream is kept, in bytes.
const maxOutput = 8 << 20

func (s *server) postExec(r *http.Request) (any, error) {
	name, err := s.name(r)
	if err != nil {
		return nil, err
	}
	var asked Exec
	if err := read(r, &asked); err != nil {
		return nil, err
	}
	if len(asked.Args) == 0 {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: "there is no command", Hint: `Give it in args, as in {"args": ["psql", "-c", "select 1"]}.`}
	}
	var stdout, stderr bounded
	code, err := s.env.Exec(r.Context(), name, driver.Command{
		Args: asked.Args, Env: asked.Env, Stdin: strings.NewReader(asked.Stdin), Stdout: &stdout, Stderr: &stderr,
	})
	if err != nil {
		return nil, fmt.Errorf("run a command in service %q: %w", name, err)
	}
	out, outCut := stdout.text()
	errs, errsCut := stderr.text()
	return Executed{Code: code, Stdout: out, Stderr: errs, Cut: outCut || errsCut}, nil
}

// bounded keeps the first of what is written to it.
type bounded struct {
	mu  sync.Mutex
	b   bytes.Buffer
	cut bool
}

func (w *bounded) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep := b
	if room := maxOutput - w.b.Len(); len(keep) > room {
		keep, w.cut = keep[:room], true
	}
	w.b.Write(keep)
	return len(b), nil
}

func (w *bounded) text() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String(), w.cut
}

func (s *server) postReset(r *http.Request) (any, error) {
	name, err := s.name(r)
	if err != nil {
		return nil, err
	}
	if err := s.env.Reset(r.Context(), name); err != nil {
		return nil, err
	}
	return s.getService(r)
}
