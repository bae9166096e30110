package http2

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// answers is what our own answers need to know of the client's windows.
type answers struct {
	room    int64    // how much DATA the client takes yet on the connection
	debt    int64    // how much of that our own answers took, unknown to the server
	initial int64    // of each stream
	bodies  []uint32 // the streams whose answers wait for a window
}

// resize changes what the client takes on each stream from the first.
func (a *answers) resize(initial int64, streams map[uint32]*stream) {
	for _, id := range a.bodies {
		streams[id].window += initial - a.initial
	}
	a.initial = initial
}

func (a *answers) forget(id uint32) {
	a.bodies = slices.DeleteFunc(a.bodies, func(b uint32) bool { return b == id })
}

// update takes the client's WINDOW_UPDATE.
func (e *Editor) update(f frame, u []byte, out *wire.Out) {
	n := int64(binary.BigEndian.Uint32(u[frameHead:]) & (1<<31 - 1))
	switch {
	case f.stream == 0:
		e.answers.room += n
		paid := min(n, e.answers.debt)
		e.answers.debt -= paid
		switch {
		case paid == 0:
			e.up.send(out, u)
		case paid < n:
			start := len(e.up.own)
			e.up.own = appendNumber(e.up.own, windowUpdateFrame, 0, uint32(n-paid))
			e.up.send(out, e.up.own[start:])
		}
	case e.skipped.has(f.stream):
		if st := e.streams[f.stream]; st != nil {
			st.window += n
		}
	default:
		e.up.send(out, u)
	}
	e.pump(out)
}

// abort swallows a request of n bytes so far, and answers it.
func (e *Editor) abort(b *block, st *stream, f *rehearse.Fault, holds []*rehearse.Fault, n int, out *wire.Out) {
	e.decider.Touched(f, 1, int64(n))
	e.up.edit()
	e.down.edit()
	st.charge, st.window = f, e.answers.initial
	st.swallow, st.ours = true, true
	e.skipped.add(b.stream)
	var ops []wire.Op
	hold := func(h *rehearse.Fault) {
		e.decider.Touched(h, 1, 0)
		ops = append(ops, wire.Op{Do: wire.Hold, Fault: h})
	}
	for _, h := range holds {
		hold(h)
	}
	for _, t := range st.faults {
		if t.fault.Kind == rehearse.FaultDelay {
			hold(t.fault)
		}
	}
	head := block{frame: frame{kind: headersFrame, stream: b.stream}}
	head.fields, st.body = aborted(f, b.fields)
	if len(st.body) == 0 {
		head.flags = endStream
	}
	ops = append(ops, bytesOp(e.down.blocks.write(nil, &head)))
	e.down.inject(out, ops...)
	e.streams[b.stream] = st
	if len(st.body) == 0 {
		st.body = nil
		e.done(b.stream, false)
		return
	}
	e.answers.bodies = append(e.answers.bodies, b.stream)
	e.pump(out)
}

// patience is how much of a request's body is taken when it was answered
// already. Most clients stop by themselves when they have the answer, and some
// take it ill when they are stopped at once.
const patience = 1 << 20

// bear lets the client of a stream that we answer go on for a while.
func (e *Editor) bear(f frame, st *stream, out *wire.Out) {
	if st.borne += f.length; st.borne > patience && st.body == nil {
		e.down.inject(out, reset(f.stream, noError))
		e.done(f.stream, true)
		return
	}
	e.down.inject(out, credit(f.stream, f.length))
}

// pump sends what the client's windows have room for of the bodies that wait.
func (e *Editor) pump(out *wire.Out) {
	a := &e.answers
	a.bodies = slices.DeleteFunc(a.bodies, func(id uint32) bool {
		st := e.streams[id]
		for {
			n := min(int64(len(st.body)), a.room, st.window, anyFrame)
			if n <= 0 {
				return false
			}
			f := frame{length: int(n), kind: dataFrame, stream: id}
			last := n == int64(len(st.body))
			if last {
				f.flags = endStream
			}
			e.down.inject(out, bytesOp(append(appendHead(nil, f), st.body[:n]...)))
			st.body = st.body[n:]
			st.window -= n
			a.room -= n
			a.debt += n
			if last {
				st.body = nil
				e.done(id, false)
				return true
			}
		}
	})
}

// aborted is the answer to an aborted request with these fields.
func aborted(f *rehearse.Fault, request []hpack.HeaderField) (fields []hpack.HeaderField, body []byte) {
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if kind := value(request, "content-type"); isGRPC(kind) {
		message := f.Body
		if message == "" {
			message = http.StatusText(status)
		}
		return []hpack.HeaderField{
			{Name: ":status", Value: "200"},
			{Name: "content-type", Value: kind},
			{Name: "grpc-status", Value: strconv.Itoa(grpcStatus(status))},
			{Name: "grpc-message", Value: grpcMessage(message)},
		}, nil
	}
	fields = []hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(status)}}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return fields, nil
	}
	fields = append(fields,
		hpack.HeaderField{Name: "content-type", Value: "text/plain; charset=utf-8"},
		hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(f.Body))})
	if value(request, ":method") != "HEAD" {
		body = []byte(f.Body)
	}
	return fields, body
}

// isGRPC reports whether requests of a content type are gRPC's. Those of
// gRPC-Web are not: their trailers are a part of the body.
func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcStatus is the status that a gRPC library gives its caller for an answer of
// a proxy: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md.
func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest:
		return 13 // INTERNAL
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusNotFound:
		return 12 // UNIMPLEMENTED
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}

// grpcMessage encodes a message as gRPC over HTTP/2 wants it: all but printable
// ASCII in percents.
func grpcMessage(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
