package compat

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// TestTelemetrygen has it send over both transports. It ends with 0 also when its
// queue of 2,048 spans has run over and it has dropped most of them, so that no
// more are asked for, and what has come is counted here.
func TestTelemetrygen(t *testing.T) {
	program := filepath.Join(t.TempDir(), "telemetrygen")
	build := exec.Command("go", "build", "-o", program, "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, transport := range map[string][]string{"grpc": nil, "http": {"--otlp-http"}} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, nil)
			for _, run := range []string{
				"traces --traces 200 --child-spans 7 --status-code Error --telemetry-attributes k=\"v\" --telemetry-attributes n=7 --span-links 1",
				"logs --logs 500 --severity-number 17 --severity-text Error --trace-id 0123456789abcdef0123456789abcdef --span-id 0123456789abcdef",
				"metrics --metrics 100 --metric-type Gauge",
				"metrics --metrics 100 --metric-type Sum",
				"metrics --metrics 100 --metric-type Histogram",
				"metrics --metrics 100 --metric-type ExponentialHistogram",
			} {
				args := append(strings.Fields(run), "--rate", "0", "--otlp-insecure", "--otlp-endpoint", r.address)
				if out, err := exec.CommandContext(t.Context(), program, append(args, transport...)...).CombinedOutput(); err != nil {
					t.Fatalf("telemetrygen %s: %v\n%s", run, err, out)
				}
			}
			stats := r.Stats()
			if stats.Spans != 1600 || stats.Lost != 0 || stats.Logs != 500 || stats.Metrics != 400 {
				t.Errorf("got %d spans, %d lost, %d records and %d points, want 1600, 0, 500 and 400", stats.Spans, stats.Lost, stats.Logs, stats.Metrics)
			}
			traces := r.Traces(telemetry.Query{})
			if len(traces) != 200 || traces[0].Spans != 8 || traces[0].Name != "lets-go" || traces[0].Errors == 0 {
				t.Errorf("got %d traces, the first is %+v; want 200 of 8 spans with errors", len(traces), traces[0])
			}
			spans := r.Spans(telemetry.Query{Name: "okey-dokey-*", Errors: true, Limit: 1})
			if len(spans) != 1 || spans[0].Text("k") != "v" || spans[0].Attribute("n") != int64(7) || len(spans[0].Links) != 1 {
				t.Errorf("got %+v", spans)
			}
			of, err := rehearse.ParseTraceID("0123456789abcdef0123456789abcdef")
			must(t, err)
			if logs := r.Logs(telemetry.LogQuery{Trace: of, MinSeverity: rehearse.SeverityError}); len(logs) != 500 {
				t.Errorf("got %d records of the trace, want 500", len(logs))
			}
		})
	}
}
