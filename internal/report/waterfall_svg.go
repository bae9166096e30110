package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// maxPicture is how many lines a picture of a waterfall has at most.
const maxPicture = 100

// draw writes the waterfall as inline SVG: name, place, bar, time. A stroke below
// the bars is the critical path.
func (w *waterfall) draw() template.HTML {
	const (
		rowHeight = 22.0
		top       = 22.0
		placeAt   = 316.0
		barAt     = 420.0
		barEnd    = 1010.0
		right     = 1080
	)
	lines := w.lines[:min(len(w.lines), maxPicture)]
	b := &svg{}
	bottom := top + rowHeight*float64(len(lines))
	b.open(right, int(bottom)+4, "Waterfall of "+w.trace.Operation)
	px := func(d rehearse.Duration) float64 {
		return barAt + min(max(float64(d)/float64(w.to), 0), 1)*(barEnd-barAt)
	}
	for _, at := range linearTicks(w.to.Seconds()) {
		x := barAt + at/w.to.Seconds()*(barEnd-barAt)
		b.line("grid", x, top-4, x, bottom)
		b.text("tick mid", x, top-9, latency(at))
	}
	for i, l := range lines {
		y := top + rowHeight*float64(i)
		indent := 12 * float64(min(l.depth, 12))
		if l.log != nil {
			x := px(w.begin(l))
			b.printf(`<path class="note %s" d="M%.1f,%.1fl4,4l-4,4l-4,-4z"/>`, severityClass(l.log.Severity), x, y+7)
			b.text("place", indent, y+15, cut(logText(l.log), int((barAt-indent)/6.6)))
		} else {
			n, room := w.first(l), int((placeAt-indent)/7.4) // in characters
			class := "row-name"
			if trouble(n) != "" {
				class += " is-fail"
			}
			name := cut(certainty(n.Known)+w.name(l), max(room-width(marks(n)), 8)) + marks(n)
			b.text(class, indent, y+15, cut(name, room))
			b.text("place", placeAt, y+15, cut(w.place(l), 15))
			for _, p := range w.pieces(l) {
				w.drawPiece(b, p, px(p.from), px(p.to), y)
			}
			b.text("tick end", right-2, y+15, short(w.took(l), true))
		}
		b.printf(`<rect class="band" x="0" y="%.1f" width="%d" height="%.1f"><title>%s</title></rect>`, y, right, rowHeight, html.EscapeString(plainLines(w.story(l))))
	}
	return b.close()
}

func (w *waterfall) drawPiece(b *svg, p piece, x0, x1, y float64) {
	wide := max(x1-x0, 0.8)
	top, height := y+5, 11.0
	if p.kind == rehearse.SegmentSelf {
		top, height = y+9, 3
	}
	b.printf(`<rect class="part %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, partClass(p.kind), x0, top, wide, height)
	if p.critical {
		b.printf(`<rect class="critical" x="%.1f" y="%.1f" width="%.1f" height="2"/>`, x0, y+18, wide)
	}
}

// story is what the pointer gets to read of a line.
func (w *waterfall) story(l line) string {
	if l.log != nil {
		return short(w.begin(l), true) + " " + logText(l.log)
	}
	n := w.first(l)
	lines := []string{w.name(l) + " " + w.place(l), fmt.Sprintf("%s from %s", short(w.took(l), true), short(w.begin(l), true))}
	if sum, ok := w.split(l); ok {
		lines = append(lines, fmt.Sprintf("queue %s, shape %s, server %s, transfer %s", short(sum.Queue, true), short(sum.Shape, true), short(sum.Server, true), short(sum.Transfer, true)))
	}
	if d := w.waited(l); d > 0 {
		lines = append(lines, "on the critical path: "+short(d, true))
	}
	if fault := n.Text(rehearse.AttrFault); fault != "" {
		lines = append(lines, "fault: "+fault)
	}
	if bad := trouble(n); bad != "" {
		lines = append(lines, "went wrong: "+bad)
	}
	return strings.Join(append(lines, "parent: "+knownText(n.Known)), "\n")
}

// knownText says how a parent is known.
func knownText(k rehearse.Known) string {
	switch k {
	case rehearse.KnownRoot:
		return "none"
	case rehearse.KnownSDK:
		return "certain, the SDK says so"
	case rehearse.KnownHeader:
		return "certain, from the trace context"
	case rehearse.KnownAlone:
		return "certain, the only request in flight"
	case rehearse.KnownOwned:
		return "certain, it held the connection"
	case rehearse.KnownTemplate:
		return "inferred, from what the operation does alone"
	case rehearse.KnownNearest:
		return "inferred, it fits best"
	}
	return "unknown"
}

// partClass is the style of a part; evidence may hold kinds that only a later
// version knows.
func partClass(k rehearse.SegmentKind) string {
	switch k {
	case rehearse.SegmentWait, rehearse.SegmentQueue, rehearse.SegmentShape, rehearse.SegmentNetwork, rehearse.SegmentServer, rehearse.SegmentTransfer:
		return "p-" + string(k)
	}
	return "p-self"
}

func severityClass(s rehearse.Severity) string {
	switch severityColor(s) {
	case red:
		return "is-fail"
	case yellow:
		return "is-unverified"
	}
	return ""
}
