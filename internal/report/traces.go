package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// TraceRow is one trace of a list.
type TraceRow struct {
	ID        rehearse.TraceID       `json:"id"`
	Start     time.Time              `json:"start"`
	Operation string                 `json:"operation"`
	Duration  rehearse.Duration      `json:"duration"`
	Spans     int                    `json:"spans"`
	Errors    int                    `json:"errors"` // spans whose status is an error
	Services  []rehearse.ServiceName `json:"services"`
}

// NewTraceRow sums up a trace.
func NewTraceRow(t *rehearse.Trace) TraceRow {
	r := TraceRow{ID: t.ID, Start: t.Start, Operation: t.Operation, Duration: t.Duration, Spans: len(t.Nodes), Services: []rehearse.ServiceName{}}
	seen := map[rehearse.ServiceName]bool{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Status == rehearse.StatusError {
			r.Errors++
		}
		if !seen[n.Service] {
			seen[n.Service] = true
			r.Services = append(r.Services, n.Service)
		}
	}
	return r
}

// TraceTable writes a list of traces for a person, in the order of the rows and
// in the time zone that their times have. A line is cut at the width; what one
// needs to look at a trace, its id, stands before what is long.
func TraceTable(w io.Writer, rows []TraceRow, opt TerminalOptions) error {
	t := &terminal{Writer: bufio.NewWriter(w), opt: opt}
	table := [][]string{{"time", "duration", "spans", "errors", "trace", "operation", "services"}}
	for _, r := range rows {
		var services []string
		for _, s := range r.Services {
			services = append(services, plain(string(s)))
		}
		errors := ""
		if r.Errors > 0 {
			errors = number(int64(r.Errors))
		}
		table = append(table, []string{r.Start.Format(clockTime), short(r.Duration, true), number(int64(r.Spans)), errors, r.ID.String(), operationText(r), strings.Join(services, " ")})
	}
	widths := widthsOf(table)
	figures := func(c int) bool { return c > 0 && c < 4 }
	for i, row := range table {
		line := tableLine(row, widths, figures)
		if opt.Width > 0 {
			line = cut(line, opt.Width)
		}
		switch {
		case i == 0:
			line = t.paint(dim, line)
		case rows[i-1].Errors > 0:
			line = t.paint(red, line)
		}
		fmt.Fprintln(t, line)
	}
	return t.Flush()
}

// operationText is a row's operation. Names come from services: a long one must
// not make every row as long.
func operationText(r TraceRow) string { return cut(plain(cut(r.Operation, 1000)), 100) }

// TracePlain writes a list of traces for a pipe: a line each, without a head, its
// cells apart by tabs, in the order of the table.
func TracePlain(w io.Writer, rows []TraceRow) error {
	b := bufio.NewWriter(w)
	for _, r := range rows {
		var services []string
		for _, s := range r.Services {
			services = append(services, plain(string(s)))
		}
		fmt.Fprintf(b, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", r.Start.Format(time.RFC3339Nano), r.Duration, r.Spans, r.Errors, r.ID, operationText(r), strings.Join(services, " "))
	}
	return b.Flush()
}

const clockTime = "15:04:05.000"

// TraceLines writes a list of traces for machines: a JSON object a line.
func TraceLines(w io.Writer, rows []TraceRow) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return b.Flush()
}

// TraceJSON writes one trace for machines, with its log records.
func TraceJSON(w io.Writer, t *rehearse.Trace, logs []rehearse.LogRecord) error {
	out := struct {
		*rehearse.Trace
		Logs []rehearse.LogRecord `json:"logs"`
	}{t, []rehearse.LogRecord{}}
	for _, rec := range logs {
		if rec.Trace == t.ID {
			out.Logs = append(out.Logs, rec)
		}
	}
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	return b.Flush()
}

// SpanLine writes one span as a line, for a person who watches them come.
func SpanLine(w io.Writer, s *rehearse.Span, opt TerminalOptions) error {
	t := &terminal{Writer: bufio.NewWriter(w), opt: opt}
	n := &rehearse.Node{Span: *s}
	where := plain(string(s.Service))
	if m, ok := s.Wire(); ok {
		n.Wire, where = &m, plain(edge(m.Link))
	}
	line := fmt.Sprintf("%s  %8s  %s  %s", s.Start.Format(clockTime), short(s.Duration, true), where, plain(s.Name))
	style := ""
	if bad := trouble(n); bad != "" {
		line, style = line+" ✗ "+bad, red
	}
	if opt.Width > 0 {
		line = cut(line, opt.Width)
	}
	fmt.Fprintln(t, t.paint(style, line))
	return t.Flush()
}

// LogLine writes one log record as a line.
func LogLine(w io.Writer, rec *rehearse.LogRecord, opt TerminalOptions) error {
	t := &terminal{Writer: bufio.NewWriter(w), opt: opt}
	line := rec.Time.Format(clockTime) + "  " + logText(rec)
	if opt.Width > 0 {
		line = cut(line, opt.Width)
	}
	fmt.Fprintln(t, t.paint(severityColor(rec.Severity), line))
	return t.Flush()
}

func severityColor(s rehearse.Severity) string {
	switch {
	case s >= rehearse.SeverityError:
		return red
	case s >= rehearse.SeverityWarn:
		return yellow
	}
	return ""
}
