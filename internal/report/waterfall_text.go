package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Waterfall writes a trace as lines with bars along time, and below it what the
// request waited for. Log records of other traces are left out. The width is
// kept between 80 and 200 columns; 0, as in a pipe, is 120.
func Waterfall(w io.Writer, t *rehearse.Trace, logs []rehearse.LogRecord, opt TerminalOptions) error {
	if opt.Width == 0 {
		opt.Width = 120
	}
	opt.Width = min(max(opt.Width, 80), 200)
	v := &waterfallText{terminal: terminal{Writer: bufio.NewWriter(w), opt: opt}, waterfall: newWaterfall(t, logs), signs: map[string]bool{}}
	v.columns()
	v.title()
	v.axis()
	for _, l := range v.lines {
		if l.log != nil {
			v.log(l)
		} else {
			v.span(l)
		}
	}
	v.legend()
	v.path()
	return v.Flush()
}

type waterfallText struct {
	terminal
	*waterfall
	nameWidth, placeWidth, tookWidth, barWidth int

	signs map[string]bool // that were used
}

// columns gives each column what it needs, and the bars the rest.
func (v *waterfallText) columns() {
	for _, l := range v.lines {
		if l.log != nil {
			continue
		}
		v.nameWidth = max(v.nameWidth, width(v.label(l, math.MaxInt)))
		v.placeWidth = max(v.placeWidth, width(v.place(l)))
		v.tookWidth = max(v.tookWidth, width(short(v.took(l), true)))
	}
	v.nameWidth = min(v.nameWidth, v.opt.Width*2/5)
	v.placeWidth = min(v.placeWidth, v.opt.Width/6)
	v.barWidth = v.opt.Width - len("* ") - v.nameWidth - v.placeWidth - v.tookWidth - 3*len("  ")
}

// label is the name of a line with its indentation and marks. What went wrong is
// not cut off.
func (v *waterfallText) label(l line, limit int) string {
	n := v.first(l)
	name := strings.Repeat("  ", min(l.depth, 12)) + certainty(n.Known) + v.name(l)
	after := marks(n)
	return cut(cut(name, max(limit-width(after), 8))+after, limit)
}

func (v *waterfallText) title() {
	t := v.trace
	head := v.paint(bold, plain(t.Operation)) + "  " + short(t.Duration, true)
	if t.Failed {
		why := "failed"
		if len(t.Nodes) > 0 {
			why = strings.TrimSpace(why + " " + trouble(&t.Nodes[0]))
		}
		head += "  " + v.paint(bold+";"+red, why)
	}
	fmt.Fprintln(v, head)
	fmt.Fprintln(v, v.paint(dim, fmt.Sprintf("trace %s · %s · %s", t.ID, t.Start.Format("2006-01-02 15:04:05.000 MST"), count(len(t.Nodes), "span"))))
	fmt.Fprintln(v)
}

// axis prints round times above the bars.
func (v *waterfallText) axis() {
	if len(v.lines) == 0 {
		return
	}
	text := []rune(strings.Repeat(" ", v.barWidth))
	free := 0
	for _, at := range linearTicks(v.to.Seconds()) {
		label := []rune("╷" + latency(at))
		x := int(at / v.to.Seconds() * float64(v.barWidth))
		if x < free || x+len(label) > len(text) {
			continue
		}
		copy(text[x:], label)
		free = x + len(label) + 1
	}
	margin := strings.Repeat(" ", v.opt.Width-v.barWidth)
	fmt.Fprintln(v, v.paint(dim, strings.TrimRight(margin+string(text), " ")))
}

func (v *waterfallText) span(l line) {
	n := v.first(l)
	v.signs[certainty(n.Known)] = true
	v.signs["×"] = v.signs["×"] || len(l.nodes) > 1
	v.signs["!"] = v.signs["!"] || n.Text(rehearse.AttrFault) != ""
	mark, style := " ", ""
	if v.waited(l) > 0 {
		mark, style = "*", bold
		v.signs[mark] = true
	}
	if trouble(n) != "" {
		style = strings.TrimPrefix(style+";"+red, ";")
	}
	took := short(v.took(l), true)
	fmt.Fprintf(v, "%s %s  %s  %s%s  %s\n", mark,
		v.paint(style, pad(v.label(l, v.nameWidth), v.nameWidth)),
		v.paint(dim, pad(cut(v.place(l), v.placeWidth), v.placeWidth)),
		strings.Repeat(" ", max(0, v.tookWidth-width(took))), took,
		v.bar(v.pieces(l)))
}

// bar draws pieces as one character a cell: what filled most of it.
func (v *waterfallText) bar(pieces []piece) string {
	type cell struct {
		kind     rehearse.SegmentKind
		critical bool
	}
	cells := make([]cell, v.barWidth)
	each := float64(v.to) / float64(v.barWidth)
	for i := range cells {
		from, to := float64(i)*each, float64(i+1)*each
		if i == len(cells)-1 {
			to++ // what begins with the end is seen as well
		}
		// What lies over something else counts if it fills half as much.
		var best [2]float64
		var kinds [2]rehearse.SegmentKind
		for _, p := range pieces {
			layer := 0
			if p.critical {
				layer = 1
			}
			if part := min(to, float64(p.to)) - max(from, float64(p.from)); part > best[layer] {
				best[layer], kinds[layer] = part, p.kind
			}
		}
		switch {
		case best[1] > 0 && best[1] >= best[0]/2:
			cells[i] = cell{kinds[1], true}
		case best[0] > 0:
			cells[i] = cell{kinds[0], false}
		}
	}
	var b strings.Builder
	for i := 0; i < len(cells); {
		c, run := cells[i], 1
		for i+run < len(cells) && cells[i+run] == c {
			run++
		}
		i += run
		if c.kind == "" {
			if i < len(cells) {
				b.WriteString(strings.Repeat(" ", run))
			}
			continue
		}
		sign := glyph(c.kind, c.critical)
		v.signs[sign] = true
		style := kindColor(c.kind)
		if c.critical {
			style = strings.TrimPrefix(style+";"+bold, ";")
		}
		b.WriteString(v.paint(style, strings.Repeat(sign, run)))
	}
	return strings.TrimRight(b.String(), " ")
}

// glyph draws services as lines and calls as blocks.
func glyph(k rehearse.SegmentKind, critical bool) string {
	switch k {
	case rehearse.SegmentWait:
		return "┅"
	case rehearse.SegmentQueue:
		return "░"
	case rehearse.SegmentShape:
		return "▒"
	case rehearse.SegmentNetwork:
		return "·"
	case rehearse.SegmentServer:
		return "█"
	case rehearse.SegmentTransfer:
		return "▓"
	}
	if critical {
		return "━"
	}
	return "─"
}

func kindColor(k rehearse.SegmentKind) string {
	switch k {
	case rehearse.SegmentWait, rehearse.SegmentQueue:
		return yellow
	case rehearse.SegmentShape:
		return "35" // magenta
	case rehearse.SegmentServer:
		return "34" // blue
	case rehearse.SegmentTransfer:
		return "36" // cyan
	}
	return ""
}

// log prints a log record where it was written.
func (v *waterfallText) log(l line) {
	rec := l.log
	text := fmt.Sprintf("  %s▪ %s %s", strings.Repeat("  ", min(l.depth, 12)), short(v.begin(l), true), logText(rec))
	fmt.Fprintln(v, v.paint(or(severityColor(rec.Severity), dim), cut(text, v.opt.Width)))
}

// logText is "docgen error: no connection".
func logText(rec *rehearse.LogRecord) string {
	return strings.TrimSpace(plain(string(rec.Service))+" "+severityText(rec.Severity)) + ": " + plain(rec.Body)
}

// severityText names the group of a severity; empty when it is unknown.
func severityText(s rehearse.Severity) string {
	switch {
	case s >= rehearse.SeverityFatal:
		return "fatal"
	case s >= rehearse.SeverityError:
		return "error"
	case s >= rehearse.SeverityWarn:
		return "warn"
	case s >= rehearse.SeverityInfo:
		return "info"
	case s >= rehearse.SeverityDebug:
		return "debug"
	case s >= rehearse.SeverityTrace:
		return "trace"
	}
	return ""
}

// legend explains the signs that were used.
func (v *waterfallText) legend() {
	if len(v.lines) == 0 {
		return
	}
	var parts []string
	for _, sign := range []struct{ sign, meaning string }{
		{"━", " own work"}, {"─", " under way"}, {"┅", " waits for a connection"}, {"░", " queue"}, {"▒", " network, shaped"},
		{"·", " network, beside the link"}, {"█", " server"}, {"▓", " transfer"}, {"*", " on the critical path"},
		{"~", " parent inferred"}, {"?", " parent unknown"}, {"!", " fault in force"}, {"×", "N equal calls, their times added"},
	} {
		if v.signs[sign.sign] {
			parts = append(parts, sign.sign+sign.meaning)
		}
	}
	fmt.Fprintln(v)
	line := ""
	for _, p := range parts {
		if line != "" && width(line)+3+width(p) > v.opt.Width {
			fmt.Fprintln(v, v.paint(dim, line))
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += p
	}
	fmt.Fprintln(v, v.paint(dim, line))
}

// path prints the critical path, summed up.
func (v *waterfallText) path() {
	rows := v.critical()
	if len(rows) == 0 {
		return
	}
	table := [][]string{{"critical path", "", "time", "share"}}
	for _, r := range rows {
		table = append(table, []string{r.Path, r.Kind, r.Time, r.Share})
	}
	widths := widthsOf(table)
	widths[0] = min(widths[0], v.opt.Width-widths[1]-widths[2]-widths[3]-6)
	fmt.Fprintln(v)
	for i, row := range table {
		line := tableLine(row, widths, func(c int) bool { return c > 1 })
		if i == 0 {
			line = v.paint(dim, line)
		}
		fmt.Fprintln(v, line)
	}
}
