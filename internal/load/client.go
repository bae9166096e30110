package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse"
)

// maxKept is how much of a body is kept for captures and checks. All of it is
// read.
const maxKept = 1 << 20

// client is the connections of one origin.
type client struct {
	base      string
	transport *http.Transport
}

// newClient makes a client that dials until the load ends.
func newClient(load context.Context, t Target) *client {
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c := &client{base: strings.TrimSuffix(t.Base, "/")}
	c.transport = &http.Transport{
		// The transport goes on dialling when the request that it dialled for has
		// given up, for the sake of later ones. That must end with the load.
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(load, cancel)()
			return dial(ctx, network, addr)
		},
		MaxIdleConnsPerHost: maxInFlight,
		DisableCompression:  true,
	}
	return c
}

// answer is what came back, or the part of it that came.
type answer struct {
	status int
	bytes  int64
	body   []byte // its first maxKept bytes; empty unless the request looks at it
}

// bodies are read into buffers that are used again. Most bodies are not kept.
var bodies = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// do makes a request and reads its answer to the end. The answer holds what
// came before an error.
func (c *client) do(req *request) (answer, error) {
	var a answer
	resp, err := c.transport.RoundTrip(req.http)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.status = resp.StatusCode
	buffer := bodies.Get().(*[]byte)
	defer bodies.Put(buffer)
	for {
		n, err := resp.Body.Read(*buffer)
		a.bytes += int64(n)
		if req.looks {
			a.body = append(a.body, (*buffer)[:min(n, maxKept-len(a.body))]...)
		}
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return a, err
		}
	}
}

// check judges a complete answer and keeps the values that it captures.
func (s *sender) check(spec *rehearse.Request, a answer, sample *rehearse.Sample) {
	count := func(ok bool) {
		if ok {
			sample.Passed++
		} else {
			sample.Missed++
		}
	}
	accepted := accepts(spec.Status, a.status)
	count(accepted)
	for _, text := range spec.Contains {
		count(bytes.Contains(a.body, []byte(text)))
	}
	if !accepted {
		sample.Error = "status"
		return
	}
	s.captured.take(spec.Capture, a.body)
}

func accepts(statuses []int, status int) bool {
	if len(statuses) == 0 {
		return status >= 200 && status <= 399
	}
	for _, s := range statuses {
		if s == status {
			return true
		}
	}
	return false
}

// word classifies the error of a request; dropped is true when the generator
// and not the service is to blame. ctx is that of the load.
func word(ctx context.Context, err error) (word string, dropped bool) {
	var (
		dns     *net.DNSError
		network net.Error
	)
	switch {
	case ctx.Err() != nil:
		return "canceled", true // by us: it says nothing of the service
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "local", true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout", false
	case errors.As(err, &dns):
		return "dns", false
	case errors.As(err, &network) && network.Timeout():
		return "timeout", false
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset", false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		// net/http does not export this one.
		strings.Contains(err.Error(), "server closed idle connection"):
		return "eof", false
	}
	return "other", false
}
