package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// tried is what experiments have broken of one declared link, by what it is to who
// calls over it. Its fields are those of the JSON report; a list holds the kinds of
// fault, of the link or of the service that it leads to.
type tried struct {
	Link   rehearse.LinkID `json:"link"`
	Outage []string        `json:"outage"` // nothing comes back
	Slow   []string        `json:"slow"`   // it comes back later
	Error  []string        `json:"error"`  // what comes back is an error, or cut short
}

// effect is what a fault is to who calls.
type effect int

const (
	outage effect = iota
	slow
	failure
)

// effects are those of every fault of links and of services.
var effects = map[string]effect{
	string(rehearse.FaultPartition): outage, string(rehearse.FaultBlackhole): outage, string(rehearse.FaultStall): outage, string(rehearse.FaultRefuse): outage,
	string(rehearse.FaultHalfOpen): outage, string(rehearse.FaultTimeout): outage,
	string(rehearse.DisruptKill): outage, string(rehearse.DisruptRestart): outage, string(rehearse.DisruptPause): outage,

	string(rehearse.FaultDelay): slow, string(rehearse.FaultLoss): slow, string(rehearse.FaultRate): slow, string(rehearse.FaultDuplicate): slow,
	string(rehearse.FaultReorder): slow, string(rehearse.FaultSlice): slow, string(rehearse.FaultSlowClose): slow,
	string(rehearse.DisruptCPU): slow, string(rehearse.DisruptMemory): slow,

	string(rehearse.FaultReset): failure, string(rehearse.FaultLimit): failure, string(rehearse.FaultTruncate): failure, string(rehearse.FaultCorrupt): failure,
	string(rehearse.FaultTLS): failure, string(rehearse.FaultDNS): failure, string(rehearse.FaultAbort): failure, string(rehearse.FaultDropHeader): failure,
	string(rehearse.FaultSQLError): failure, string(rehearse.FaultSQLKill): failure, string(rehearse.FaultReadOnly): failure,
	string(rehearse.FaultRedisError): failure, string(rehearse.FaultEvict): failure,
	string(rehearse.DisruptDisk): failure, string(rehearse.DisruptClock): failure,
}

// tried lists the declared links with what was broken of them: what did not begin
// was not. There are none where no experiment was to break anything.
func (l leg) tried() []tried {
	out := []tried{}
	broken := false
	for _, k := range l.plan.Links {
		if k.Declared {
			out = append(out, tried{k.ID, []string{}, []string{}, []string{}})
		}
	}
	for _, s := range l.plan.Steps {
		if s.Experiment == nil || s.Experiment.Calm {
			continue
		}
		broken = true
		for i, a := range s.Experiment.Method {
			if !l.begun(s.Experiment.Name, i) {
				continue
			}
			for at := range out {
				if l.befalls(a, out[at].Link) {
					out[at].add(kindOf(a))
				}
			}
		}
	}
	if !broken {
		return []tried{}
	}
	return out
}

// begun says whether an action of an experiment was begun as it should have been.
func (l leg) begun(step string, action int) bool {
	return slices.ContainsFunc(l.actions, func(ev rehearse.ActionEvent) bool {
		return ev.Step == step && ev.Action == action && !ev.Over && ev.Error == ""
	})
}

// befalls says whether an action breaks a link, or the service that it leads to.
func (l leg) befalls(a rehearse.Action, id rehearse.LinkID) bool {
	return slices.Contains(a.Links, id) || slices.ContainsFunc(l.plan.Links, func(k rehearse.LinkSpec) bool {
		return k.ID == id && slices.Contains(a.Services, k.Upstream)
	})
}

func (t *tried) add(kind string) {
	list := map[effect]*[]string{outage: &t.Outage, slow: &t.Slow, failure: &t.Error}[effects[kind]]
	if !slices.Contains(*list, kind) {
		*list = append(*list, kind)
	}
}

// triedColumns are the heads of the table of what was broken.
var triedColumns = []string{"link", "outage", "slow", "error"}

// triedTitle says how much of the table is filled.
func triedTitle(l leg, all []tried) string {
	some := 0
	for _, t := range all {
		for _, kinds := range [][]string{t.Outage, t.Slow, t.Error} {
			if len(kinds) > 0 {
				some++
			}
		}
	}
	return fmt.Sprintf("broken in %s: %d of %d", plain(l.Name), some, len(all)*(len(triedColumns)-1))
}

func triedRow(t tried) []string {
	row := []string{plain(string(t.Link))}
	for _, kinds := range [][]string{t.Outage, t.Slow, t.Error} {
		row = append(row, or(plain(strings.Join(kinds, ", ")), "–"))
	}
	return row
}

// shownTried is how many links a terminal and a comment show; the page and the JSON
// have all.
const shownTried = 20

// triedRows is the table, as far as it is shown.
func triedRows(all []tried) [][]string {
	var rows [][]string
	for _, t := range all[:min(len(all), shownTried)] {
		rows = append(rows, triedRow(t))
	}
	if more := len(all) - shownTried; more > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %d more", more), "", "", ""})
	}
	return rows
}

// tried prints what was broken of each link.
func (t *terminal) tried(l leg) {
	all := l.tried()
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(t, "\n%s\n", t.paint(bold, triedTitle(l, all)))
	rows := slices.Insert(triedRows(all), 0, triedColumns)
	widths := widthsOf(rows)
	t.fit(widths)
	for i, row := range rows {
		line := tableLine(row, widths, func(int) bool { return false })
		if i == 0 {
			line = t.paint(dim, line)
		}
		fmt.Fprintln(t, line)
	}
}

func mdTried(w io.Writer, l leg) {
	all := l.tried()
	if len(all) == 0 {
		return
	}
	title := triedTitle(l, all)
	fmt.Fprintf(w, "\n<details><summary>%s</summary>\n\n", md(strings.ToUpper(title[:1])+title[1:]))
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(triedColumns, " | "), strings.Repeat("---|", len(triedColumns)))
	for _, row := range triedRows(all) {
		for i := range row {
			row[i] = md(row[i])
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprint(w, "\n</details>\n")
}

// triedView is what was broken of a leg's links, on the page.
type triedView struct {
	Leg, Color string
	Rows       [][]string
}

// newTriedView is nil where nothing was to be broken.
func newTriedView(l leg, color string) *triedView {
	v := &triedView{Leg: l.Name, Color: color}
	for _, t := range l.tried() {
		v.Rows = append(v.Rows, triedRow(t))
	}
	if v.Rows == nil {
		return nil
	}
	return v
}
