package schema

import (
	"fmt"
	"sync"
	"time"
)

// Expr is an expression that has been understood. It may be evaluated from many
// goroutines at once.
type Expr struct {
	root    *node
	columns []string
	pool    sync.Pool // of *evaluation
}

// ParseExpr reads an expression as the engine prints it: of a CHECK constraint, a
// domain, a partial index's predicate, a generated column or a key. The error
// names what of it is not understood; who gets one has to leave the expression to
// the server.
func ParseExpr(engine Engine, text string) (*Expr, error) {
	p := &parser{mysql: engine == MySQL, rest: text}
	root, err := p.whole()
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	return newExpr(root), nil
}

// Columns are the columns that the expression reads, in the order in which they
// come first. In a domain's check it is VALUE.
func (e *Expr) Columns() []string { return e.columns }

// Eval evaluates the expression for the row that get answers for, at a given time.
// A CHECK lets a row pass unless the value [Value.IsFalse].
//
// A char(n) is to come without the spaces that fill it up, and a range as the server
// prints it. Integers have 64 bits, whatever the size of their type.
//
// An error is what the server would raise one for, such as a division by zero, or
// a value whose kind the expression cannot work with. Sessions are in UTC. Texts
// are ordered by their bytes; MySQL's are equal whatever their case and the spaces
// at their end, as in its default collations. A decimal that 18 digits cannot hold
// is worked on as a float.
func (e *Expr) Eval(get func(column string) Value, now time.Time) (Value, error) {
	ev := e.pool.Get().(*evaluation)
	ev.get, ev.now = get, micros(now)
	v, err := ev.eval(e.root)
	ev.get, ev.stack = nil, ev.stack[:0]
	e.pool.Put(ev)
	return v, err
}

// op is what a node does.
type op uint8

const (
	opConst    op = iota
	opColumn      // text
	opAnd         // args
	opOr          // args
	opXor         // two args
	opNot         // one arg
	opCompare     // two args; text is the operator
	opDistinct    // two args: IS DISTINCT FROM
	opIsNull      // one arg
	opIsTrue      // one arg
	opIsFalse     // one arg
	opAny         // two args: the left is compared with elements of the right; text is the operator
	opAll         // the same
	opCase        // when, then, when, then, …, else
	opCoalesce    // args
	opCall        // fn of args
	opMatch       // pattern on one arg
	opArray       // args
	opNow         // the time
	opToday       // the date
)

// node is one node of an expression's tree.
type node struct {
	op   op
	args []*node
	text string
	val  Value
	// typ is the type of a cast, also of one that was done while parsing.
	typ typeName
	fn  function
	// pattern of opMatch: it wants a match, or none where not is set.
	pattern *pattern
	not     bool
	// pad and fold: texts are compared without spaces at their end, without case.
	pad, fold bool
}

func (n *node) walk(f func(*node)) {
	f(n)
	for _, a := range n.args {
		a.walk(f)
	}
}

func constant(v Value) *node { return &node{op: opConst, val: v} }

func (n *node) constant() bool { return n.op == opConst }

// typeName is a type as an expression names it.
type typeName struct {
	name   string // "" where there is none
	args   []int
	arrays int
}

func (t typeName) String() string {
	s := t.name
	for range t.arrays {
		s += "[]"
	}
	return s
}
