package telemetry

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// left is a directory with three files of ten spans and one of two log records.
func left(t *testing.T) (dir string, r rehearse.TelemetryResult) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "made", "for us")
	s := openStore(t, Options{Dir: dir, Services: []rehearse.ServiceName{"web"}})
	for i := 0; i < 30; i += 10 {
		if err := export(s, "web", many(i, i+10, sdkSpan)); err != nil {
			t.Fatal(err)
		}
		sealNow(s)
	}
	s.AddLog(rehearse.LogRecord{Time: start.Add(1), Service: "web", Stream: "err", Body: "second"})
	s.AddLog(rehearse.LogRecord{Time: start, Service: "db", Stream: "out", Body: "first"})
	r, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	return dir, r
}

func TestDamage(t *testing.T) {
	const second = "traces-000002.otlp.zst"
	tests := []struct {
		name   string
		harm   func(t *testing.T, path string, data []byte)
		ending string // of the sentence, with the result
		alone  string // and without it
		spans  int
	}{
		{"whole", func(*testing.T, string, []byte) {}, "", "", 30},
		{"cut", func(t *testing.T, path string, data []byte) {
			write(t, path, data[:len(data)/2])
		}, "is not the file that the run has written (its SHA-256 is another), and is not read.", "is damaged (unexpected EOF), and is not read.", 20},
		{"empty", func(t *testing.T, path string, data []byte) {
			write(t, path, nil)
		}, "is empty, and is not read.", "is empty, and is not read.", 20},
		{"a changed bit", func(t *testing.T, path string, data []byte) {
			data[len(data)-1] ^= 1 // of the frame's checksum
			write(t, path, data)
		}, "is not the file that the run has written (its SHA-256 is another), and is not read.", "is damaged (CRC check failed), and is not read.", 20},
		{"another file", func(t *testing.T, path string, data []byte) {
			e := must(zstd.NewWriter(nil))
			write(t, path, e.EncodeAll([]byte("nonsense"), nil))
		}, "is not the file that the run has written (its SHA-256 is another), and is not read.", "is not what a run writes", 20},
		{"gone", func(t *testing.T, path string, data []byte) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "is missing, and is not read.", "", 20},
		{"not renamed", func(t *testing.T, path string, data []byte) {
			if err := os.Rename(path, path+".partial"); err != nil {
				t.Fatal(err)
			}
		}, "is missing, and is not read.", "was cut short while it was written, and is not read.", 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, r := left(t)
			path := filepath.Join(dir, second)
			tt.harm(t, path, must(os.ReadFile(path)))
			for _, result := range []rehearse.TelemetryResult{r, {}} {
				spans, logs, damage := Open(dir, result)
				if len(spans) != tt.spans {
					t.Errorf("%d spans, want %d", len(spans), tt.spans)
				}
				if got := []string{logs[0].Body, logs[1].Body}; !slices.Equal(got, []string{"first", "second"}) {
					t.Errorf("logs = %q", got)
				}
				ending := tt.ending
				if result.Files == nil {
					ending = tt.alone
				}
				switch {
				case ending == "" && len(damage) > 0:
					t.Errorf("damage = %q, want none", damage)
				case ending != "" && (len(damage) != 1 || !strings.HasPrefix(damage[0], second) || !strings.Contains(damage[0], ending)):
					t.Errorf("damage = %q, want one that says that %s %s", damage, second, ending)
				}
			}
		})
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenStaysInItsDirectory(t *testing.T) {
	_, _, damage := Open(t.TempDir(), rehearse.TelemetryResult{Files: []rehearse.TelemetryFile{{Name: "../../etc/passwd", Signal: "traces"}}})
	if diff := cmp.Diff([]string{"../../etc/passwd is not in the leg's directory, and is not read."}, damage); diff != "" {
		t.Error(diff)
	}
}

// TestFilesAreOTLP reads a file as any other tool would: decompress it, decode it.
// Files laid end to end are as good.
func TestFilesAreOTLP(t *testing.T) {
	dir, r := left(t)
	d := must(zstd.NewReader(nil))
	var all []byte
	for _, f := range r.Files {
		if f.Signal == "traces" {
			all = append(all, must(os.ReadFile(filepath.Join(dir, f.Name)))...)
		}
	}
	n := 0
	if err := otlp.Traces(must(d.DecodeAll(all, nil)), func(r *otlp.Resource, s *otlp.Scope, sp *otlp.Span) error {
		if string(r.Service) != "the-web" || string(s.Name) != "otelhttp" || sp.ID != spanID(n) {
			t.Errorf("span %d: service %q, scope %q, id %v", n, r.Service, s.Name, sp.ID)
		}
		n++
		return nil
	}); err != nil || n != 30 {
		t.Errorf("%d spans, %v", n, err)
	}
}

func TestNewRefusesAnotherRunsDirectory(t *testing.T) {
	dir, _ := left(t)
	_, err := New(Options{Dir: dir})
	if want := fmt.Sprintf("%s has telemetry already", dir); err == nil || err.Error() != want {
		t.Errorf("New: %v, want %q", err, want)
	}
}

// A disk that cannot be written is said, and takes nothing silently.
func TestUnwritableDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "telemetry")
	s := openStore(t, Options{Dir: dir, Services: []rehearse.ServiceName{"web"}})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := export(s, "web", many(0, 10, sdkSpan)); err != nil {
		t.Fatal(err)
	}
	sealNow(s)
	if err := export(s, "web", many(10, 20, sdkSpan)); err == nil {
		t.Error("a request was accepted that cannot be kept")
	}
	s.AddSpans(many(0, 10, linkSpan))
	if got := len(s.Spans(Query{})); got != 10 {
		t.Errorf("%d spans are in memory, want 10", got)
	}
	r, err := s.Close()
	if err == nil || !strings.Contains(err.Error(), "write telemetry") {
		t.Errorf("Close: %v", err)
	}
	if r.Spans != 20 || r.Lost != 20 || len(r.Files) != 0 {
		t.Errorf("Spans = %d, Lost = %d, Files = %v, want 20, 20 and none", r.Spans, r.Lost, r.Files)
	}
}
