package telemetry

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

const (
	traceText = "0af7651916cd43dd8448eb211c80319c"
	spanText  = "b7ad6b7169203331"
)

func TestParseLine(t *testing.T) {
	const T, S = traceText, spanText
	tests := []struct {
		name     string
		line     string
		severity rehearse.Severity
		trace    bool
		span     bool
	}{
		{"empty", "", 0, false, false},
		{"plain text", "listening on :8080", 0, false, false},
		{"English", "notice the log of errors", 0, false, false},
		{"a path", "GET /error 200", 0, false, false},
		{"level behind many words", "one two three four five six seven eight nine ERROR", 0, false, false},

		{"JSON", `{"level":"error","msg":"x","trace_id":"` + T + `","span_id":"` + S + `"}`, rehearse.SeverityError, true, true},
		{"JSON, camel case", `{"severityText":"WARN","traceId":"` + T + `","spanId":"` + S + `"}`, rehearse.SeverityWarn, true, true},
		{"JSON, pino", `{"level":50,"time":1700000000000,"pid":1,"msg":"x"}`, rehearse.SeverityError, false, false},
		{"JSON, pino info", `{"level":30,"msg":"level=error"}`, rehearse.SeverityInfo, false, false},
		{"JSON, ECS nested", `{"log":{"level":"warn"},"trace":{"id":"` + T + `"},"span":{"id":"` + S + `"}}`, rehearse.SeverityWarn, true, true},
		{"JSON, ECS dotted", `{"log.level":"fatal","trace.id":"` + T + `"}`, rehearse.SeverityFatal, true, false},
		{"JSON, OTLP's number", `{"severityNumber":13,"body":"x"}`, rehearse.SeverityWarn, false, false},
		{"JSON, in a context", `{"context":{"trace_id":"` + T + `"},"tags":["a",1,{}]}`, 0, true, false},
		{"JSON, traceparent", `{"traceparent":"00-` + T + "-" + S + `-01"}`, 0, true, true},
		{"JSON, Serilog", `{"@t":"2026","@l":"Error","@tr":"` + T + `","@sp":"` + S + `"}`, rehearse.SeverityError, true, true},
		{"JSON, escapes", `{"msg":"a \" b","level":"debug"}`, rehearse.SeverityDebug, false, false},
		{"JSON, another's decimal id", `{"dd.trace_id":"1234567890","level":"info"}`, rehearse.SeverityInfo, false, false},
		{"JSON, cut short", `{"level":"error","msg":"x`, rehearse.SeverityError, false, false},
		{"JSON behind text", `2026-01-02T10:00:00Z	INFO	main.go:1	done	{"trace_id": "` + T + `"}`, rehearse.SeverityInfo, true, false},

		{"logfmt", `time=2026-01-02T10:00:00Z level=ERROR msg="it failed: level=info" trace_id=` + T + ` span_id=` + S, rehearse.SeverityError, true, true},
		{"logfmt, short", `ts=1 lvl=dbug level=debug msg=x`, rehearse.SeverityDebug, false, false},
		{"logfmt, id too short", `level=info trace_id=abc`, rehearse.SeverityInfo, false, false},
		{"logfmt, zero ids", `trace_id=0 span_id=0`, 0, false, false},
		{"in brackets", `2026-01-02 10:00:00,000 WARNING [app] [trace_id=` + T + ` span_id=` + S + `] slow`, rehearse.SeverityWarn, true, true},
		{"with colons", `INFO [trace_id: ` + T + `, span_id: ` + S + `] x`, rehearse.SeverityInfo, true, true},
		{"traceparent", `request traceparent=00-` + T + `-` + S + `-01 done`, 0, true, true},

		{"leading word", "ERROR it failed", rehearse.SeverityError, false, false},
		{"leading word and colon", "error: it failed", rehearse.SeverityError, false, false},
		{"Python", "WARNING:root:careful", rehearse.SeverityWarn, false, false},
		{"bracketed", "[error] it failed", rehearse.SeverityError, false, false},
		{"nginx", `2026/01/02 10:00:00 [error] 12#0: *3 connect() failed`, rehearse.SeverityError, false, false},
		{"Spring", `2026-01-02T10:00:00.000Z  INFO 1 --- [main] App : started`, rehearse.SeverityInfo, false, false},
		{"zap", "2026-01-02T10:00:00.000Z\terror\tmain.go:3\tit failed", rehearse.SeverityError, false, false},
		{"klog", "W0102 15:04:05.000000       1 main.go:3] careful", rehearse.SeverityWarn, false, false},
		{"coloured", "\x1b[31mERROR\x1b[0m it failed", rehearse.SeverityError, false, false},
		{"panic", "panic: runtime error: index out of range", rehearse.SeverityFatal, false, false},
		{"PostgreSQL log", `2026-01-02 10:00:00.000 UTC [1] LOG:  database system is ready`, rehearse.SeverityInfo, false, false},
		{"PostgreSQL error", `2026-01-02 10:00:00.000 UTC [99] ERROR:  relation "x" does not exist at character 15`, rehearse.SeverityError, false, false},
		{"PostgreSQL statement", `2026-01-02 10:00:00.000 UTC [99] STATEMENT:  SELECT 'ERROR'`, rehearse.SeverityInfo, false, false},
		{"PostgreSQL user", `2026-01-02 10:00:00.000 UTC [99] app@app FATAL:  too many connections`, rehearse.SeverityFatal, false, false},
	}
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := rehearse.LogRecord{Time: at, Service: "web", Stream: "err", Severity: tt.severity, Body: plain(tt.line)}
			if tt.trace {
				want.Trace = must(rehearse.ParseTraceID(T))
			}
			if tt.span {
				want.Span = must(rehearse.ParseSpanID(S))
			}
			if diff := cmp.Diff(want, ParseLine("web", "err", tt.line, at)); diff != "" {
				t.Errorf("ParseLine(%q) (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		`{"level":"error","a":{"b":[1,{"trace_id":"` + traceText + `"}]}}`, `level=ERROR trace_id=` + traceText,
		"2026-01-02 10:00:00.000 UTC [99] ERROR:  x", "\x1b[31m[error]\x1b", `{"a":"\`, "=:=:\"", "[", "E0102 1",
		`traceparent=00-` + traceText + "-" + spanText + "-01",
	} {
		f.Add(line)
	}
	at := time.Unix(1, 0)
	f.Fuzz(func(t *testing.T, line string) {
		rec := ParseLine("s", "out", line, at)
		if rec.Severity < 0 || rec.Severity > 24 {
			t.Errorf("ParseLine(%q).Severity = %d", line, rec.Severity)
		}
		if len(rec.Body) > len(line) || utf8.ValidString(line) && !utf8.ValidString(rec.Body) {
			t.Errorf("ParseLine(%q).Body = %q", line, rec.Body)
		}
		if again := ParseLine("s", "out", rec.Body, at); rec.Body == line && !cmp.Equal(again, rec) {
			t.Errorf("ParseLine(%q) twice: %v and %v", line, rec, again)
		}
	})
}

func BenchmarkParseLine(b *testing.B) {
	line := `{"time":"2026-01-02T10:00:00Z","level":"info","msg":"request done","method":"GET","path":"/documents","status":200,"trace_id":"` + traceText + `","span_id":"` + spanText + `"}`
	b.ReportAllocs()
	for b.Loop() {
		ParseLine("web", "out", line, time.Time{})
	}
}
