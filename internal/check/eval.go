package check

import (
	"math"

	"github.com/rehearse-dev/rehearse"
)

// Holds asks the expression of a trace. It is no sample when the question does
// not arise in it.
func (e *Expression) Holds(t *rehearse.Trace) (holds, isSample bool) {
	v := look(t)
	selected := v.selected(e.set)
	switch e.set.op {
	case "&&", ">", ">>", "~":
		if !some(v.selected(*e.set.left)) {
			return false, false
		}
	}
	if len(e.stages) == 0 {
		return some(selected), true
	}
	var all []int
	for i, in := range selected {
		if in {
			all = append(all, i)
		}
	}
	groups := [][]int{all}
	holds = true
	for _, s := range e.stages {
		if s.by {
			groups = v.split(groups, s.field)
			continue
		}
		for _, g := range groups {
			got, ok := v.aggregate(g, s)
			if !ok {
				return false, false
			}
			holds = holds && compare(got, s.comparison, s.literal.number)
		}
	}
	return holds, true
}

func some(set []bool) bool {
	for _, in := range set {
		if in {
			return true
		}
	}
	return false
}

// selected says of each node whether it is in the set.
func (v *view) selected(s spanset) []bool {
	out := make([]bool, len(v.Nodes))
	if s.op == "" {
		for i := range out {
			out[i] = s.filter == nil || v.meets(i, s.filter)
		}
		return out
	}
	left, right := v.selected(*s.left), v.selected(*s.right)
	switch s.op {
	case "&&", "||":
		if s.op == "&&" && !(some(left) && some(right)) {
			return out
		}
		for i := range out {
			out[i] = left[i] || right[i]
		}
	case ">":
		for i := range out {
			up := v.up(i)
			out[i] = right[i] && up >= 0 && left[up]
		}
	case ">>":
		below := make([]bool, len(v.Nodes)) // parents stand before their children
		for i := range out {
			up := v.up(i)
			below[i] = up >= 0 && (left[up] || below[up])
			out[i] = right[i] && below[i]
		}
	case "~":
		siblings := map[int]int{} // how many of a parent's children are in left
		for i, in := range left {
			if up := v.up(i); in && up >= 0 {
				siblings[up]++
			}
		}
		for i := range out {
			up := v.up(i)
			others := siblings[up]
			if left[i] {
				others--
			}
			out[i] = right[i] && up >= 0 && others > 0
		}
	}
	return out
}

// meets reports whether a node is what a condition asks for.
func (v *view) meets(i int, c *condition) bool {
	switch c.op {
	case "&&":
		for _, t := range c.terms {
			if !v.meets(i, t) {
				return false
			}
		}
		return true
	case "||":
		for _, t := range c.terms {
			if v.meets(i, t) {
				return true
			}
		}
		return false
	}
	got, ok := v.value(i, c.field)
	if !ok || got.kind != c.literal.kind {
		return false
	}
	switch {
	case c.pattern != nil:
		return c.pattern.MatchString(got.text) == (c.comparison == "=~")
	case got.kind == literalString:
		return (got.text == c.literal.text) == (c.comparison == "=")
	}
	return compare(got.number, c.comparison, c.literal.number)
}

func compare(a float64, op string, b float64) bool {
	switch op {
	case "=":
		return a == b
	case "!=":
		return a != b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	}
	return false
}

// value is what a node has in a field; false when it has nothing there, or
// nothing that can be compared.
func (v *view) value(i int, f field) (literal, bool) {
	n := &v.Nodes[i]
	text := func(s string) (literal, bool) { return literal{kind: literalString, text: s}, true }
	switch f.intrinsic {
	case "name":
		return text(n.Name)
	case "kind":
		return literal{kind: literalSpanKind, number: float64(n.Kind)}, true
	case "status":
		return literal{kind: literalStatus, number: float64(n.Status)}, true
	case "duration":
		return literal{kind: literalDuration, number: float64(n.Duration)}, true
	case "rootName":
		return text(v.Nodes[0].Name)
	case "rootServiceName":
		return text(string(service(&v.Nodes[0])))
	case "trace:duration":
		return literal{kind: literalDuration, number: float64(v.Duration)}, true
	}
	var found any
	if f.scope != "resource" {
		found = n.Attribute(f.attribute)
	}
	if found == nil && f.scope != "span" {
		for _, a := range n.Resource {
			if a.Key == f.attribute {
				found = a.Value
				break
			}
		}
		if found == nil && f.attribute == "service.name" {
			found = string(service(n))
		}
	}
	switch a := found.(type) {
	case string:
		return text(a)
	case bool:
		if a {
			return literal{kind: literalBool, number: 1}, true
		}
		return literal{kind: literalBool}, true
	case int64:
		return literal{kind: literalNumber, number: float64(a)}, true
	case float64:
		return literal{kind: literalNumber, number: a}, !math.IsNaN(a)
	}
	return literal{}, false
}

// service is whose work a node is. A request from outside, which no service has
// made, is that of the service which it goes to.
func service(n *rehearse.Node) rehearse.ServiceName {
	if id, ok := onLink(n); ok && rehearse.IsIngress(n.Service) {
		_, upstream := ends(id)
		return upstream
	}
	return n.Service
}

// split makes a group of the nodes that have the same in a field, in the order in
// which they come; those that have nothing there are a group as well.
func (v *view) split(groups [][]int, f field) [][]int {
	var out [][]int
	for _, g := range groups {
		at := map[literal]int{}
		for _, i := range g {
			key, ok := v.value(i, f)
			if !ok {
				key.kind = -1
			}
			if _, ok := at[key]; !ok {
				at[key] = len(out)
				out = append(out, nil)
			}
			out[at[key]] = append(out[at[key]], i)
		}
	}
	if out == nil {
		return [][]int{nil} // nothing is one group, so that its count is 0
	}
	return out
}

// aggregate is a figure of a group; false when there is nothing to take it of.
func (v *view) aggregate(group []int, s stage) (float64, bool) {
	if s.aggregate == "count" {
		return float64(len(group)), true
	}
	var sum, least, most float64
	n := 0
	for _, i := range group {
		got, ok := v.value(i, s.field)
		if !ok || got.kind != s.literal.kind {
			continue
		}
		if n == 0 {
			least, most = got.number, got.number
		}
		least, most, sum = min(least, got.number), max(most, got.number), sum+got.number
		n++
	}
	switch {
	case s.aggregate == "sum":
		return sum, true
	case n == 0:
		return 0, false
	case s.aggregate == "min":
		return least, true
	case s.aggregate == "max":
		return most, true
	}
	return sum / float64(n), true
}
