package parity

import "fmt"

// Thresholds from which a plan is called worse.
const (
	// bigPages is from how many pages on (8 MB) reading a whole table counts.
	bigPages = 1000
	// costlier is by which factor a plan's cost must rise, and dear from which
	// cost on that matters. A lookup of one row costs about 8.
	costlier = 2.0
	dear     = 100.0
)

// Difference is what has become of a plan.
type Difference struct {
	// Same is true where both trees have the same nodes. Costs and numbers of rows
	// may differ.
	Same bool
	// First is where the trees differ first, as a sentence; empty where they are
	// the same.
	First string
	// Worse are the reasons to call the second plan worse, as sentences; none
	// where it is not.
	Worse []string
	// Ratio is the second plan's cost as a multiple of the first's.
	Ratio float64
}

// Compare compares a statement's plan before a change with that after it.
func Compare(before, after *Plan) Difference {
	d := Difference{First: first(before, after), Ratio: 1}
	d.Same = d.First == ""
	if before.Cost > 0 {
		d.Ratio = after.Cost / before.Cost
	}
	d.Worse = append(newScans(before, after), newLoops(before, after)...)
	if d.Ratio > costlier && after.Cost >= dear {
		d.Worse = append(d.Worse, fmt.Sprintf("The plan costs %.1f times as much: %.0f instead of %.0f.", d.Ratio, after.Cost, before.Cost))
	}
	return d
}

// first is the first node, from the top and the left, that is not the same.
func first(before, after *Plan) string {
	if before.title() != after.title() {
		return fmt.Sprintf("%s became %s.", before.title(), after.title())
	}
	for i := range max(len(before.Plans), len(after.Plans)) {
		switch {
		case i >= len(before.Plans):
			return fmt.Sprintf("%s got a further part, %s.", before.title(), after.Plans[i].title())
		case i >= len(after.Plans):
			return fmt.Sprintf("%s lost a part, %s.", before.title(), before.Plans[i].title())
		}
		if s := first(before.Plans[i], after.Plans[i]); s != "" {
			return s
		}
	}
	return ""
}

// newScans are the big tables that are read as a whole now and were not before.
func newScans(before, after *Plan) []string {
	whole := map[string]bool{}
	for p := range before.all() {
		if p.wholeTable() {
			whole[p.table()] = true
		}
	}
	indexed := map[string]string{}
	for p := range before.all() {
		if p.Relation != "" && !p.wholeTable() && p.scans() {
			indexed[p.table()] = p.title()
		}
	}
	var out []string
	for p := range after.all() {
		was := indexed[p.table()]
		if !p.wholeTable() || p.Pages < bigPages || was == "" || whole[p.table()] {
			continue
		}
		whole[p.table()] = true
		out = append(out, fmt.Sprintf("All %d pages of %s are read (%s) where an index was used (%s).", p.Pages, p.Relation, p.Node, was))
	}
	return out
}

// newLoops are the big tables that a nested loop reads as a whole for each of
// its rows now.
func newLoops(before, after *Plan) []string {
	was := map[string]bool{}
	for p := range loops(before) {
		was[p.table()] = true
	}
	var out []string
	for p, outer := range loops(after) {
		if p.Pages < bigPages || was[p.table()] {
			continue
		}
		was[p.table()] = true
		out = append(out, fmt.Sprintf("A nested loop reads all %d pages of %s, or what it kept of them, for each of %.0f rows.", p.Pages, p.Relation, outer.Rows))
	}
	return out
}

// loops are the scans of whole tables at the inner side of nested loops that are
// expected to go round more than once, with the loops' outer sides.
func loops(p *Plan) func(yield func(scan, outer *Plan) bool) {
	return func(yield func(scan, outer *Plan) bool) {
		for loop := range p.all() {
			if loop.Node != "Nested Loop" || len(loop.Plans) != 2 || loop.Plans[0].Rows <= 1 {
				continue
			}
			for scan := range loop.Plans[1].all() {
				if scan.wholeTable() && !yield(scan, loop.Plans[0]) {
					return
				}
			}
		}
	}
}

func (p *Plan) wholeTable() bool { return p.Node == "Seq Scan" || p.Node == "Parallel Seq Scan" }

// scans is false for what writes a relation.
func (p *Plan) scans() bool {
	switch p.Node {
	case "Insert", "Update", "Delete", "Merge":
		return false
	}
	return true
}

func (p *Plan) table() string { return p.schema + "." + p.Relation }
