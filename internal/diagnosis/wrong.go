package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Wrong names what may be behind answers that are wrong, as a finding says, though
// requests are neither refused nor too slow: what requests of the failing leg do and
// those of the passing one do not, and what is known to make answers wrong. It is nil
// when the traces show nothing of the kind. That it is the cause they cannot show:
// they know which statements were run, and of no row.
func Wrong(passing, failing Side, finding rehearse.Finding) *rehearse.Diagnosis {
	for _, kind := range []func(*rehearse.Telemetry) []habit{twice, between} {
		before := map[string]habit{}
		for _, h := range kind(passing.Telemetry) {
			before[h.id()] = h
		}
		found := slices.DeleteFunc(kind(failing.Telemetry), func(h habit) bool {
			b := before[h.id()]
			return h.count < fewestWrong || b.of < fewest || 2*share(b.count, b.of) >= share(h.count, h.of)
		})
		if len(found) == 0 {
			continue
		}
		h := slices.MinFunc(found, func(a, b habit) int {
			return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.id(), b.id()))
		})
		return h.diagnosis(before[h.id()], passing, failing, finding)
	}
	return nil
}

// WrongAnswers is the first finding that answers are not what they should be, of a
// threshold on checks; nil: there is none.
func WrongAnswers(v rehearse.Verdict, plan *rehearse.Plan) *rehearse.Finding {
	for i, f := range v.Findings {
		for _, s := range plan.Steps {
			if f.Outcome == rehearse.Fail && bounds(s, f, func(t rehearse.Threshold) bool { return t.Metric == "checks" }) {
				return &v.Findings[i]
			}
		}
	}
	return nil
}

// fewestWrong is in how many requests it must be seen.
const fewestWrong = 3

// habit is something that some requests of an operation do.
type habit struct {
	operation, path string
	count, of       int // requests that do it, and all that could
	traces          []rehearse.TraceID
	lengths         []time.Duration // what it takes, of each that could
	// say puts it into words: what it is, and how it is seen.
	say func(h, before habit, passing string) (sentence, detail string)
}

func (h habit) id() string { return h.operation + " " + h.path }

func (h *habit) seen(id rehearse.TraceID) {
	if h.count++; len(h.traces) < examplesEach {
		h.traces = append(h.traces, id)
	}
}

func (h habit) diagnosis(before habit, passing, failing Side, finding rehearse.Finding) *rehearse.Diagnosis {
	sentence, detail := h.say(h, before, passing.Name)
	return &rehearse.Diagnosis{
		Failing: failing.Name, Passing: passing.Name, Sentence: "Answers are wrong, and this may be why: " + sentence,
		Facts: []rehearse.DiagnosisFact{
			{Text: strings.TrimSpace(fmt.Sprintf("What does not hold is %s. %s", finding.Check, finding.Detail)), Traces: finding.Traces},
			{Text: fmt.Sprintf("In %s %d of %d requests %s do so, in %s %d of %d.", failing.Name, h.count, h.of, short(h.operation), passing.Name, before.count, before.of), Traces: h.traces},
			{Text: detail, Traces: h.traces},
		},
		Command: "rehearse trace show " + h.traces[0].String(),
	}
}

// twice are the calls that write, get no answer, and are made again by the same
// request.
func twice(t *rehearse.Telemetry) []habit {
	all := habits{}
	for name, traces := range entries(t) {
		for _, trace := range traces {
			calls := wired(trace)
			done := map[string]bool{}
			for i, n := range calls {
				end := unanswered(n)
				path := names(nil).path(n)
				if !adds(n) || done[path] {
					continue
				}
				h := all.of(name, path)
				again := slices.ContainsFunc(calls[i+1:], func(m *rehearse.Node) bool {
					return signatureOf(m) == signatureOf(n) && !m.Start.Before(n.End())
				})
				if end == "" || !again {
					continue
				}
				done[path] = true
				h.seen(trace.ID)
				h.lengths = append(h.lengths, time.Duration(n.Duration))
				h.say = func(h, _ habit, _ string) (sentence, detail string) {
					client, upstream, _ := strings.Cut(edgeOf(path), arrow)
					return fmt.Sprintf("%s sends %s to %s again when it gets no answer, %s: what %s had done by then is done twice, unless it knows the call again.",
							client, short(path), upstream, end, upstream),
						fmt.Sprintf("%s had been under way for %s, the median, when it was sent again.", short(path), text(median(h.lengths)))
				}
			}
			for path := range pathsOf(calls, adds) {
				all.of(name, path).of++
			}
		}
	}
	return all.sorted()
}

// unanswered is why a call has no answer, in words; empty for one that has.
func unanswered(n *rehearse.Node) string {
	why := map[string]string{
		"client": "because it gave up waiting", "upstream": "because the connection ended", "reset": "because the connection was reset",
	}[n.Span.Text(rehearse.AttrAbandoned)]
	if fault := n.Span.Text(rehearse.AttrFault); fault != "" && why != "" {
		return "with the fault " + fault + " in force" // which may look like either
	}
	return why
}

// adds reports whether a call does something that is more when it is done twice.
func adds(n *rehearse.Node) bool {
	switch cmp.Or(n.Span.Text("http.request.method"), n.Span.Text("db.operation.name")) {
	case "POST", "PATCH", "INSERT":
		return true
	}
	return false
}

// between are the rows that a request reads and writes back, with a write of the same
// table by another request in between.
func between(t *rehearse.Telemetry) []habit {
	all := habits{}
	writes := map[table][]write{}
	for _, traces := range entries(t) {
		for _, trace := range traces {
			for _, n := range wired(trace) {
				if n.Span.Text("db.operation.name") == "UPDATE" {
					at := tableOf(n)
					writes[at] = append(writes[at], write{n.End(), trace.ID})
				}
			}
		}
	}
	for _, w := range writes {
		slices.SortFunc(w, func(a, b write) int { return a.at.Compare(b.at) })
	}
	for name, traces := range entries(t) {
		for _, trace := range traces {
			read, back := readAndWritten(wired(trace))
			if read == nil {
				continue
			}
			path := names(nil).path(read)
			h := all.of(name, path)
			h.of++
			h.lengths = append(h.lengths, back.End().Sub(read.Start))
			w := writes[tableOf(read)]
			for i := sort.Search(len(w), func(i int) bool { return w[i].at.After(read.Start) }); i < len(w) && w[i].at.Before(back.End()); i++ {
				if w[i].by == trace.ID {
					continue
				}
				h.seen(trace.ID)
				h.say = func(h, before habit, passing string) (sentence, detail string) {
					name, length := tableOf(read).name, text(median(h.lengths))
					sentence = fmt.Sprintf("%s reads %s and writes it back, %s from one end to the other, and another request writes %s in between: what that one wrote is lost, where both are of one row.",
						short(h.operation), name, length, name)
					detail = fmt.Sprintf("%s takes no lock: %s. From its start to the end of %s it takes %s, the median, and %s in %s.",
						short(path), read.Span.Text("db.query.text"), back.Name, length, text(median(before.lengths)), passing)
					return sentence, detail
				}
				break
			}
		}
	}
	return all.sorted()
}

// table is where a statement reads or writes.
type table struct {
	link rehearse.LinkID
	name string
}

func tableOf(n *rehearse.Node) table { return table{n.Wire.Link, n.Span.Text("db.collection.name")} }

// write is when one was over, and whose it was.
type write struct {
	at time.Time
	by rehearse.TraceID
}

// readAndWritten are the first statement that reads from a table without a lock, and
// the one that writes there later; nil: there are none, or the server itself sees to
// it that nothing comes in between.
func readAndWritten(calls []*rehearse.Node) (read, back *rehearse.Node) {
	for _, n := range calls {
		if isolated.MatchString(n.Span.Text("db.query.text")) {
			return nil, nil
		}
	}
	for i, n := range calls {
		if n.Span.Text("db.operation.name") != "SELECT" || tableOf(n).name == "" || locking.MatchString(n.Span.Text("db.query.text")) {
			continue
		}
		for _, m := range calls[i+1:] {
			if m.Span.Text("db.operation.name") == "UPDATE" && tableOf(m) == tableOf(n) && !m.Start.Before(n.End()) {
				return n, m
			}
		}
	}
	return nil, nil
}

var (
	locking  = regexp.MustCompile(`(?i)\bfor\s+(no\s+key\s+update|update|share|key\s+share)\b|\bpg_(try_)?advisory|\bget_lock\b`)
	isolated = regexp.MustCompile(`(?i)\b(repeatable\s+read|serializable)\b`)
)

// wired are the calls of a trace that links have seen, by their start.
func wired(t *rehearse.Trace) []*rehearse.Node {
	var out []*rehearse.Node
	for i := range t.Nodes {
		if t.Nodes[i].Wire != nil && i > 0 { // the first is the request itself
			out = append(out, &t.Nodes[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *rehearse.Node) int { return a.Start.Compare(b.Start) })
	return out
}

// pathsOf are the paths of the calls that match.
func pathsOf(calls []*rehearse.Node, match func(*rehearse.Node) bool) map[string]bool {
	out := map[string]bool{}
	for _, n := range calls {
		if match(n) {
			out[names(nil).path(n)] = true
		}
	}
	return out
}

// habits are those of one kind, by operation and path.
type habits map[[2]string]*habit

func (all habits) of(operation, path string) *habit {
	key := [2]string{operation, path}
	if all[key] == nil {
		all[key] = &habit{operation: operation, path: path}
	}
	return all[key]
}

func (all habits) sorted() []habit {
	var out []habit
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		out = append(out, *all[key])
	}
	return out
}
