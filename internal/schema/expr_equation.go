package schema

import "slices"

// Equation is two expressions that must be equal.
type Equation struct{ Left, Right *Expr }

// Equations are the terms of a conjunction that demand that two sides are equal,
// as in "total = price * quantity", where neither is a constant and the other a
// column: that is for [Narrow] to say.
func Equations(e *Expr) []Equation {
	var out []Equation
	var visit func(n *node)
	visit = func(n *node) {
		switch {
		case n.op == opAnd:
			for _, a := range n.args {
				visit(a)
			}
		case n.op == opCompare && n.text == "=":
			if q := (Equation{newExpr(n.args[0]), newExpr(n.args[1])}); len(q.Left.columns)+len(q.Right.columns) > 1 {
				out = append(out, q)
			}
		}
	}
	visit(e.root)
	return out
}

// Only reports the column that the expression is, with nothing around it.
func (e *Expr) Only() (name string, ok bool) { return column(e.root) }

func newExpr(root *node) *Expr {
	e := &Expr{root: root}
	root.walk(func(n *node) {
		if n.op == opColumn && !slices.Contains(e.columns, n.text) {
			e.columns = append(e.columns, n.text)
		}
	})
	e.pool.New = func() any { return &evaluation{} }
	return e
}
