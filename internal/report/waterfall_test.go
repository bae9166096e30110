package report

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func TestWaterfall(t *testing.T) {
	for name, opt := range map[string]TerminalOptions{
		"waterfalls-narrow.txt": {Width: 80}, "waterfalls-pipe.txt": {}, "waterfalls-color.txt": {Width: 160, Color: true},
	} {
		var all strings.Builder
		for _, trace := range []rehearse.Trace{quickTrace(), waitingTrace(), failedTrace(), busyTrace()} {
			got := string(render(t, func(w io.Writer) error { return Waterfall(w, &trace, sampleLogs(), opt) }))
			all.WriteString(got + "\n")
			for _, line := range strings.Split(got, "\n") {
				if opt.Width > 0 && !opt.Color && width(line) > opt.Width {
					t.Errorf("%s: the line %q is wider than %d", name, line, opt.Width)
				}
			}
		}
		golden(t, name, []byte(all.String()))
	}
}

func TestTraces(t *testing.T) {
	traces := []rehearse.Trace{quickTrace(), waitingTrace(), failedTrace(), busyTrace()}
	var rows []TraceRow
	for i := range traces {
		rows = append(rows, NewTraceRow(&traces[i]))
	}
	golden(t, "traces.txt", render(t, func(w io.Writer) error { return TraceTable(w, rows, TerminalOptions{}) }))
	golden(t, "traces-narrow.txt", render(t, func(w io.Writer) error { return TraceTable(w, rows, TerminalOptions{Width: 80, Color: true}) }))
	golden(t, "traces.ndjson", render(t, func(w io.Writer) error { return TraceLines(w, rows) }))
	golden(t, "trace.json", render(t, func(w io.Writer) error { return TraceJSON(w, &traces[2], sampleLogs()) }))
	golden(t, "lines.txt", render(t, func(w io.Writer) error {
		for i := range traces[3].Nodes {
			if err := SpanLine(w, &traces[3].Nodes[i].Span, TerminalOptions{Width: 80, Color: i > 30}); err != nil {
				return err
			}
		}
		for _, rec := range sampleLogs() {
			if err := LogLine(w, &rec, TerminalOptions{Color: rec.Severity > rehearse.SeverityInfo}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// FuzzWaterfall lays out traces that make no sense: every node must stand in
// exactly one line, the shares must add up, and nothing may be wider than asked.
func FuzzWaterfall(f *testing.F) {
	f.Add([]byte("a trace"), int64(time.Second), 100)
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, int64(0), 80)
	f.Add([]byte(strings.Repeat("\xff\x80\x00", 40)), int64(-1), -7)
	f.Add([]byte(strings.Repeat("\x01\x01\x01\x01\x01\x01", 40)), int64(1<<62), 1000)
	f.Fuzz(func(t *testing.T, data []byte, took int64, columns int) {
		trace := rehearse.Trace{ID: traceID(1), Start: began, Duration: rehearse.Duration(took)}
		var logs []rehearse.LogRecord
		for i := 0; len(data) >= 6; i++ {
			d := data[:6]
			data = data[6:]
			at := time.Duration(int8(d[1])) << (d[2] % 60)
			n := rehearse.Node{Up: int(int8(d[0])), Known: rehearse.Known("nearest")}
			n.Name, n.Start, n.Duration = string(d[4:]), began.Add(at), rehearse.Duration(int8(d[3]))<<(d[4]%60)
			binary.BigEndian.PutUint64(n.ID[:], uint64(i%7))
			if d[5]%3 == 0 {
				n.Wire = &rehearse.Wire{Link: "a:b", Queue: rehearse.Duration(int8(d[1])) << 20, Shape: n.Duration, Server: n.Duration / 3, Transfer: 1}
			}
			trace.Nodes = append(trace.Nodes, n)
			trace.Critical = append(trace.Critical, rehearse.Segment{Node: int(int8(d[2])), Path: string(d[:2]), Kind: rehearse.SegmentKind(d[3:4]), Start: rehearse.Duration(at), Length: rehearse.Duration(d[4]) << 30})
			logs = append(logs, rehearse.LogRecord{Time: began.Add(at), Trace: trace.ID, Span: rehearse.SpanID{7: d[0]}, Body: string(d), Severity: rehearse.Severity(d[1])})
		}
		w := newWaterfall(&trace, logs)
		nodes, records := make([]int, len(trace.Nodes)), 0
		for _, l := range w.lines {
			if l.log != nil {
				records++
			}
			for _, n := range l.nodes {
				nodes[n]++
			}
		}
		for i, times := range nodes {
			if times != 1 {
				t.Errorf("node %d stands in %d lines", i, times)
			}
		}
		if records != len(logs) {
			t.Errorf("got %d log records, want %d", records, len(logs))
		}
		checkShares(t, w)
		text := render(t, func(out io.Writer) error { return Waterfall(out, &trace, logs, TerminalOptions{Width: columns}) })
		for i, line := range strings.Split(string(text), "\n") {
			if i > 1 && columns != 0 && width(line) > min(max(columns, 80), 200) {
				t.Errorf("the line %q is wider than %d", line, columns)
			}
		}
		picture := string(w.draw())
		wellFormed(t, []byte(picture))
		for _, bad := range []string{"NaN", "Inf", `width="-`} {
			if strings.Contains(picture, bad) {
				t.Errorf("the picture holds %s", bad)
			}
		}
	})
}

func checkShares(t *testing.T, w *waterfall) {
	t.Helper()
	rows := w.critical()
	if len(rows) == 0 {
		return
	}
	sum := int64(0)
	for _, r := range rows {
		sum += digits(r.Share)
	}
	if sum != 1000 {
		t.Errorf("the shares add up to %d tenths of a percent", sum)
	}
}

// digits reads a figure without its signs: "1,020.5" is 10205.
func digits(s string) int64 {
	var n int64
	for _, c := range s {
		if c >= '0' && c <= '9' {
			n = 10*n + int64(c-'0')
		}
	}
	if strings.HasPrefix(s, "-") {
		return -n
	}
	return n
}
