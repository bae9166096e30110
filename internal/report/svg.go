package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// chart is a picture with a time axis, in seconds, and a value axis. Its colours
// come from the page's style sheet through classes.
type chart struct {
	label      string // for those who do not see it
	w, h       int
	xMax       float64
	yMin, yMax float64 // yMin above 0 makes the axis logarithmic
	format     func(float64) string
	series     []series
	marks      []hline
	bands      []band
	shades     []shade
}

// series is one line, or one layer of bars.
type series struct {
	class  string
	bars   float64 // the width of a bar in seconds; 0 draws a line
	fill   bool    // shade the area below the line
	points []point
}

// point is a value at a time. A NaN breaks the line. A bar stands on base.
type point struct{ x, y, base float64 }

// hline is a horizontal line with a label, such as a threshold.
type hline struct {
	y     float64
	label string
}

// band is a slice of time that answers the pointer with a text.
type band struct {
	x0, x1 float64
	title  string
}

// shade is a slice of time in which something was broken.
type shade struct {
	x0, x1 float64
	label  string
}

// The margins around the plot, in which the axes have their labels.
const (
	marginLeft   = 56.0
	marginRight  = 14.0
	marginTop    = 12.0
	marginBottom = 26.0
)

func (c *chart) px(x float64) float64 {
	return marginLeft + x/c.xMax*(float64(c.w)-marginLeft-marginRight)
}

func (c *chart) py(y float64) float64 {
	part := y / c.yMax
	if c.yMin > 0 {
		part = math.Log(max(y, c.yMin)/c.yMin) / math.Log(c.yMax/c.yMin)
	}
	bottom := float64(c.h) - marginBottom
	return bottom - min(max(part, 0), 1)*(bottom-marginTop)
}

// draw writes the chart as inline SVG.
func (c *chart) draw() template.HTML {
	if c.xMax <= 0 {
		c.xMax = 1
	}
	if c.yMax <= c.yMin {
		c.yMax = c.yMin + 1
	}
	if c.yMin == 0 { // end a linear axis at a tick
		step := niceAbove(c.yMax / 5)
		c.yMax = step * math.Ceil(c.yMax/step*0.9999)
	}
	b := &svg{}
	b.open(c.w, c.h, c.label)
	right, bottom := float64(c.w)-marginRight, float64(c.h)-marginBottom
	for _, y := range c.yTicks() {
		b.line("grid", marginLeft, c.py(y), right, c.py(y))
		b.text("tick end", marginLeft-8, c.py(y)+3.5, c.format(y))
	}
	for _, x := range timeTicks(c.xMax) {
		b.line("stub", c.px(x), bottom, c.px(x), bottom+4)
		b.text("tick mid", c.px(x), bottom+17, clock(x))
	}
	for i, s := range c.shades {
		x0, x1 := c.px(min(s.x0, c.xMax)), c.px(min(s.x1, c.xMax))
		b.printf(`<rect class="shade" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x0, marginTop, max(1, x1-x0), bottom-marginTop)
		b.text("shade-label", x0+3, marginTop+11+13*float64(i%5), cut(plain(s.label), 40))
	}
	for _, s := range c.series {
		c.drawSeries(b, s)
	}
	for _, m := range c.marks {
		b.line("mark", marginLeft, c.py(m.y), right, c.py(m.y))
		b.text("mark-label end", right-4, c.py(m.y)-5, m.label)
	}
	b.line("axis", marginLeft, bottom, right, bottom)
	for _, d := range c.bands {
		x0, x1 := c.px(d.x0), c.px(min(d.x1, c.xMax))
		b.printf(`<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			x0, marginTop, max(0, x1-x0), bottom-marginTop, html.EscapeString(plainLines(d.title)))
	}
	return b.close()
}

func (c *chart) drawSeries(b *svg, s series) {
	if s.bars > 0 {
		for _, p := range s.points {
			if top, foot := c.py(p.base+p.y), c.py(p.base); p.y > 0 {
				x0, x1 := c.px(p.x), c.px(min(p.x+s.bars, c.xMax))
				gap := min(1.5, (x1-x0)/4)
				b.printf(`<rect class="bar %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, s.class, x0, top, max(0.5, x1-x0-gap), foot-top)
			}
		}
		return
	}
	for _, run := range runs(s.points) {
		var d strings.Builder
		for i, p := range run {
			fmt.Fprintf(&d, "%s%.1f,%.1f", map[bool]string{true: "M", false: "L"}[i == 0], c.px(p.x), c.py(p.y))
		}
		if len(run) == 1 {
			d.WriteString("h.1") // with round ends this is a dot
		} else if s.fill {
			b.printf(`<path class="fill %s" d="%sL%.1f,%.1fL%.1f,%.1fZ"/>`, s.class, d.String(),
				c.px(run[len(run)-1].x), c.py(c.yMin), c.px(run[0].x), c.py(c.yMin))
		}
		b.printf(`<path class="line %s" d="%s"/>`, s.class, d.String())
	}
}

// runs splits points where the line breaks.
func runs(points []point) [][]point {
	var out [][]point
	start := 0
	for i := 0; i <= len(points); i++ {
		if i == len(points) || math.IsNaN(points[i].y) {
			if i > start {
				out = append(out, points[start:i])
			}
			start = i + 1
		}
	}
	return out
}

func (c *chart) yTicks() []float64 {
	if c.yMin > 0 {
		return logTicks(c.yMin, c.yMax)
	}
	return linearTicks(c.yMax)
}

// linearTicks are four to six round values from zero to at most limit.
func linearTicks(limit float64) []float64 {
	step := niceAbove(limit / 5)
	var out []float64
	for i := 0; float64(i)*step <= limit*1.0001; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

// logTicks are 1, 2 and 5 of each decade, or only its 1 when there are many.
func logTicks(lo, hi float64) []float64 {
	factors := []float64{1, 2, 5}
	if hi/lo > 1000 {
		factors = factors[:1]
	}
	var out []float64
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, f := range factors {
			if v := f * math.Pow(10, e); v >= lo*0.999 && v <= hi*1.001 {
				out = append(out, v)
			}
		}
	}
	return out
}

// niceAbove is the smallest of 1, 2, 5 times a power of ten that is at least v.
func niceAbove(v float64) float64 {
	if v <= 0 {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*p >= v*0.9999 {
			return f * p
		}
	}
	return 10 * p
}

// niceBelow is the largest of 1, 2, 5 times a power of ten that is at most v.
func niceBelow(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{5, 2} {
		if f*p <= v*1.0001 {
			return f * p
		}
	}
	return p
}

// timeTicks are at most ten round times from zero on.
func timeTicks(limit float64) []float64 {
	step := 86400.0
	for _, s := range []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400} {
		if limit/s <= 9 {
			step = s
			break
		}
	}
	for limit/step > 9 {
		step *= 2
	}
	var out []float64
	for i := 0; float64(i)*step <= limit*1.0001; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

// clock prints a time on an axis: "0.2s", "45s", "1:30".
func clock(s float64) string {
	if s > 90 {
		return fmt.Sprintf("%d:%02d", int(s+0.5)/60, int(s+0.5)%60)
	}
	return fmt.Sprintf("%.4gs", s)
}

// latency prints seconds on an axis: "20ms", "1s".
func latency(s float64) string {
	return rehearse.Round(time.Duration(s * float64(time.Second))).String()
}

func figure(v float64) string { return fmt.Sprintf("%.4g", v) }

// plainLines is plain for text of several lines.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = plain(l)
	}
	return strings.Join(lines, "\n")
}

// svg writes SVG elements. Every text goes through html.EscapeString, and all
// else is numbers and this package's own classes, which makes the result safe.
type svg struct{ strings.Builder }

func (b *svg) printf(format string, args ...any) { fmt.Fprintf(b, format, args...) }

func (b *svg) open(w, h int, label string) {
	class := "half"
	if w > 600 {
		class = "whole"
	}
	b.printf(`<svg class="%s" viewBox="0 0 %d %d" role="img" aria-label="%s">`, class, w, h, html.EscapeString(plain(label)))
}

func (b *svg) line(class string, x1, y1, x2, y2 float64) {
	b.printf(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (b *svg) text(class string, x, y float64, s string) {
	b.printf(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, html.EscapeString(plain(s)))
}

func (b *svg) close() template.HTML {
	b.WriteString("</svg>")
	return template.HTML(b.String())
}
