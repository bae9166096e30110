package report

import (
	"io"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestWaterfall(t *testing.T) {
	var everything strings.Builder
	for _, trace := range []rehearse.Trace{quickTrace(), waitingTrace(), failedTrace(), busyTrace()} {
		for _, opt := range []TerminalOptions{{Width: 80}, {}, {Width: 160, Color: true}} {
			if opt.Color && trace.ID != traceID(4) && trace.ID != traceID(3) {
				continue
			}
			got := string(render(t, func(w io.Writer) error { return Waterfall(w, &trace, sampleLogs(), opt) }))
			everything.WriteString(got + "\n" + strings.Repeat("=", 80) + "\n")
			for _, line := range strings.Split(got, "\n") {
				if limit := max(opt.Width, 80); !opt.Color && opt.Width > 0 && width(line) > limit {
					t.Errorf("the line %q is wider than %d", line, limit)
				}
			}
		}
	}
	golden(t, "waterfalls.txt", []byte(everything.String()))
}
