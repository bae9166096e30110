package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder is a sink that keeps what it is given, and says what it is told to.
type recorder struct {
	says
	mu      sync.Mutex
	got     []string // signal and, of a good request, its JSON
	refused []string
}

type says struct {
	rejected int64
	reason   string
	err      error
}

func (s *recorder) Export(signal Signal, b []byte) (int64, string, error) {
	j, err := ToJSON(b, signal)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return 0, "", err
	}
	s.got = append(s.got, signal.String()+" "+string(j))
	return s.rejected, s.reason, s.err
}

func (s *recorder) Refused(signal Signal, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, fmt.Sprint(signal, " ", status))
}

func (s *recorder) take() (got, refused []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, refused = s.got, s.refused
	s.got, s.refused = nil, nil
	return got, refused
}

// listen serves the sink on a port of the loopback.
func listen(t testing.TB, s Sink) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(Handler(s))
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// client speaks HTTP/1.1, or HTTP/2 with prior knowledge.
func client(t testing.TB, h2 bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func gz(s string) string { return string(zip([]byte(s))) }

const (
	inProto = "application/x-protobuf"
	inJSON  = "application/json"
	inGRPC  = "application/grpc"
)

func do(t testing.TB, c *http.Client, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answer)
}

func rpcStatus(code uint64, message string) string { return pvarint(1, code) + pbytes(2, message) }

func TestServeHTTP(t *testing.T) {
	const okJSON = `traces {"resourceSpans":[{}]}`
	tracesProto, logsJSON := request(), `{"resourceLogs":[{}]}`
	bomb := gz(strings.Repeat("\x00", MaxBody+1))
	for _, c := range []struct {
		name         string
		sink         says
		method, path string
		headers      []string
		body         string
		status       int
		answer       string // exact, or with … at the end its beginning
		header       string // one of the answer's: "Name: value"
		got, refused []string
	}{
		{name: "protobuf", path: "/v1/traces", headers: []string{"Content-Type", inProto}, body: tracesProto, status: 200, header: "Content-Type: " + inProto, got: []string{okJSON}},
		{name: "gzip", path: "/v1/traces", headers: []string{"Content-Type", inProto, "Content-Encoding", "gzip"}, body: gz(tracesProto), status: 200, header: "Access-Control-Allow-Origin: *", got: []string{okJSON}},
		{name: "json", path: "/v1/logs", headers: []string{"Content-Type", "application/json; charset=utf-8"}, body: logsJSON, status: 200, answer: "{}", header: "Content-Type: " + inJSON, got: []string{"logs " + logsJSON}},
		{name: "json, gzip", path: "/v1/logs", headers: []string{"Content-Type", inJSON, "Content-Encoding", "gzip"}, body: gz(logsJSON), status: 200, answer: "{}", got: []string{"logs " + logsJSON}},
		{name: "nothing in it", path: "/v1/metrics", headers: []string{"Content-Type", inProto}, status: 200, got: []string{"metrics {}"}},
		{
			name: "partial", sink: says{rejected: 3, reason: "no id"}, path: "/v1/traces", headers: []string{"Content-Type", inProto}, body: tracesProto,
			status: 200, answer: pbytes(1, pvarint(1, 3), pbytes(2, "no id")), got: []string{okJSON},
		},
		{
			name: "partial, json", sink: says{err: &Partial{3, "no id"}}, path: "/v1/logs", headers: []string{"Content-Type", inJSON}, body: logsJSON,
			status: 200, answer: `{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no id"}}`, got: []string{"logs " + logsJSON},
		},
		{
			name: "malformed", path: "/v1/traces", headers: []string{"Content-Type", inProto}, body: "nonsense", status: 400,
			answer: rpcStatus(3, "malformed TracesData at byte 0: is cut short, or a value of none of the wire types"), header: "Content-Type: " + inProto, refused: []string{"traces 400"},
		},
		{
			name: "malformed json", path: "/v1/traces", headers: []string{"Content-Type", inJSON}, body: "{", status: 400,
			answer: `{"code":3,"message":"malformed JSON at byte 1: unexpected end of JSON input"}`, header: "Content-Type: " + inJSON, refused: []string{"traces 400"},
		},
		{
			name: "exhausted", sink: says{err: fmt.Errorf("the store: %w", &Exhausted{RetryAfter: 1500 * time.Millisecond, Reason: "full"})}, path: "/v1/traces", headers: []string{"Content-Type", inProto},
			status: 429, answer: rpcStatus(8, "the store: exhausted: full"), header: "Retry-After: 2", got: []string{"traces {}"}, refused: []string{"traces 429"},
		},
		{
			name: "our fault", sink: says{err: errors.New("closed")}, path: "/v1/traces", headers: []string{"Content-Type", inJSON}, body: "{}",
			status: 503, answer: `{"code":14,"message":"closed"}`, got: []string{"traces {}"}, refused: []string{"traces 503"},
		},
		{name: "no content type", path: "/v1/traces", body: tracesProto, status: 415, answer: `{"code":12,"message":"the content type is \"\"…`, refused: []string{"traces 415"}},
		{name: "text", path: "/v1/traces", headers: []string{"Content-Type", "text/plain"}, status: 415, answer: `{"code":12,"message":"the content type is \"text/plain\": application/x-protobuf or application/json is due"}`, refused: []string{"traces 415"}},
		{name: "zstd", path: "/v1/traces", headers: []string{"Content-Type", inProto, "Content-Encoding", "zstd"}, status: 415, answer: rpcStatus(12, `the encoding is "zstd": gzip or none is due`), refused: []string{"traces 415"}},
		{name: "no gzip", path: "/v1/traces", headers: []string{"Content-Type", inJSON, "Content-Encoding", "gzip"}, body: "{}{}{}{}{}{}", status: 400, answer: `{"code":3,"message":"cannot read the body: gzip: invalid header"}`, refused: []string{"traces 400"}},
		{name: "gzip cut short", path: "/v1/traces", headers: []string{"Content-Type", inJSON, "Content-Encoding", "gzip"}, body: gz("{}")[:12], status: 400, answer: `{"code":3,"message":"cannot read the body: unexpected EOF"}`, refused: []string{"traces 400"}},
		{name: "bomb", path: "/v1/traces", headers: []string{"Content-Type", inProto, "Content-Encoding", "gzip"}, body: bomb, status: 413, answer: rpcStatus(8, "the request is larger than 16 MiB: export smaller batches"), refused: []string{"traces 413"}},
		{
			name: "json that grows", path: "/v1/metrics", headers: []string{"Content-Type", inJSON, "Content-Encoding", "gzip"}, status: 413, answer: `{"code":8,…`, refused: []string{"metrics 413"},
			body: gz(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[0` + strings.Repeat(",0", MaxBody/8) + `]}]}}]}]}]}`),
		},
		{name: "get", method: "GET", path: "/v1/traces", status: 405, header: "Allow: POST, OPTIONS", answer: `{"code":12,"message":"the method is GET: POST is due"}`, refused: []string{"traces 405"}},
		{name: "preflight", method: "OPTIONS", path: "/v1/traces", headers: []string{"Access-Control-Request-Headers", "content-type,x-key"}, status: 204, header: "Access-Control-Allow-Headers: content-type,x-key"},
		{name: "elsewhere", path: "/v1/spans", status: 404, answer: "nothing is at \"/v1/spans\". OTLP is taken at\n  POST /v1/traces\n  POST /v1/logs\n  POST /v1/metrics\n  POST /opentelemetry.proto.collector.trace.v1.TraceService/Export (gRPC)\n…"},
		{name: "without its prefix", path: "/traces", status: 404, answer: "nothing is at…"},
		{name: "grpc's path", path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export", headers: []string{"Content-Type", inProto}, status: 415, answer: "the content type…", refused: []string{"traces 415"}},
		{name: "no service of grpc", path: "/opentelemetry.proto.collector.x", headers: []string{"Content-Type", inProto}, status: 404, answer: "nothing is at…"},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", c.name, h2), func(t *testing.T) {
				sink := &recorder{says: c.sink}
				method := c.method
				if method == "" {
					method = http.MethodPost
				}
				response, answer := do(t, client(t, h2), method, "http://"+listen(t, sink)+c.path, c.body, c.headers...)
				if response.StatusCode != c.status {
					t.Errorf("got status %d, want %d", response.StatusCode, c.status)
				}
				want, open := strings.CutSuffix(c.answer, "…")
				if answer != want && !(open && strings.HasPrefix(answer, want)) {
					t.Errorf("got answer %q, want %q", answer, c.answer)
				}
				if name, value, ok := strings.Cut(c.header, ": "); ok && response.Header.Get(name) != value {
					t.Errorf("got %s %q, want %q", name, response.Header.Get(name), value)
				}
				got, refused := sink.take()
				if diff := cmp.Diff(got, c.got); diff != "" {
					t.Error("exported, got -, want +:\n", diff)
				}
				if diff := cmp.Diff(refused, c.refused); diff != "" {
					t.Error("refused, got -, want +:\n", diff)
				}
			})
		}
	}
}

// An announced size is refused before the body is read.
func TestServeHTTPAnnounced(t *testing.T) {
	sink := new(recorder)
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", unread{t})
	r.ContentLength = MaxBody + 1
	r.Header.Set("Content-Type", inProto)
	w := httptest.NewRecorder()
	Handler(sink).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", w.Code)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// Bodies that come at once are bounded together.
func TestServeHeld(t *testing.T) {
	sink := new(recorder)
	h := Handler(sink).(*handler)
	h.held.Store(maxHeld)
	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/v1/traces", strings.NewReader(fullTraces))
		r.Header.Set("Content-Type", inProto)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := post(); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d and %q, want 429 after 1", w.Code, w.Header().Get("Retry-After"))
	}
	if held := h.held.Load(); held != maxHeld {
		t.Errorf("%d bytes stay held", held-maxHeld)
	}
	h.held.Store(0)
	if w := post(); w.Code != http.StatusOK {
		t.Errorf("got %d, want 200", w.Code)
	}
	if held := h.held.Load(); held != 0 {
		t.Errorf("%d bytes stay held", held)
	}
}

func frame(flag byte, message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message)))) + message
}

func TestServeGRPC(t *testing.T) {
	const (
		traces  = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
		logs    = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
		metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
	)
	good := request()
	for _, c := range []struct {
		name         string
		sink         says
		path         string
		headers      []string
		body         string
		answer       string // the message; no frame at all where code is not 0
		code         string
		message      string
		details      string
		got, refused []string
	}{
		{name: "traces", path: traces, body: frame(0, good), code: "0", got: []string{`traces {"resourceSpans":[{}]}`}},
		{name: "logs", path: logs, body: frame(0, good), code: "0", got: []string{`logs {"resourceLogs":[{}]}`}},
		{name: "metrics", path: metrics, headers: []string{"Content-Type", "application/grpc+proto"}, body: frame(0, good), code: "0", got: []string{`metrics {"resourceMetrics":[{}]}`}},
		{name: "nothing in it", path: traces, body: frame(0, ""), code: "0", got: []string{`traces {}`}},
		{name: "gzip", path: traces, headers: []string{"Grpc-Encoding", "gzip"}, body: frame(1, gz(good)), code: "0", got: []string{`traces {"resourceSpans":[{}]}`}},
		{name: "gzip agreed and not used", path: traces, headers: []string{"Grpc-Encoding", "gzip"}, body: frame(0, good), code: "0", got: []string{`traces {"resourceSpans":[{}]}`}},
		{name: "partial", sink: says{rejected: 2, reason: "no id"}, path: traces, body: frame(0, good), code: "0", answer: pbytes(1, pvarint(1, 2), pbytes(2, "no id")), got: []string{`traces {"resourceSpans":[{}]}`}},
		{name: "malformed", path: traces, body: frame(0, "nonsense"), code: "3", message: "malformed TracesData at byte 0: is cut short, or a value of none of the wire types", refused: []string{"traces 400"}},
		{
			name: "exhausted", sink: says{err: &Exhausted{RetryAfter: 2500 * time.Millisecond, Reason: "100 % full"}}, path: traces, body: frame(0, good), code: "8", message: "exhausted: 100 %25 full",
			details: rpcStatus(8, "exhausted: 100 % full") + pbytes(3, pbytes(1, "type.googleapis.com/google.rpc.RetryInfo"), pbytes(2, pbytes(1, pvarint(1, 2), pvarint(2, 500_000_000)))),
			got:     []string{`traces {"resourceSpans":[{}]}`}, refused: []string{"traces 429"},
		},
		{name: "our fault", sink: says{err: errors.New("closed\n→")}, path: traces, body: frame(0, good), code: "14", message: "closed%0A%E2%86%92", got: []string{`traces {"resourceSpans":[{}]}`}, refused: []string{"traces 503"}},
		{name: "too large", path: traces, body: "\x00\xff\xff\xff\xff", code: "8", message: "the request is larger than 16 MiB: export smaller batches", refused: []string{"traces 413"}},
		{name: "bomb", path: traces, headers: []string{"Grpc-Encoding", "gzip"}, body: frame(1, gz(strings.Repeat("\x00", MaxBody+1))), code: "8", message: "the request is larger than 16 MiB: export smaller batches", refused: []string{"traces 413"}},
		{name: "no frame", path: traces, body: "", code: "3", message: "cannot read the body: EOF", refused: []string{"traces 400"}},
		{name: "prefix cut short", path: traces, body: "\x00\x00", code: "3", message: "cannot read the body: unexpected EOF", refused: []string{"traces 400"}},
		{name: "message cut short", path: traces, body: frame(0, good+"12345")[:7], code: "3", message: "the message is cut short: 5 of 7 bytes are missing", refused: []string{"traces 400"}},
		{name: "two messages", path: traces, body: frame(0, good) + frame(0, good), code: "3", message: "there is more than one message", refused: []string{"traces 400"}},
		{name: "compressed unasked", path: traces, body: frame(1, gz(good)), code: "3", message: "the message's flag is 1, without grpc-encoding: gzip", refused: []string{"traces 400"}},
		{name: "bad flag", path: traces, body: frame(9, good), code: "3", message: "the message's flag is 9, without grpc-encoding: gzip", refused: []string{"traces 400"}},
		{name: "bad gzip", path: traces, headers: []string{"Grpc-Encoding", "gzip"}, body: frame(1, "0123456789"), code: "3", message: "cannot read the body: gzip: invalid header", refused: []string{"traces 400"}},
		{name: "zstd", path: traces, headers: []string{"Grpc-Encoding", "zstd"}, body: frame(1, good), code: "12", message: `the encoding is "zstd": gzip or none is due`, refused: []string{"traces 415"}},
		{name: "json", path: traces, headers: []string{"Content-Type", "application/grpc+json"}, body: frame(0, "{}"), code: "12", message: `the messages are "+json": +proto is due`, refused: []string{"traces 415"}},
		{name: "another service", path: "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", body: frame(0, ""), code: "12", message: "unknown method /opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"},
		{name: "another package", path: "/grpc.health.v1.Health/Check", body: frame(0, ""), code: "12", message: "unknown method /grpc.health.v1.Health/Check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink := &recorder{says: c.sink}
			headers := append([]string{"Content-Type", inGRPC, "TE", "trailers"}, c.headers...)
			response, answer := do(t, client(t, true), http.MethodPost, "http://"+listen(t, sink)+c.path, c.body, headers...)
			if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != inGRPC {
				t.Errorf("got status %d and %q", response.StatusCode, response.Header.Get("Content-Type"))
			}
			trailer := response.Trailer
			if got := trailer.Get("Grpc-Status"); got != c.code {
				t.Errorf("got code %s, want %s", got, c.code)
			}
			if got := trailer.Get("Grpc-Message"); got != c.message {
				t.Errorf("got message %q, want %q", got, c.message)
			}
			if got, err := base64.RawStdEncoding.DecodeString(trailer.Get("Grpc-Status-Details-Bin")); string(got) != c.details || err != nil {
				t.Errorf("got details %q, want %q: %v", got, c.details, err)
			}
			want := ""
			if c.code == "0" {
				want = frame(0, c.answer)
			}
			if answer != want {
				t.Errorf("got %q, want %q", answer, want)
			}
			got, refused := sink.take()
			if diff := cmp.Diff(got, c.got); diff != "" {
				t.Error("exported, got -, want +:\n", diff)
			}
			if diff := cmp.Diff(refused, c.refused); diff != "" {
				t.Error("refused, got -, want +:\n", diff)
			}
		})
	}
	t.Run("over HTTP/1.1", func(t *testing.T) {
		response, _ := do(t, client(t, false), http.MethodPost, "http://"+listen(t, new(recorder))+traces, frame(0, good), "Content-Type", inGRPC)
		if response.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Errorf("got %d, want 505", response.StatusCode)
		}
	})
	t.Run("get", func(t *testing.T) {
		response, _ := do(t, client(t, true), http.MethodGet, "http://"+listen(t, new(recorder))+traces, "", "Content-Type", inGRPC)
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "POST" {
			t.Errorf("got %d and Allow %q, want 405 and POST", response.StatusCode, response.Header.Get("Allow"))
		}
	})
}

// Many clients at once, on both protocols, each with its own answer.
func TestServeTogether(t *testing.T) {
	sink := new(recorder)
	address := listen(t, sink)
	b := string(AppendTraces(nil, sampleSpans(64)))
	var group sync.WaitGroup
	for i := range 8 {
		c := client(t, i%2 == 0)
		group.Go(func() {
			for range 10 {
				if i%2 == 0 {
					response, _ := do(t, c, http.MethodPost, "http://"+address+grpcPrefix+grpcMethod(SignalTraces), frame(1, gz(b)), "Content-Type", inGRPC, "Grpc-Encoding", "gzip")
					if got := response.Trailer.Get("Grpc-Status"); got != "0" {
						t.Errorf("got code %q", got)
					}
				} else if response, _ := do(t, c, http.MethodPost, "http://"+address+"/v1/traces", b, "Content-Type", inProto); response.StatusCode != 200 {
					t.Errorf("got status %d", response.StatusCode)
				}
			}
		})
	}
	group.Wait()
	got, refused := sink.take()
	if len(got) != 80 || len(slices.Compact(got)) != 1 || len(refused) != 0 {
		t.Errorf("got %d requests, %d different ones next to each other, %d refused; want 80, 1, 0", len(got), len(slices.Compact(got)), len(refused))
	}
}

// FuzzServe asks that every request is answered with a status that fits.
func FuzzServe(f *testing.F) {
	f.Add("POST", "/v1/traces", inProto, "", []byte(fullTraces), false)
	f.Add("POST", "/v1/logs", inJSON, "gzip", []byte(gz("{}")), false)
	f.Add("POST", grpcPrefix+"trace.v1.TraceService/Export", inGRPC, "gzip", []byte(frame(1, gz(fullTraces))), true)
	f.Add("OPTIONS", "/v1/", "x", "y", []byte("z"), true)
	allowed := []int{200, 204, 400, 404, 405, 413, 415, 505}
	f.Fuzz(func(t *testing.T, method, path, contentType, encoding string, body []byte, h2 bool) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Method, r.URL.Path = method, path
		if h2 {
			r.ProtoMajor, r.ProtoMinor = 2, 0
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Grpc-Encoding", encoding)
		sink := new(recorder)
		w := httptest.NewRecorder()
		Handler(sink).ServeHTTP(w, r)
		if !slices.Contains(allowed, w.Code) {
			t.Errorf("got status %d", w.Code)
		}
		// httptest's recorder leaves the prefix of trailers where it is.
		code := w.Header().Get(http.TrailerPrefix + "Grpc-Status")
		if w.Header().Get("Content-Type") == inGRPC && !slices.Contains([]string{"0", "3", "8", "12"}, code) {
			t.Errorf("got code %q", code)
		}
		got, refused := sink.take()
		if len(got)+len(refused) > 1 || w.Code >= 400 && w.Code != 404 && code == "" && len(refused) != 1 && !strings.HasPrefix(contentType, inGRPC) {
			t.Errorf("status %d, exported %d, refused %v", w.Code, len(got), refused)
		}
	})
}

// BenchmarkServe is a whole export over HTTP without the network, to a sink that
// walks.
func BenchmarkServe(b *testing.B) {
	const n = 512
	raw := string(AppendTraces(nil, sampleSpans(n)))
	j, err := ToJSON([]byte(raw), SignalTraces)
	if err != nil {
		b.Fatal(err)
	}
	h := Handler(walker{})
	for _, c := range []struct{ name, contentType, encoding, body string }{
		{"protobuf", inProto, "", raw},
		{"gzip", inProto, "gzip", gz(raw)},
		{"json", inJSON, "", string(j)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/v1/traces", strings.NewReader(c.body))
				r.Header.Set("Content-Type", c.contentType)
				r.Header.Set("Content-Encoding", c.encoding)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/span")
		})
	}
}

type walker struct{}

func (walker) Export(_ Signal, b []byte) (int64, string, error) {
	return 0, "", Traces(b, func(*Resource, *Scope, *Span) error { return nil })
}

func (walker) Refused(Signal, int) {}
