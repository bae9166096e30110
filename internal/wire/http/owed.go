package http

import (
	"net/http"
	"strconv"

	"github.com/rehearse-dev/rehearse"
)

// owed is a request that the client has no whole answer to yet.
type owed struct {
	toHead   bool // HEAD has answers without a body
	tunnel   bool // CONNECT has a successful answer without an end
	last     bool // no request follows it
	keep     bool // HTTP/1.0: say that the connection stays open
	switches bool // the answer may be in another protocol

	// abort is the fault that answers in the upstream's place, if any. The
	// answer is due when all of the request was swallowed.
	abort *rehearse.Fault
	due   bool

	faults []touch // that touch the answer
}

// touch is a fault on one request.
type touch struct {
	fault   *rehearse.Fault
	counted bool // the request was counted for it already
}

// aborted is the answer to an aborted request.
func (o *owed) aborted() []byte {
	f := o.abort
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	b := make([]byte, 0, 128+len(f.Body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	bodiless := status == http.StatusNoContent || status == http.StatusNotModified
	if !bodiless {
		b = append(b, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(f.Body)), 10)
		b = append(b, "\r\n"...)
	}
	switch {
	case o.last:
		b = append(b, "Connection: close\r\n"...)
	case o.keep:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if !bodiless && !o.toHead {
		b = append(b, f.Body...)
	}
	return b
}
