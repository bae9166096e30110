package check

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// view is a trace with what checks ask of all of its nodes.
type view struct {
	*rehearse.Trace
	// sure is whether a node belongs where it stands, by more than inference.
	sure []bool
}

func look(t *rehearse.Trace) *view {
	v := &view{Trace: t, sure: make([]bool, len(t.Nodes))}
	for i := range t.Nodes {
		up := v.up(i)
		v.sure[i] = t.Nodes[i].Known.Certain() && (up < 0 || v.sure[up])
	}
	return v
}

// up is the parent's index, -1 where there is none. Parents stand before their
// children; what does not is no parent.
func (v *view) up(i int) int {
	if up := v.Nodes[i].Up; up >= 0 && up < i {
		return up
	}
	return -1
}

// request is the index of the request that a service was working on when it made
// the call i: above the spans of its own work, and those of its SDK for the
// call. It is -1 for a root.
func (v *view) request(i int) int {
	up := v.up(i)
	for up >= 0 {
		n := &v.Nodes[up]
		_, carried := onLink(n)
		if carried || n.Kind == rehearse.SpanServer || n.Kind == rehearse.SpanConsumer || v.up(up) < 0 {
			break
		}
		up = v.up(up)
	}
	return up
}

// calls are the indices of the nodes that are calls on a link that the check is
// about, in the order in which they end; those from outside are requests and not
// calls, unless the check is about their link.
func (q *inquiry) calls(v *view) []int {
	var out []int
	for i := range v.Nodes {
		id, ok := onLink(&v.Nodes[i])
		if !ok || !q.about(id) {
			continue
		}
		if client, _ := ends(id); rehearse.IsIngress(client) && q.check.Link == "" {
			continue
		}
		out = append(out, i)
	}
	slices.SortStableFunc(out, func(a, b int) int { return v.Nodes[a].End().Compare(v.Nodes[b].End()) })
	return out
}

// sequential are the most calls of which each starts when the one before has
// ended. The calls are in the order in which they end.
func (v *view) sequential(calls []int) []int {
	var out []int
	for _, i := range calls {
		if len(out) == 0 || !v.Nodes[i].Start.Before(v.Nodes[out[len(out)-1]].End()) {
			out = append(out, i)
		}
	}
	return out
}

// certain are the calls whose request is more than inferred.
func (v *view) certain(calls []int) []int {
	return slices.DeleteFunc(slices.Clone(calls), func(i int) bool { return !v.sure[i] })
}

// byLink sorts calls by their link.
func (v *view) byLink(calls []int) map[rehearse.LinkID][]int {
	out := map[rehearse.LinkID][]int{}
	for _, i := range calls {
		out[v.Nodes[i].Wire.Link] = append(out[v.Nodes[i].Wire.Link], i)
	}
	return out
}

// sameCall is what makes two calls of one request the same.
type sameCall struct {
	request    int
	link       rehearse.LinkID
	name, text string
}

func (v *view) same(i, request int) sameCall {
	n := &v.Nodes[i]
	text := n.Text("db.query.text")
	if n.Scope != rehearse.LinkScope {
		text = literals.ReplaceAllString(text, "?") // a link has done so, an SDK may not have
	}
	return sameCall{request, n.Wire.Link, n.Name, text}
}

// literals are the strings and numbers of a statement.
var literals = regexp.MustCompile(`'(?:[^']|'')*'|\b[0-9][0-9.]*\b`)

// sample is what a check has measured of one trace: the figure, the same without
// what is inferred, and what it is of.
type sample struct {
	trace       rehearse.TraceID
	value, sure float64
	what        string // as in "SELECT items on web:db"
}

func (s *sample) raise(value, sure float64, what string) {
	if value > s.value || s.what == "" {
		s.value, s.what = value, what
	}
	s.sure = max(s.sure, sure)
}

// question is a check that measures each trace by itself.
type question struct {
	// measure is false for a trace that is no sample.
	measure func(v *view) (sample, bool)
	beyond  func(v float64) bool
	format  func(v float64) string
	bad     string // ends the sentence "N of M traces …"
	hint    string
	matters doubt
}

// ask measures every trace and judges the worst.
func (q *inquiry) ask(k question) rehearse.Finding {
	var samples, bad []sample
	sure := 0
	for _, t := range q.traces() {
		s, ok := k.measure(look(t))
		if !ok {
			continue
		}
		s.trace = t.ID
		samples = append(samples, s)
		if k.beyond(s.value) {
			bad = append(bad, s)
			if k.beyond(s.sure) {
				sure++
			}
		}
	}
	if f, enough := q.enough(len(samples), max(q.check.MinSamples, 1), "trace"); !enough {
		return q.hold(f, k.matters)
	}
	worst := slices.MaxFunc(samples, worse)
	f := rehearse.Finding{
		Outcome: rehearse.Pass, Got: k.format(worst.value), Value: pointer(worst.value),
		Detail: fmt.Sprintf("None of %d traces %s.", len(samples), k.bad),
	}
	if worst.value > 0 {
		f.Detail += fmt.Sprintf(" The most is %s: %s.", k.format(worst.value), worst.what)
	}
	if len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b sample) int { return worse(b, a) })
		f.Outcome, f.Hint = rehearse.Fail, k.hint
		f.Detail = fmt.Sprintf("%d of %d traces %s; at worst %s: %s.", len(bad), len(samples), k.bad, k.format(worst.value), worst.what)
		for _, s := range bad {
			f.Traces = append(f.Traces, s.trace)
		}
		f.Traces = examples(f.Traces)
		if sure == 0 && 2*len(bad) <= len(samples) {
			f.Outcome = rehearse.Unverified
			f.Detail += " All of them are so only by calls whose request is inferred."
		}
	}
	return q.hold(f, k.matters)
}

// worse orders samples by how bad they are.
func worse(a, b sample) int {
	return cmp.Or(cmp.Compare(a.value, b.value), byID(b.trace, a.trace))
}

// enough is false, with the finding, where there are too few samples.
func (q *inquiry) enough(got, need int, noun string) (rehearse.Finding, bool) {
	switch {
	case got == 0:
		f := unverified("no samples", "There is no "+q.scope(noun)+".")
		f.Hint = q.nearOperation()
		// The reason, where it is known, is better than a hint.
		if why := q.unread(); len(why) > 0 {
			f.Detail += " " + strings.Join(why, " ")
		}
		return f, false
	case got < need:
		return unverified(counted(got, noun), fmt.Sprintf("An answer takes %s, and there are %d.", q.scope(counted(need, noun)), got)), false
	}
	return rehearse.Finding{}, true
}

// scope is a noun with what the check is about.
func (q *inquiry) scope(noun string) string {
	s := noun
	if q.check.Operation != "" {
		s += " of " + q.check.Operation
	}
	if q.check.Service != "" {
		s += " of " + string(q.check.Service)
	}
	switch {
	case q.check.Link == "":
	case strings.Contains(noun, "trace"):
		s += " with a call on " + string(q.check.Link)
	default:
		s += " on " + string(q.check.Link)
	}
	return s
}

// nearOperation is a hint where an operation that the check names never ran, but
// one of nearly that name did.
func (q *inquiry) nearOperation() string {
	if q.check.Operation == "" {
		return ""
	}
	var seen []string
	for i := range q.t.Traces {
		op := q.t.Traces[i].Operation
		if matches(q.check.Operation, op) {
			return ""
		}
		seen = append(seen, op)
	}
	if near, ok := rehearse.Nearest(q.check.Operation, seen); ok {
		return fmt.Sprintf("Did you mean the operation %q?", near)
	}
	return ""
}
