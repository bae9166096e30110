package otlp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sink takes what a [Handler] receives. It is called from many goroutines at once.
type Sink interface {
	// Export takes a request as protobuf, at most [MaxBody] bytes, which are good
	// for the call alone. It has not been checked: [Traces] and its like do that.
	//
	// Rejected are the spans, records or data points that were not taken, and the
	// reason is for whom sent them; the rest was. With an error nothing was taken:
	// an [*Exhausted] may be sent again, a [*Malformed] may not, and any other
	// error is ours and may be sent again. A [*Partial] error is as rejected.
	Export(signal Signal, b []byte) (rejected int64, reason string, err error)
	// Refused is told of each request that was answered with an error, before or
	// after Export, with its status in HTTP, also where it came over gRPC.
	// Requests to paths that are no signal's are not told of.
	Refused(signal Signal, status int)
}

// maxHeld bounds the bodies of all requests together that are being read.
const maxHeld = 8 * MaxBody

// maxKept is the largest buffer that is used again.
const maxKept = 4 << 20

// retryDefault is what a client is told to wait when nobody knows better.
const retryDefault = time.Second

type handler struct {
	sink    Sink
	held    atomic.Int64 // bytes of bodies
	buffers sync.Pool    // of *bytes.Buffer
	unzips  sync.Pool    // of *gzip.Reader
}

// Handler serves OTLP/HTTP and OTLP/gRPC on the same port, to be run by [Server]:
//
//	POST /v1/traces, /v1/logs, /v1/metrics                                 protobuf or JSON
//	POST /opentelemetry.proto.collector.trace.v1.TraceService/Export, …    gRPC over HTTP/2
//
// Bodies may be gzipped. Pages of any origin may post over HTTP: that is how
// SDKs in browsers come here.
func Handler(s Sink) http.Handler { return &handler{sink: s} }

// Server runs a [Handler] over HTTP/1.1 and, without TLS, HTTP/2 with prior
// knowledge, which is what gRPC's clients speak. The caller gives it a listener.
func Server(h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:   h,
		Protocols: &protocols,
		// Whole batches fit into the windows: no waiting for updates.
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          250,
			MaxReadFrameSize:              1 << 20,
			MaxReceiveBufferPerConnection: 4 << 20,
			MaxReceiveBufferPerStream:     4 << 20,
		},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       10 * time.Minute, // SDKs send once a minute, or less
		MaxHeaderBytes:    64 << 10,
	}
}

// refusal is why a request is not answered as it hopes.
type refusal struct {
	status  int // HTTP
	message string
	retry   time.Duration // when to come again; 0: no word of it
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if method, ok := strings.CutPrefix(r.URL.Path, grpcPrefix); ok || isGRPC(r.Header.Get("Content-Type")) {
		h.serveGRPC(w, r, method)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	signal, ok := signalOf(strings.TrimPrefix(r.URL.Path, "/v1/"), Signal.String)
	if !ok || !strings.HasPrefix(r.URL.Path, "/v1/") {
		http.Error(w, unknownPath(r.URL.Path), http.StatusNotFound)
		return
	}
	if r.Method == http.MethodOptions {
		allowOrigin(w.Header(), r.Header.Get("Access-Control-Request-Headers"))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	inJSON := contentType == "application/json"
	answer, no := h.serve(signal, r, contentType)
	if no != nil {
		h.sink.Refused(signal, no.status)
		if no.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "POST, OPTIONS")
		}
		if no.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.retry.Seconds()))))
		}
		// Who sent what is neither can read JSON at least.
		inJSON = inJSON || !isProtobuf(contentType)
		write(w, no.status, msgRPCStatus, appendRPCStatus(nil, no), inJSON)
		return
	}
	write(w, http.StatusOK, signal.response(), answer, inJSON)
}

func isProtobuf(contentType string) bool {
	return contentType == "application/x-protobuf" || contentType == "application/protobuf"
}

// signalOf is the signal that is called name.
func signalOf(name string, called func(Signal) string) (Signal, bool) {
	for s := range Signal(Signals) {
		if called(s) == name {
			return s, true
		}
	}
	return 0, false
}

func unknownPath(path string) string {
	text := fmt.Sprintf("nothing is at %q. OTLP is taken at\n", path)
	for s := range Signal(Signals) {
		text += fmt.Sprintf("  POST /v1/%s\n", s)
	}
	for s := range Signal(Signals) {
		text += fmt.Sprintf("  POST %s%s (gRPC)\n", grpcPrefix, grpcMethod(s))
	}
	return text
}

func allowOrigin(header http.Header, asked string) {
	header.Set("Access-Control-Allow-Methods", "POST")
	if asked != "" {
		header.Set("Access-Control-Allow-Headers", asked)
	}
	header.Set("Access-Control-Max-Age", "86400")
}

// serve reads a request of OTLP/HTTP and gives the answer's message.
func (h *handler) serve(signal Signal, r *http.Request, contentType string) ([]byte, *refusal) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "the method is %s: POST is due", r.Method)
	}
	if contentType != "application/json" && !isProtobuf(contentType) {
		return nil, refuse(http.StatusUnsupportedMediaType, "the content type is %q: application/x-protobuf or application/json is due", contentType)
	}
	zipped, no := encoding(r.Header.Get("Content-Encoding"))
	if no != nil {
		return nil, no
	}
	if r.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	buf := h.buffer()
	defer h.release(buf)
	if no := h.read(buf, r.Body, zipped); no != nil {
		return nil, no
	}
	b := buf.Bytes()
	if contentType == "application/json" {
		var err error
		if b, err = FromJSON(b, signal); err != nil {
			return nil, refuse(http.StatusBadRequest, "%v", err)
		}
		if len(b) > MaxBody {
			return nil, tooLarge()
		}
	}
	return h.export(signal, b)
}

func encoding(name string) (zipped bool, no *refusal) {
	switch strings.ToLower(name) {
	case "", "identity":
		return false, nil
	case "gzip":
		return true, nil
	}
	return false, refuse(http.StatusUnsupportedMediaType, "the encoding is %q: gzip or none is due", name)
}

func tooLarge() *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "the request is larger than %d MiB: export smaller batches", MaxBody>>20)
}

// export gives the request to the sink, and gives the answer's message.
func (h *handler) export(signal Signal, b []byte) ([]byte, *refusal) {
	rejected, reason, err := h.sink.Export(signal, b)
	if partial, ok := errors.AsType[*Partial](err); ok {
		rejected, reason, err = partial.Rejected, partial.Reason, nil
	}
	if err == nil {
		return appendResponse(nil, rejected, reason), nil
	}
	if exhausted, ok := errors.AsType[*Exhausted](err); ok {
		no := refuse(http.StatusTooManyRequests, "%v", err)
		if no.retry = exhausted.RetryAfter; no.retry <= 0 {
			no.retry = retryDefault
		}
		return nil, no
	}
	if _, ok := errors.AsType[*Malformed](err); ok {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	return nil, refuse(http.StatusServiceUnavailable, "%v", err)
}

// buffer is empty, and goes back with release.
func (h *handler) buffer() *bytes.Buffer {
	if buf, ok := h.buffers.Get().(*bytes.Buffer); ok {
		return buf
	}
	return new(bytes.Buffer)
}

func (h *handler) release(buf *bytes.Buffer) {
	h.held.Add(int64(-buf.Len()))
	if buf.Cap() <= maxKept {
		buf.Reset()
		h.buffers.Put(buf)
	}
}

// read reads a body to its end into buf.
func (h *handler) read(buf *bytes.Buffer, body io.Reader, zipped bool) *refusal {
	if !zipped {
		return h.fill(buf, body)
	}
	unzip, ok := h.unzips.Get().(*gzip.Reader)
	if !ok {
		unzip = new(gzip.Reader)
	}
	defer h.unzips.Put(unzip)
	if err := unzip.Reset(body); err != nil {
		return unreadable(err)
	}
	return h.fill(buf, unzip)
}

// fill reads step by step, so that nobody holds room by announcing a large body.
func (h *handler) fill(buf *bytes.Buffer, from io.Reader) *refusal {
	const step = 64 << 10
	for {
		n, err := io.CopyN(buf, from, step)
		switch held := h.held.Add(n); {
		case buf.Len() > MaxBody:
			return tooLarge()
		case held > maxHeld:
			return &refusal{http.StatusTooManyRequests, "too many requests at once", retryDefault}
		case err == io.EOF:
			return nil
		case err != nil:
			return unreadable(err)
		}
	}
}

func unreadable(err error) *refusal {
	return refuse(http.StatusBadRequest, "cannot read the body: %v", err)
}

// write writes a message as the body of an answer.
func write(w http.ResponseWriter, status int, of messageID, b []byte, inJSON bool) {
	contentType := "application/x-protobuf"
	if inJSON {
		contentType = "application/json"
		b = appendJSON(nil, b, of)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) // an error is the client's loss: it has hung up
}

// appendResponse appends an Export…ServiceResponse, which is empty when all went
// well.
func appendResponse(b []byte, rejected int64, reason string) []byte {
	if rejected == 0 && reason == "" {
		return b
	}
	b, partial := open(b, 1)
	b = appendVarint(b, 1, uint64(rejected))
	b = appendText(b, 2, reason)
	return shut(b, partial)
}

// appendRPCStatus appends a google.rpc.Status.
func appendRPCStatus(b []byte, no *refusal) []byte {
	b = appendVarint(b, 1, uint64(no.code()))
	return appendText(b, 2, no.message)
}
