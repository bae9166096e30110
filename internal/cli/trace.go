package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/report"
)

// forwardTime is how long telemetry that is to be sent on is waited for in the
// end.
const forwardTime = 5 * time.Second

func (a *app) traceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trace",
		Short: "Look at requests on their way through the services",
		Long: `Every call in an environment is a span: links see them pass, and services that
have an SDK of OpenTelemetry tell of what they do inside. A trace is one request
with all that was done for it.

Which telemetry: that of a standing environment, or else of the latest run.`,
		Example: "  rehearse trace ls --errors\n  rehearse trace show 4bf92f35\n  rehearse trace tail",
	}
	c.AddCommand(a.traceLsCommand(), a.traceShowCommand(), a.traceTailCommand())
	return c
}

// traceFilter picks traces.
type traceFilter struct {
	service, operation string
	slower             time.Duration
	errors             bool
	limit              int
	slowest            bool
}

func (f *traceFilter) add(c *cobra.Command) {
	c.Flags().StringVar(&f.service, "service", "", "only traces that this service has a part in")
	c.Flags().StringVar(&f.operation, "operation", "", "only these operations, as 'docgen POST *'")
	c.Flags().DurationVar(&f.slower, "slower", 0, "only traces that took this long or longer")
	c.Flags().BoolVar(&f.errors, "errors", false, "only traces with an error in them")
	c.Flags().BoolVar(&f.slowest, "slowest", false, "the slowest first (default: the latest)")
	c.Flags().IntVarP(&f.limit, "limit", "n", 50, "so many at most; 0: all")
}

// isZero reports whether the filter lets everything through.
func (f *traceFilter) isZero() bool {
	return f.service == "" && f.operation == "" && f.slower == 0 && !f.errors && f.limit == 0
}

// pick is what the filter lets through, in the order in which it is shown.
func (f *traceFilter) pick(t *rehearse.Telemetry) []*rehearse.Trace {
	var out []*rehearse.Trace
	for i := range t.Traces {
		tr := &t.Traces[i]
		row := report.NewTraceRow(tr)
		switch {
		case f.errors && row.Errors == 0,
			time.Duration(tr.Duration) < f.slower,
			f.service != "" && !takesPart(tr, rehearse.ServiceName(f.service)),
			f.operation != "" && !matches(f.operation, tr.Operation):
			continue
		}
		out = append(out, tr)
	}
	slices.SortStableFunc(out, func(a, b *rehearse.Trace) int {
		if f.slowest {
			return int(b.Duration - a.Duration)
		}
		return b.Start.Compare(a.Start)
	})
	if f.limit > 0 && len(out) > f.limit {
		out = out[:f.limit]
	}
	return out
}

// takesPart reports whether a service works in a trace, or is called in it.
func takesPart(t *rehearse.Trace, name rehearse.ServiceName) bool {
	return slices.ContainsFunc(t.Nodes, func(n rehearse.Node) bool {
		return n.Service == name || n.Wire != nil && strings.HasSuffix(string(n.Wire.Link), ":"+string(name))
	})
}

// matches reports whether a pattern, where * stands for anything, is all of s.
func matches(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !strings.HasPrefix(s, first) {
		return false
	}
	if s = s[len(first):]; !star {
		return s == ""
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

func (a *app) traceLsCommand() *cobra.Command {
	var source sourceFlags
	var filter traceFilter
	var asJSON bool
	var export string
	c := &cobra.Command{
		Use:   "ls",
		Short: "List traces",
		Long: `List traces, the latest first. With --export, write all of them as OTLP JSON
instead, which Jaeger, Grafana and the Aspire dashboard import; without a filter,
also calls and connections that belong to no trace.`,
		Example: "  rehearse trace ls\n  rehearse trace ls --leg production --slowest -n 10\n  rehearse trace ls --errors --export traces.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := source.read(cmd.Context(), a)
			if err != nil {
				return err
			}
			traces := filter.pick(t.Telemetry)
			if export != "" {
				var loose []rehearse.Node
				if filter.isZero() {
					loose = t.Loose
				}
				return a.export(export, traces, loose)
			}
			rows := make([]report.TraceRow, len(traces))
			for i, tr := range traces {
				rows[i] = report.NewTraceRow(tr)
				rows[i].Start = rows[i].Start.Local()
			}
			if asJSON {
				return report.TraceLines(a.stdout, rows)
			}
			fmt.Fprintf(a.stderr, "%s: %d of %d traces\n", t.name, len(traces), len(t.Traces))
			width, tty := terminal(a.stdout)
			if !tty {
				return report.TracePlain(a.stdout, rows)
			}
			return report.TraceTable(a.stdout, rows, report.TerminalOptions{Color: a.color(a.stdout), Width: width})
		},
	}
	source.add(a, c)
	filter.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	addExport(c, &export)
	return c
}

func addExport(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "export", "", "write OTLP JSON to this file, or - for stdout")
}

func (a *app) traceShowCommand() *cobra.Command {
	var source sourceFlags
	var asJSON bool
	var export string
	c := &cobra.Command{
		Use:   "show TRACE",
		Short: "Show one trace as a waterfall, with its critical path",
		Long: `Show a trace: its spans over time, how each one's parent is known, where links
held it, what its services wrote, and its critical path: what it waited for at
each moment. The beginning of the trace's identifier is enough.`,
		Example: "  rehearse trace show 4bf92f35\n  rehearse trace show 4bf92f35 --export trace.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := source.read(cmd.Context(), a)
			if err != nil {
				return err
			}
			found, err := t.find(args[0])
			if err != nil {
				return err
			}
			if export != "" {
				return a.export(export, []*rehearse.Trace{found}, nil)
			}
			if asJSON {
				return report.TraceJSON(a.stdout, found, t.Logs)
			}
			width, tty := terminal(a.stdout)
			if !tty {
				width = 120
			}
			return report.Waterfall(a.stdout, found, t.Logs, report.TerminalOptions{Color: a.color(a.stdout), Width: width})
		},
	}
	source.add(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addExport(c, &export)
	return c
}

// find finds the one trace whose identifier begins so.
func (t *told) find(id string) (*rehearse.Trace, error) {
	id = strings.ToLower(id)
	var found []*rehearse.Trace
	for i := range t.Traces {
		if strings.HasPrefix(t.Traces[i].ID.String(), id) {
			found = append(found, &t.Traces[i])
		}
	}
	switch {
	case len(found) == 0:
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("no trace of %s begins with %q", t.name, id), Hint: "List them with rehearse trace ls, and choose another leg with --leg."}
	case len(found) > 1 && len(id) < 32:
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%d traces of %s begin with %q", len(found), t.name, id), Hint: "Give more of its identifier."}
	}
	return found[0], nil
}

// export writes traces as OTLP JSON, and what is in none. The parents that were
// inferred are in it, each with how it is known.
func (a *app) export(file string, traces []*rehearse.Trace, loose []rehearse.Node) (err error) {
	var spans []rehearse.Span
	for i := range loose {
		spans = append(spans, loose[i].Span)
	}
	for _, t := range traces {
		for i := range t.Nodes {
			spans = append(spans, exported(t, i))
		}
	}
	b, err := otlp.ToJSON(otlp.AppendTraces(nil, spans), otlp.SignalTraces)
	if err != nil {
		return err
	}
	var w io.Writer = a.stdout
	if file != "-" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: "write the export", Err: err, Hint: "Give a file that can be written, or - for stdout."}
		}
		defer func() {
			if closed := f.Close(); err == nil {
				err = closed
			}
		}()
		w = f
		fmt.Fprintf(a.stderr, "%d spans of %d traces: %s\n", len(spans), len(traces), file)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// exported is a span as others read it: in its trace, below its parent.
func exported(t *rehearse.Trace, i int) rehearse.Span {
	n := &t.Nodes[i]
	s := n.Span
	s.Trace = t.ID
	if n.Up >= 0 {
		s.Parent = t.Nodes[n.Up].ID
	}
	s.Attributes = append(slices.Clone(s.Attributes), rehearse.Attribute{Key: "rehearse.known", Value: string(n.Known)})
	return s
}

func (a *app) traceTailCommand() *cobra.Command {
	var f envFlag
	var service string
	var errorsOnly bool
	c := &cobra.Command{
		Use:     "tail",
		Short:   "Print spans of a standing environment as they end",
		Long:    "Print each span of a standing environment when it has ended, until Ctrl-C.",
		Example: "  rehearse trace tail\n  rehearse trace tail --service docgen --errors",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := f.find(a)
			if err != nil {
				return err
			}
			width, tty := terminal(a.stdout)
			if !tty {
				width = 0
			}
			opt := report.TerminalOptions{Color: a.color(a.stdout), Width: width}
			ctx, stop := whileRead(cmd.Context(), a.stdout)
			defer stop()
			return tail(ctx, e, func(s *rehearse.Span) error {
				if service != "" && string(s.Service) != service || errorsOnly && s.Status != rehearse.StatusError {
					return nil
				}
				s.Start = s.Start.Local()
				return report.SpanLine(a.stdout, s, opt)
			})
		},
	}
	f.add(a, c)
	c.Flags().StringVar(&service, "service", "", "only this service's")
	c.Flags().BoolVar(&errorsOnly, "errors", false, "only those that ended in an error")
	return c
}

// printTraceLogs prints the log records of one trace.
func (a *app) printTraceLogs(ctx context.Context, source *sourceFlags, id string, services []string) error {
	t, err := source.read(ctx, a)
	if err != nil {
		return err
	}
	found, err := t.find(id)
	if err != nil {
		return err
	}
	width, tty := terminal(a.stdout)
	if !tty {
		width = 0
	}
	opt := report.TerminalOptions{Color: a.color(a.stdout), Width: width}
	n := 0
	for i := range t.Logs {
		rec := t.Logs[i]
		if rec.Trace != found.ID || len(services) > 0 && !slices.Contains(services, string(rec.Service)) {
			continue
		}
		n++
		rec.Time = rec.Time.Local()
		if err := report.LogLine(a.stdout, &rec, opt); err != nil {
			return err
		}
	}
	if n == 0 {
		fmt.Fprintf(a.stderr, "no line carries the identifier of %s\n", found.ID)
	}
	return nil
}
