package otlp

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// gRPC's unary calls over net/http: a request and an answer are each a byte that
// says whether it is compressed, four of length, and the message; the status comes
// in trailers. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

const grpcPrefix = "/opentelemetry.proto.collector."

// The status codes that are answered.
const (
	grpcOK                = 0
	grpcInvalidArgument   = 3
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcUnavailable       = 14
)

// code is the refusal in gRPC.
func (no *refusal) code() int {
	switch no.status {
	case http.StatusBadRequest:
		return grpcInvalidArgument
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return grpcResourceExhausted
	case http.StatusServiceUnavailable:
		return grpcUnavailable
	}
	return grpcUnimplemented
}

func grpcMethod(s Signal) string {
	return [Signals]string{"trace.v1.TraceService/Export", "logs.v1.LogsService/Export", "metrics.v1.MetricsService/Export"}[s]
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// serveGRPC answers a call of a method, which is empty for one of another's service.
func (h *handler) serveGRPC(w http.ResponseWriter, r *http.Request, method string) {
	signal, ok := signalOf(method, grpcMethod)
	// What is no gRPC gets its answer in HTTP, as gRPC's own servers do it.
	plain := func(status int, format string, args ...any) {
		if ok {
			h.sink.Refused(signal, status)
		}
		http.Error(w, fmt.Sprintf(format, args...), status)
	}
	switch contentType := r.Header.Get("Content-Type"); {
	case !ok && !isGRPC(contentType):
		plain(http.StatusNotFound, "%s", unknownPath(r.URL.Path))
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		plain(http.StatusMethodNotAllowed, "the method is %s: POST is due", r.Method)
		return
	case !isGRPC(contentType):
		plain(http.StatusUnsupportedMediaType, "the content type is %q: application/grpc is due", contentType)
		return
	case r.ProtoMajor != 2:
		plain(http.StatusHTTPVersionNotSupported, "gRPC is due over HTTP/2, without TLS, with prior knowledge")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/grpc")
	header.Set("Grpc-Accept-Encoding", "gzip")
	if !ok {
		finish(w, nil, refuse(http.StatusNotFound, "unknown method %s", r.URL.Path))
		return
	}
	answer, no := h.call(signal, r)
	if no != nil {
		h.sink.Refused(signal, no.status)
	}
	finish(w, answer, no)
}

// call reads a request and gives the answer's message.
func (h *handler) call(signal Signal, r *http.Request) ([]byte, *refusal) {
	if subtype := strings.TrimPrefix(r.Header.Get("Content-Type"), "application/grpc"); strings.HasPrefix(subtype, "+") && subtype != "+proto" {
		return nil, refuse(http.StatusUnsupportedMediaType, "the messages are %q: +proto is due", subtype)
	}
	zipped, no := encoding(r.Header.Get("Grpc-Encoding"))
	if no != nil {
		return nil, no
	}
	var prefix [5]byte
	if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case prefix[0] == 0:
		zipped = false
	case prefix[0] != 1 || !zipped:
		return nil, refuse(http.StatusBadRequest, "the message's flag is %d, without grpc-encoding: gzip", prefix[0])
	}
	size := int64(binary.BigEndian.Uint32(prefix[1:]))
	if size > MaxBody {
		return nil, tooLarge()
	}
	buf := h.buffer()
	defer h.release(buf)
	frame := &io.LimitedReader{R: r.Body, N: size}
	if no := h.read(buf, frame, zipped); no != nil {
		return nil, no
	}
	if frame.N > 0 {
		return nil, refuse(http.StatusBadRequest, "the message is cut short: %d of %d bytes are missing", frame.N, size)
	}
	if n, _ := io.ReadFull(r.Body, prefix[:1]); n > 0 {
		return nil, refuse(http.StatusBadRequest, "there is more than one message")
	}
	return h.export(signal, buf.Bytes())
}

// finish answers. Headers go before the trailers also where there is no message:
// not every client takes trailers alone from net/http, which adds a content length.
func finish(w http.ResponseWriter, answer []byte, no *refusal) {
	trailer := func(name, value string) { w.Header().Set(http.TrailerPrefix+name, value) }
	if no == nil {
		frame := make([]byte, 5, 5+len(answer))
		binary.BigEndian.PutUint32(frame[1:], uint32(len(answer)))
		w.Write(append(frame, answer...)) // an error is the client's loss: it has hung up
		trailer("Grpc-Status", strconv.Itoa(grpcOK))
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // fails where the client has hung up
	trailer("Grpc-Status", strconv.Itoa(no.code()))
	trailer("Grpc-Message", escape(no.message))
	if no.retry > 0 {
		trailer("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(appendRetryInfo(appendRPCStatus(nil, no), no.retry)))
	}
}

// appendRetryInfo appends details to a google.rpc.Status: how long to wait.
func appendRetryInfo(b []byte, retry time.Duration) []byte {
	b, details := open(b, 3) // google.protobuf.Any
	b = appendBytes(b, 1, "type.googleapis.com/google.rpc.RetryInfo")
	b, info := open(b, 2)
	b, delay := open(b, 1) // google.protobuf.Duration
	b = appendVarint(b, 1, uint64(retry/time.Second))
	b = appendVarint(b, 2, uint64(retry%time.Second))
	return shut(shut(shut(b, delay), info), details)
}

// escape writes a message as a header may have it: percent-encoded.
func escape(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
