package compat

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// TestNode exports traces with the SDK for Node over each of its transports, and
// logs and metrics as JSON.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node; scripts/ci-setup.sh installs it")
	}
	if _, err := os.Stat(filepath.Join("node", "node_modules")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs the SDK; scripts/ci-setup.sh fetches it, or: npm ci in internal/telemetry/compat/node")
	}
	second := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	ofShop := []rehearse.Attribute{{Key: "service.name", Value: "shop"}, {Key: "host.cpus", Value: int64(4)}}
	for _, exporter := range []string{"json", "json gzip", "protobuf", "grpc"} {
		t.Run(exporter, func(t *testing.T) {
			r := receive(t, nil)
			cmd := exec.CommandContext(t.Context(), "node", "export.mjs", r.address, exporter)
			cmd.Dir = "node"
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			spans := r.Spans(telemetry.Query{})
			if len(spans) != 2 {
				t.Fatalf("got %v, want two spans", spans)
			}
			// The ids are of its making.
			trace, root, child := spans[0].Trace, spans[0].ID, spans[1].ID
			want := []rehearse.Span{
				{
					Trace: trace, ID: root, Name: "POST /orders", Kind: rehearse.SpanServer, Service: "shop", Scope: "shop/orders",
					Start: second.Add(123456789), Duration: rehearse.Duration(276543211),
					Attributes: []rehearse.Attribute{
						{Key: "text", Value: "é\u0000\u2028"}, {Key: "yes", Value: true}, {Key: "int", Value: int64(42)}, {Key: "negative", Value: int64(-9007199254740991)},
						{Key: "half", Value: 0.5}, {Key: "texts", Value: []any{"a", ""}}, {Key: "ints", Value: []any{int64(1), int64(2)}},
					},
					Resource: ofShop,
				},
				{
					Trace: trace, ID: child, Parent: root, Name: "INSERT orders", Kind: rehearse.SpanClient, Service: "shop", Scope: "shop/orders",
					Start: second.Add(200 * time.Millisecond), Duration: rehearse.Duration(100 * time.Millisecond), Status: rehearse.StatusError, Message: "it broke",
					Resource: ofShop,
					Events:   []rehearse.SpanEvent{{Time: second.Add(250 * time.Millisecond), Name: "retry", Attributes: []rehearse.Attribute{{Key: "attempt", Value: int64(2)}}}},
					Links:    []rehearse.SpanRef{{Trace: trace, Span: root}},
				},
			}
			if diff := cmp.Diff(spans, want); diff != "" {
				t.Error("got -, want +:\n", diff)
			}
			wantLogs := []rehearse.LogRecord{{
				Time: second.Add(123456789), Service: "shop", Severity: rehearse.SeverityError, Body: "the disk is full",
				Attributes: []rehearse.Attribute{{Key: "free", Value: int64(0)}, {Key: "mount", Value: []rehearse.Attribute{{Key: "path", Value: "/data"}}}},
			}}
			if diff := cmp.Diff(r.Logs(telemetry.LogQuery{}), wantLogs); diff != "" {
				t.Error("got -, want +:\n", diff)
			}
			if points := r.Stats().Metrics; points != 2 {
				t.Errorf("got %d points, want 2", points)
			}
			if statuses := r.refused(); len(statuses) > 0 {
				t.Errorf("the server refused requests: %v", statuses)
			}
		})
	}
}
