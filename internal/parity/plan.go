package parity

import (
	"fmt"
	"iter"
	"strings"
)

// Plan is a node of a plan with what lies below it.
type Plan struct {
	// Node is what it does, as EXPLAIN writes it in text: "Index Scan",
	// "Parallel Seq Scan", "Finalize GroupAggregate", "Nested Loop", "Update".
	Node     string
	Join     string // "Inner", "Left", …; empty: no join
	Relation string // of a scan, and of what is written
	Index    string
	Startup  float64 // cost until the first row
	Cost     float64 // in all
	Rows     float64
	Width    int // bytes in a row
	// Pages are those of the relation's file.
	Pages int64
	Plans []*Plan

	schema string
}

// String is the tree as EXPLAIN writes it, one node a line.
func (p *Plan) String() string {
	var b strings.Builder
	p.write(&b, 0)
	return b.String()
}

func (p *Plan) write(b *strings.Builder, depth int) {
	if depth > 0 {
		b.WriteString(strings.Repeat("      ", depth-1) + "  ->  ")
	}
	fmt.Fprintf(b, "%s  (cost=%.2f..%.2f rows=%.0f)\n", p.title(), p.Startup, p.Cost, p.Rows)
	for _, child := range p.Plans {
		child.write(b, depth+1)
	}
}

// title is all that makes two nodes the same.
func (p *Plan) title() string {
	name := p.Node
	if p.Join != "" && p.Join != "Inner" {
		name += " " + p.Join + " Join"
	}
	if p.Index != "" {
		if p.Relation == "" {
			return name + " on " + p.Index
		}
		name += " using " + p.Index
	}
	if p.Relation != "" {
		name += " on " + p.Relation
	}
	return name
}

// all are the plan's nodes, each before those below it.
func (p *Plan) all() iter.Seq[*Plan] {
	return func(yield func(*Plan) bool) { p.walk(yield) }
}

func (p *Plan) walk(yield func(*Plan) bool) bool {
	if !yield(p) {
		return false
	}
	for _, child := range p.Plans {
		if !child.walk(yield) {
			return false
		}
	}
	return true
}
