package check

import (
	"fmt"

	"github.com/rehearse-dev/rehearse"
)

// logErrors asks how many log records are errors.
func (q *inquiry) logErrors() rehearse.Finding {
	var records, known, errors int
	var first *rehearse.LogRecord
	var worst []rehearse.TraceID
	for i := range q.t.Logs {
		rec := &q.t.Logs[i]
		if q.check.Service != "" && rec.Service != q.check.Service {
			continue
		}
		records++
		if rec.Severity > 0 {
			known++
		}
		if rec.Severity < rehearse.SeverityError {
			continue
		}
		errors++
		if first == nil {
			first = rec
		}
		worst = append(worst, rec.Trace)
	}
	// Records that are kept nowhere could have been errors.
	missing := q.t.Result.Logs > int64(len(q.t.Logs))
	// A service that writes nothing writes no errors.
	if f, enough := q.enough(records, q.check.MinSamples, "log record"); !enough && (records > 0 || q.check.MinSamples > 0) {
		return q.hold(f, 0)
	}
	f := rehearse.Finding{
		Outcome: rehearse.Pass, Got: counted(errors, "error"), Value: pointer(float64(errors)),
		Detail: fmt.Sprintf("%d of %s are errors.", errors, counted(records, "log record")),
	}
	if first != nil {
		f.Detail += fmt.Sprintf(" The first is of %s: %q.", first.Service, cut(first.Body, 120))
	}
	switch {
	case float64(errors) > q.check.Limit:
		f.Outcome, f.Traces = rehearse.Fail, examples(worst)
	case known == 0 && records > 0:
		f.Outcome = rehearse.Unverified
		f.Detail = fmt.Sprintf("Of %s none says how severe it is.", counted(records, "log record"))
	case missing:
		f.Outcome = rehearse.Unverified
		f.Detail += fmt.Sprintf(" Of %s, %d were not kept.", counted(int(q.t.Result.Logs), "log record"), q.t.Result.Logs-int64(len(q.t.Logs)))
	}
	return q.hold(f, 0)
}
