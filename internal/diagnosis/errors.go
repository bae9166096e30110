package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// answer is an error that a call was answered with.
type answer struct {
	path string // of the call
	code string // as in "SQLSTATE 53300"
}

// answerOf is how a failed call was answered; ok is false for one that
// succeeded, and for one that the client gave up: that is its consequence, and
// the time says why.
func answerOf(n *rehearse.Node) (code string, ok bool) {
	if n.Wire == nil || n.Status != rehearse.StatusError {
		return "", false
	}
	switch n.Span.Text(rehearse.AttrAbandoned) {
	case "client":
		return "", false
	case "upstream":
		return "nothing but the end of the connection", true
	case "reset":
		return "a reset of the connection", true
	}
	for _, a := range []struct{ key, words string }{
		{"db.response.status_code", ""},
		{"rpc.response.status_code", "gRPC status "},
		{"rpc.grpc.status_code", "gRPC status "},
		{"http.response.status_code", "HTTP "},
		{"error.type", ""},
	} {
		var v string
		switch value := n.Span.Attribute(a.key).(type) {
		case string:
			v = value
		case int64:
			v = fmt.Sprint(value)
		}
		switch {
		case v == "", a.words == "gRPC status " && v == "0", v == "timeout", v == "_OTHER":
			continue
		case v == "57014":
			return "", false // query_canceled: somebody gave up
		case a.key == "db.response.status_code" && len(v) == 5:
			return "SQLSTATE " + v, true
		}
		return a.words + v, true
	}
	return "", false
}

// seen is a failed call of a trace that no failed call of its own explains.
type seen struct {
	answer
	node *rehearse.Node
	root bool
}

// deepest are the failed calls of a trace that have no failed calls below them,
// the first of each kind, by their start.
func deepest(t *rehearse.Trace, names names) []seen {
	var found []int
	explained := map[int]bool{}
	for i := range t.Nodes {
		if _, ok := answerOf(&t.Nodes[i]); !ok {
			continue
		}
		found = append(found, i)
		for up := t.Nodes[i].Up; up >= 0; up = t.Nodes[up].Up {
			explained[up] = true
		}
	}
	var out []seen
	for _, i := range found {
		if explained[i] {
			continue
		}
		n := &t.Nodes[i]
		code, _ := answerOf(n)
		out = append(out, seen{answer{names.path(n), code}, n, i == 0})
	}
	slices.SortStableFunc(out, func(a, b seen) int { return a.node.Start.Compare(b.node.Start) })
	kinds := map[answer]bool{}
	return slices.DeleteFunc(out, func(s seen) bool {
		again := kinds[s.answer]
		kinds[s.answer] = true
		return again
	})
}

// blame is how many of an operation's failed traces hold an answer.
type blame struct {
	answer
	root    bool
	count   int           // of the failed traces
	before  int           // of the passing traces, failed or not
	length  time.Duration // of the calls, in all
	offset  time.Duration // of their starts in their traces, in all
	traces  []rehearse.TraceID
	message string
	link    rehearse.LinkID
}

// blames are the answers that most failed traces hold and most passing do not,
// those that nearly all hold first and among them the earliest in the trace:
// what follows an error often fails as well.
func (o *operation) blames(names names) []blame {
	found := map[answer]*blame{}
	bad := failed(o.failing)
	slices.SortFunc(bad, byStart)
	for _, t := range bad {
		for _, s := range deepest(t, names) {
			b := found[s.answer]
			if b == nil {
				b = &blame{answer: s.answer, root: s.root, message: s.node.Message, link: s.node.Wire.Link}
				found[s.answer] = b
			}
			b.count++
			b.length += time.Duration(s.node.Duration)
			b.offset += s.node.Start.Sub(t.Start)
			if len(b.traces) < examplesEach {
				b.traces = append(b.traces, t.ID)
			}
		}
	}
	for _, t := range o.passing {
		for _, s := range deepest(t, names) {
			if b := found[s.answer]; b != nil {
				b.before++
			}
		}
	}
	var out []blame
	for _, b := range found {
		if share(b.count, len(bad))-share(b.before, len(o.passing)) >= 0.5 {
			out = append(out, *b)
		}
	}
	slices.SortFunc(out, func(a, b blame) int {
		return cmp.Or(
			cmp.Compare(10*b.count/len(bad), 10*a.count/len(bad)),
			cmp.Compare(a.offset/time.Duration(a.count), b.offset/time.Duration(b.count)),
			cmp.Compare(a.path, b.path), cmp.Compare(a.code, b.code))
	})
	return out
}

// byError explains what fails because a call fails.
func (c *comparison) byError(names names) *cause {
	for i := range c.operations {
		o := &c.operations[i]
		if !o.worse {
			continue
		}
		for _, b := range o.blames(names) {
			if !b.root && !o.late(b, names) {
				return c.failsBecause(o, b, names)
			}
		}
	}
	return c.byOwnError(true)
}

// late reports whether the answer took most of what the failed requests take
// longer: then it is the end of a wait, and the time says what for.
func (o *operation) late(b blame, names names) bool {
	excess := figures(failed(o.failing)).mean() - o.passingMean()
	if excess < time.Duration(floor(o.change)) {
		return false
	}
	usual := callsOf(o.passing, names.along(b.path))
	return 2*(b.length/time.Duration(b.count)-usual.each(usual.length)) >= excess
}

func (o *operation) passingMean() time.Duration { return time.Duration(o.change.Passing.Mean) }

func (c *comparison) failsBecause(o *operation, b blame, names names) *cause {
	edge := edgeOf(b.path)
	client, upstream, _ := strings.Cut(edge, arrow)
	sentence := fmt.Sprintf("%s fails because %s answers %s to %s", short(o.name), upstream, b.code, client)
	if call := short(b.path); call != b.path {
		sentence += fmt.Sprintf(" (%s)", call)
	}
	before, after := callsOf(o.passing, names.along(b.path)), callsOf(failed(o.failing), names.along(b.path))
	fault, forced := after.fault()
	if fault != "" {
		sentence += fmt.Sprintf(", with the fault %s in force", fault)
	}
	third := fmt.Sprintf("The answer came after %s; in %s the call takes %s.", text(b.length/time.Duration(b.count)), c.passing.Name, text(before.each(before.length)))
	if before.count == 0 {
		third = fmt.Sprintf("The answer came after %s; in %s the call is never made.", text(b.length/time.Duration(b.count)), c.passing.Name)
	}
	if b.message != "" && !strings.Contains(b.code, b.message) {
		third += fmt.Sprintf(" It says: %s.", strings.TrimSuffix(b.message, "."))
	}
	if n := after.perRequest(); n > 1.5*before.perRequest() && n > 1 && before.count > 0 {
		third += fmt.Sprintf(" It is tried again: %s a failed request, %s in %s.", count(n, "call"), few(before.perRequest()), c.passing.Name)
	}
	if fault != "" {
		third += fmt.Sprintf(" The fault %s was in force on %s of these calls.", fault, percent(forced))
	}
	return &cause{sentence + ".", []rehearse.DiagnosisFact{
		c.failures(o),
		{
			Text: fmt.Sprintf("%d of the %d (%s) hold a call of %s that is answered with %s and has no failed call below it; in %s %d of %d do.",
				b.count, o.change.Failing.Failed, percent(share(b.count, o.change.Failing.Failed)), b.path, b.code, c.passing.Name, b.before, o.change.Passing.Count),
			Traces: b.traces,
		},
		{Text: third, Traces: b.traces},
	}}
}

// failures is the fact that requests fail.
func (c *comparison) failures(o *operation) rehearse.DiagnosisFact {
	f := rehearse.DiagnosisFact{Text: fmt.Sprintf("In %s %d of %d requests %s fail; in %s %d of %d.",
		c.failing.Name, o.change.Failing.Failed, o.change.Failing.Count, short(o.name),
		c.passing.Name, o.change.Passing.Failed, o.change.Passing.Count)}
	for _, t := range failed(o.failing) {
		if len(f.Traces) < examplesEach {
			f.Traces = append(f.Traces, t.ID)
		}
	}
	return f
}

// byOwnError explains what fails in the service that was asked, all of whose
// calls succeed. With quick set, only where the failed take no longer than others.
func (c *comparison) byOwnError(quick bool) *cause {
	for i := range c.operations {
		o := &c.operations[i]
		if !o.worse {
			continue
		}
		bad := failed(o.failing)
		took, usual := figures(bad).mean(), o.passingMean()
		if good := slices.DeleteFunc(slices.Clone(o.failing), func(t *rehearse.Trace) bool { return t.Failed }); len(good) > 0 {
			usual = max(usual, figures(good).mean())
		}
		if quick && took > usual+time.Duration(floor(o.change)) {
			continue
		}
		for _, b := range o.blames(nil) {
			if !b.root {
				continue
			}
			service := upstreamOf(b.link)
			return &cause{
				fmt.Sprintf("%s fails in %s itself: it answers %s, and no call that it makes fails.", short(o.name), service, b.code),
				[]rehearse.DiagnosisFact{
					c.failures(o),
					{Text: fmt.Sprintf("%d of the %d (%s) are answered with %s and hold no failed call.", b.count, len(bad), percent(share(b.count, len(bad))), b.code), Traces: b.traces},
					{Text: fmt.Sprintf("They take %s, the mean; those that do not fail take %s.", text(took), text(usual)), Traces: b.traces},
				},
			}
		}
	}
	return nil
}
