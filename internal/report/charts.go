package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// maxBuckets limits how finely a chart cuts time: more would not be seen.
const maxBuckets = 150

// loadLeg is one leg's part in the charts of a load step.
type loadLeg struct {
	name  string
	color string // a class
	load
	ticks  []rehearse.Tick
	broken []actionShown // what an experiment did meanwhile
}

// span is how long the step's charts are: until the last answer in any leg.
func span(legs []loadLeg) float64 {
	var limit float64
	for _, l := range legs {
		limit = max(limit, l.spec.Traffic.Duration.Seconds())
		for _, s := range l.samples {
			limit = max(limit, s.Intended.Seconds(), s.End.Seconds())
		}
	}
	return max(limit, 1)
}

// bucketOf is the width of a bucket in whole seconds.
func bucketOf(span float64) float64 { return math.Ceil(span / maxBuckets) }

// per names a bucket: "second", "2 s".
func per(bucket float64) string {
	if bucket == 1 {
		return "second"
	}
	return fmt.Sprintf("%g s", bucket)
}

// latencyChart shows the median and the 99th percentile of each bucket of
// intended starts.
func latencyChart(legs []loadLeg, xMax float64) template.HTML {
	bucket := bucketOf(xMax)
	c := chart{label: "Latency over time", w: 1080, h: 330, xMax: xMax, format: latency}
	titles := make([]string, int(math.Ceil(xMax/bucket)))
	lo, hi := math.Inf(1), 0.0
	for _, l := range legs {
		times := make([][]rehearse.Duration, len(titles))
		for _, s := range l.samples {
			if i := int(s.Intended.Seconds() / bucket); !s.Dropped && i >= 0 && i < len(times) {
				times[i] = append(times[i], rehearse.Duration(s.Duration()))
			}
		}
		med := series{class: l.color + " thin"}
		p99 := series{class: l.color + " strong"}
		for i, t := range times {
			x := (float64(i) + 0.5) * bucket
			if len(t) == 0 {
				med.points = append(med.points, point{x: x, y: math.NaN()})
				p99.points = append(p99.points, point{x: x, y: math.NaN()})
				continue
			}
			slices.Sort(t)
			a, b := percentile(t, 50), percentile(t, 99)
			lo, hi = min(lo, a.Seconds()), max(hi, b.Seconds())
			med.points = append(med.points, point{x: x, y: a.Seconds()})
			p99.points = append(p99.points, point{x: x, y: b.Seconds()})
			titles[i] += fmt.Sprintf("\n%s: p50 %s, p99 %s, %s", l.name, short(a, true), short(b, true), count(len(t), "request"))
		}
		c.series = append(c.series, p99, med)
	}
	for _, t := range latencyBounds(legs) {
		c.marks = append(c.marks, hline{t.Bound, strings.TrimPrefix(t.String(), t.Metric+" ")})
		hi, lo = max(hi, t.Bound), min(lo, t.Bound)
	}
	// From a factor of twenty on, a linear axis shows only the slowest leg.
	if lo > 0 && hi/lo > 20 {
		c.yMin, c.yMax = niceBelow(max(lo, hi/1e5)), niceAbove(hi*1.05)
	} else {
		c.yMax = hi
	}
	c.bands, c.shades = bands(titles, bucket), shades(legs)
	return c.draw()
}

// latencyBounds are the upper bounds on the latency of all requests.
func latencyBounds(legs []loadLeg) []rehearse.Threshold {
	var out []rehearse.Threshold
	for _, l := range legs {
		for _, t := range l.spec.Thresholds {
			same := func(o rehearse.Threshold) bool { return o.String() == t.String() }
			if t.Metric == "http_req_duration" && t.Tag == "" && (t.Op == "<" || t.Op == "<=") && t.Bound > 0 && !slices.ContainsFunc(out, same) {
				out = append(out, t)
			}
		}
	}
	return out
}

// flow counts what a load did in each bucket.
type flow struct{ arrived, completed, failed []float64 }

func flowOf(l loadLeg, xMax, bucket float64) flow {
	n := int(math.Ceil(xMax / bucket))
	f := flow{make([]float64, n), make([]float64, n), make([]float64, n)}
	add := func(counts []float64, at rehearse.Duration) {
		if i := min(int(at.Seconds()/bucket), n-1); i >= 0 {
			counts[i] += 1 / bucket
		}
	}
	for _, s := range l.samples {
		add(f.arrived, s.Intended)
		switch {
		case s.Dropped:
		case failed(s):
			add(f.failed, s.End)
		default:
			add(f.completed, s.End)
		}
	}
	return f
}

// flowCharts show, a leg each and all to the same scale, what arrived against
// what was answered.
func flowCharts(legs []loadLeg, xMax float64) []panel {
	bucket := bucketOf(xMax)
	var out []panel
	var flows []flow
	top := 1.0
	for _, l := range legs {
		f := flowOf(l, xMax, bucket)
		for i := range f.arrived {
			top = max(top, f.arrived[i], f.completed[i]+f.failed[i])
		}
		flows = append(flows, f)
	}
	for k, l := range legs {
		f := flows[k]
		c := chart{label: "Arrivals and completions of " + l.name, w: panelWidth(len(legs)), h: 230, xMax: xMax, yMax: top, format: figure}
		titles := make([]string, len(f.arrived))
		done, bad := series{class: l.color, bars: bucket}, series{class: "failed", bars: bucket}
		arrived := series{class: "arrived"}
		for i := range f.arrived {
			x := float64(i) * bucket
			done.points = append(done.points, point{x: x, y: f.completed[i]})
			bad.points = append(bad.points, point{x: x, y: f.failed[i], base: f.completed[i]})
			if x < l.spec.Traffic.Duration.Seconds() || f.arrived[i] > 0 {
				arrived.points = append(arrived.points, point{x: x + bucket/2, y: f.arrived[i]})
			}
			titles[i] = fmt.Sprintf("\n%s/s arrived, %s/s completed, %s/s failed", figure(f.arrived[i]), figure(f.completed[i]), figure(f.failed[i]))
		}
		c.series = []series{done, bad, arrived}
		c.bands, c.shades = bands(titles, bucket), shades(legs[k:k+1])
		out = append(out, panel{Title: l.name, Color: l.color, SVG: c.draw()})
	}
	return out
}

// panel is one of several charts side by side.
type panel struct {
	Title string
	Color string
	SVG   template.HTML
}

// panelWidth keeps text the same size, whether a chart has the page's width or
// half of it.
func panelWidth(panels int) int {
	if panels == 1 {
		return 1080
	}
	return 530
}

// inFlightCharts show how many requests waited for their answer on each link
// that had some, all legs in one picture. Links from outside count together, as
// legs have them from different regions.
func inFlightCharts(legs []loadLeg, shown func(rehearse.LinkID) bool, xMax float64) []panel {
	type key struct {
		leg  int
		name string
	}
	points := map[key][]point{}
	peak := map[string]float64{}
	var names []string
	for i, l := range legs {
		for _, t := range l.ticks {
			sum := map[string]float64{}
			for _, k := range t.Links {
				if shown(k.ID) {
					sum[edge(k.ID)] += float64(k.InFlight)
				}
			}
			for name, n := range sum {
				points[key{i, name}] = append(points[key{i, name}], point{x: t.Since.Seconds(), y: n})
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
				peak[name] = max(peak[name], n)
			}
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return peak[n] == 0 })
	var out []panel
	for _, name := range names {
		c := chart{label: "Requests in flight on " + name, w: panelWidth(len(names)), h: 210, xMax: xMax, yMax: max(peak[name], 4), format: figure}
		bucket := bucketOf(xMax)
		titles := make([]string, int(math.Ceil(xMax/bucket)))
		for i, l := range legs {
			line := points[key{i, name}]
			if len(line) == 0 {
				continue
			}
			c.series = append(c.series, series{class: l.color + " strong", fill: true, points: line})
			most := make([]float64, len(titles))
			for b := range most {
				most[b] = -1
			}
			for _, p := range line {
				if b := int(p.x / bucket); b >= 0 && b < len(most) {
					most[b] = max(most[b], p.y)
				}
			}
			for b, n := range most {
				if n >= 0 {
					titles[b] += fmt.Sprintf("\n%s: %s in flight", l.name, figure(n))
				}
			}
		}
		c.bands, c.shades = bands(titles, bucket), shades(legs)
		out = append(out, panel{Title: name, SVG: c.draw()})
	}
	return out
}

// edge names a link in a chart's title: "docgen → db", "outside → docgen".
func edge(id rehearse.LinkID) string {
	client, upstream, _ := strings.Cut(string(id), ":")
	if rehearse.IsIngress(rehearse.ServiceName(client)) {
		client = "outside"
	}
	return client + " → " + upstream
}

// bands turns texts, a bucket each, into bands; buckets without a text get none.
func bands(texts []string, bucket float64) []band {
	var out []band
	for i, text := range texts {
		if text != "" {
			x := float64(i) * bucket
			out = append(out, band{x, x + bucket, clock(x) + text})
		}
	}
	return out
}

// timeline draws the states of a leg's services up to the moment when the last
// of them was ready, or had failed.
func timeline(l leg) template.HTML {
	const (
		rowHeight = 30.0
		nameWidth = 150.0
		noteWidth = 120.0
		w         = 1080
	)
	var limit time.Duration
	for _, s := range l.services {
		limit = max(limit, s.settled())
	}
	if limit == 0 {
		return ""
	}
	xMax := limit.Seconds() * 1.05
	h := int(rowHeight*float64(len(l.services)) + marginBottom + 6)
	px := func(x float64) float64 { return nameWidth + min(x/xMax, 1)*(w-nameWidth-noteWidth) }
	b := &svg{}
	b.open(w, h, "How the services of "+l.Name+" started")
	bottom := float64(h) - marginBottom
	for _, x := range timeTicks(xMax) {
		b.line("grid", px(x), 2, px(x), bottom)
		b.text("tick mid", px(x), bottom+16, clock(x))
	}
	for i, s := range l.services {
		y := rowHeight*float64(i) + 4
		b.text("row-name", 0, y+15, cut(plain(string(s.spec.Name)), 20))
		for k, e := range s.events {
			x0, x1 := px(e.at.Seconds()), px(xMax)
			if k+1 < len(s.events) {
				x1 = px(s.events[k+1].at.Seconds())
			}
			if e.at.Seconds() > xMax || x1 <= x0 {
				continue
			}
			title := fmt.Sprintf("%s: %s at %s", s.spec.Name, e.State, latency(e.at.Seconds()))
			if e.ExitCode != nil {
				title += fmt.Sprintf(", exit code %d", *e.ExitCode)
			}
			if e.Detail != "" {
				title += "\n" + e.Detail
			}
			b.printf(`<rect class="state %s" x="%.1f" y="%.1f" width="%.1f" height="20" rx="3"><title>%s</title></rect>`,
				stateClass(e.State), x0, y, max(x1-x0-1, 2), html.EscapeString(plainLines(title)))
		}
		state, ready := s.last()
		note := string(state)
		if ready > 0 && state != rehearse.Failed {
			note = "ready in " + short(ready, true)
			if s.spec.Job || state == rehearse.Done {
				note = "done in " + short(ready, true)
			}
		}
		b.text("tick end", w-2, y+14, note)
	}
	b.line("axis", nameWidth, bottom, w-noteWidth, bottom)
	return b.close()
}

// stateClass is the style of a state; evidence may hold states that only a later
// version knows.
func stateClass(s rehearse.ServiceState) string {
	switch s {
	case rehearse.Waiting, rehearse.Building, rehearse.Starting, rehearse.Ready, rehearse.Done, rehearse.Stopped, rehearse.Failed:
		return "is-" + string(s)
	}
	return "is-waiting"
}
