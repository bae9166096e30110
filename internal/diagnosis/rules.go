package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// calls explains requests that make more calls than before.
func (l *lead) calls() *cause {
	edge := l.group.where
	paths := l.grown(edge)
	path := paths[0]
	before, after := l.both(l.names.along(path))
	passing, failing := l.of()
	again := again(before, after)
	clause, forced := l.forced(before, after)

	sentence := fmt.Sprintf("%s calls %s %s times a request, %s", short(l.o.name), path, few(after.perRequest()), l.against(before))
	switch {
	case again:
		sentence += fmt.Sprintf(": %s of them fail and are tried again", percent(share(after.failed, after.count)))
	case after.sequential >= 5 && 2*after.sequential >= after.perRequest():
		sentence += ", one after another (N+1)"
	}
	second := l.fact("They take %s a request, %s in %s, and up to %s follow one another. A call takes %s, %s in %s.%s",
		text(failing), text(passing), l.passing.Name, few(after.sequential),
		text(after.each(after.length)), text(before.each(before.length)), l.passing.Name, forced)
	var others []string
	for _, p := range paths[:min(3, len(paths))] {
		b, a := l.both(l.names.along(p))
		others = append(others, fmt.Sprintf("%s %s a request, %s", p, few(a.perRequest()), l.against(b)))
	}
	third := l.fact("What is called more often: %s.", strings.Join(others, "; "))
	if again {
		third.Text += fmt.Sprintf(" %d of %d calls failed; in %s %d of %d.", after.failed, after.count, l.passing.Name, before.failed, before.count)
	}
	return l.cause(sentence+clause+".", second, third)
}

// against is "against 1 in staging", or "against none".
func (l *lead) against(before calls) string {
	if before.count == 0 {
		return "against none in " + l.passing.Name
	}
	return fmt.Sprintf("against %s in %s", few(before.perRequest()), l.passing.Name)
}

// grown are the paths on an edge by how many more calls they have, the most first.
func (l *lead) grown(edge string) []string {
	before, after := l.names.tally(l.o.passing), l.names.tally(l.o.failing)
	more := map[string]float64{}
	for p, n := range after.paths {
		if d := share(n, len(l.o.failing)) - share(before.paths[p], len(l.o.passing)); edgeOf(p) == edge && d > 0 {
			more[p] = d
		}
	}
	return slices.SortedFunc(maps.Keys(more), func(a, b string) int {
		return cmp.Or(cmp.Compare(more[b], more[a]), cmp.Compare(a, b))
	})
}

// shape explains time on a link's way: distance, paid for each round trip, or a
// fault.
func (l *lead) shape() *cause {
	edge := l.group.where
	before, after := l.both(on(edge))
	_, failing := l.of()
	rtt := l.rtt(linkOf(edge), median(slices.Clone(after.shapes)))
	n := int(after.sequential + 0.5)
	clause, forced := l.forced(before, after)

	sentence := fmt.Sprintf("%s loses %s on the way of %s", short(l.o.name), text(failing), edge)
	if n > 1 {
		sentence = fmt.Sprintf("%s makes %s on %s: %s of its %s",
			short(l.o.name), tripsText(n, rtt), edge, text(failing), text(l.o.change.Failing.Mean))
	}
	second := l.fact("%s on %s%s; in %s %s × %s.%s", capital(tripsText(n, rtt)), edge, l.shapeText(),
		l.passing.Name, few(before.sequential), text(median(slices.Clone(before.shapes))), forced)
	var most []string
	for _, p := range l.o.change.Parts {
		if (place{p.Path, p.Kind}).group() == l.group && len(most) < 3 && p.Change > 0 {
			most = append(most, fmt.Sprintf("%s %s (%s)", short(p.Path), text(p.Failing), count(p.FailingCalls, "call")))
		}
	}
	third := l.fact("By call: %s a request.", strings.Join(most, ", "))
	return l.cause(sentence+clause+".", second, third)
}

// server explains an upstream that answers later.
func (l *lead) server() *cause {
	client, upstream := l.ends()
	path := l.path().Path
	before, after := l.both(l.names.along(path))
	clause, forced := l.forced(before, after)

	sentence := fmt.Sprintf("%s waits for %s: %s takes %s there, %s in %s",
		short(l.o.name), upstream, path, text(after.each(after.server)), text(before.each(before.server)), l.passing.Name)
	second := l.fact("It is not the number of calls: %s a request, %s in %s. Half of them take %s and more at %s, %s in %s.",
		few(after.perRequest()), few(before.perRequest()), l.passing.Name,
		text(median(slices.Clone(after.serving))), upstream, text(median(slices.Clone(before.serving))), l.passing.Name)
	if after.perRequest() > 1.2*before.perRequest() {
		second.Text = strings.Replace(second.Text, "It is not the number of calls:", "Calls:", 1)
	}
	if after.left > 0 {
		second.Text += fmt.Sprintf(" %s gives up on %s of them.", client, percent(share(after.left, after.count)))
	}
	third := l.fact("It is not the way: a call spends %s on it, %s in %s.%s", text(after.each(after.shape)), text(before.each(before.shape)), l.passing.Name, forced)
	if was, is := before.rows/float64(max(before.count, 1)), after.rows/float64(max(after.count, 1)); is > 2*was && is >= 2 {
		third.Text += fmt.Sprintf(" A call returns %s, %s in %s.", count(is, "row"), few(was), l.passing.Name)
	}
	return l.cause(sentence+clause+".", second, third)
}

// transfer explains bytes that take their time.
func (l *lead) transfer() *cause {
	edge := l.group.where
	before, after := l.both(on(edge))
	_, failing := l.of()
	clause, forced := l.forced(before, after)
	bytesOf := func(c calls) float64 { return (c.up + c.down) / float64(max(c.traces, 1)) }

	sentence := fmt.Sprintf("%s waits for bytes on %s: %s a request take %s", short(l.o.name), edge, bytesText(bytesOf(after)), text(failing))
	if limit := l.rate(after.up > after.down); limit > 0 {
		sentence += fmt.Sprintf(", and the link carries %s", limit)
	}
	second := l.fact("A request moves %s, %s in %s; most of it in %s.", bytesText(bytesOf(after)), bytesText(bytesOf(before)), l.passing.Name, l.path().Path)
	third := l.fact("While they come, that is %s; in %s %s.%s", bitrate(after), l.passing.Name, bitrate(before), forced)
	return l.cause(sentence+clause+".", second, third)
}

// rate is the lower rate of the link's shape in one direction; 0: unlimited, or
// unknown.
func (l *lead) rate(up bool) rehearse.Rate {
	if l.failing.Plan == nil {
		return 0
	}
	k, ok := l.failing.Plan.Link(linkOf(l.group.where))
	if !ok {
		return 0
	}
	path := k.Shape.Down
	if up {
		path = k.Shape.Up
	}
	if path.Rate == 0 || path.ConnectionRate != 0 && path.ConnectionRate < path.Rate {
		return path.ConnectionRate
	}
	return path.Rate
}

// bitrate is what the calls moved while their bytes came.
func bitrate(c calls) string {
	if c.transfer <= 0 {
		return "too quick to measure"
	}
	return bytesText((c.up+c.down)/c.transfer.Seconds()) + "/s"
}

// queue explains calls that wait on their connection.
func (l *lead) queue() *cause {
	edge := l.group.where
	before, after := l.both(on(edge))
	clause, forced := l.forced(before, after)
	first := share(after.opened, after.count)
	what := "behind other calls on its connection"
	if first >= 0.5 {
		what = "for its connection to be made"
	}
	sentence := fmt.Sprintf("%s queues on %s: a call waits %s %s, %s in %s",
		short(l.o.name), edge, text(after.each(after.queue)), what, text(before.each(before.queue)), l.passing.Name)
	second := l.fact("%s of the calls are the first on their connection, %s in %s.",
		percent(first), percent(share(before.opened, before.count)), l.passing.Name)
	third := l.fact("A request makes %s, %s in %s, and each takes %s at the upstream, %s in %s.%s",
		count(after.perRequest(), "call"), few(before.perRequest()), l.passing.Name,
		text(after.each(after.server)), text(before.each(before.server)), l.passing.Name, forced)
	return l.cause(sentence+clause+".", second, third)
}

// network explains time between a service and its link.
func (l *lead) network() *cause {
	client, upstream := l.ends()
	before, after := l.both(on(l.group.where))
	passing, failing := l.of()
	clause, forced := l.forced(before, after)
	sentence := fmt.Sprintf("%s loses %s between %s and the link to %s, %s in %s",
		short(l.o.name), text(failing), client, upstream, text(passing), l.passing.Name)
	second := l.fact("The link itself has not seen the call in that time: a call takes %s there, %s in %s.",
		text(after.each(after.seen())), text(before.each(before.seen())), l.passing.Name)
	third := l.fact("A request makes %s, %s in %s.%s", count(after.perRequest(), "call"), few(before.perRequest()), l.passing.Name, forced)
	return l.cause(sentence+clause+".", second, third)
}

// self explains a service's own time.
func (l *lead) self() *cause {
	service := l.group.where
	passing, failing := l.of()
	if a := adriftOf(l.failing.Telemetry, service); a.many(failing) {
		return l.adrift(a)
	}
	sentence := fmt.Sprintf("%s spends %s in %s itself, %s in %s.",
		short(l.o.name), text(failing), service, text(passing), l.passing.Name)
	from := func(n *rehearse.Node) bool { return string(clientOf(n.Wire.Link)) == service }
	before, after := l.both(from)
	second := l.fact("It is in no call: %s makes %s a request, %s in %s, which take %s in all, %s in %s.",
		service, count(after.perRequest(), "call"), few(before.perRequest()), l.passing.Name,
		text(after.request(after.length)), text(before.request(before.length)), l.passing.Name)
	return l.cause(sentence, second, l.crowd())
}

// crowd is how many requests were in a service at once.
func (l *lead) crowd() rehearse.DiagnosisFact {
	service := l.group.where
	f := l.fact("At most %s were in %s at once", count(float64(atOnce(l.failing.Telemetry, service)), "request"), service)
	if !l.within {
		f.Text += fmt.Sprintf(", %d in %s", atOnce(l.passing.Telemetry, service), l.passing.Name)
	}
	f.Text += "."
	return f
}

// atOnce is how many calls of a service were in flight at once, at most.
func atOnce(t *rehearse.Telemetry, service string) int {
	var starts, ends []time.Time
	for i := range t.Traces {
		for j := range t.Traces[i].Nodes {
			if n := &t.Traces[i].Nodes[j]; n.Wire != nil && upstreamOf(n.Wire.Link) == service {
				starts, ends = append(starts, n.Start), append(ends, n.End())
			}
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	slices.SortFunc(ends, time.Time.Compare)
	most, ended := 0, 0
	for i, s := range starts {
		for ended < len(ends) && !ends[ended].After(s) {
			ended++
		}
		most = max(most, i+1-ended)
	}
	return most
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
